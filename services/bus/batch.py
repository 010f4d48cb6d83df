"""What one batch of records comes to, inside one transaction: known ids, decisions, views, dead letters, outputs.

Nothing here waits or sends. Whatever is wrong with one event becomes its dead letter, and the next event goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from operator import attrgetter
from typing import NamedTuple

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.bus.broker import Partition, Record, Sending
from services.bus.claims import Claims
from services.bus.codec import Codec
from services.bus.deadletters import dead_letter, held_by_alarm
from services.bus.directory import DirectoryTable, Recorded, row_id
from services.bus.envelope import Alarm, Envelope, Event, Held
from services.bus.errors import Surroundings, Unfit
from services.bus.events import ChildRecorded, DeadLetter, OrganisationRecorded
from services.bus.heard import Heard
from services.bus.packs import Output, output
from services.bus.projection import COPIED_BY
from services.bus.remembered import Known, Remembered
from services.bus.service import Service, View
from services.bus.work import Died, Overtaken, Repeated, Seen, StateRow, Work

STEP_HEADER = "ce_causestep"
"""Which of how many outputs of its cause an output is, or `died`, and where the cause stands, such as
`2/3 TOPIC_ID/0/17`: a recovery sees whether all of them stand, and what died."""

COPIES = 2**40
"""Ordinals of copies, above those of any decision's outputs."""

FIRST = -COPIES
"""Ordinals of what alarms led to that a recovery lets ring before an event, below those of its own outputs."""

DIED = "died"
REPEATED = "repeated"
TOO_LARGE = "output_too_large"

LONGEST_KEY = 1_000
"""Bytes: an index of PostgreSQL takes no much longer one, and no opaque id is so long."""

SURROUNDINGS = (Surroundings, SQLAlchemyError, Overtaken)
"""What a decision may meet, when it asks the directory or what came before, and is no fault of its event."""

FUTURE = timedelta(days=1)
"""A sender's clock may be wrong by this much; later than that is no time to decide by."""

SNOOZE = timedelta(minutes=10)
"""An alarm whose decision failed rings again after this, and is counted each time."""

log = structlog.get_logger()


