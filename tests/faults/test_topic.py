"""A topic that is deleted, and made again, under a running service."""

from __future__ import annotations

import asyncio

from services.bus.errors import EXIT_MUST_STOP
from tests.faults.house import HEARD, House


async def test_a_topic_made_again_stops_the_service_and_is_read_from_its_beginning(house: House) -> None:
    """It says what to do and ends with 70, twice if it is started again; after a recovery it reads the new topic."""
    await house.publish(100)
    victim = house.victim()
    await house.kept_the_promise()
    await asyncio.to_thread(house.make_topics, HEARD)
    await house.publish(150)
    assert await victim.ended() == EXIT_MUST_STOP, victim.log
    again = house.victim()
    assert await again.ended() == EXIT_MUST_STOP, again.log
    for process in (victim, again):
        ended = process.log.splitlines()[-1]
        assert HEARD in ended
        assert f"safebus recover {house.service}" in ended
        assert "Traceback" not in process.log
    await house.recover()
    house.victim()
    await house.kept_the_promise()
    assert not house.repeats


async def test_a_topic_deleted_stops_the_service(house: House) -> None:
    """Without its topic a service stops; it does not wait in the hope of another."""
    await house.publish(100)
    victim = house.victim()
    await house.kept_the_promise()
    house.broker.admin.delete_topics([HEARD])[HEARD].result(30)
    assert await victim.ended() == EXIT_MUST_STOP, victim.log
    assert f"{HEARD} was deleted" in victim.log.splitlines()[-1]
