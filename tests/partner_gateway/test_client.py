"""The client for other systems, at a real gateway; and what docs/client.md shows is what it gives."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from queue import Empty, Queue
from uuid import uuid4

import pytest
import sqlalchemy as sa

from services.bus import events as e
from services.bus.settings import Settings
from services.client import (
    Client,
    FileCursorStore,
    IdReused,
    Invalid,
    NotAllowed,
    NotFound,
    NotIdentified,
    Outgoing,
    Patience,
    verify_webhook,
)
from services.embedded.ports import free_port
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import open_door
from services.partner_gateway.inbox import tables
from services.partner_gateway.partners import registry
from services.partner_gateway.reference.examples import example
from services.partner_gateway.reference.kinds import EventTypes
from services.partner_gateway.webhooks.message import ENTRY_KIND, Notice, new_secret, signed
from tests.docs.copy import ROOT
from tests.partner_gateway.conftest import tell

SCHOOL = "school:999901"
SOURCE = f"urn:safebus:{SCHOOL}"
CONTACTS = "mash.contacts.v1"
HASTY = Patience(total=30.0, first=0.02, longest=0.2)
GUIDE = (ROOT / "docs/client.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```output\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
async def key(gateway: Gateway) -> str:
    """A key of school:999901, with every scope that it may have."""
    return await key_of(gateway, SCHOOL, "agency")


async def key_of(gateway: Gateway, organisation: str, acts_as: str) -> str:
    scopes = registry.scopes_of(acts_as, gateway.catalogue)

    def admit(connection: sa.Connection) -> str:
        registry.add_partner(connection, organisation, acts_as, now_us=gateway.now_us)
        return registry.add_key(connection, organisation, scopes, now_us=gateway.now_us)

    return await gateway.access.write(admit)


@pytest.fixture
async def mine(door: str, key: str) -> AsyncIterator[Client]:
    async with Client(door, key, source=SOURCE, patience=HASTY) as client:
        yield client


def contact(gateway: Gateway) -> dict[str, object]:
    [kind] = [kind for kind in EventTypes(gateway.catalogue).posted if kind.name == CONTACTS]
    return example(kind.schema.definition)


def alert(gateway: Gateway, to: str = SCHOOL) -> e.SchoolAlerted:
    [kind] = [kind for kind in EventTypes(gateway.catalogue).told if kind.name == e.SchoolAlerted.topic]
    said = example(kind.schema.definition)
    return e.SchoolAlerted.model_validate(said | {"disclosure": said["disclosure"] | {"id": uuid4(), "recipient": to}})


async def read(client: Client, count: int, store: FileCursorStore) -> list[int]:
    """The numbers of the next so many disclosures, each done with."""
    stream = client.inbox(cursor_store=store, patience=HASTY)
    async with asyncio.timeout(60):
        got = [(await anext(stream)).number for _ in range(count)]
        following = asyncio.ensure_future(anext(stream))  # asked for, by which the last one is done
        while not (store.load() or "").endswith(f".{got[-1]}"):
            await asyncio.sleep(0.01)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return got


async def test_an_event_is_accepted_once_and_what_became_of_it_can_be_asked(mine: Client, gateway: Gateway) -> None:
    """The same again answers the same; other content under the id is refused."""
    said, own_id = contact(gateway), f"our file/{uuid4()}"
    first = await mine.publish(CONTACTS, said, id=own_id)
    again = await mine.publish(CONTACTS, said, id=own_id)
    assert (first.state, first.location) == (again.state, again.location)
    assert first.state == "accepted"
    became = await mine.what_became_of(first)
    assert (became["id"], became["state"], became["recipients"]) == (own_id, "accepted", [])
    with pytest.raises(IdReused) as caught:
        await mine.publish(CONTACTS, said | {"concern": "another"}, id=own_id)
    assert caught.value.code == "id-reused"


async def test_refusals_have_their_kinds_and_pointers(mine: Client, gateway: Gateway, door: str) -> None:
    """Every wrong field, another's source, a type without the scope, no key."""
    said = contact(gateway)
    del said["grading"]
    with pytest.raises(Invalid) as caught:
        await mine.publish(CONTACTS, said | {"concern": 7})
    assert caught.value.errors.keys() == {"/data/grading", "/data/concern"}
    with pytest.raises(NotAllowed):
        await mine.publish(CONTACTS, contact(gateway), source="urn:safebus:school:999902")
    with pytest.raises(NotAllowed):
        await mine.publish("mash.decisions.v1", {})
    with pytest.raises(NotFound):
        await mine.publish("no.such.v1", {})
    async with Client(door, "sbk_0_nothing", source=SOURCE) as stranger:
        with pytest.raises(NotIdentified):
            await stranger.publish(CONTACTS, contact(gateway))
        with pytest.raises(NotIdentified):
            await anext(stranger.inbox())


async def test_a_batch_has_a_result_for_each(mine: Client, gateway: Gateway) -> None:
    """Accepted, wrong, accepted: in their order."""
    said, run = contact(gateway), uuid4()
    wrong = {name: value for name, value in said.items() if name != "grading"}
    events = [Outgoing(each, id=f"{run}-{n}") for n, each in enumerate((said, wrong, said))]
    done = await mine.publish_many(CONTACTS, events)
    assert [d.state for d in done] == ["accepted", None, "accepted"]
    assert isinstance(done[1].error, Invalid)
    assert done[1].error.errors == {"/data/grading": "is missing"}


