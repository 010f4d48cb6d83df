"""Rule 7: a dead event may be tried again, once; after later events of its key it is a person's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.bus.clock import Clock
from services.bus.events import ChildMatched, DeadlineMet
from services.bus.service import Service
from services.bus.tables import dead, seen
from tests.bus.plain import LETTERS, MATCHES, Bus, eventually, match, met


async def dead_and_again(bus: Bus, event: ChildMatched, *, retry: bool = True) -> None:
    """The event once more, as a person has it tried again."""
    await bus.say(event, ce_id=b"1", **({"safebus_retry": b"1"} if retry else {}))


def broken(match: ChildMatched) -> Any:
    """A room that cannot decide yet."""
    if match.child_reference.startswith("bad"):
        raise KeyError(match.child_reference)
    yield met(match, f"{match.child_reference}.0", match.incident_id)


BROKEN = Service(name="noter", on={ChildMatched: broken}, emits=(DeadlineMet,))


async def test_a_dead_event_may_be_tried_again_once(stored: Bus) -> None:
    """The room is mended and a person has it tried again: it takes effect. Tried once more, it is a repeat."""
    await dead_and_again(stored, match("i", "bad"), retry=False)
    async with stored.running(BROKEN):
        await stored.until(1, LETTERS)
        await stored.quiet()
    for _ in range(2):
        await dead_and_again(stored, match("i", "bad"))
    async with stored.running():
        await stored.quiet()
        await dead_and_again(stored, match("i", "bad"))
        await dead_and_again(stored, match("i", "bad"), retry=False)
        await stored.quiet()
    assert await stored.subjects() == ["bad.0"]
    assert len(await stored.said(LETTERS)) == 1
    assert stored.rows(dead) == []


async def test_a_second_failure_is_the_last(stored: Bus) -> None:
    """Tried again it dies again: a second dead letter, and a third attempt does nothing."""
    await dead_and_again(stored, match("i", "bad"), retry=False)
    async with stored.running(BROKEN):
        await stored.quiet()
        for _ in range(3):
            await dead_and_again(stored, match("i", "bad"))
            await stored.quiet()
    assert len({letter.dead_letter_id for letter in await stored.said(LETTERS)}) == 2
    async with stored.running():
        await dead_and_again(stored, match("i", "bad"))
        await stored.quiet()
    assert await stored.said() == []


@pytest.mark.parametrize("batches", ["one batch", "three batches"])
async def test_a_retry_after_later_events_of_its_key_goes_to_a_person(stored: Bus, batches: str) -> None:
    """Later news of the same incident was decided meanwhile: to decide the old one now could undo it."""

    async def settled() -> None:
        if batches == "three batches":
            async with stored.running(BROKEN):
                await stored.quiet()

    await dead_and_again(stored, match("i", "bad"), retry=False)
    await settled()
    await stored.publish(match("i", "later"))
    await settled()
    await dead_and_again(stored, match("i", "bad"))
    async with stored.running(BROKEN):
        await stored.quiet()
    assert await stored.subjects() == ["later.0"]
    letters = await stored.until(2, LETTERS)
    assert [letter.reason_code for letter in letters] == ["decision_failed", "retry_overtaken"]


@pytest.mark.parametrize("batches", ["one batch", "two batches"])
async def test_earlier_events_of_its_key_and_others_do_not_hinder_a_retry(stored: Bus, batches: str) -> None:
    """What was decided before it died is not later, whatever else is dead; nor is another incident's news."""
    await stored.publish(match("j", "bad too"), match("i", "earlier"))
    await dead_and_again(stored, match("i", "bad"), retry=False)
    await stored.publish(match("k", "other"))
    if batches == "two batches":
        async with stored.running(BROKEN):
            await stored.quiet()
    async with stored.running(BROKEN):
        await stored.quiet()
    await dead_and_again(stored, match("i", "bad"))
    async with stored.running():
        await stored.quiet()
    assert sorted(filter(None, await stored.subjects())) == ["bad.0", "earlier.0", "other.0"]


@pytest.mark.parametrize("batch_size", [1, 500])
async def test_retries_in_their_order_all_take_effect(stored: Bus, batch_size: int) -> None:
    """Five events of one incident died of one fault. Tried again in their order, all five take effect; the other way
    round, all but the last are a person's."""
    await stored.publish(*(match("i", f"bad{n}") for n in range(5)), *(match("j", f"bad{n}") for n in range(5)))
    async with stored.running(BROKEN):
        await stored.quiet()
    originals = await stored.records(MATCHES)
    for record in [r for r in originals if r.key == b"i"] + [r for r in originals if r.key == b"j"][::-1]:
        await stored.send(MATCHES, record.key, record.value, [*record.headers, ("safebus_retry", b"1")])
    async with stored.running(settings=stored.at.model_copy(update={"batch_size": batch_size})):
        await stored.quiet()
    said = await stored.said()
    assert [e.envelope.subject for e in said if e.child_id == "i"] == [f"bad{n}.0" for n in range(5)]
    assert [e.envelope.subject for e in said if e.child_id == "j"] == ["bad4.0"]
    codes = [letter.reason_code for letter in await stored.said(LETTERS)]
    assert codes.count("retry_overtaken") == 4


