"""What a partner posts takes effect once, and nobody hears that it is taken before Kafka has it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from uuid import uuid4

import pytest

from services.bus.access import Access
from services.bus.broker import Record
from services.bus.clock import Clock
from services.bus.envelope import Envelope, Event
from services.bus.errors import Surroundings
from services.bus.events import ContactReceived, InformationRequested
from services.bus.run import broker_for
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.posting import Postbox, Posted
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.tables import metadata, posted
from tests.partner_gateway.samples import CONTACTS, SCHOOL, contact, request

SOURCE = f"urn:safebus:{SCHOOL}"


def said(event_id: str | None = None, *, about: str = "child-1", concern: str = "withdrawn") -> Event:
    """A contact with its envelope."""
    event = ContactReceived.model_validate(contact(child_id=about, concern=concern))
    event_id = event_id or str(uuid4())
    envelope = Envelope(event_id, SOURCE, event.topic, datetime.now(UTC), correlation_id=f"{SOURCE} {event_id}")
    return event.enveloped(envelope)


async def on_kafka(at: Settings, ids: Sequence[str], topic: str = CONTACTS) -> list[Record]:
    """The records with these ids, partition by partition."""
    wanted = {event_id.encode() for event_id in ids}
    broker = broker_for(at, "admin")
    found = [record async for record in broker.scan([topic]) if dict(record.headers)["ce_id"] in wanted]
    await broker.close()
    return found


def states(results: Sequence[Posted]) -> list[str]:
    return [result.state for result in results]


@asynccontextmanager
async def opened(at: Settings) -> AsyncIterator[Postbox]:
    """A postbox with its own database connections."""
    access = Access(at, "partner-gateway")
    await access.write(metadata.create_all)
    try:
        async with Postbox(at, access, Clock()) as postbox:
            yield postbox
    finally:
        access.close()


async def test_accepted_means_that_kafka_has_it(gateway: Gateway, at: Settings) -> None:
    """Key, content and envelope as every other producer's."""
    event = said("kafka-has-it")
    assert states(await gateway.postbox.post([event], SCHOOL)) == ["accepted"]
    [record] = await on_kafka(at, ["kafka-has-it"])
    await gateway.codec.learn([record])
    heard = gateway.codec.decode(record, dict(record.headers), "")
    assert (record.key, dict(heard)) == (b"child-1", dict(event))
    assert heard.envelope.correlation_id == f"{SOURCE} kafka-has-it"
    assert (heard.envelope.source, heard.envelope.time) == (SOURCE, event.envelope.time)


async def test_a_repeat_takes_effect_once_and_another_content_never(gateway: Gateway, at: Settings) -> None:
    """The same source and id: the same answer. Another content or type under it: refused, whenever it comes."""
    one = str(uuid4())
    post = gateway.postbox.post
    assert states(await post([said(one), said(one), said(one, concern="x")], SCHOOL)) == [
        "accepted", "repeated", "id_reused",
    ]  # fmt: skip
    assert states(await post([said(one)], SCHOOL)) == ["repeated"]
    assert states(await post([said(one, concern="x")], SCHOOL)) == ["id_reused"]
    asked = InformationRequested.model_validate(request()["data"]).enveloped(said(one).envelope)
    assert states(await post([asked], SCHOOL)) == ["id_reused"]
    assert len(await on_kafka(at, [one])) == 1


async def test_many_at_once_go_together_and_each_once(gateway: Gateway, at: Settings) -> None:
    """Whoever posts the same at the same moment waits for one acknowledgement; a child's events keep their order."""
    ids = [str(uuid4()) for _ in range(60)]
    events = [[said(i, about=f"child-{n % 7}")] for n, i in enumerate(ids)]
    results = await asyncio.gather(*(gateway.postbox.post(e, SCHOOL) for e in [*events, *events, *events]))
    assert Counter(result.state for [result] in results) == {"accepted": 60, "repeated": 120}
    more = [said(about="child-9") for _ in range(50)]
    assert set(states(await gateway.postbox.post(more, SCHOOL))) == {"accepted"}
    assert len(await on_kafka(at, ids)) == 60
    order = [event.envelope.id for event in more]
    assert [dict(r.headers)["ce_id"].decode() for r in await on_kafka(at, order)] == order  # type: ignore[union-attr]


async def test_who_died_before_the_mark_sends_the_same_bytes_again(gateway: Gateway, at: Settings) -> None:
    """Killed between acknowledgement and answer: the sender repeats, Kafka gets the same again, readers know the id."""
    one = str(uuid4())
    await gateway.postbox.post([said(one)], SCHOOL)
    await gateway.access.write(lambda c: c.execute(posted.update().values(acknowledged=False)))
    assert states(await gateway.postbox.post([said(one, concern="x")], SCHOOL)) == ["id_reused"]
    assert states(await gateway.postbox.post([said(one)], SCHOOL)) == ["accepted"]
    assert states(await gateway.postbox.post([said(one)], SCHOOL)) == ["repeated"]
    first, second = await on_kafka(at, [one])
    assert (first.key, first.value) == (second.key, second.value)


