"""Gateways as processes, and what goes wrong around them: each has its clear answer, and nothing is lost or twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.bus.events import Role
from services.bus.publish import Publisher, read_all
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.partner_gateway.wiring import SERVICE
from services.supervisor import rooms
from tests.partner_gateway import house
from tests.partner_gateway.certificate import certificate
from tests.partner_gateway.house import VICTIM, Door, Process, listening, next_of, post, request
from tests.partner_gateway.wire import GIGABYTE, Wire, Wires, a_gigabyte, head
from tests.police_notifications import samples

MB = 1_000_000


@pytest.fixture(scope="module")
def shared(stack: Settings, stack_kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One database and one data folder for the gateways of this file, one after another, behind TLS."""
    folder = tmp_path_factory.mktemp("gateway-faults")
    cert, key = certificate(folder)
    house.forget_groups(stack_kafka, SERVICE.name)
    yield stack.model_copy(
        update={
            "data_dir": folder,
            "gateway_tls_cert": cert,
            "gateway_tls_key": key,
            "secrets_file": stack.secrets_path,
        }
    )
    house.forget_groups(stack_kafka, SERVICE.name)


@pytest.fixture(scope="module")
def running(shared: Settings) -> Iterator[list[Door]]:
    """The gateway that runs now, at most one: two databases in one consumer group would each have a half."""
    doors: list[Door] = []
    yield doors
    for door in doors:
        door.end()


@pytest.fixture
async def gateway(shared: Settings, running: list[Door]) -> Door:
    """A gateway that no test has done harm to yet, or that has outlived it."""
    if not running or not running[-1].lives:
        running.append(Door(shared))
    return await running[-1].opened()


async def settled(client: httpx.AsyncClient, count: int) -> dict[str, Any]:
    """The inbox's proof, once it has so many entries."""
    async with asyncio.timeout(house.SECONDS):
        while (proof := (await client.get("/v1/inbox/proof")).json())["count"] < count:
            await asyncio.sleep(0.05)
    return dict(proof)


async def on_the_topic(at: Settings, ids: Iterable[str]) -> list[str]:
    """Which of these ids stand on the topic, once for each record."""
    wanted = set(ids)
    found = read_all(house.REQUESTS, SERVICE.name, at)
    return [event.envelope.id async for event in found if event.envelope.id in wanted]


# --- killed -----------------------------------------------------------------------------------------------------------


async def test_killed_between_acknowledgement_and_answer_a_retry_has_one_effect(
    shared: Settings, running: list[Door]
) -> None:
    """Kafka has it and its sender does not know: sent again with its id, it is accepted; in the inbox it is one."""
    for door in running:
        door.end()
    door = await Door(shared, [*VICTIM, "killed"]).opened()
    running.append(door)
    key, asked = await door.key("la:killed"), request("school:killed", by="la:killed")
    async with door.partner("la:killed", key) as sender:
        with pytest.raises(httpx.TransportError):
            await post(sender, asked)
    assert await door.ended() == -signal.SIGKILL
    assert await on_the_topic(shared, [asked["id"]]) == [asked["id"]]
    running.append(again := await Door(shared).opened())
    async with again.partner("la:killed", key) as sender, again.partner("school:killed") as school:
        first, second = [await post(sender, asked) for _ in range(2)]
        assert (first.status_code, second.status_code) == (202, 202), first.text
        assert first.json() == second.json()
        assert (await post(sender, asked | {"data": asked["data"] | {"child_id": "another"}})).status_code == 409
        marker = request("school:killed", by="la:killed")
        assert (await post(sender, marker)).status_code == 202
        proof = await settled(school, 2)
        entries = (await school.get("/v1/inbox")).json()["entries"]
    assert (proof["count"], proof["first"], proof["last"]) == (2, 1, 2)
    assert sorted(entry["event"]["id"] for entry in entries) == sorted([asked["id"], marker["id"]])
    assert set(await on_the_topic(shared, [asked["id"]])) == {asked["id"]}, "the same id, however often it was sent"


# --- the broker away --------------------------------------------------------------------------------------------------


