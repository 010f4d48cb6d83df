"""The loop's promise, on a bus in memory: nothing lost, nothing twice in effect, order kept per key."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.bus.events import DeadLetter
from tests.bus.plain import Bus, match


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


async def test_every_event_takes_effect_once_and_in_order(bus: Bus) -> None:
    """Fifty answers to five incidents: each gives one output, and each incident's come in order."""
    await bus.publish(*(match(f"i{n % 5}", f"r{n}") for n in range(50)))
    async with bus.running():
        said = await bus.until(50)
    assert len(said) == 50
    for incident in range(5):
        seen = [event.met_at.timestamp() for event in said if event.child_id == f"i{incident}"]
        assert seen == list(range(10))


async def test_a_refused_event_is_a_dead_letter_and_the_next_goes_on(bus: Bus) -> None:
    """A refusal, a fault in a room and a good event in one batch: two dead letters, one output."""
    await bus.publish(match("i", "a", "refuse"), match("i", "b", "break"), match("i", "c"))
    async with bus.running():
        said = await bus.until(1)
        letters = await bus.until(2, DeadLetter.topic)
    assert [event.envelope.subject for event in said] == ["c.0"]
    assert [letter.reason_code for letter in letters] == ["refused", "decision_failed"]