async def test_the_inbox_goes_on_through_a_gateway_that_ends_and_comes_back(
    at: Settings, gateway: Gateway, key: str, tmp_path: Path
) -> None:
    """Entries come while it is away: none is left out, none twice, and a new start goes on where this one ended."""
    settled = at.model_copy(update={"gateway_port": free_port()})
    store = FileCursorStore(tmp_path / "cursor")
    got: list[int] = []
    enough = asyncio.Event()

    async def reads(client: Client) -> None:
        async for disclosure in client.inbox(cursor_store=store, patience=HASTY):
            got.append(disclosure.number)
            if len(got) in (3, 6):
                enough.set()

    async with asyncio.timeout(90):
        async with open_door(settled) as address:
            client = await Client(address, key, patience=HASTY).__aenter__()
            reader = asyncio.create_task(reads(client))
            await tell(gateway, *(alert(gateway, to) for to in (SCHOOL, "school:999902", SCHOOL, SCHOOL)))
            await enough.wait()
        enough.clear()
        await tell(gateway, *(alert(gateway) for _ in range(2)))
        async with open_door(settled):
            await tell(gateway, alert(gateway))
            await enough.wait()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await client.__aexit__(None, None, None)
            assert got == [1, 2, 3, 4, 5, 6]
            await tell(gateway, alert(gateway))
            begins = int(str(store.load()).partition(".")[2]) + 1
            async with Client(address, key) as another:
                assert await read(another, 8 - begins, store) == list(range(begins, 8))


async def test_a_new_epoch_is_read_from_its_beginning(mine: Client, gateway: Gateway, tmp_path: Path) -> None:
    """A recovered database numbers anew: the client reads everything again and forgets the old cursor."""
    store = FileCursorStore(tmp_path / "cursor")
    await tell(gateway, alert(gateway), alert(gateway))
    assert await read(mine, 2, store) == [1, 2]

    def recover(connection: sa.Connection) -> None:
        connection.execute(tables.epoch.update().values(epoch="0badcafe"))

    await gateway.access.write(recover)
    await tell(gateway)
    assert await read(mine, 2, store) == [1, 2]
    assert store.load() == "0badcafe.2"


async def test_a_receipt_and_the_proof(mine: Client, gateway: Gateway) -> None:
    """A named person's reading is taken, and again; another organisation's disclosure is not there."""
    told, others = alert(gateway), alert(gateway, "school:999902")
    await tell(gateway, told, others)
    await mine.receipt(told.disclosure.id, "A. Practitioner")
    await mine.receipt(told.disclosure.id, "A. Practitioner")
    with pytest.raises(NotFound):
        await mine.receipt(others.disclosure.id, "A. Practitioner")
    with pytest.raises(Invalid) as caught:
        await mine.receipt(told.disclosure.id, " ")
    assert "/practitioner" in caught.value.errors
    proof = await mine.proof()
    assert (proof.count, proof.first, proof.last) == (1, 1, 1)


async def test_what_was_sent_is_listed_newest_first(mine: Client, gateway: Gateway) -> None:
    """All of it, through its pages; and of which something is late, none."""
    ids = [f"{uuid4()}" for _ in range(5)]
    for own_id in ids:
        await mine.publish(CONTACTS, contact(gateway), id=own_id)
    gateway.settings = gateway.settings.model_copy(update={"gateway_page": 2})
    assert [event["id"] async for event in mine.sent()] == ids[::-1]
    assert [event async for event in mine.sent(late=True)] == []


async def test_a_document_goes_up_and_comes_down(door: str, gateway: Gateway, mine: Client, tmp_path: Path) -> None:
    """For who uploaded it; for anybody else there is none; what is no PDF is not taken for one."""
    council = await key_of(gateway, "la:999", "local-authority")
    async with Client(door, council, patience=HASTY) as client:
        document = await client.upload(b"Decided: early help.\n", "text/plain")
        await client.download(document, tmp_path / "copy")
        with pytest.raises(Invalid) as caught:
            await client.upload(b"Decided: early help.\n", "application/pdf")
    assert (tmp_path / "copy").read_bytes() == b"Decided: early help.\n"
    assert caught.value.code == "document-refused"
    with pytest.raises(NotFound):
        await mine.download(document, tmp_path / "stolen")


def test_a_webhook_of_the_gateway_is_believed() -> None:
    """What its sender signs, the client verifies."""
    secret = new_secret()
    headers, body = signed(Notice("3f9a01c7", 7, "encompass.alerts.v1", "", 0), [secret])
    said = verify_webhook(headers, body, secret)
    assert (said["type"], said["data"]["number"]) == (ENTRY_KIND, 7)


@pytest.mark.parametrize(("program", "output"), EXAMPLES, ids=range(len(EXAMPLES)))
async def test_the_guides_examples_give_what_it_says(
    program: str, output: str, door: str, gateway: Gateway, key: str, tmp_path: Path
) -> None:
    """Each runs as a program of its own and prints the lines that stand below it."""
    await tell(gateway, alert(gateway), alert(gateway))
    keys = {"GATEWAY_KEY": key, "COUNCIL_KEY": await key_of(gateway, "la:999", "local-authority")}
    given = {"GATEWAY": door, **keys}
    printed = await asyncio.to_thread(_printed, program, len(output.splitlines()), given, tmp_path)
    assert printed == output.splitlines()


def test_the_guide_has_examples() -> None:
    """Every program in it has its output below it, so none goes untested."""
    assert len(EXAMPLES) == GUIDE.count("```python") == 6


def _printed(program: str, count: int, given: Mapping[str, str], folder: Path) -> list[str]:
    """The first lines that a program prints; then it is ended, if it has not ended."""
    environment = os.environ | given | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    lines: Queue[str] = Queue()
    output = process.stdout

    def reads() -> None:
        for line in output:
            lines.put(line.rstrip("\n"))

    reader = threading.Thread(target=reads)
    reader.start()
    try:
        return [lines.get(timeout=60) for _ in range(count)]
    except Empty:
        return []
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