@pytest.mark.soak
async def test_broker_away_and_back(gateway: Door, stack_kafka: EmbeddedKafka) -> None:
    """503 with what to do, while inboxes are read as ever; then 202, and the stream that was open all along goes on."""
    before, during = (request("school:away", by="la:away") for _ in range(2))
    async with (
        gateway.partner("la:away") as sender,
        gateway.partner("school:away") as school,
        listening(school) as stream,
    ):
        assert (await post(sender, before)).status_code == 202
        cursor, entry = await next_of(stream)
        assert (entry["number"], entry["event"]["id"]) == (1, before["id"])
        assert stack_kafka.pid is not None
        os.kill(stack_kafka.pid, signal.SIGKILL)
        await stack_kafka.wait()
        try:
            refused = await post(sender, during)
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:safebus:problem:try-again")
            assert int(refused.headers["retry-after"]) > 0
            assert (await school.get("/v1/inbox")).json()["next"] == cursor
        finally:
            await stack_kafka.start()
        async with asyncio.timeout(house.SECONDS):
            while (answer := await post(sender, during)).status_code != 202:
                assert answer.status_code == 503
                await asyncio.sleep(0.2)
        _, entry = await next_of(stream)
        assert (entry["number"], entry["event"]["id"]) == (2, during["id"])
        assert (await settled(school, 2))["count"] == 2
    assert gateway.lives


# --- too much, too slowly ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [("/v1/documents", "text/plain", 50 * MB), (f"/v1/events/{house.REQUESTS}", "application/json", 2 * MB)],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_gigabyte_is_refused_early_and_takes_no_memory(
    gateway: Door, path: str, kind: str, most: int, chunked: bool
) -> None:
    """413, by its announced length before a byte of it is taken, else as soon as it is too much; nothing is kept."""
    key = await gateway.key(f"la:large-{uuid4().hex[:6]}")
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {GIGABYTE}"
    before, highest = gateway.memory, 0

    def body() -> Iterator[bytes]:
        nonlocal highest
        yield head(path, key, kind, length)
        for number, piece in enumerate(a_gigabyte(chunked)):
            if number % 32 == 0:
                highest = max(highest, gateway.memory)
            yield piece

    async with Wire(gateway) as wire:
        answer = await wire.send(body())
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
        assert b"urn:safebus:problem:too-large" in answer
        assert wire.sent < (most if chunked else 0) + 20 * MB
    assert highest - before < 50 * MB
    assert not [path for path in (gateway.at.data_dir / "claims").rglob("*") if path.is_file()]


async def test_who_sends_drop_by_drop_holds_nobody_up_and_is_shown_out(gateway: Door) -> None:
    """Slow loris, in the headers and in the body: closed when their time is up; the others are served meanwhile."""
    key = await gateway.key("la:slow")

    def headers() -> Iterator[bytes]:
        yield head(f"/v1/events/{house.REQUESTS}", key, "application/json").rstrip()
        while True:
            yield b"\r\nX-A: b"

    def body(path: str, kind: str) -> Iterator[bytes]:
        yield head(path, key, kind, "Content-Length: 100000")
        while True:
            yield b"a"

    async with Wires(gateway, 30) as wires:
        slow = [asyncio.create_task(wire.send(headers(), 0.1)) for wire in wires[:20]]
        slow += [asyncio.create_task(w.send(body("/v1/documents", "text/plain"), 0.1)) for w in wires[20:25]]
        slow += [
            asyncio.create_task(w.send(body(f"/v1/events/{house.REQUESTS}", "application/json"), 0.1))
            for w in wires[25:]
        ]
        served = 0
        async with gateway.partner("la:slow", key) as sender:
            while not all(task.done() for task in slow):
                assert (await post(sender, request("school:slow", by="la:slow"))).status_code == 202
                served += 1
                await asyncio.sleep(0.1)
        answers = [await task for task in slow]
    assert served > 1
    assert set(answers[:20]) == {b""}
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers[20:]), answers[20:]
    assert not [path for path in (gateway.at.data_dir / "claims").rglob("*") if path.is_file()]


# --- the whole path ---------------------------------------------------------------------------------------------------

AREA, FORCE, SCHOOL = "871", "police:871", "school:871001"


