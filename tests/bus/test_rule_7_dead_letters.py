"""Rule 7: what cannot be decoded, validated or decided becomes a dead letter as it came, and the next event goes on."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from services.bus.claims import Claims
from services.bus.errors import Surroundings, Unacknowledged
from services.bus.events import ChildIdentity, ChildMatched, DeadLetter, DeadlineMet
from services.bus.heard import hear
from services.bus.memory import MemoryRecord
from services.bus.service import Service
from tests.bus.plain import LETTERS, MATCHES, TELLER, Bus, child, done, eventually, match, met

Poison = Callable[[Bus], Awaitable[None]]
MARKER = "Zyxwvut"
"""Stands in what must not be told."""


def said_wrong(**headers: bytes | None) -> Poison:
    """An event with these headers instead of its own."""

    async def send(bus: Bus) -> None:
        await bus.say(match("i", MARKER), **headers)

    return send


def asking(reason: str) -> Poison:
    async def send(bus: Bus) -> None:
        await bus.publish(match("i", MARKER, reason))

    return send


def bytes_of(change: Callable[[bytes], bytes | None]) -> Poison:
    """An event whose body is changed on its way."""

    async def send(bus: Bus) -> None:
        key, value, headers = await bus.encoded(match("i", MARKER))
        await bus.send(MATCHES, key, change(value), headers)

    return send


async def of_another_topic(bus: Bus) -> None:
    key, value, headers = await bus.encoded(done(MARKER))
    await bus.send(MATCHES, key, value, headers)


POISON: dict[str, tuple[Poison, str, str | None]] = {
    "no magic byte": (bytes_of(lambda v: b"{" + v[1:]), "undecodable", None),
    "too short": (bytes_of(lambda v: v[:3]), "undecodable", None),
    "empty": (bytes_of(lambda v: b""), "undecodable", None),
    "null": (bytes_of(lambda v: None), "undecodable", None),
    "cut off": (bytes_of(lambda v: v[:-1]), "undecodable", None),
    "left over": (bytes_of(lambda v: v + b"\0"), "undecodable", None),
    "unknown schema": (bytes_of(lambda v: struct.pack(">bI", 0, 4711) + v[5:]), "unknown_schema", None),
    "another topic's": (of_another_topic, "wrong_type", None),
    "another type": (said_wrong(ce_type=b"police.incidents.v1"), "wrong_type", None),
    "renumbered registry": (said_wrong(ce_dataschema=b"urn:safebus:x:0123456789abcdef"), "wrong_type", None),
    "no id": (said_wrong(ce_id=None), "no_identity", "headers"),
    "empty id": (said_wrong(ce_id=b""), "no_identity", "headers"),
    "no source": (said_wrong(ce_source=None), "no_identity", "headers"),
    "header not UTF-8": (said_wrong(ce_subject=b"\xff\xfe"), "no_identity", "headers"),
    "no time": (said_wrong(ce_time=None), "invalid", "ce_time"),
    "no such time": (said_wrong(ce_time=MARKER.encode()), "invalid", "ce_time"),
    "time without offset": (said_wrong(ce_time=b"2026-11-20T10:00:00"), "invalid", "ce_time"),
    "time before time": (said_wrong(ce_time=b"0001-01-01T00:00:00+14:00"), "invalid", "ce_time"),
    "time ahead": (said_wrong(ce_time=b"2999-01-01T00:00:00+00:00"), "invalid", "ce_time"),
    "years old": (said_wrong(ce_time=b"2001-01-01T00:00:00+00:00"), "too_old", "ce_time"),
    "refused": (asking("refuse"), "refused", None),
    "broken room": (asking("break"), "decision_failed", None),
    "one id twice": (asking("same"), "same_id_twice", None),
    "a key too long": (lambda bus: bus.publish(match("i" * 1001, MARKER)), "invalid", None),
    "an output too large": (
        lambda bus: bus.publish(match("i", (MARKER * 150_000)[:999_800])),
        "output_too_large",
        None,
    ),
}


@pytest.mark.parametrize("kind", POISON)
async def test_one_bad_event_disturbs_no_other(bus: Bus, kind: str) -> None:
    """In the middle of a batch: the events around it take effect, in order, and it is before a person as it came, with
    a code, with the field that is wrong, and never with what stood there."""
    send, code, field = POISON[kind]
    await bus.publish(match("i", "before"))
    await send(bus)
    await bus.publish(match("i", "after"))
    async with bus.running():
        await bus.quiet()
        (letter,) = await bus.until(1, LETTERS)
    assert await bus.subjects() == ["before.0", "after.0"]
    assert (letter.reason_code, letter.field) == (code, field)
    assert MARKER not in letter.explanation
    assert await as_it_came(bus, letter)


async def as_it_came(bus: Bus, letter: DeadLetter) -> bool:
    """Whether key, body and headers are the original's, byte for byte."""
    (origin,) = [
        r
        for r in await bus.records(letter.origin_topic)
        if (r.partition, r.offset) == (letter.origin_partition, letter.origin_offset)
    ]
    key: bytes | None
    body: bytes | None
    if letter.body_claim and letter.body_claim.media_type.endswith("json"):
        kept = json.loads(Claims(bus.at.claims).get(letter.body_claim))
        key, body = (base64.b64decode(kept[name]) for name in ("key", "value"))
        headers = [(name, None if value is None else base64.b64decode(value)) for name, value in kept["headers"]]
    else:
        key, body = letter.key, letter.body
        if letter.body_claim:
            body = Claims(bus.at.claims).get(letter.body_claim)
        headers = [(h.name, h.value) for h in letter.headers]
    assert (key, body, headers) == (origin.key, origin.value, list(origin.headers))
    return True


