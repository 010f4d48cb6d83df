"""A database that is somebody else's, lost, or yesterday's."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from services.bus.errors import EXIT_MISTAKE, EXIT_MUST_STOP
from tests.faults.house import House, Victim


def one_sentence(victim: Victim) -> str:
    """The only thing that went wrong, in words; no traceback."""
    assert "Traceback" not in victim.log
    return victim.log.splitlines()[-1]


async def end(victim: Victim) -> None:
    victim.signal(signal.SIGTERM)
    assert await victim.ended() == 0, victim.log


async def test_a_second_process_on_one_sqlite_file_is_refused(house: House) -> None:
    """The first goes on; the second says why in one sentence and ends with 2."""
    await house.publish(50)
    first = house.victim()
    await first.has_said("claimed")
    second = house.victim()
    assert await second.ended() == EXIT_MISTAKE, second.log
    assert "already runs" in one_sentence(second)
    await house.publish(50)
    await house.kept_the_promise()
    assert first.lives


async def test_yesterdays_database_is_refused_and_healed(house: House) -> None:
    """A copy from before the last events, put back: 70; recovered, it says nothing that was said and goes on."""
    await house.publish(150)
    victim = house.victim()
    await house.kept_the_promise()
    await end(victim)
    shutil.copy(house.folder / "store.db", house.folder / "yesterday.db")
    await house.publish(150)
    victim = house.victim()
    await house.kept_the_promise()
    await end(victim)
    forget(house.folder)
    shutil.copy(house.folder / "yesterday.db", house.folder / "store.db")
    await house.publish(50)
    refused = house.victim()
    assert await refused.ended() == EXIT_MUST_STOP, refused.log
    assert "older than Kafka's offsets" in one_sentence(refused)
    assert f"safebus recover {house.service}" in one_sentence(refused)
    await house.recover()
    await house.publish(50)
    house.victim()
    await house.kept_the_promise()
    assert not house.repeats


async def test_a_lost_database_is_noticed_and_made_again(house: House) -> None:
    """Killed between the send and the delete, then the file is gone: 70; recovered, it does not say a thing again."""
    await house.publish(300)
    victim = house.victim("sent 4 SIGKILL", commit_interval=0)
    assert await victim.ended() == -signal.SIGKILL
    forget(house.folder)
    refused = house.victim()
    assert await refused.ended() == EXIT_MUST_STOP, refused.log
    assert "is lost" in one_sentence(refused)
    assert f"safebus recover {house.service}" in one_sentence(refused)
    recovered = await house.recover()
    assert recovered["reused"]
    assert recovered["replayed"]
    await house.publish(50)
    house.victim()
    await house.kept_the_promise()
    assert not house.repeats


async def test_a_recovery_that_is_killed_starts_over(house: House) -> None:
    """Killed in its middle; the service still refuses to start, and the next recovery heals it."""
    await house.publish(300)
    victim = house.victim("sent 4 SIGKILL")
    assert await victim.ended() == -signal.SIGKILL
    forget(house.folder)
    killed = house.victim("committed 3 SIGKILL", "recover")
    assert await killed.ended() == -signal.SIGKILL
    refused = house.victim()
    assert await refused.ended() == EXIT_MUST_STOP, refused.log
    await house.recover()
    house.victim()
    await house.kept_the_promise()


def forget(folder: Path) -> None:
    for file in folder.glob("store.db*"):
        file.unlink()
