"""What a decision leaves to a person: one dead letter for each hold, whatever set it off, and nothing lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from services.bus.envelope import Alarm, Event, Held
from services.bus.events import ChildMatched, DeadlineMet
from services.bus.service import Service
from tests.bus.plain import LETTERS, MATCHES, WATCHER, Bus, Expected, match, met


def hold_twice(matched: ChildMatched) -> Iterator[Event | Held]:
    """Two recipients of a child in hiding are held: neither hold may name its own (H2), so they read the same."""
    yield Held("H3", matched.child_id)
    yield met(matched, "third", matched.incident_id)
    yield Held("H3", matched.child_id)


async def test_h2_two_holds_that_read_the_same_do_not_keep_the_rest_from_being_told(bus: Bus) -> None:
    """One dead letter before one person, and the third recipient is told."""
    service = Service(name="holder", on={ChildMatched: hold_twice}, emits=(DeadlineMet,))
    async with bus.running(service):
        await bus.publish(match("i", "1"))
        await bus.until(1)
        await bus.until(1, LETTERS)
        await bus.quiet(service, MATCHES)
    (letter,) = await bus.said(LETTERS)
    assert (letter.reason_code, letter.rule, letter.subject) == ("held", "H3", "c1")
    assert await bus.subjects() == ["third"]


def hold_what_is_missing(alarm: Alarm, expected: Expected) -> Iterator[Event | Held]:
    """Nobody can be told."""
    yield Held("H7", "nobody")


HOLDER = replace(WATCHER, name="holder", on_alarm=hold_what_is_missing, emits=())


async def test_what_an_alarm_holds_is_before_a_person_once(bus: Bus) -> None:
    """A moment has come and a person must decide: a dead letter without an origin; the alarm has rung."""
    async with bus.running(HOLDER):
        await bus.publish(match("i", "1"))
        await bus.until(1, LETTERS)
    async with bus.running(HOLDER):
        await bus.publish(match("j", "1"))
        letters = await bus.until(2, LETTERS)
    assert {(one.reason_code, one.rule, one.subject, one.origin_topic, one.body) for one in letters} == {
        ("held", "H7", "nobody", "alarm", None)
    }
    assert {one.key for one in letters} == {b"i", b"j"}
    assert len({one.dead_letter_id for one in letters}) == 2


async def test_what_an_alarm_held_is_not_held_again_after_a_recovery(bus: Bus) -> None:
    """The database is lost, the alarm rings again, and its dead letter stands already."""
    async with bus.running(HOLDER):
        await bus.publish(match("i", "1"))
        await bus.until(1, LETTERS)
        await bus.quiet(HOLDER)
    bus.restore({}, HOLDER)
    await bus.recover(HOLDER)
    assert len(await bus.said(LETTERS)) == 1
