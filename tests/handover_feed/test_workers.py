"""Two boards on one PostgreSQL share the work and show the same; one is killed, and the other goes on."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from services.bus.events import MatterChanged
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.handover_feed.door.serve import NAME
from tests.handover_feed.house import BoardProcess, key_for, on_the_topic, publish, settled
from tests.handover_feed.screens import Client, changed
from tests.handover_feed.test_service import burst, told_last
from tests.partner_gateway.house import SECONDS, forget_groups
from tests.sse import Told


@pytest.fixture
def both(stack: Settings, stack_kafka: EmbeddedKafka, postgres: str, tmp_path: Path) -> Iterator[list[Settings]]:
    """Two installations' settings with one database, for a consumer group that begins anew."""
    forget_groups(stack_kafka, NAME)
    shared = {"store_url": postgres, "secrets_file": stack.secrets_path, "board_burst": 100_000}
    yield [stack.model_copy(update=shared | {"data_dir": tmp_path / name}) for name in ("one", "other")]
    forget_groups(stack_kafka, NAME)


async def watch(screen: Client, seen: list[Told], last: dict[str, str]) -> None:
    """Read until each matter's last words were seen, whatever comes before."""
    missing = dict(last)
    async with asyncio.timeout(SECONDS), screen.open(seen[-1].id if seen else None) as told:
        async for one in changed(told):
            seen.append(one)
            if missing.get(one.data["matter_id"], "\0") in str(one.data["facts"]):
                del missing[one.data["matter_id"]]
            if not missing:
                return


@pytest.mark.soak
async def test_two_boards_share_the_work_and_one_goes_on_alone(both: list[Settings]) -> None:
    """Each shows every card, also those that the other wrote, under the same numbers; a kill loses and repeats none."""
    chance, matters = random.Random(11), [f"child-{uuid4().hex}" for _ in range(20)]
    boards = [BoardProcess(at) for at in both]
    try:
        for board in boards:
            await board.opened()
        key = await key_for(both[0])
        one, other = [await board.screen(key) for board in boards]
        await publish(both[0], *burst(matters, 150, chance))
        words = await told_last(both[0], matters)
        assert await settled(one, words) == await settled(other, words)
        assert (await one.get("/v1/board")).json() == (await other.get("/v1/board")).json()
        seen: list[Told] = []
        await watch(one, seen, words)
        os.kill(boards[0].pid, signal.SIGKILL)
        await publish(both[1], *burst(matters, 150, chance))
        words = await told_last(both[1], matters)
        await watch(other, seen, words)
        stand = await settled(other, words)
    finally:
        for board in boards:
            board.end()
    numbers = [told.number for told in seen]
    assert numbers == sorted(set(numbers))
    for matter_id in matters:
        said = await on_the_topic(both[1], matter_id)
        assert sorted(said) == list(range(1, max(said) + 1))
        assert MatterChanged.model_validate(stand[matter_id]) == said[max(said)]
