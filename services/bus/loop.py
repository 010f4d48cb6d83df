"""The one loop, the same for every service (DESIGN.md §1).

Each round: read a batch, decide it inside one transaction with its guard, send what it led to while the next is
decided, and move Kafka's offsets once everything is acknowledged. Whatever dies where, the guard and the stored outputs
say how to go on: an output is stored before it is sent, sent again until it is acknowledged, and never decided twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import structlog

from services.bus import tracing
from services.bus.batch import Batch, Round
from services.bus.broker import Broker, Partition, Record
from services.bus.claims import Claims
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.directory import DirectoryTable
from services.bus.errors import MustStop, Surroundings
from services.bus.events import DeadLetter
from services.bus.health import Health
from services.bus.heard import TO_BE_LEARNT, Heard, Unlearnt, hear
from services.bus.metrics import BATCH, HEARD, REDONE, UNSENT
from services.bus.ordered import in_order
from services.bus.outgoing import Outgoing
from services.bus.packs import Output
from services.bus.partitions import Partitions
from services.bus.recovery import Recovery
from services.bus.remembered import Remembered
from services.bus.service import Service
from services.bus.settings import Settings
from services.bus.store import Store
from services.bus.work import Guard, Overtaken, Place, Repeated, Work

PRUNE_INTERVAL = 3600.0
"""Seconds between two prunings of consumed ids, which look at all of them."""

UNLUCKY = 10
"""Batches in a row that another worker overtook, as it may; more are somebody's fault."""

T = TypeVar("T")
Polled = Mapping[Partition, Sequence[Record]]
Acknowledged = Mapping[Partition, tuple[int, int]]
IDS_OUTLIVE = timedelta(days=2)
"""Consumed ids are kept this much longer than events are accepted, for clocks that differ."""

log = structlog.get_logger()


class _Stopped(Exception):
    """Told to stop while waiting for something outside."""


async def _let_end(stopping: Coroutine[Any, Any, None], seconds: float) -> None:
    """What counts is stored already. A client's stop may fail, hang, swallow a cancellation or raise one: measured."""
    ending = asyncio.create_task(stopping)
    ending.add_done_callback(_retrieved)
    await asyncio.wait([ending], timeout=seconds)
    ending.cancel()


def _retrieved(ended: asyncio.Task[None]) -> None:
    """Or asyncio complains of an exception that nobody waited for."""
    if not ended.cancelled():
        ended.exception()


def _nothing(_point: str) -> None:
    """The probe of a real service: tests put one here that kills the process at the worst moment."""