async def test_what_no_event_can_hold_holds_nobody_back(gateway: Gateway, at: Settings) -> None:
    """Too long a body, too long a key: refused before anything is written, and the others go on."""
    good = str(uuid4())
    found = await gateway.postbox.post(
        [said("long", concern="x" * 1_000_001), said(good), said("wide", about="c" * 1001)], SCHOOL
    )
    assert states(found) == ["invalid", "accepted", "invalid"]
    assert "1000000" in found[0].detail
    assert len(await on_kafka(at, [good, "long", "wide"])) == 1


async def test_ids_are_forgotten_when_the_bus_forgets_them(at: Settings) -> None:
    """A table that only grows would end the service one day."""
    at = at.model_copy(update={"keep_ids_days": 1.0})
    async with opened(at) as postbox:
        await postbox.post([said("old"), said("new")], SCHOOL)
        access = postbox._access
        old = int((time.time() - 3 * 86_400) * 1_000_000)
        await access.write(lambda c: c.execute(posted.update().where(posted.c.event_id == "old").values(at_us=old)))
    async with opened(at) as postbox:
        async with asyncio.timeout(20):
            while await postbox._access.read(lambda c: c.execute(posted.select()).all().__len__()) > 1:
                await asyncio.sleep(0.05)


async def test_two_processes_race_and_each_id_has_one_content(at: Settings, postgres: str) -> None:
    """On PostgreSQL: the same ids to both at once, in any order, some with another content; no lock holds both."""
    at = at.model_copy(update={"store_url": postgres})
    ids = [str(uuid4()) for _ in range(300)]
    disputed = set(ids[::10])
    chance = Random(7)

    async def all_of_it(postbox: Postbox, concern: str) -> dict[str, str]:
        order = chance.sample(ids, len(ids))
        lots = [order[start : start + 30] for start in range(0, len(order), 30)]
        made = [[said(i, concern=concern if i in disputed else "same") for i in lot] for lot in lots]
        results = await asyncio.gather(*(postbox.post(lot, SCHOOL) for lot in made))
        return {result.id: result.state for lot in results for result in lot}

    async with AsyncExitStack() as stack:
        opening = (stack.enter_async_context(gateway_for(at)) for _ in range(2))
        one, other = await asyncio.wait_for(asyncio.gather(*opening), 60)
        first, second = await asyncio.gather(all_of_it(one.postbox, "one"), all_of_it(other.postbox, "other"))
    for event_id in ids:
        pair = {first[event_id], second[event_id]}
        if event_id in disputed:
            assert pair == {"accepted", "id_reused"}, pair
        else:
            assert pair in ({"accepted"}, {"accepted", "repeated"}), pair
    contents: dict[str, set[bytes | None]] = {event_id: set() for event_id in ids}
    for record in await on_kafka(at, ids):
        contents[dict(record.headers)["ce_id"].decode()].add(record.value)  # type: ignore[union-attr]
    assert {len(of_one) for of_one in contents.values()} == {1}


async def accepted_at_last(postbox: Postbox, event: Event) -> None:
    """As its sender does it: again until it is taken."""
    async with asyncio.timeout(60):
        while True:
            try:
                if states(await postbox.post([event], SCHOOL)) == ["accepted"]:
                    return
            except Surroundings:
                await asyncio.sleep(0.2)


async def test_a_broker_that_stands_still_or_is_away_is_told_and_found_again(
    at: Settings, stack_kafka: EmbeddedKafka
) -> None:
    """A timeout means unknown, and the producer that timed out is never used again (DESIGN.md §1, rule 4). Nobody waits
    for a broker that is known to be away; when it is back, nothing has to be started again.
    """
    at = at.model_copy(update={"send_timeout": 2.0})
    assert stack_kafka.pid
    async with opened(at) as postbox:
        await postbox.post([said()], SCHOOL)
        before = postbox._line.writer
        os.kill(stack_kafka.pid, signal.SIGSTOP)
        try:
            assert states(await postbox.post([said("stood-still")], SCHOOL)) == ["unknown"]
            with pytest.raises(Surroundings):
                await postbox.post([said()], SCHOOL)
        finally:
            os.kill(stack_kafka.pid, signal.SIGCONT)
        await accepted_at_last(postbox, said("stood-still"))
        assert postbox._line.writer is not before
    assert len({(record.key, record.value) for record in await on_kafka(at, ["stood-still"])}) == 1

    await stack_kafka.stop()
    async with opened(at) as postbox:
        try:
            for _ in range(3):
                with pytest.raises(Surroundings):
                    await asyncio.wait_for(postbox.post([said("away")], SCHOOL), 8)
        finally:
            await stack_kafka.start()
        await accepted_at_last(postbox, said("away"))
    assert len(await on_kafka(at, ["away"])) == 1
