"""Three brokers: what they acknowledged stands when one of them is gone, and the work goes on without it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from services.embedded.cluster import BROKERS, KafkaCluster, KafkaNode
from services.embedded.ports import free_ports
from tests.embedded.broker import Broker
from tests.faults.house import House, until

MOST_MIB = 600
"""Resident memory of one node; some 200 when nothing happens."""


@dataclass
class Load(House):
    """A house that is told events all the time."""

    rounds: int = 0
    """So many times some were acknowledged."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Three, answering. A test that kills one starts it again."""
    folder, first = tmp_path_factory.mktemp("three"), free_ports(2 * BROKERS)
    made = KafkaCluster(folder, [first], folder / "secrets.json", stop_timeout=0.5)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture
async def three(cluster: KafkaCluster, tmp_path: Path) -> AsyncIterator[Load]:
    secrets = cluster.nodes["kafka-1"].secrets_path
    await asyncio.gather(*(node.start() for node in cluster.nodes.values() if not node.is_alive))
    house = Load(Broker(cluster.bootstrap_servers, secrets, replication=BROKERS), tmp_path)
    await house.open()
    yield house
    await house.close()


async def kill(node: KafkaNode) -> None:
    assert node.pid is not None
    os.kill(node.pid, signal.SIGKILL)
    await node.wait()


async def publish_until(house: Load, done: asyncio.Event) -> None:
    """A stream of events, each acknowledged before the next ones are sent."""
    while not done.is_set():
        await house.publish(30, again=True)
        house.rounds += 1
        await asyncio.sleep(0.05)


async def work_until(house: Load, done: asyncio.Event) -> None:
    """A service, started again whenever it has ended, as the supervisor does."""
    while not done.is_set():
        victim = house.victim()
        while victim.lives and not done.is_set():
            await asyncio.sleep(0.1)


async def strike(house: Load, first: KafkaNode, *others: KafkaNode) -> None:
    """Kill one under load, see events acknowledged without it, start it again before the next one's turn."""
    done = asyncio.Event()
    load = [asyncio.create_task(publish_until(house, done)), asyncio.create_task(work_until(house, done))]
    try:
        await goes_on(house)
        await kill(first)
        await goes_on(house)
        for before, node in pairwise([first, *others]):
            await before.start()
            await goes_on(house)
            await kill(node)
            await goes_on(house)
    finally:
        done.set()
        await asyncio.gather(*load)
    house.victim()


async def goes_on(house: Load) -> None:
    """Three rounds more are acknowledged; what was under way is not counted."""
    enough = house.rounds + 4
    assert await until(lambda: house.rounds, lambda found: found >= enough, 60) >= enough, "nothing goes on"


async def test_one_killed_under_load_loses_nothing_that_was_acknowledged(three: Load, cluster: KafkaCluster) -> None:
    """kill -9 of one of three: events go on being acknowledged by the other two and take effect once, in order."""
    await strike(three, cluster.nodes["kafka-2"])
    await three.kept_the_promise()
    for node in filter(lambda node: node.is_alive, cluster.nodes.values()):
        assert psutil.Process(node.pid).memory_info().rss < MOST_MIB * 2**20


@pytest.mark.soak
async def test_each_killed_in_turn_and_the_rest_goes_on(three: Load, cluster: KafkaCluster) -> None:
    """Twice round, the controller among them."""
    await strike(three, *cluster.nodes.values(), *cluster.nodes.values())
    await three.kept_the_promise(120)


@pytest.mark.soak
async def test_two_killed_nothing_is_acknowledged_until_one_is_back(three: Load, cluster: KafkaCluster) -> None:
    """One broker of three takes nothing, rather than take what it alone would have; then all goes on."""
    await three.publish(300, again=True)
    for name in ("kafka-1", "kafka-3"):
        await kill(cluster.nodes[name])
    publishing = asyncio.create_task(three.publish(100, again=True))
    await asyncio.sleep(15)
    assert not publishing.done()
    await asyncio.gather(cluster.nodes["kafka-1"].start(), cluster.nodes["kafka-3"].start())
    await publishing
    three.victim()
    await three.kept_the_promise()


@pytest.mark.soak
async def test_a_lost_folder_is_filled_again_from_the_others(three: Load, cluster: KafkaCluster) -> None:
    """A node whose disk is gone joins with an empty one, and may then be the one that is left of two."""
    await three.publish(500, again=True)
    lost = cluster.nodes["kafka-2"]
    await kill(lost)
    for file in sorted(lost.home.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    await lost.start()
    await asyncio.sleep(15)  # it copies what the others have
    await kill(cluster.nodes["kafka-1"])
    three.victim()
    await three.kept_the_promise(120)
