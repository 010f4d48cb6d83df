"""What is said at the board becomes durable as `board-door`: written down before it is sent, once and with one moment.

A form that is sent twice says the same thing at the same moment, so that the bus knows the repeat by its id and its
content: whatever was first written down under the id is what is sent, however often. Nothing that a person did is sent
behind the person's back: who was told that it is not recorded sends the form again, or does not.

What the board says by itself, such as who saw what, is written down too, and sent until Kafka has it: by one of several
boards on one database, which claims it first. If that one dies, another sends it again, under the same id.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from secrets import token_hex
from typing import NamedTuple, Self

import sqlalchemy as sa
import structlog

from services.bus.access import Access
from services.bus.broker import Partition, Sending
from services.bus.clock import Clock
from services.bus.codec import Codec, event_types
from services.bus.envelope import Envelope, Event
from services.bus.errors import Surroundings, Unacknowledged, UserMistake
from services.bus.events import DecisionMade, HandoverActed, HandoverNoted, ShiftClosed
from services.bus.line import Line
from services.bus.settings import Settings
from services.bus.tables import upsert
from services.handover_feed import drafts
from services.handover_feed.acting.tables import letter, outgoing, sending

PRINCIPAL = "board-door"

AT_ONCE = 200
"""Rows that are sent or deleted in one go."""

LOOK_EVERY = 5.0
"""Seconds between looks for what a process that was killed left behind."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts to send what waits."""

FORGET_EVERY = 3600.0

CLAIM_US = 30_000_000
"""Whoever claimed letters so long ago, and has not sent them, is gone."""

FILLED_IN = {
    HandoverActed: {"acted_at"},
    HandoverNoted: {"written_at"},
    DecisionMade: {"decided_at", "location_confidential", "adults_of_concern"},
    ShiftClosed: {"closed_at", "by", "handed_on", "closed", "stays"},
}
"""By type, what a repeat may say otherwise, since the board fills it in or another has said it first; the first stands.
"""

log = structlog.get_logger()


class NotRecorded(Surroundings):
    """Kafka has not said that it has it: it may be there or not, and the same form may be sent again."""


class SaidOtherwise(UserMistake):
    """Something else was said under this id before; that stands."""


class Letter(NamedTuple):
    """One event on its way."""

    event_id: str
    type: str
    at_us: int
    content: bytes | None
    asked: bytes = b""

    @classmethod
    def of(cls, event: Event, event_id: str, at_us: int) -> Letter:
        left_out = FILLED_IN.get(type(event), set())
        said = event.model_dump_json(by_alias=True, exclude=left_out, exclude_defaults=True)
        asked = blake2b(said.encode(), digest_size=16).digest()
        return cls(event_id, event.topic, at_us, event.model_dump_json(by_alias=True).encode(), asked)

    @property
    def event(self) -> Event:
        assert self.content is not None, "Kafka has it already"
        source, at = f"urn:safebus:{PRINCIPAL}", datetime.fromtimestamp(self.at_us / 1_000_000, UTC)
        said = Envelope(self.event_id, source, self.type, at, correlation_id=f"{source} {self.event_id}")
        return event_types()[self.type].model_validate_json(self.content).enveloped(said)


