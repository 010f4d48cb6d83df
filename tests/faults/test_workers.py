"""Several workers on PostgreSQL: whoever loses a partition, at whatever moment, takes no effect there any more."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from tests.embedded.broker import Broker
from tests.faults.house import House, header


@pytest.fixture
def workers(house: House, postgres: str) -> House:
    """A house whose service may run as many workers."""
    house.store = postgres
    return house


@pytest.fixture
async def reminders(own_kafka: Broker, tmp_path: Path, postgres: str) -> AsyncIterator[House]:
    """The same, of a service that rings alarms."""
    house = House(own_kafka, tmp_path, "reminder", postgres)
    await house.open()
    yield house
    await house.close()


@asynccontextmanager
async def events_coming(house: House) -> AsyncIterator[None]:
    """Events go on being published meanwhile."""
    go_on = True

    async def publish() -> None:
        while go_on:
            await house.publish(150)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        go_on = False
        await task


async def test_workers_join_leave_and_die_while_events_flow(workers: House) -> None:
    """One stays; another joins and leaves, a third is killed: each rebalance finds batches in hand."""
    await workers.publish(100)
    stays = workers.victim()
    await stays.has_said("claimed")
    async with events_coming(workers):
        leaves = workers.victim()
        await leaves.has_said("claimed")
        await asyncio.sleep(1)
        leaves.signal(signal.SIGTERM)
        assert await leaves.ended() == 0, leaves.log
        killed = workers.victim("committed 9 SIGKILL")
        assert await killed.ended() == -signal.SIGKILL, killed.log
        await asyncio.sleep(1)
    await workers.kept_the_promise()
    assert stays.lives


@pytest.mark.parametrize("point", ["before_commit", pytest.param("before_send", marks=pytest.mark.soak)])
async def test_a_worker_paused_past_its_session_does_no_harm_when_it_wakes(workers: House, point: str) -> None:
    """Another takes over, whatever the paused one holds; it wakes, and goes on alone when the other has left."""
    await workers.publish(300)
    paused = workers.victim(f"{point} 3 SIGSTOP")
    await paused.stopped()
    other = workers.victim()
    await workers.publish(200)
    await workers.kept_the_promise()
    paused.signal(signal.SIGCONT)
    async with events_coming(workers):
        await asyncio.sleep(2)
    await workers.kept_the_promise()
    other.signal(signal.SIGTERM)
    assert await other.ended() == 0, other.log
    await workers.publish(100)
    await workers.kept_the_promise()
    assert paused.lives


async def test_a_database_that_drops_its_connections_is_waited_out(workers: House, postgres: str) -> None:
    """Nobody knows then whether a commit took place: the guard tells, and nothing is lost or decided twice."""
    await workers.publish(100)
    victims = [workers.victim(), workers.victim()]
    for victim in victims:
        await victim.has_said("claimed")
    async with events_coming(workers):
        for number in range(100):  # between two transactions a drop is not even noticed: until one is struck
            await asyncio.to_thread(drop_connections, postgres)
            await asyncio.sleep(0.05 + number % 7 * 0.05)
            if number >= 6 and any("waiting" in victim.log for victim in victims):
                break
    await workers.kept_the_promise()
    assert all(victim.lives for victim in victims)
    assert any("waiting" in victim.log for victim in victims)


def drop_connections(database: str) -> None:
    """All but this one."""
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


async def test_two_partitions_that_share_a_row_lose_no_increment(workers: House) -> None:
    """Two workers count one child's answers, which come by all partitions: each gets a number, and none twice."""
    first, second = workers.victim(), workers.victim()
    await first.has_said("claimed")
    await second.has_said("claimed")
    await workers.publish(1000, incidents=12, children=1)
    await workers.kept_the_promise(ordered=False)


async def test_an_alarm_that_rang_under_two_owners_is_not_forgotten(reminders: House) -> None:
    """A paused worker's ring is committed after another took over, and it dies before it says so: the other does."""
    await reminders.publish(1)
    rings = reminders.victim("before_alarm_commit 1 SIGSTOP,before_send 2 SIGKILL", session_timeout=3)
    await rings.stopped()
    await reminders.publish(199)
    other = reminders.victim(session_timeout=3)
    await other.has_said("claimed")
    rings.signal(signal.SIGCONT)
    assert await rings.ended() == -signal.SIGKILL, rings.log
    await reminders.everything_said()
    said = dict.fromkeys(header(record, "ce_subject") for record in reminders.records if record.key == b"c0")
    assert list(said)[:3] == ["r0", "reminder c0 1", "r12"], other.log


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
async def test_three_workers_paused_killed_and_cut_off_at_random(workers: House, postgres: str, seed: int) -> None:
    """Forty misfortunes in a row, of all kinds, for whichever worker."""
    chance = random.Random(seed)
    victims = [workers.victim() for _ in range(3)]
    async with events_coming(workers):
        for _ in range(40):
            struck = chance.randrange(3)
            match chance.choice(["kill", "pause", "leave", "fault", "database"]):
                case "kill":
                    victims[struck].end()
                case "pause":
                    victims[struck].signal(signal.SIGSTOP)
                    await asyncio.sleep(chance.random() * 5)  # a session is one second, a paused transaction three
                    victims[struck].signal(signal.SIGCONT)
                case "leave":
                    victims[struck].signal(signal.SIGTERM)
                    # One that has only just begun is ended by the signal itself.
                    assert await victims[struck].ended() in (0, -signal.SIGTERM), victims[struck].log
                case "fault":
                    victims[struck].end()
                    point = chance.choice(["before_commit", "committed", "before_send", "sent", "before_offsets"])
                    victims[struck] = workers.victim(f"{point} {chance.randint(1, 9)} SIGKILL")
                case "database":
                    await asyncio.to_thread(drop_connections, postgres)
            await asyncio.sleep(chance.random())
            victims = [victim if victim.lives else workers.victim() for victim in victims]
    await workers.kept_the_promise(seconds=120)
