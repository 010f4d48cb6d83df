"""Whatever happens in whatever order: every event takes effect once, each incident's in order, or is a dead letter."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from services.bus.errors import MustStop, Unacknowledged
from tests.bus.plain import LETTERS, MET, Bus, Killed, dies_at, match

POINTS = ["before_commit", "committed", "before_send", "sent", "before_offsets"]
SEEDS = 8


class House:
    """A service that is started again after every end, as a supervisor does, and a person who runs what it asks for."""

    def __init__(self, bus: Bus, seed: int) -> None:
        self.bus, self.chance = bus, random.Random(seed)
        self.said = self.wrong = self.recoveries = 0
        self.saved: dict[str, Any] = {}
        self.story: list[str] = []

    async def publish(self) -> None:
        """Some events for three incidents; some of them wrong, some of them twice."""
        for _ in range(self.chance.randrange(1, 25)):
            wrong = self.chance.random() < 0.1
            event = match(f"i{self.said % 3}" if not wrong else "w", f"r{self.said}", "refuse" if wrong else "")
            event_id = f"{self.said + self.wrong}".encode()
            for _ in range(self.chance.choice([1, 1, 1, 2])):
                await self.bus.say(event, ce_id=event_id)
            self.wrong += wrong
            self.said += not wrong

    async def run(self, **more: Any) -> None:
        """Until all is quiet, or it ends by itself; then what a supervisor or a person does."""
        loop = self.bus.loop(
            settings=self.bus.at.model_copy(update={"batch_size": self.chance.choice([1, 5, 500])}), **more
        )
        running = asyncio.create_task(loop.run())
        quiet = asyncio.create_task(self.bus.quiet())
        await asyncio.wait({running, quiet}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        quiet.cancel()
        loop.stop()
        (how,) = await asyncio.gather(running, return_exceptions=True)
        self.story.append(f"{type(how).__name__} {how}")
        if isinstance(how, MustStop) and not isinstance(how, Unacknowledged):
            assert "safebus recover noter" in str(how), how
            await self.recover()
        else:
            assert how is None or isinstance(how, Killed | Unacknowledged), self.story

    async def recover(self) -> None:
        """As often as it takes; the first may be interrupted."""
        self.recoveries += 1
        if self.chance.random() < 0.5:
            probe = dies_at(self.chance.choice(POINTS), self.chance.randrange(1, 4))
            loop_ends = await self.bus.recovering(probe=probe)
            self.story.append(f"recovery {loop_ends!r}")
        self.bus.memory.refuse = set()
        assert await self.bus.recovering() is None, self.story

    async def misfortune(self) -> None:
        """One of what may happen to a service."""
        kind = self.chance.choice(["kill", "kill", "refuse", "save", "restore", "lose", "rebalance", "nothing"])
        self.story.append(kind)
        if kind == "kill":
            await self.run(probe=dies_at(self.chance.choice(POINTS), self.chance.randrange(1, 5)))
        elif kind == "refuse":
            self.bus.memory.refuse = {self.chance.choice([MET, LETTERS])}
            await self.run()
            self.bus.memory.refuse = set()
        elif kind == "save" and self.story[1:]:
            await self.run()
            self.saved = self.bus.backup()
        elif kind == "restore" and self.saved:
            self.bus.restore(self.saved)
        elif kind == "lose" and self.story[2:]:
            await self.run()
            self.bus.restore({})
        elif kind == "rebalance":
            self.bus.memory.rebalance("noter")
        await self.run()


async def live(bus: Bus, seed: int) -> None:
    house = House(bus, seed)
    for _ in range(8):
        await house.publish()
        await house.misfortune()
    await house.run()
    await house.run()
    first = await bus.in_effect()
    told = f"seed {seed}: {house.story}"
    assert len(first) == house.said, told
    for incident in range(3):
        of_it = [event for event in first if event.child_id == f"i{incident}"]
        assert [event.met_at.timestamp() for event in of_it] == list(range(len(of_it))), told
        subjects = [int(str(event.envelope.subject)[1:-2]) for event in of_it]
        assert subjects == sorted(subjects), told
    letters = {letter.dead_letter_id: letter for letter in await bus.said(LETTERS)}
    assert len(letters) == house.wrong, told


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_life_full_of_misfortune(stored: Bus, seed: int) -> None:
    """Kills at every point, refusals, rebalances, repeats, databases lost and restored, recoveries interrupted."""
    await live(stored, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1300))
async def test_many_lives_full_of_misfortune(bus: Bus, seed: int) -> None:
    """The same, for as long as there is time."""
    await live(bus, seed)