async def test_a_retry_does_not_hinder_what_died_after_it(bus: Bus) -> None:
    """An event died; a later one of its key dies in the very batch in which the first is tried again."""
    await dead_and_again(bus, match("i", "bad"), retry=False)
    async with bus.running(BROKEN):
        await bus.quiet()
    await bus.say(match("i", "second", "break"), ce_id=b"2")
    await dead_and_again(bus, match("i", "bad"))
    async with bus.running():
        await bus.quiet()
    assert await bus.subjects() == ["bad.0"]
    assert [row.overtaken for row in bus.rows(dead)] == [False]


async def test_what_could_not_be_decoded_may_be_tried_again_once_it_can(stored: Bus) -> None:
    """Its schema was not registered then. A copy without the header is a repeat, and so is what comes after."""
    key, value, headers = await stored.encoded(match("i", "a"), ce_id=b"1")
    numbers = stored.registry.numbers
    stored.registry.numbers = numbers | {MATCHES: 4711}
    await stored.send(MATCHES, key, value, headers)
    async with stored.running():
        (letter,) = await stored.until(1, LETTERS)
        await stored.quiet()
    assert letter.reason_code == "unknown_schema"
    stored.registry.numbers = numbers
    await stored.send(MATCHES, key, value, headers)
    await stored.send(MATCHES, key, value, [*headers, ("safebus_retry", b"1")])
    await stored.send(MATCHES, key, value, headers)
    async with stored.running():
        await stored.quiet()
        await stored.send(MATCHES, key, value, headers)
        await stored.quiet()
    assert await stored.subjects() == ["a.0"]
    assert len(await stored.said(LETTERS)) == 1


async def test_a_dead_event_may_be_tried_again_at_any_age(bus: Bus) -> None:
    """An id is kept as long as its dead letter is open, so its age tells nothing."""
    await bus.say(match("i", "a"), ce_id=b"1", ce_time=b"2001-01-01T00:00:00+00:00")
    async with bus.running():
        (letter,) = await bus.until(1, LETTERS)
        assert letter.reason_code == "too_old"
        await bus.say(match("i", "a"), ce_id=b"1", ce_time=b"2001-01-01T00:00:00+00:00", safebus_retry=b"1")
        await bus.quiet()
    assert await bus.subjects() == ["a.0"]


async def test_a_repeat_with_other_content_stays_a_dead_letter(bus: Bus) -> None:
    """A dead event's id with other content and the retry's header is not that event."""
    await dead_and_again(bus, match("i", "bad"), retry=False)
    async with bus.running(BROKEN):
        await bus.quiet()
    await dead_and_again(bus, match("i", "better"))
    async with bus.running():
        await bus.quiet()
    assert await bus.said() == []
    assert [letter.reason_code for letter in await bus.said(LETTERS)] == ["decision_failed", "id_reused"]


async def test_ids_are_forgotten_in_time_but_never_those_of_open_dead_letters(stored: Bus, tmp_path: Path) -> None:
    """Years later ids of what was done are gone, and those of what is still before a person are not: that can be tried
    again, and what comes of the others once more is too old."""
    await stored.say(match("i", "good"), ce_id=b"0")
    await dead_and_again(stored, match("j", "bad"), retry=False)
    async with stored.running(BROKEN):
        await stored.quiet()
    clock = Clock(tmp_path / "later")
    clock.step(datetime.now(UTC) + timedelta(days=stored.at.keep_ids_days + 3))
    async with stored.running(BROKEN, clock=clock):
        await eventually(lambda: len(stored.rows(seen)) == 1)
    then = datetime.now(UTC).isoformat().encode()
    await stored.say(match("i", "good"), ce_id=b"0", ce_time=then)
    await dead_and_again(stored, match("j", "bad"))
    async with stored.running(clock=clock):
        await stored.quiet()
    assert sorted(filter(None, await stored.subjects())) == ["bad.0", "good.0"]
    codes = [letter.reason_code for letter in await stored.said(LETTERS)]
    assert codes == ["decision_failed", "too_old"]
