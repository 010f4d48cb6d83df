"""The broker stands still or dies under a running service, which waits, says so, and goes on."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import pytest
from confluent_kafka.admin import AdminClient

from services.bus import kafka
from services.bus.errors import EXIT_TRY_AGAIN, Surroundings
from services.bus.secrets import password_of
from services.embedded import ADMIN
from tests.faults.house import House, Victim, until


@pytest.fixture(autouse=True)
def _soon_away(house: House) -> None:
    """Of what these tests wait for, the most is that a process notices."""
    house.patience = 1.5


async def says_the_broker_is_away(victim: Victim) -> None:
    """Alive, not ready, and why."""
    status, words = await until(lambda: victim.page("/readyz"), lambda page: page[0] == 503, 60)
    assert status == 503
    assert "broker" in words
    assert (await victim.page("/livez"))[0] == 200


async def test_broker_killed_and_started_again_service_says_so_and_goes_on(house: House) -> None:
    """Gone as an offset is to be committed: /readyz says why, /livez stays well; then everything goes on."""
    await house.publish(30, incidents=1)  # one batch, so that no send is under way, which would end the process
    victim = house.victim("before_offsets 1 SIGSTOP")
    await victim.stopped()
    await house.kill_broker()
    victim.signal(signal.SIGCONT)
    await says_the_broker_is_away(victim)
    await house.server.start()
    await victim.is_ready()
    await house.publish(100)
    await house.kept_the_promise()
    assert victim.lives


async def test_broker_stands_still_service_says_so_and_goes_on(house: House) -> None:
    """A broker that accepts and never answers is as good as gone."""
    await house.publish(100)
    victim = house.victim()
    await house.kept_the_promise()
    house.freeze()
    await says_the_broker_is_away(victim)
    house.thaw()
    await victim.is_ready()
    await house.publish(100)
    await house.kept_the_promise()
    assert victim.lives


async def test_a_broker_that_did_not_answer_is_asked_again_by_a_new_client(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One client that had waited too long was seen never to find the broker again, while every new one did."""
    monkeypatch.setattr(kafka, "ANSWER_WITHIN", 0.5)
    clients = []

    def made(config: dict[str, object]) -> AdminClient:
        clients.append(AdminClient(config))
        return clients[-1]

    monkeypatch.setattr(kafka, "AdminClient", made)
    broker = kafka.KafkaBroker(house.settings(), ADMIN, password_of(ADMIN, house.settings()))
    cluster = await broker.cluster_id()
    house.freeze()
    with pytest.raises(Surroundings):
        await broker.cluster_id()
    house.thaw()
    assert await until(lambda: answer(broker), bool, 30) == cluster
    assert len(clients) > 1
    await broker.close()


async def answer(broker: kafka.KafkaBroker) -> str:
    """The cluster's id, or nothing yet."""
    with suppress(Surroundings):
        return await broker.cluster_id()
    return ""


@pytest.mark.soak
async def test_broker_stands_still_for_long_and_service_finds_it_again(house: House) -> None:
    """As after a machine was suspended: every client has given its connections up, and none may stay without."""
    await house.publish(100)
    victim = house.victim()
    await house.kept_the_promise()
    house.freeze()
    await says_the_broker_is_away(victim)
    await asyncio.sleep(60)
    house.thaw()
    house.patience = 30
    await victim.is_ready()
    await house.publish(100)
    await house.kept_the_promise()
    assert victim.lives


async def test_a_service_started_before_its_broker_waits_for_it(house: House) -> None:
    """It is alive and not ready until the broker is there. Told to stop meanwhile, it has nothing to finish."""
    await house.publish(100)
    await house.kill_broker()
    waits = house.victim()
    gives_up = house.victim(store_url=f"sqlite:///{house.folder}/another.db")
    await gives_up.has_said("waiting")
    gives_up.signal(signal.SIGTERM)
    assert await gives_up.ended() == 0, gives_up.log
    await waits.has_said("waiting")
    await says_the_broker_is_away(waits)
    await house.server.start()
    await house.kept_the_promise()


async def test_a_send_that_times_out_and_lands_later_is_one_effect(house: House) -> None:
    """The broker freezes with a batch in flight: the process ends, the batch lands, the next process repeats it."""
    await house.publish(200)
    victim = house.victim("before_send 3 SIGSTOP", send_timeout=2, stop_timeout=2)
    await victim.stopped()
    house.freeze()
    victim.signal(signal.SIGCONT)
    assert await victim.ended() == EXIT_TRY_AGAIN, victim.log
    house.thaw()
    await house.publish(100)
    house.victim()
    await house.kept_the_promise()
    assert house.repeats, "the batch that was given up had landed"


@pytest.mark.soak
async def test_a_broker_killed_with_a_batch_under_way_loses_nothing_that_it_acknowledged(house: House) -> None:
    """The service ends in bounded time, to be started again; every event, acknowledged before, has its effect."""
    await house.publish(1000)
    victim = house.victim("before_send 5 SIGSTOP", send_timeout=2, stop_timeout=2)
    await victim.stopped()
    await house.kill_broker()
    victim.signal(signal.SIGCONT)
    assert await victim.ended() == EXIT_TRY_AGAIN, victim.log
    await house.server.start()
    house.victim()
    await house.kept_the_promise()