class Loop:
    """Runs one service until it is told to stop, or must."""

    def __init__(
        self,
        service: Service,
        broker: Broker,
        store: Store,
        codec: Codec,
        *,
        settings: Settings,
        clock: Clock,
        health: Health | None = None,
        recovery: Recovery | None = None,
        probe: Callable[[str], None] = _nothing,
    ) -> None:
        self.service, self._broker, self._store, self._codec = service, broker, store, codec
        self._at, self._clock, self.health, self._probe = settings, clock, health or Health(), probe
        self._recovery = recovery
        self._directory_topics = service.directory_topics
        self._topics = sorted({*service.hears, *self._directory_topics})
        emitted = {kind.topic for kind in service.emits} | {DeadLetter.topic}
        self._encoded, self._said = sorted(emitted), sorted({*service.says, *emitted})
        reader = broker.reader(service.name, self._topics)
        self._reader = recovery.reader(reader) if recovery else reader
        self.partitions = Partitions(service.name, self._topics, broker.registrar())
        self._out = Outgoing(service.name, broker.writer(), probe)
        self._directory = DirectoryTable()
        self._remembered = Remembered(alone=store.is_alone)
        self._claims = Claims(settings.claims)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{service.name}-store")
        self._stopping = asyncio.Event()
        self._generation = -1
        self._overtaken = 0
        self._repeating = False
        self._directory_seen: dict[Partition, int] = {}
        self._checked = self._followed = self._looked = self._swept = self._pruned = 0.0
        self._due: tuple[int, dict[Partition, int]] | None = None
        self._following: asyncio.Task[None] | None = None

    # Start, run, stop

    def stop(self) -> None:
        """Finish the batch in hand, then end."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped.

        Raises:
            MustStop: going on could lose or repeat an event. `Unacknowledged` among them means: start again.
            NotPermitted: the broker refuses this principal.
        """
        try:
            await self._start()
            while not (self._stopping.is_set() or await self._recovered()):
                await self._turn()
            await self._end()
        except _Stopped:
            log.info("stopped", service=self.service.name, while_waiting_for=self.health.reason)
        finally:
            await self._close()
        if self._recovery and not self._recovery.finished:
            raise MustStop(f"this recovery did not come to its end; run `safebus recover {self.service.name}` again")

    async def _start(self) -> None:
        await self._patiently(partial(self._in_thread, self._store.open))
        await self._patiently(self.partitions.learn_cluster)
        await self._patiently(partial(self._codec.prepare, self._encoded))
        await self._patiently(self._out.writer.start)
        await self._patiently(partial(self._out.writer.know, self._said))
        await self._patiently(self.partitions.learn_topics)
        if not self._recovery:
            await self._patiently(partial(self._in_thread, self._with_work, self._refuse_unsound))
        await self._patiently(self._reader.start)
        log.info("started", service=self.service.name, topics=self._topics)

    def _refuse_unsound(self, work: Work) -> None:
        name = self.service.name
        if other := work.other_cluster(self.partitions.cluster):
            raise MustStop(f"the database of {name} belongs to cluster {other}, this is {self.partitions.cluster}")
        if work.in_recovery():
            raise MustStop(f"a recovery of {name} was interrupted, or still runs; run `safebus recover {name}` again")

    async def _end(self) -> None:
        await self._out.settle()
        try:
            await self._tidy()
            with suppress(Surroundings):  # of a while ago; it is asked anew
                await self._followed_up()
            await self._bring_offsets()
            if await self._recovered():
                await self._finish_recovery()
        except Surroundings as error:
            log.warning("stopped_without", service=self.service.name, reason=str(error))
        log.info("stopped", service=self.service.name)

    async def _close(self) -> None:
        self.health.waiting("stopped")
        if self._following is not None:
            self._following.cancel()
        for stopping in (self._reader.stop, self._out.writer.stop, self._broker.close):
            await _let_end(stopping(), self._at.stop_timeout / 3)
        self._thread.shutdown(wait=True)
        self._store.close()

    # One turn

    async def _turn(self) -> None:
        try:
            if self._reader.generation != self._generation:
                await self._claim()
            await self._follow()
            await self._ring()
            polled = await self._reader.poll(self._at.batch_size, self._at.poll_ms)
            self._out.raise_if_failed()
            if self._reader.generation != self._generation:
                return  # the partitions changed hands meanwhile: what came is read again from the guards
            if any(polled.values()):
                await self._take(polled)
            else:
                await self._idle()
            self.health.ready()
        except Overtaken as error:
            REDONE.labels(self.service.name).inc()
            log.info("overtaken", service=self.service.name, what=str(error))
            self._generation = -1
            self._overtaken += 1
            if self._overtaken > UNLUCKY:
                await self._wait(f"overtaken {self._overtaken} times in a row", min(self._overtaken * 0.01, 5.0))
        except Surroundings as error:
            # What was being written may or may not be committed: the guard tells, once it can be read again.
            await self._wait(str(error), 0.5)
            self._generation = -1

    async def _take(self, polled: Polled) -> None:
        """The directory first; then the rest, once the directory is as new as it was when the rest was read."""
        rows = {p: rs for p, rs in polled.items() if rs and p[0] in self._directory_topics}
        rest = {p: rs for p, rs in polled.items() if rs and p[0] not in self._directory_topics}
        if rows:
            await self._commit(rows)
        if rest and await self._directory_is_current():
            await self._commit(rest)

    async def _directory_is_current(self) -> bool:
        """Read the directory to the ends fetched now. False when the partitions changed hands meanwhile."""
        if not self._directory_topics:
            return True
        ends = await self._reader.ends(await self._reader.partitions(self._directory_topics))
        others = [p for p in self._reader.assignment() if p[0] not in self._directory_topics]
        paused = False
        while behind := await self._behind(ends):
            if self._reader.generation != self._generation or self._stopping.is_set():
                return False
            if not paused:
                self._reader.pause(others)
                paused = True
            polled = await self._reader.poll(self._at.batch_size, self._at.poll_ms)
            if any(polled.values()):
                await self._commit({p: rs for p, rs in polled.items() if rs})
            else:
                await self._pass_gaps([p for p in self.partitions.known if p[0] in self._directory_topics])
            self.health.waiting(f"the directory is being read ({len(behind)} partitions behind)")
        if paused:
            self._reader.resume(others)
            self.health.ready()
        return self._reader.generation == self._generation

    async def _behind(self, ends: Mapping[Partition, int]) -> list[Partition]:
        """Which of these partitions have not been read that far, whoever owns them."""
        known = self.partitions.known
        behind = [p for p, end in ends.items() if known.get(p, -1) < end]
        foreign = [p for p in behind if p not in known]
        if foreign:
            guards = await self._in_thread(self._guards, {p[0] for p in foreign})
            ours = self.partitions.topic_ids
            at = {(g.topic, g.partition): n.next_offset for g, n in guards.items() if g.topic_id == ours[g.topic]}
            behind = [p for p in behind if max(at.get(p, -1), known.get(p, -1)) < ends[p]]
            moved = {p: n for p, n in at.items() if p[0] in self._directory_topics and p not in known}
            if moved != self._directory_seen:
                self._directory_seen = moved
                self._directory.forget()
        return behind

    async def _commit(self, polled: Polled) -> None:
        """Decide and commit one batch, then start sending what it led to."""
        # A recovery hears them about as the service did.
        records = in_order(polled.values()) if self._recovery else [r for records in polled.values() for r in records]
        acknowledged = dict(self._out.acknowledged)
        began_ns = time.time_ns()
        try:
            done = await self._decided(polled, records, acknowledged)
        except (Overtaken, Surroundings):
            self._directory.forget()
            self._remembered.forget()
            raise
        self._remembered.keep(done.views)
        self._out.forgotten(acknowledged)
        self._overtaken = 0
        if done.repeating is not None:
            self._repeating = done.repeating
        if self.service.projection:
            self.service.projection.committed()
        self._probe("committed")
        tracing.processed(self.service.name, records, began_ns, time.time_ns())
        nexts = {p: rs[-1].offset + 1 for p, rs in polled.items()}
        self.partitions.moved(nexts)
        BATCH.labels(self.service.name).observe(len(records))
        for (topic, outcome), number in done.counts.items():
            HEARD.labels(self.service.name, topic, outcome).inc(number)
        await self._out.start(done.outputs, nexts, records)

    async def _decided(self, polled: Polled, records: Sequence[Record], acknowledged: Acknowledged) -> Round:
        """The registry is asked only about what cannot be read otherwise."""
        transact = partial(self._transact, polled, records, acknowledged)
        try:
            return await self._in_thread(transact)
        except Unlearnt:
            await self._patiently(partial(self._codec.learn, records))
            return await self._in_thread(partial(transact, learnt=True))

    def _transact(
        self,
        polled: Polled,
        records: Sequence[Record],
        acknowledged: Acknowledged,
        *,
        learnt: bool = False,
    ) -> Round:
        heard = [hear(record, self._codec, self.service.name) for record in records]
        if not learnt and any(h.fault is not None and h.fault.code in TO_BE_LEARNT for h in heard):
            raise Unlearnt
        if self._recovery:
            self._recovery.mark(heard, self.partitions.topic_ids)
        nexts = {p: records[-1].offset + 1 for p, records in polled.items()}
        with suppress(Repeated):
            return self._written(heard, nexts, acknowledged, look=self._repeating)
        self._directory.forget()
        return self._written(heard, nexts, acknowledged, look=True)

    def _written(
        self, heard: Sequence[Heard], nexts: Mapping[Partition, int], acknowledged: Acknowledged, *, look: bool
    ) -> Round:
        """The batch, decided and committed. Whether an event came before is looked up first while some did (`look`);
        else its id, which cannot be written twice, says so."""
        with self._store.transaction() as work:
            self.partitions.advance(work, nexts)
            done = self._batch(work).decide(work, heard, self.partitions.topic_ids, look=look)
            if self._recovery:
                self._recovery.keep_unsent(done)  # before anything of it is stored
            work.queue(done.outputs)
            work.forget(acknowledged)
            self._probe("before_commit")
        return done

    def _batch(self, work: Work) -> Batch:
        return Batch(
            self.service,
            self._codec,
            self._directory.within(work.connection),
            self._claims,
            self._remembered,
            now=self._clock.now(),
            keep_ids=timedelta(days=self._at.keep_ids_days),
            max_bytes=self._at.max_event_bytes,
            rang=self._recovery.rang if self._recovery else None,
        )

    # Between batches

    async def _idle(self) -> None:
        await self._out.settle()
        await self._tidy()
        await self._pass_gaps(list(self.partitions.known))
        self.health.ready()
        if time.monotonic() - self._swept > self._at.topic_check_interval:
            self._swept = time.monotonic()
            await self._send_leftovers(list(self.partitions.known))
        if time.monotonic() - self._pruned > PRUNE_INTERVAL:
            self._pruned = time.monotonic()
            before = self._clock.now() - timedelta(days=self._at.keep_ids_days) - IDS_OUTLIVE
            await self._in_thread(self._with_work, lambda work: work.forget_ids_before(int(before.timestamp())))

    async def _pass_gaps(self, partitions: Sequence[Partition]) -> None:
        """A log may end with something that is no event, which nobody may wait for. All that was polled of these
        partitions is committed."""
        if self._reader.generation != self._generation:
            return
        read = await self._reader.positions(partitions)
        after = {p: n for p, n in read.items() if n > self.partitions.known[p]}
        if after and self._reader.generation == self._generation:
            await self._in_thread(self._with_work, partial(self.partitions.advance, to=after))
            self.partitions.moved(after)

    async def _tidy(self) -> None:
        """Delete acknowledged outputs, when no batch is coming to do it."""
        acknowledged = dict(self._out.acknowledged)
        if acknowledged:
            await self._in_thread(self._with_work, lambda work: work.forget(acknowledged))
            self._out.forgotten(acknowledged)
        UNSENT.labels(self.service.name).set(0)

    async def _follow(self) -> None:
        """See to it now and then, beside the batches: no event waits for an answer about offsets or topics.

        Raises:
            MustStop, Surroundings: what came of the last time.
        """
        if self._following is not None and self._following.done():
            await self._followed_up()
        moment = time.monotonic()
        due = self._out.committable and moment - self._followed >= self._at.commit_interval
        if self._following is None and (due or moment - self._checked >= self._at.topic_check_interval):
            self._following = asyncio.create_task(self._bring_offsets())
            self._following.add_done_callback(_retrieved)

    async def _followed_up(self) -> None:
        """What is under way of it ends before partitions change hands, or the process does."""
        following, self._following = self._following, None
        if following is not None:
            await following

    async def _bring_offsets(self) -> None:
        """Move Kafka's offsets after the guards, and never for a topic that has become another one."""
        moment = time.monotonic()
        offsets = self._out.take_committable()  # first: what is acknowledged later is of topics not looked at yet
        await self.partitions.check_topics()
        self._checked = moment
        if offsets and not self._recovery:
            self._followed = moment
            self._probe("before_offsets")
            await self._reader.commit(offsets)

    async def _ring(self) -> None:
        """Let views whose moment has come decide, once every input has been read to ends fetched after it (rule 9)."""
        moment = time.monotonic()
        if self.service.on_alarm is None or moment - self._looked < self._at.poll_ms / 1000:
            return
        if self._recovery and not self._recovery.caught_up(self.partitions.known):
            return
        self._looked = moment
        if self._due is None:
            now_us = int(self._clock.now().timestamp() * 1_000_000)
            if not await self._anything_due(now_us):
                return
            self._due = (now_us, await self._reader.ends(await self._reader.partitions(self._topics)))
        until, ends = self._due
        if await self._behind(ends):
            return
        self._due = None
        await self._out.settle()
        done = await self._in_thread(self._transact_alarms, until)
        for (topic, outcome), number in done.counts.items():
            HEARD.labels(self.service.name, topic, outcome).inc(number)
        await self._out.start(done.outputs, {}, [])

    async def _anything_due(self, now_us: int) -> bool:
        first = await self._in_thread(self._with_work, lambda work: work.next_alarm())
        return first is not None and first <= now_us

    def _transact_alarms(self, until_us: int) -> Round:
        self._remembered.forget()  # what it writes is not kept
        with self._store.transaction() as work:
            rows = work.alarms(until_us, self.partitions.known, limit=200)
            ringing = {(row.topic, row.partition) for row in rows}
            ordinals = self.partitions.ring(work, ringing)
            done = self._batch(work).ring(work, rows, self.partitions.known, ordinals)
            if self._recovery:
                self._recovery.keep_unsent(done)
            work.queue(done.outputs)
            self._probe("before_alarm_commit")
        self.partitions.rung(ringing)
        return done

    # Taking over partitions

    async def _claim(self) -> None:
        """Read the guards of what was assigned, send what is left over, seek, and only then read on."""
        await self._followed_up()
        await self._out.settle()
        await self._tidy()
        generation = self._reader.generation
        mine = sorted(self._reader.assignment())
        self._due = None
        self.partitions.let_go()
        self._directory.forget()
        self._remembered.forget()
        if mine:
            await self.partitions.check_topics()
            if self._recovery:
                await self._begin_recovery(self._recovery, mine)
            committed = await self._reader.committed(mine)
            begins = await self._reader.beginnings(mine)
            guards = await self._in_thread(self._guards, self._topics)
            ends = await self._reader.ends(mine)
            positions = self.partitions.starts(committed, begins, ends, guards, recovering=bool(self._recovery))
            await self._in_thread(
                self._with_work, partial(self.partitions.guard_new, positions=positions, guards=guards)
            )
            await self._send_leftovers(mine)
            if self._reader.generation != generation:
                return
            if self._recovery:
                self._recovery.claimed(committed, ends)
            for p, offset in positions.items():
                self._reader.seek(p, offset)
            self._reader.resume(mine)
            self.partitions.own(positions, guards)
            # All that came before is acknowledged now, and whoever should have told Kafka so may have died before.
            self._out.committable = {p: n for p, n in positions.items() if n > (committed[p] or begins[p])}
            log.info("claimed", service=self.service.name, partitions=len(mine))
        self._generation = generation
        self.health.ready()

    # Recovery

    async def _begin_recovery(self, recovery: Recovery, mine: Sequence[Partition]) -> None:
        """Once nobody else has any partition: forget everything, unless all that is wrong is that a topic was made
        anew; then its old guards only."""
        if recovery.begun:
            return
        if set(mine) != await self._reader.partitions(self._topics):
            raise Surroundings(f"another {self.service.name} is running; stop it before a recovery")
        recovery.kept = await self._in_thread(self._with_work, self._keep)
        if not recovery.kept:
            await self._in_thread(self._store.reset)
            await recovery.read_outputs()
        recovery.begun = True

    def _keep(self, work: Work) -> bool:
        """Whether dropping the guards of former incarnations was enough."""
        return (
            not work.in_recovery()
            and work.drop_other_incarnations(self.partitions.cluster, self.partitions.topic_ids) > 0
        )

    async def _recovered(self) -> bool:
        """Everything was read to the ends that were found, and what was due since has rung."""
        if not (self._recovery and self._recovery.caught_up(self.partitions.known)):
            return False
        if self._recovery.kept or self.service.on_alarm is None:
            return True
        return not await self._anything_due(int(self._clock.now().timestamp() * 1_000_000))

    async def _finish_recovery(self) -> None:
        """Kafka's offsets follow the guards, backwards too if the log has become shorter."""
        assert self._recovery is not None
        if await self._reader.commit(self.partitions.known):
            await self._in_thread(self._with_work, Work.end_recovery)
            self._recovery.finished = True

    # What is left over

    async def _send_leftovers(self, partitions: Sequence[Partition]) -> None:
        """What these inputs still owe, decided by whoever had them before."""
        while partitions:
            left: list[Output] = await self._in_thread(self._with_work, lambda work: work.unsent(partitions))
            if not left:
                return
            log.info("sending_leftovers", service=self.service.name, outputs=len(left))
            await self._patiently(partial(self._out.writer.know, {output.to_topic for output in left}))
            await self._out.start(left, {}, [])
            await self._out.settle()
            await self._tidy()

    # Small things

    def _guards(self, topics: Iterable[str]) -> dict[Place, Guard]:
        return self._with_work(lambda work: work.guards(self.partitions.cluster, topics))

    def _with_work(self, use: Callable[[Work], T]) -> T:
        with self._store.transaction() as work:
            return use(work)

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Wait out the surroundings, with backoff, saying what for."""
        delay = 0.2
        while True:
            try:
                return await call()
            except Surroundings as error:
                if self._stopping.is_set():
                    raise _Stopped from error
                await self._wait(str(error), delay)
                delay = min(delay * 2, 10.0)

    async def _wait(self, reason: str, seconds: float) -> None:
        if reason != self.health.reason:
            log.warning("waiting", service=self.service.name, reason=reason)
        self.health.waiting(reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