def directory() -> list[Any]:
    """An area of its own, and a child at school in it."""
    made = samples.organisation
    return [
        made(FORCE, Role.POLICE, local_authority_code=None),
        *(
            made(f"{kind.value.lower()}:{AREA}", kind, local_authority_code=AREA)
            for kind in (Role.MASH, Role.OUT_OF_HOURS)
        ),
        made(f"la:{AREA}", Role.LOCAL_AUTHORITY, local_authority_code=AREA),
        made(SCHOOL, Role.SCHOOL, local_authority_code=AREA),
        samples.record("child-871", registrations=[{"organisation_id": SCHOOL, "role": "SCHOOL"}]),
    ]


@contextmanager
def rooms_beside(gateway: Door, kafka: EmbeddedKafka, *names: str) -> Iterator[list[Process]]:
    """These services, as processes on the same Kafka, with databases of their own."""
    house.forget_groups(kafka, *names)
    with ExitStack() as ending:
        processes = [Process(gateway.at, rooms.commands(gateway.at)[name], session_timeout=1) for name in names]
        for process in processes:
            ending.callback(process.end)
        yield processes
    house.forget_groups(kafka, *names)


async def test_an_incident_reaches_the_school_and_its_sender_learns_that_it_was_read(
    gateway: Door, stack_kafka: EmbeddedKafka
) -> None:
    """The whole way over HTTPS: a force posts, the school has it on its page and in its stream, a named person reads,
    and the force sees that by role, never who (H2). No log has anything of the content."""
    async with Publisher("importer", gateway.at) as importer:
        await importer.publish(directory())
    told = samples.incident(at=datetime.now(UTC) - timedelta(minutes=5), incident_id="incident-871", force=FORCE)
    posted = house.event(told.topic, FORCE, told.model_dump(mode="json", by_alias=True))
    names = ("police-notifications", "encompass-alerts")
    with rooms_beside(gateway, stack_kafka, *names) as services:
        async with gateway.partner(FORCE) as force, gateway.partner(SCHOOL) as school, listening(school) as stream:
            answer = await post(force, posted)
            assert answer.status_code == 202, answer.text
            cursor, streamed = await next_of(stream)
            page = (await school.get("/v1/inbox")).json()
            assert (page["entries"], page["next"]) == ([streamed], cursor)
            assert streamed["event"]["type"] == "encompass.alerts.v1"
            assert streamed["event"]["data"]["child_id"] == "child-871"
            assert samples.NARRATIVE not in str(page)
            receipt = {"disclosure_id": streamed["disclosure_id"], "state": "READ", "practitioner": "A. Lead"}
            assert (await school.post("/v1/receipts", json=receipt)).status_code == 202
            seen = await _seen(force, answer.headers["location"], "read")
            assert {recipient["role"] for recipient in seen} - {"MASH", "OUT_OF_HOURS"} == {"SCHOOL"}
            assert {recipient["state"] for recipient in seen if recipient["role"] == "SCHOOL"} == {"read"}
            assert all(recipient.keys() == {"role", "state", "due_by"} for recipient in seen)
            assert (await school.get("/v1/inbox")).json()["entries"][0]["state"] == "read"
        logs = "".join(process.log for process in [gateway, *services])
    for personal in ("Hartley", "Maya", samples.MAYAS_NUMBER, "MARK", "A. Lead", "sbk_"):
        assert personal not in logs


async def _seen(sender: httpx.AsyncClient, location: str, state: str) -> list[dict[str, Any]]:
    """What became of the event, once the school's part of it is in that state."""
    async with asyncio.timeout(house.SECONDS):
        while True:
            seen = (await sender.get(location)).json()["recipients"]
            if any(recipient["role"] == "SCHOOL" and recipient["state"] == state for recipient in seen):
                return list(seen)
            await asyncio.sleep(0.05)


COUNCIL, INVITED = f"la:{AREA}", "school:871002"