class Letters:
    """`async with Letters(at, access, clock, codec) as letters: await letters.say((event, event_id))`."""

    def __init__(self, at: Settings, access: Access, clock: Clock, codec: Codec) -> None:
        self._at, self._access, self._clock, self._codec = at, access, clock, codec
        self._line = Line(at, codec, PRINCIPAL)
        self._bell = asyncio.Event()
        self._name = token_hex(8)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._line.__aenter__()
        self._tasks = [asyncio.create_task(self._send_on()), asyncio.create_task(self._forget())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(Surroundings):  # whoever comes next need not wait until the claim has run out
            await self._access.write(lambda c: c.execute(sending.delete().where(sending.c.holder == self._name)))
        await self._line.__aexit__()

    @property
    def now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

    async def say(self, *said: tuple[Event, str]) -> None:
        """Publish these in order, each under its id, or what was first said under it; then Kafka has them all.

        They are written down together, before the first is sent: whoever repeats them after a crash completes them.

        Raises:
            NotRecorded: it is not known whether Kafka has them all; the same may be said again.
            SaidOtherwise: another thing was said under one of the ids; nothing was sent.
            UserMistake: one is larger than an event may be, or holds what no event can; nothing was sent.
        """
        try:
            await self._line.ready_for({event.topic for event, _ in said})
            new = [self._fit(event, event_id) for event, event_id in said]
            stand = await self._access.write(partial(_written, new=new))
            for one in stand:
                if one.content is not None:
                    await self._send([one])
                    await self._mark(one.event_id)
        except Surroundings as error:
            raise NotRecorded(str(error)) from error

    async def known(self, event_ids: Collection[str]) -> set[str]:
        """Those of these ids under which something was said before, or was to be."""
        these = sa.select(letter.c.event_id).where(letter.c.event_id.in_(event_ids))
        return set(await self._access.read(lambda connection: connection.execute(these).scalars().all()))

    async def sent(self, event_id: str) -> bool:
        """Whether that was said, and Kafka is known to have it."""
        return await self._access.read(partial(was_sent, event_id=event_id))

    async def later(self, events: Mapping[str, Event]) -> None:
        """Write these down, by their ids; they are sent in the background until Kafka has them.

        Raises:
            Surroundings: the database is away. Nothing was written.
        """
        now_us = self.now_us
        await self._access.write(lambda connection: keep(connection, events, now_us=now_us))
        self.ring()

    def ring(self) -> None:
        """Something was written down to be sent."""
        self._bell.set()

    def _fit(self, event: Event, event_id: str) -> Letter:
        """As it will be kept, if the bus takes it. Raises UserMistake if it does not."""
        try:
            new = Letter.of(event, event_id, self.now_us)
            sending = self._sending(new)
        except (OverflowError, ValueError):  # their text holds the value
            raise UserMistake("What was written holds a character that cannot be kept: take it out.") from None
        if (size := len(sending.key) + len(sending.value or b"")) > self._at.max_event_bytes:
            raise UserMistake(f"What was written has {size} bytes: at most {self._at.max_event_bytes} can be kept.")
        return new

    def _sending(self, one: Letter) -> Sending:
        event = one.event
        return Sending(self._codec.key_of(event), self._codec.encode(event), self._codec.headers(event.envelope))

    async def _send(self, letters: Sequence[Letter]) -> None:
        """In order for each key. Raises Surroundings if one is not acknowledged."""
        writer = self._line.writer
        batches: dict[Partition, list[Sending]] = defaultdict(list)
        for one in letters:
            sending = self._sending(one)
            batches[one.type, writer.partition_for(one.type, sending.key)].append(sending)
        sends = (writer.send(to, batch) for to, batch in batches.items())
        for failed in await asyncio.gather(*sends, return_exceptions=True):
            if failed is not None:
                self._line.spoilt(writer)
                why = str(failed) if isinstance(failed, Unacknowledged) else type(failed).__name__
                log.warning("unacknowledged", reason=why, events=len(letters))
                raise Surroundings("the broker did not acknowledge in time")

    async def _mark(self, event_id: str) -> None:
        """Kafka has it, whatever the database says now: a repeat would only be sent once more."""
        try:
            await self._access.write(partial(_acknowledged, event_id=event_id))
        except Surroundings as error:
            log.warning("not_marked", reason=str(error), events=1)

    async def _send_on(self) -> None:
        pause = 0.1
        while True:
            self._bell.clear()
            try:
                while await self._send_some():
                    pause = 0.1
            except Surroundings as error:
                log.warning("waiting", reason=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end what sends everything else
                log.error("not_sent", kind=type(error).__name__)  # noqa: TRY400
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._bell.wait()

    async def _send_some(self) -> bool:
        if not await self._access.read(_anything):
            return False
        mine = await self._access.write(partial(_claimed, holder=self._name, now_us=time.time_ns() // 1000))
        if mine:
            await self._line.ready_for({one.type for one in mine})
            await self._send(mine)
            await self._access.write(partial(_sent, event_ids=[one.event_id for one in mine]))
        return len(mine) == AT_ONCE

    async def _forget(self) -> None:
        while True:
            try:
                await self._access.write(self._forget_now)
            except Surroundings as error:
                log.warning("waiting", reason=str(error))
            await asyncio.sleep(FORGET_EVERY)

    def _forget_now(self, connection: sa.Connection) -> None:
        """What is repeated no more; and what was typed and not sent, whether or not anybody types again."""
        keep_us = timedelta(days=self._at.keep_ids_days + 1) // timedelta(microseconds=1)
        connection.execute(letter.delete().where(letter.c.at_us < self.now_us - keep_us))
        drafts.forget(connection, self.now_us)


def keep(connection: sa.Connection, events: Mapping[str, Event], *, now_us: int) -> None:
    """Write these down by their ids, within a transaction; ring the letters once it is committed."""
    rows = [Letter.of(event, event_id, now_us) for event_id, event in events.items()]
    if rows:
        values = [{"event_id": r.event_id, "type": r.type, "at_us": r.at_us, "content": r.content} for r in rows]
        connection.execute(upsert(connection, outgoing).on_conflict_do_nothing(), values)


def was_sent(connection: sa.Connection, event_id: str) -> bool:
    """Whether a person said that, and Kafka is known to have it."""
    this = sa.select(letter.c.event_id).where(letter.c.event_id == event_id, letter.c.content.is_(None))
    return connection.execute(this).first() is not None


def _written(connection: sa.Connection, new: Sequence[Letter]) -> list[Letter]:
    """What stands under their ids, from now on. Raises SaidOtherwise, and then nothing new does."""
    stand = []
    for one in new:
        connection.execute(upsert(connection, letter).on_conflict_do_nothing(), one._asdict())
        found = connection.execute(sa.select(letter).where(letter.c.event_id == one.event_id)).one()
        if (found.type, bytes(found.asked)) != (one.type, one.asked):
            raise SaidOtherwise("This form was sent before with something else in it: open the page again.")
        content = None if found.content is None else bytes(found.content)
        stand.append(Letter(found.event_id, found.type, found.at_us, content, one.asked))
    return stand


def _acknowledged(connection: sa.Connection, event_id: str) -> None:
    connection.execute(letter.update().where(letter.c.event_id == event_id).values(content=None))


def _anything(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(outgoing.c.event_id).limit(1)).first() is not None


def _claimed(connection: sa.Connection, holder: str, *, now_us: int) -> list[Letter]:
    """The oldest that no other process is about to send, claimed for this one."""
    columns, claim = outgoing.c, sending.c
    others = sa.and_(claim.event_id == columns.event_id, claim.holder != holder, claim.until_us > now_us)
    query = sa.select(outgoing).where(~sa.exists().where(others)).order_by(columns.at_us, columns.event_id)
    rows = connection.execute(query.limit(AT_ONCE).with_for_update(of=outgoing, skip_locked=True)).all()
    if rows:
        insert = upsert(connection, sending)
        new = {name: insert.excluded[name] for name in ("holder", "until_us")}
        free = sa.or_(claim.holder == holder, claim.until_us <= now_us)
        take = insert.on_conflict_do_update(index_elements=["event_id"], set_=new, where=free)
        values = [{"event_id": r.event_id, "holder": holder, "until_us": now_us + CLAIM_US} for r in rows]
        connection.execute(take, values)
        ids = [row.event_id for row in rows]
        # Another may have claimed some between our look and our lock.
        mine = sa.select(claim.event_id).where(claim.event_id.in_(ids), claim.holder == holder)
        got = set(connection.execute(mine).scalars())
        still = set(connection.execute(sa.select(columns.event_id).where(columns.event_id.in_(ids))).scalars())
        rows = [row for row in rows if row.event_id in got & still]
    return [Letter(row.event_id, row.type, row.at_us, bytes(row.content)) for row in rows]


def _sent(connection: sa.Connection, event_ids: Collection[str]) -> None:
    connection.execute(outgoing.delete().where(outgoing.c.event_id.in_(event_ids)))
    connection.execute(sending.delete().where(sending.c.event_id.in_(event_ids)))