async def test_all_of_them_in_one_batch(carried: Bus) -> None:
    """Every kind of bad event, each before a good one: as many dead letters, and every good one takes effect."""
    for number, (send, _, _) in enumerate(POISON.values()):
        await send(carried)
        await carried.publish(match("i", f"r{number}"))
    async with carried.running():
        await carried.quiet()
        letters = await carried.until(len(POISON), LETTERS)
    assert sorted(letter.reason_code for letter in letters) == sorted(code for _, code, _ in POISON.values())
    assert await carried.subjects() == [f"r{number}.0" for number in range(len(POISON))]


async def test_a_dead_letter_keeps_what_no_client_of_ours_would_send(carried: Bus) -> None:
    """No key, headers of one name twice, a header without a value: all of it is there."""
    headers = [("a", b"1"), ("a", b"\xff"), ("b", None), ("c", b"")]
    await carried.send(MATCHES, None, b"nonsense", headers)
    async with carried.running():
        (letter,) = await carried.until(1, LETTERS)
        await carried.quiet()
    assert letter.reason_code == "no_identity"
    assert await as_it_came(carried, letter)


@pytest.mark.parametrize("field", ["nhs_number", "upn"])
async def test_the_reason_names_the_field_and_never_its_value(bus: Bus, field: str) -> None:
    """An identifier that is none: the reason says which field, and nobody reads there what stood in it."""
    identity = ChildIdentity(forenames=MARKER, family_name=MARKER, **{field: "1234567890"})
    await bus.publish(child("c1", 1, identity=identity))
    async with bus.running(TELLER):
        (letter,) = await bus.until(1, LETTERS)
    assert (letter.reason_code, letter.field) == ("invalid", f"/identity/{field}")
    assert field in letter.explanation
    assert MARKER not in letter.explanation
    assert "1234567890" not in letter.explanation


async def test_a_held_part_goes_before_a_person_and_the_rest_goes_on(bus: Bus) -> None:
    """A decision that needs another rule for one part: that part is a dead letter with the rule, the other is said."""
    await bus.publish(match("i", "a", "hold"))
    async with bus.running():
        (letter,) = await bus.until(1, LETTERS)
        await bus.until(1)
        await bus.quiet()
    assert (letter.reason_code, letter.rule, letter.subject) == ("held", "H3", "a")
    assert await bus.subjects() == ["a.0"]


