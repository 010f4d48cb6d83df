"""The promise, on either broker and with either database: nothing lost, nothing twice in effect, order kept per key."""

from __future__ import annotations

import pytest

from tests.bus.plain import LETTERS, Bus, match


def in_order(said: list, incidents: int, each: int) -> None:  # type: ignore[type-arg]
    """Each incident's answers are numbered without a gap, in the order of the log."""
    for incident in range(incidents):
        seen = [event.met_at.timestamp() for event in said if event.child_id == f"i{incident}"]
        assert seen == list(range(each))


async def test_every_event_takes_effect_once_and_in_order(every: Bus) -> None:
    """Fifty answers to five incidents: each gives one output, and each incident's come in order."""
    await every.publish(*(match(f"i{n % 5}", f"r{n}") for n in range(50)))
    async with every.running():
        said = await every.until(50)
        await every.quiet()
    assert len(said) == 50
    in_order(said, 5, 10)


async def test_a_refused_event_is_a_dead_letter_and_the_next_goes_on(every: Bus) -> None:
    """A refusal, a fault in a room and a good event in one batch: two dead letters, one output."""
    await every.publish(match("i", "a", "refuse"), match("i", "b", "break"), match("i", "c"))
    async with every.running():
        await every.until(1)
        letters = await every.until(2, LETTERS)
    assert await every.subjects() == ["c.0"]
    assert [letter.reason_code for letter in letters] == ["refused", "decision_failed"]


@pytest.mark.parametrize("point", ["before_commit", "committed", "before_send", "sent", "before_offsets"])
async def test_wherever_a_process_dies_the_next_goes_on(every: Bus, point: str) -> None:
    """The next process says everything else, and nothing twice in effect."""
    await every.publish(*(match(f"i{n % 5}", f"r{n}") for n in range(20)))
    async with every.running():
        await every.quiet()
    await every.publish(*(match(f"i{n % 5}", f"r{n}") for n in range(20, 50)))
    await every.dies(point)
    async with every.running():
        await every.until(50)
        await every.quiet()
    said = await every.in_effect()
    assert len(said) == 50
    in_order(said, 5, 10)
