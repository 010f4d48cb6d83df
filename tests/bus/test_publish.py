"""Producing outside a service: all or a sentence, and what was acknowledged is there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.bus import publish
from services.bus.errors import Surroundings, Unacknowledged, UserMistake
from services.bus.publish import Publisher
from tests.bus.plain import MATCHES, Bus, MemoryRegistry, child, match

MARKER = "Zyxwvut"


def publisher(bus: Bus, principal: str = "police") -> Publisher:
    return Publisher(principal, bus.at, broker=bus.broker, codec=bus.codec())


async def test_what_is_published_is_there_in_order_with_its_envelope(carried: Bus) -> None:
    """Each event under its key, in the order given, said by the principal, with an id of its own and its own chain."""
    async with publisher(carried) as police:
        sent = await police.publish(match(f"i{n % 3}", f"r{n}") for n in range(30))
    said = await carried.said(MATCHES)
    assert sorted(e.envelope.id for e in said) == sorted(e.envelope.id for e in sent)
    for incident in range(3):
        references = [e.child_reference for e in said if e.incident_id == f"i{incident}"]
        assert references == [f"r{n}" for n in range(incident, 30, 3)]
    for event in said:
        assert event.envelope.source == "urn:safebus:police"
        assert event.envelope.correlation_id == f"urn:safebus:police {event.envelope.id}"


async def test_publishing_again_is_a_repeat(bus: Bus) -> None:
    """After a send of unknown outcome the same event is published again, with the id that it has."""
    event = match("i", "a")
    async with publisher(bus) as police:
        bus.memory.refuse.add(MATCHES)
        with pytest.raises(Unacknowledged):
            await police.publish([event])
        bus.memory.refuse.clear()
        await police.publish([event])
        await police.publish([event])
    assert len({e.envelope.id for e in await bus.said(MATCHES)}) == 1
    async with bus.running():
        await bus.quiet()
    assert await bus.subjects() == ["a.0"]


@pytest.mark.parametrize(
    "wrong",
    [
        match("i", "r", MARKER * 150_000),
        child(MARKER, 2**63),
        child(f"{MARKER}\ud800", 1),
        match("k" * 600_000, MARKER),
    ],
    ids=["large", "number", "character", "key"],
)
async def test_what_no_event_can_hold_is_a_persons_mistake(bus: Bus, wrong: Any) -> None:
    """One sentence without the value, and nothing of what was given with it was sent."""
    async with publisher(bus) as police:
        with pytest.raises(UserMistake) as mistake:
            await police.publish([match("i", "good"), wrong])
    assert MARKER not in str(mistake.value)
    assert "\n" not in str(mistake.value)
    assert mistake.value.__cause__ is None
    assert await bus.records(MATCHES) == []


async def test_what_is_away_is_said_after_a_while(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker or a registry that does not answer: an error of our own, in bounded time."""
    monkeypatch.setattr(publish, "PATIENCE", 0.05)
    bus.memory.away = True
    with pytest.raises(Surroundings, match="away"):
        async with publisher(bus):
            pass
    bus.memory.away = False

    class Silent(MemoryRegistry):
        async def id_of(self, subject: str, schema: object, fingerprint: str) -> int:
            await asyncio.sleep(60)
            raise AssertionError

    bus.registry = Silent()
    async with publisher(bus) as police:
        with pytest.raises(Surroundings, match="no answer"):
            await police.publish([match("i", "a")])