async def test_what_is_too_large_for_an_event_goes_by_claim_check(carried: Bus) -> None:
    """A refused event of a million bytes, one with headers of as many, and one with such a key: nothing is missing."""
    large = 999_500
    await carried.publish(match("i", "a", "refuse " + "x" * large))
    await carried.say(match("i", "b", "refuse"), ce_traceparent=b"x" * large)
    _, value, headers = await carried.encoded(match("i", "c", "refuse"))
    await carried.send(MATCHES, b"k" * large, value, headers)
    await carried.say(match("i", "d", "refuse"), ce_id=b"x" * large)
    await carried.publish(match("i", "good"))
    async with carried.running():
        letters = await carried.until(4, LETTERS)
        await carried.quiet()
    assert all([await as_it_came(carried, letter) for letter in letters])
    assert all(letter.body_claim for letter in letters)
    assert await carried.subjects() == ["good.0"]


def test_a_document_that_was_half_written_is_written_again(tmp_path: Path) -> None:
    """A process died while it stored a document. The next one does not take the half for the whole."""
    claims = Claims(f"file://{tmp_path}/claims")
    first = claims.put(b"the whole of it", "text/plain")
    path = Path(first.location.removeprefix("file://"))
    path.write_bytes(b"the wh")
    assert claims.get(claims.put(b"the whole of it", "text/plain")) == b"the whole of it"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    path.write_bytes(b"something else!")
    with pytest.raises(ValueError, match="has changed"):
        claims.get(first)


async def test_a_dead_letter_that_cannot_be_written_stops_the_service(bus: Bus) -> None:
    """The topic refuses: nothing goes on as if a person had seen it. The next process writes it."""
    await bus.publish(match("i", "a", "refuse"), match("i", "b"))
    bus.memory.refuse.add(LETTERS)
    assert isinstance(await bus.ended(), Unacknowledged)
    assert (await bus.committed())[MATCHES, 1] is None
    bus.memory.refuse.clear()
    async with bus.running():
        await bus.quiet()
    assert len(await bus.said(LETTERS)) == 1
    assert list(dict.fromkeys(await bus.subjects())) == ["b.0"]


class Absent(Claims):
    """A store of large documents that is away at first."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = True

    def put(self, body: bytes, media_type: str) -> Any:
        if self.away:
            raise Surroundings("large documents cannot be stored")
        return super().put(body, media_type)


async def test_a_store_of_documents_that_is_away_is_waited_for(bus: Bus) -> None:
    """Neither a dead letter of another kind, nor an end: the service says what it waits for, and goes on after."""
    await bus.publish(match("i", "a", "refuse " + "x" * 300_000), match("i", "b"))
    async with bus.running() as loop:
        loop._claims = claims = Absent(bus.at.claims)
        await eventually(lambda: "large documents" in loop.health.reason)
        assert not loop.health.is_ready
        claims.away = False
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
    assert [letter.reason_code for letter in await bus.said(LETTERS)] == ["refused"]
    assert await bus.subjects() == ["b.0"]


async def test_a_database_that_fails_within_a_decision_makes_no_dead_letter(bus: Bus) -> None:
    """A look-up in the directory meets a disk that does not answer, once: that is no fault of the event."""
    failures = [OperationalError("select", {}, Exception(MARKER))]

    def look_up(match: ChildMatched) -> Any:
        if failures:
            raise failures.pop()
        yield met(match, match.child_reference, match.incident_id)

    room = Service(name="noter", on={ChildMatched: look_up}, emits=(DeadlineMet,))
    await bus.publish(match("i", "a"))
    async with bus.running(room):
        await bus.until(1)
    assert await bus.said(LETTERS) == []


async def test_a_fault_does_not_keep_its_batch_in_memory(bus: Bus) -> None:
    """It is kept with its record: a traceback would hold every record that was heard beside it, in a cycle."""
    codec = bus.codec()
    await codec.prepare([MATCHES])
    key, value, headers = await bus.encoded(match("i", "a"))
    for body in (value[:-1], b"", None):
        record = MemoryRecord(MATCHES, 0, 0, key, body, tuple(headers), 0)
        await codec.learn([record])
        fault = hear(record, codec, "noter").fault
        assert fault is not None
        assert (fault.__traceback__, fault.__context__, fault.__cause__) == (None, None, None)
