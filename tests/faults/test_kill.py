"""kill -9 at the worst moments: what was stored is sent, what was sent is never decided again (DESIGN.md §1)."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest

from tests.faults.house import House, until
from tests.faults.victim import HALF_SENT, HELD_BACK

POINTS = ("before_commit", "committed", "before_send", HALF_SENT, HELD_BACK, "sent", "before_offsets")


async def test_killed_at_each_point_in_turn_nothing_is_lost_or_twice(house: House) -> None:
    """Killed before and after the commit, before, within and after the send, and before Kafka's offset commit."""
    for point in POINTS:
        await house.publish(200)
        victim = house.victim(f"{point} 3 SIGKILL")
        assert await victim.ended() == -signal.SIGKILL
        await house.said()
    await house.publish(100)
    house.victim()
    await house.kept_the_promise()
    assert house.repeats, "what was acknowledged and not yet deleted is sent again"


async def kill_at_random(house: House, kills: int, seed: int) -> None:
    """Now at a point of the loop, now at any moment, while events go on coming."""
    chance = random.Random(seed)
    for _ in range(kills):
        await house.publish(chance.randint(50, 300))
        victim = house.victim(f"{chance.choice(POINTS)} {chance.randint(1, 8)} SIGKILL")
        await until(lambda: not victim.lives or "claimed" in victim.log, bool, 30)  # noqa: B023 - awaited here
        await house.publish(chance.randint(50, 300))
        await asyncio.sleep(chance.random() / 2)
        victim.end()
        assert await victim.ended() == -signal.SIGKILL
    house.victim()
    await house.kept_the_promise()


@pytest.mark.soak
async def test_killed_eight_times_at_random_nothing_is_lost_or_twice(house: House) -> None:
    """Eight processes one after another, each killed somewhere."""
    await kill_at_random(house, kills=8, seed=20261122)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
async def test_killed_forty_times_at_random_nothing_is_lost_or_twice(house: House, seed: int) -> None:
    """The same for longer."""
    await kill_at_random(house, kills=40, seed=seed)
