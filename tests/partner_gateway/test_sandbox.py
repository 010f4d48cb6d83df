"""A rehearsal goes the whole real way, to whoever asked for it and nobody else; `safebus partner test` follows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from nhs_number import is_valid

from services.bus.catalogue import load
from services.bus.catalogue.plan import admin_config_of
from services.bus.clock import Clock
from services.bus.events import SandboxAlerted
from services.bus.loop import Loop
from services.bus.run import broker_for, codec_for, store_for
from services.bus.settings import Settings
from services.cli.hops import Hop, Trial
from services.cli.partner import Office
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox.tables import entry
from services.partner_gateway.partners import registry
from services.partner_gateway.partners.routes import rehearsal
from services.partner_gateway.wiring import SERVICE

TRYING, SCHOOL = "school:990007", "school:990008"
Keys = dict[str, str]


@pytest.fixture
def keys(gateway: Gateway) -> Keys:
    """A key of a sandbox organisation, and one of an organisation that is none."""

    def made(connection: sa.Connection) -> Keys:
        catalogue, found = load(gateway.settings.catalogue), {}
        for organisation in (TRYING, SCHOOL):
            registry.add_partner(
                connection, organisation, "agency", now_us=gateway.now_us, sandbox=organisation == TRYING
            )
            may = registry.granted(registry.open_partner(connection, organisation), catalogue)
            found[organisation] = registry.add_key(connection, organisation, may, now_us=gateway.now_us)
        return found

    return gateway.access.run(made)


@asynccontextmanager
async def the_loop(at: Settings) -> AsyncIterator[None]:
    """The gateway's own loop, on the same database and the real Kafka, where no loop of a test before is known."""
    await asyncio.to_thread(_forget_the_group, at)
    loop = Loop(
        SERVICE, broker_for(at, SERVICE.name), store_for(at, SERVICE), codec_for(at), settings=at, clock=Clock.of(at)
    )
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        loop.stop()
        await asyncio.wait_for(task, 20)


def _forget_the_group(at: Settings) -> None:
    """A new database begins anew; what a test before it has read is not its own."""
    admin, end = AdminClient(admin_config_of(at)), time.monotonic() + 30
    while time.monotonic() < end:
        try:
            admin.delete_consumer_groups([SERVICE.name])[SERVICE.name].result(10)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return
            time.sleep(0.1)  # it has a member until the broker has noticed that it left


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_rehearsal_is_about_nobody(gateway: Gateway) -> None:
    """Its child, its number and its words are clearly made up, and it is due like a real one."""
    event = rehearsal(gateway, TRYING)
    number = event.about.nhs_number
    assert number is not None
    assert number.startswith("999")
    assert is_valid(number)
    assert event.child_id.startswith("sandbox-")
    assert "This is a test" in event.what_to_do
    assert event.disclosure.due_by == event.at + timedelta(hours=24)
    assert event.envelope.source == f"urn:safebus:{TRYING}"


async def test_only_a_sandbox_organisation_may_rehearse(client: httpx.AsyncClient, keys: Keys) -> None:
    """A real school's inbox takes no made-up children at its own system's wish."""
    refused = await client.post("/v1/sandbox/event", headers=bearer(keys[SCHOOL]))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:safebus:problem:not-allowed")


async def test_no_partner_may_post_one_as_an_event(gateway: Gateway) -> None:
    """No agency's scopes hold the rehearsals' topic: there is one way to make one, and it makes up the child itself."""
    catalogue = load(gateway.settings.catalogue)
    agencies = [p.name for p in catalogue.principals.values() if p.kind == "agency" and p.name != registry.DOOR]
    assert not [name for name in agencies if SandboxAlerted.topic in registry.scopes_of(name, catalogue)]


async def test_a_rehearsal_comes_by_the_real_way_to_whoever_asked(
    at: Settings, gateway: Gateway, client: httpx.AsyncClient, keys: Keys
) -> None:
    """Accepted, on Kafka, read by the loop, once in the own inbox, in nobody else's."""
    async with the_loop(at):
        accepted = await client.post("/v1/sandbox/event", headers=bearer(keys[TRYING]))
        assert accepted.status_code == 202
        disclosure = accepted.json()["disclosure_id"]
        await _until(gateway, disclosure)
    for organisation, expected in ((TRYING, [disclosure]), (SCHOOL, [])):
        inbox = (await client.get("/v1/inbox", headers=bearer(keys[organisation]))).json()
        assert [one["disclosure_id"] for one in inbox["entries"]] == expected


async def _until(gateway: Gateway, disclosure: str) -> None:
    query = sa.select(entry.c.number).where(entry.c.disclosure_id == disclosure)
    async with asyncio.timeout(60):
        while await gateway.access.read(lambda c: c.execute(query).first()) is None:
            await asyncio.sleep(0.05)


# --- safebus partner test ---------------------------------------------------------------------------------------------


async def _try(gateway: Gateway, address: str, organisation: str = SCHOOL) -> tuple[bool, list[Hop]]:
    told: list[Hop] = []
    here = Office(gateway.settings, gateway.access, gateway.catalogue, gateway.now_us)
    return await Trial(here, address, organisation).run(told.append), told


async def test_each_hop_is_reported_when_all_is_well(at: Settings, gateway: Gateway, keys: Keys, door: str) -> None:
    """Also for one that is no sandbox: whoever looks after the bus may try any connection. No key is left."""
    async with the_loop(at):
        good, told = await _try(gateway, door)
    assert good, "\n".join(map(str, told))
    assert [hop.name for hop in told] == ["catalogue", "key", "gateway", "stream", "post", "Kafka", "inbox", "stream"]
    assert "has a new record" in told[5].what
    live = await gateway.access.read(lambda c: registry.keys_of(c, SCHOOL, now_us=gateway.now_us))
    assert [key.key_id for key in live] == [keys[SCHOOL].split("_")[1]]


async def test_the_first_hop_that_fails_is_the_last_and_says_what_to_do(
    gateway: Gateway, keys: Keys, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody at the address; a gateway on another database; a loop that does not run."""
    monkeypatch.setattr("services.cli.hops.PATIENCE", 1.0)

    async def last(address: str) -> tuple[str, str]:
        good, told = await _try(gateway, address)
        assert not good
        assert [hop.good for hop in told] == [True] * (len(told) - 1) + [False]
        return told[-1].name, told[-1].what

    assert await last("http://127.0.0.1:1") == (
        "gateway", "http://127.0.0.1:1 does not answer; `safebus up` starts the gateway",
    )  # fmt: skip
    name, what = await last(door)
    assert (name, what.partition(" so ")[2][:33]) == ("inbox", "the gateway does not read Kafka; ")


async def test_a_gateway_on_another_database_is_told_apart(
    at: Settings, gateway: Gateway, keys: Keys, door: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The commonest mistake with a command on the gateway's database: it is another gateway's."""
    from services.bus.access import Access
    from services.partner_gateway.tables import metadata

    elsewhere = at.model_copy(update={"data_dir": tmp_path_factory.mktemp("elsewhere")})
    access = Access(elsewhere, SERVICE.name)

    def make(connection: sa.Connection) -> None:
        metadata.create_all(connection)
        registry.add_partner(connection, SCHOOL, "agency", now_us=1)

    await access.write(make)
    told: list[Hop] = []
    here = Office(elsewhere, access, gateway.catalogue, gateway.now_us)
    assert not await Trial(here, door, SCHOOL).run(told.append)
    assert told[-1].name == "gateway"
    assert "does not know the key" in told[-1].what
    access.close()
