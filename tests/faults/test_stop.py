"""A stop is graceful and bounded."""

from __future__ import annotations

import signal

from services.bus.errors import EXIT_TRY_AGAIN
from tests.faults.house import House


async def test_told_to_stop_it_finishes_what_it_has_in_hand(house: House) -> None:
    """SIGTERM with a batch in hand: it is acknowledged, Kafka's offsets follow, and nothing is left to repeat."""
    await house.publish(2000)
    victim = house.victim("committed 5 SIGSTOP")
    await victim.stopped()
    victim.signal(signal.SIGTERM)
    victim.signal(signal.SIGCONT)
    assert await victim.ended() == 0, victim.log
    await house.publish(100)
    done = sum((await house.committed()).values())
    assert 5 * 40 <= done < 2000
    house.victim()
    await house.kept_the_promise()
    assert not house.repeats


async def test_told_to_stop_while_the_broker_stands_still_it_ends_all_the_same(house: House) -> None:
    """With a batch in flight it ends within its stop timeout; the next process sends that batch again."""
    await house.publish(200)
    victim = house.victim("before_send 3 SIGSTOP", stop_timeout=2)
    await victim.stopped()
    house.freeze()
    victim.signal(signal.SIGTERM)
    victim.signal(signal.SIGCONT)
    assert await victim.ended() == EXIT_TRY_AGAIN, victim.log
    house.thaw()
    house.victim()
    await house.kept_the_promise()