@dataclass(slots=True)
class Round:
    """What a transaction wrote, for the loop to send and count."""

    outputs: list[Output] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(topic, done | repeated | dead:<code> | held:<rule>) of what was heard."""
    views: dict[str, Known] = field(default_factory=dict)
    """As they were written."""
    repeating: bool | None = None
    """Whether some of it came before; None where nothing is remembered by its id."""


class Rang(NamedTuple):
    """What a recovery knows of an alarm that rang before."""

    at: datetime
    """When, UTC."""
    whole: bool
    """All that it led to stands in its topics."""


class Batch:
    """Decides one batch. Made anew for each attempt, so an undone transaction leaves nothing behind."""

    def __init__(
        self,
        service: Service,
        codec: Codec,
        directory: DirectoryTable,
        claims: Claims,
        remembered: Remembered,
        *,
        now: datetime,
        keep_ids: timedelta,
        max_bytes: int,
        rang: Callable[[str], Rang | None] | None = None,
    ) -> None:
        """
        Args:
            rang: of an alarm, by its id, whether it rang before. Only in a recovery.
        """
        self.service = service
        self._codec, self._directory, self._claims, self._remembered = codec, directory, claims, remembered
        self._now, self._oldest, self._max_bytes = now, now - keep_ids, max_bytes
        self._said_at = now.isoformat().encode()
        self._rang, self._before = rang, count(FIRST)
        self.unheard_until: datetime | None = None
        """In a replay of the past: an alarm that would say something, and of which nothing stands, did not ring then,
        since its service was down. It waits until this."""
        self._unlooked: Work | None = None
        """Where to ask whether an event came before, while that has not been asked."""
        self._may_say = {*service.emits, DeadLetter}
        self._views: dict[str, View] = {}
        self._versions: dict[str, int] = {}
        self._touched: dict[str, Partition] = {}
        self._seen: dict[bytes, Seen] = {}
        self._new_ids: list[tuple[bytes, bytes, bool, int]] = []
        self._dead: dict[bytes, Died] = {}
        self._buried: set[bytes] = set()
        self._retried: dict[bytes, bytes | None] = {}
        self._later: dict[bytes, int] = {}
        self._topic_ids: Mapping[str, str] = {}
        self._snoozed: dict[str, datetime] = {}
        self._recorded: list[Recorded] = []
        self._done: list[Heard] = []
        self._recorded_topics = set(service.directory_topics) - set(service.hears)
        self.round = Round()

    def decide(self, work: Work, heard: Sequence[Heard], topic_ids: Mapping[str, str], *, look: bool) -> Round:
        """Decide these records in order and write everything but the guard.

        Args:
            look: ask first which of them came before. Else they are taken for new, but where retries are among them, or
                events whose ids are not remembered.

        Raises:
            Repeated: one of them was not new, or another worker has decided it meanwhile.
        """
        self._topic_ids = topic_ids
        told = [h for h in heard if not self._only_recorded(h)] if self._recorded_topics else heard
        ids = [h.id for h in told if h.id]
        if look or any(h.retry or type(h.event) in self.service.not_remembered for h in told):
            self._seen = work.seen(ids)
        else:
            self._unlooked = work
        if ids:
            self.round.repeating = bool(self._seen)
        self._dead = work.dead([h.id for h in heard if h.retry and h.id in self._seen])
        self._load(work, heard)
        if self.service.directory_topics:
            self._directory.prefetch({child for h in told if (child := getattr(h.event, "child_id", None))})
        watching = work.any_dead()
        for h in heard:
            outcome = self._one(h)
            self.round.counts[h.record.topic, outcome] += 1
            if outcome == "done":
                self._done.append(h)
            if outcome == "done" and (watching or self._buried):
                self._overtake(h)
        self._record()
        work.remember(self._new_ids)
        work.overtake(self._later)
        work.bury({dead_id: self._dead[dead_id] for dead_id in self._buried})
        work.retried(self._retried)
        self._write(work)
        self._project(work)
        return self.round

    def _project(self, work: Work) -> None:
        """Each copy comes after what its cause's decision said, in the order in which all are sent."""
        if self.service.projection is None:
            return
        for number, copy in enumerate(self.service.projection.record(work.connection, self._done)):
            record, went = copy.because.record, copy.sending
            step = f"1/1 {self._where(record)}"
            ours = ((COPIED_BY, self.service.name.encode()), (STEP_HEADER, step.encode()))
            kept = (pair for pair in went.headers if pair[0] != STEP_HEADER)
            sending = Sending(went.key, went.value, [*kept, *ours])
            place = (record.topic, record.partition)
            self.round.outputs.append(output(place, record.offset, COPIES + number, copy.topic, sending))
        self.round.outputs.sort(key=attrgetter("topic", "partition", "offset", "ordinal"))

    def _only_recorded(self, h: Heard) -> bool:
        """A row of the directory, which has a version instead of a remembered id, and may be of any age."""
        return h.record.topic in self._recorded_topics

    def _row(self, h: Heard) -> str:
        fault = h.fault
        if isinstance(h.event, OrganisationRecorded | ChildRecorded):
            if len(row_id(h.event).encode()) <= LONGEST_KEY:
                self._recorded.append(h.event)
                return "done"
            fault = Unfit(f"its id is longer than {LONGEST_KEY} bytes", code="invalid")
        assert fault is not None
        self._die(h, fault)
        return f"dead:{fault.code}"

    def _record(self) -> None:
        """Write the rows that were heard, before the next decision may ask for them."""
        if self._recorded:
            self._directory.record(self._recorded)
            self._recorded = []

    def _one(self, h: Heard) -> str:
        """What became of one record: done, repeated, or dead and why."""
        if self._recorded_topics and self._only_recorded(h):
            return self._row(h)
        known = self._seen.get(h.id) if h.id else None
        same = known is not None and known.digest in (h.digest, h.raw)
        retry = same and known is not None and known.died and h.retry
        if same and not retry:
            return REPEATED
        fault = h.fault
        if known and not same:
            fault = Unfit("this source and id came before with other content", code="id_reused")
        elif retry:
            died = self._dead[h.id]
            if died.retried:
                return REPEATED
            if died.overtaken or self._later.get(died.key_hash, -1) > died.offset:
                fault = Unfit("later events of this key were decided meanwhile", code="retry_overtaken")
        fault = fault or self._decided(h, retry=retry)
        if fault:
            self._die(h, fault)
        if retry:
            self._retry(h, done=fault is None)
        elif not known and h.id and (fault or type(h.event) not in self.service.not_remembered):
            self._remember(h, died=fault is not None)
        return f"dead:{fault.code}" if fault else "done"

    def _retry(self, h: Heard, *, done: bool) -> None:
        self._retried[h.id] = h.digest if done else None
        self._dead[h.id] = self._dead[h.id]._replace(retried=True)
        if done:
            self._seen[h.id] = Seen(h.digest, died=False)

    def _overtake(self, h: Heard) -> None:
        """Whatever of this key died at an earlier place may not be retried without a person."""
        key_hash = h.key_hash
        retried = h.retry and h.id in self._retried
        offset = self._dead[h.id].offset if retried else h.record.offset
        self._later[key_hash] = max(offset, self._later.get(key_hash, -1))
        for dead_id in self._buried:
            if self._dead[dead_id].key_hash == key_hash and self._dead[dead_id].offset < offset:
                self._dead[dead_id] = self._dead[dead_id]._replace(overtaken=True)

    def ring(
        self, work: Work, rows: Sequence[StateRow], offsets: Mapping[Partition, int], ordinals: dict[Partition, int]
    ) -> Round:
        """Decide about views whose moment has come. `ordinals` are above any that a ring of the partition has used."""
        assert self.service.view is not None
        for row in rows:
            place = (row.topic, row.partition)
            view = self.service.view.model_validate_json(row.body)
            assert row.alarm_us is not None
            moment = _alarm_us(view)
            due = row.alarm_us if moment is None else min(moment, row.alarm_us)  # a snoozed one is still the same alarm
            alarm, rang = self._alarm(row.key, view, due)
            self._versions[row.key], self._views[row.key], self._touched[row.key] = row.version, view, place
            before = len(self.round.outputs)
            try:
                said = () if rang and rang.whole else distinct(self.service.decide(alarm, view, self._directory))
                if said and rang is None and self.unheard_until:
                    self._snoozed[row.key] = self.unheard_until
                    continue
                self._views[row.key] = _rung(view, alarm, due)
                ordinals[place] = self._say_of(alarm, row.key, said, place, offsets[place], count(ordinals[place]))
                self.round.counts[row.topic, "rung"] += 1
            except SURROUNDINGS:
                raise
            except Exception as error:  # noqa: BLE001 - one child's alarm may not silence the others'
                del self.round.outputs[before:]
                self._views[row.key] = view
                self._snoozed[row.key] = self._now + SNOOZE
                self.round.counts[row.topic, "alarm_failed"] += 1
                log.error("alarm_failed", alarm=alarm.envelope.id, error=type(error).__name__)  # noqa: TRY400
        self._write(work)
        return self.round

    def _alarm(self, key: str, view: View, due_us: int) -> tuple[Alarm, Rang | None]:
        """The alarm of that moment, and whether it rang before: then its "now" is when it did."""
        its_id = f"alarm {key} {due_us}"
        rang = self._rang(its_id) if self._rang else None
        said = Envelope(
            id=its_id,
            source=f"urn:safebus:{self.service.name}",
            type="alarm",
            time=rang.at if rang else self._now,
            correlation_id=getattr(view, "correlation_id", ""),
            heard_by=self.service.name,
        )
        return Alarm(said), rang

    def _say_of(
        self,
        alarm: Alarm,
        key: str,
        said: Sequence[Event | Held],
        place: Partition,
        offset: int,
        ordinals: Iterator[int],
    ) -> int:
        """Queue what an alarm led to, each under the next ordinal; the one after them."""
        for number, part in enumerate(said, 1):
            if isinstance(part, Held):
                self.round.counts[place[0], f"held:{part.rule}"] += 1
                part = held_by_alarm(alarm, part, key=key, claims=self._claims)
            self._say(part, place, offset, next(ordinals), f"{number}/{len(said)} ")
        return next(ordinals)

    def _rung_before(self, h: Heard, key: str, view: View) -> View:
        """In a recovery: what an event would end or put off, and that rang, rang before that event was decided. So it
        is rung now, and a deadline that was missed and then met is so again."""
        assert h.event is not None
        place = (h.record.topic, h.record.partition)
        before = len(self.round.outputs)
        try:
            while (due := _alarm_us(view)) is not None:
                alarm, rang = self._alarm(key, view, due)
                if rang is None or ((after := _alarm_us(view.evolve(h.event))) is not None and after <= due):
                    break
                said = () if rang.whole else distinct(self.service.decide(alarm, view, self._directory))
                rung = _rung(view, alarm, due)
                self._say_of(alarm, key, said, place, h.record.offset, self._before)
                view, before = rung, len(self.round.outputs)
                self._views[key], self._touched[key] = view, place
                self.round.counts[place[0], "rung"] += 1
        except SURROUNDINGS:
            raise
        except Exception as error:  # noqa: BLE001 - it rings at the end, as one that never rang
            del self.round.outputs[before:]
            log.error("alarm_failed", alarm=f"alarm {key}", error=type(error).__name__)  # noqa: TRY400
        return view

    def _decided(self, h: Heard, *, retry: bool) -> Unfit | None:
        """Decide one event; the fault if it is refused. All of its outputs are queued, or none."""
        event, envelope = h.event, h.envelope
        assert event is not None
        assert envelope is not None
        if envelope.time < self._oldest and not (retry or h.was_done):
            return Unfit("older than consumed ids are kept", code="too_old", field="ce_time")
        if envelope.time > self._now + FUTURE:
            return Unfit("ce_time lies more than a day ahead", code="invalid", field="ce_time")
        key = h.remembered_by
        if key and len(key.encode()) > LONGEST_KEY:
            return Unfit(f"what it is remembered by is longer than {LONGEST_KEY} bytes", code="invalid")
        view = self._views.get(key) if key else None
        if view is None and self.service.view:
            view = self.service.view()
        if self._rang and key and view:
            view = self._rung_before(h, key, view)
        before = len(self.round.outputs)
        if h.record.topic in self.service.directory_topics and isinstance(event, OrganisationRecorded | ChildRecorded):
            self._recorded.append(event)
        self._record()
        try:
            self._queue(h, distinct(self.service.decide(event, view, self._directory)))
            self._evolve(h, key, view)
        except SURROUNDINGS:
            raise
        except Exception as error:  # noqa: BLE001 - a fault in a room may not stop the other children's events
            del self.round.outputs[before:]
            self._make_sure(h)
            return self._as_it_was(h, key, view) if h.was_done else _refusal(error, envelope)
        return None

    def _evolve(self, h: Heard, key: str | None, view: View | None) -> None:
        if key and view:
            assert h.event is not None
            evolved = view.evolve(h.event)
            _alarm_us(evolved)  # a view that cannot say when must fail here, where its event can die of it
            self._views[key] = evolved
            self._touched[key] = (h.record.topic, h.record.partition)

    def _as_it_was(self, h: Heard, key: str | None, view: View | None) -> Unfit | None:
        """Today's directory, or today's room, refuses what took effect. What it led to stands; it is remembered too."""
        assert h.envelope is not None
        try:
            self._evolve(h, key, view)
        except Exception as error:  # noqa: BLE001 - as above
            return _refusal(error, h.envelope)
        return None

    def _queue(self, h: Heard, said: Sequence[Event | Held]) -> None:
        for ordinal, part in enumerate(said):
            step = f"{ordinal + 1}/{len(said)}"
            if isinstance(part, Held):
                self._bury(h, part, ordinal, step)
                self.round.counts[h.record.topic, f"held:{part.rule}"] += 1
            else:
                place = (h.record.topic, h.record.partition)
                self._say(part, place, h.record.offset, ordinal, f"{step} {self._where(h.record)}")

    def _say(self, event: Event | Held, place: Partition, offset: int, ordinal: int, step: str) -> None:
        if isinstance(event, Held) or type(event) not in self._may_say:
            raise TypeError(f"{self.service.name} does not emit {type(event).__name__}")
        codec, topic = self._codec, event.topic
        headers = codec.headers(event.envelope, self._said_at)
        headers.append((STEP_HEADER, step.encode()))
        said = output(place, offset, ordinal, topic, Sending(codec.key_of(event), codec.encode(event), headers))
        if len(said.stored) > self._max_bytes:
            raise Unfit(f"its {topic} would be larger than {self._max_bytes} bytes", code=TOO_LARGE)
        self.round.outputs.append(said)

    def _make_sure(self, h: Heard) -> None:
        """That it is new, before what no transaction undoes: a line in the log, or a dead letter's claim.

        Raises:
            Repeated: it came before.
        """
        if self._unlooked and h.id and self._unlooked.seen([h.id]):
            raise Repeated("a consumed id")

    def _die(self, h: Heard, fault: Unfit) -> None:
        self._bury(h, fault, 0, DIED)

    def _bury(self, h: Heard, fault: Unfit | Held, ordinal: int, step: str) -> None:
        """A dead letter always finds its way: what is too large in it goes by claim check."""
        self._make_sure(h)
        place, offset, step = (h.record.topic, h.record.partition), h.record.offset, f"{step} {self._where(h.record)}"
        try:
            self._say(self._letter(h, fault), place, offset, ordinal, step)
        except Unfit as unfit:
            if unfit.code != TOO_LARGE:
                raise
            self._say(self._letter(h, fault, by_claim=True), place, offset, ordinal, step)

    def _where(self, record: Record) -> str:
        return where(self._topic_ids[record.topic], record)

    def _letter(self, h: Heard, fault: Unfit | Held, *, by_claim: bool = False) -> DeadLetter:
        return dead_letter(
            h.record,
            self._topic_ids[h.record.topic],
            fault,
            service=self.service.name,
            envelope=h.envelope,
            now=self._now,
            claims=self._claims,
            by_claim=by_claim,
        )

    def _remember(self, h: Heard, *, died: bool) -> None:
        at = int(h.record.timestamp // 1000)
        self._new_ids.append((h.id, h.digest, died, at))
        self._seen[h.id] = Seen(h.digest, died)
        if died:
            self._buried.add(h.id)
            self._dead[h.id] = Died(h.key_hash, h.record.offset, overtaken=False, retried=False)

    def _load(self, work: Work, heard: Sequence[Heard]) -> None:
        if view := self.service.view:
            key_of, asked = view.key_of, set[str]()
            for h in heard:
                if h.event is not None and (key := key_of(h.event)):
                    h.remembered_by = key
                    asked.add(key)
            known = self._remembered.among(asked)
            known |= {
                key: Known(row.version, view.model_validate_json(row.body), len(row.body))
                for key, row in work.load(sorted(asked - known.keys())).items()
            }
            self._versions = {key: found.version for key, found in known.items()}
            self._views = {key: found.view for key, found in known.items()}

    def _write(self, work: Work) -> None:
        rows = []
        for key, (topic, partition) in sorted(self._touched.items()):  # sorted: two workers lock in one order
            view = self._views[key]
            version = self._versions.get(key, 0)
            snoozed = self._snoozed.get(key)
            alarm_us = _microseconds(snoozed) if snoozed else _alarm_us(view)
            body = view.model_dump_json(exclude_defaults=True).encode()
            rows.append(StateRow(key, version, body, alarm_us, topic, partition))
            self.round.views[key] = Known(version + 1, view, len(body))
        work.save(rows)


def _refusal(error: Exception, envelope: Envelope) -> Unfit:
    """Why an event is not decided."""
    if isinstance(error, Unfit):
        return error
    # The type alone: the text of an error may hold what the event said.
    kind = type(error).__name__
    log.error("decision_failed", event_id=envelope.id, error=kind)
    return Unfit(f"the decision failed with {kind}", code="decision_failed")


def distinct(said: Sequence[Event | Held]) -> Sequence[Event | Held]:
    """The parts of a decision, each hold once: two that say the same are one matter before one person.

    Raises:
        Unfit: two events would have the same id (DESIGN.md §1, rule 1).
    """
    if len(said) < 2:
        return said
    ids = [part.envelope.id for part in said if not isinstance(part, Held)]
    if len(set(ids)) != len(ids):
        raise Unfit("the decision yields one id twice", code="same_id_twice")
    return list({part if isinstance(part, Held) else part.envelope.id: part for part in said}.values())


def where(topic_id: str, record: Record) -> str:
    """Where an event stands: the same event may stand elsewhere too, when a person has it tried again."""
    return f"{topic_id}/{record.partition}/{record.offset}"


def _rung(view: View, alarm: Alarm, was_us: int | None) -> View:
    rung = view.rung(alarm)
    if _alarm_us(rung) == was_us:
        raise ValueError("rung() must move or clear the alarm")
    return rung


def _alarm_us(view: View) -> int | None:
    return _microseconds(view.alarm) if view.alarm else None


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