async def test_minutes_reach_who_the_chair_says_as_long_as_the_chair_says(
    gateway: Door, stack_kafka: EmbeddedKafka
) -> None:
    """H4, the whole way: a document is uploaded, the minutes refer to it, an invitee fetches it by what stands in its
    inbox; and no longer, once the chair gives it less, though nobody has recalled what it was sent."""
    async with Publisher("importer", gateway.at) as importer:
        await importer.publish([*directory(), samples.organisation(INVITED, Role.SCHOOL, local_authority_code=AREA)])
    body = b"%PDF-1.7\nAGREEDMARK\n%%EOF\n"
    with rooms_beside(gateway, stack_kafka, "strategy-minutes"):
        async with (
            gateway.partner(COUNCIL) as council,
            gateway.partner(INVITED) as invited,
            gateway.partner("school:871003") as stranger,
            listening(invited) as stream,
        ):
            claim = (
                await council.post("/v1/documents", content=body, headers={"Content-Type": "application/pdf"})
            ).json()
            assert (await post(council, meeting(1, "FULL"))).status_code == 202
            answer = await post(council, minutes(claim))
            assert answer.status_code == 202, answer.text
            _, entry = await next_of(stream)
            assert entry["event"]["data"]["document"] == claim
            fetched = await invited.get(claim["location"])
            assert (fetched.status_code, fetched.content) == (200, body)
            assert (await stranger.get(claim["location"])).status_code == 404
            assert (await post(council, meeting(2, "ACTIONS_ONLY"))).status_code == 202
            async with asyncio.timeout(house.SECONDS):
                while (await invited.get(claim["location"])).status_code != 404:
                    await asyncio.sleep(0.05)
            assert (await council.get(claim["location"])).content == body
    assert "AGREEDMARK" not in gateway.log


def meeting(version: int, release: str) -> dict[str, Any]:
    invitee = {"organisation_id": INVITED, "role": "SCHOOL", "post": "lead", "attended": "NO", "release": release}
    data = {
        "meeting_id": "meeting-871", "version": version, "enquiry_id": "enquiry-871", "child_ids": ["child-871"],
        "held_at": "2026-11-20T10:00:00Z", "chair": "team manager", "location_confidential": False,
        "invitees": [invitee], "adults_of_concern": [], "lado": False,
    }  # fmt: skip
    return house.event("strategy.meetings.v1", COUNCIL, data)


def minutes(claim: dict[str, Any]) -> dict[str, Any]:
    data = {
        "minutes_id": "minutes-871", "meeting_id": "meeting-871", "approved_at": "2026-11-20T12:00:00Z",
        "approved_by": "team manager", "full_text": "", "actions": [], "document": claim,
    }  # fmt: skip
    return house.event("strategy.minutes.v1", COUNCIL, data)


# --- two processes ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def two(
    stack: Settings, stack_kafka: EmbeddedKafka, running: list[Door], postgres: str, tmp_path: Path
) -> AsyncIterator[tuple[Door, Door]]:
    """Two gateways on one PostgreSQL."""
    for door in running:
        door.end()
    house.forget_groups(stack_kafka, SERVICE.name)
    doors = [
        Door(stack.model_copy(update={"data_dir": tmp_path / name, "store_url": postgres})) for name in ("one", "two")
    ]
    for door in doors:
        await door.opened()
    yield doors[0], doors[1]
    for door in doors:
        door.ask_to_end()
    for door in doors:
        door.end()
    house.forget_groups(stack_kafka, SERVICE.name)


async def test_two_processes_are_one_gateway(two: tuple[Door, Door]) -> None:
    """The same events posted to both at once have one effect each, and streams from both show the same numbers."""
    one, other = two
    sender_key, school_key = await one.key("la:two"), await one.key("school:two")
    events = [request("school:two", by="la:two") for _ in range(20)]
    async with (
        one.partner("la:two", sender_key) as a,
        other.partner("la:two", sender_key) as b,
        one.partner("school:two", school_key) as left,
        other.partner("school:two", school_key) as right,
        listening(left) as first,
        listening(right) as second,
    ):
        answers = await asyncio.gather(*(post(client, event) for event in events for client in (a, b)))
        assert {answer.status_code for answer in answers} == {202}
        seen = [[await next_of(stream) for _ in events] for stream in (first, second)]
        assert (await settled(left, len(events)))["count"] == len(events)
    cursors = [[cursor for cursor, _ in stream] for stream in seen]
    ids = [[entry["event"]["id"] for _, entry in stream] for stream in seen]
    assert cursors[0] == cursors[1]
    assert [entry["number"] for _, entry in seen[0]] == list(range(1, len(events) + 1))
    assert ids[0] == ids[1]
    assert sorted(ids[0]) == sorted(event["id"] for event in events)
