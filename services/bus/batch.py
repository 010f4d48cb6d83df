"""What one batch of records comes to, inside one transaction: known ids, decisions, views, dead letters, outputs.

Nothing here waits or sends. Whatever is wrong with one event becomes its dead letter, and the next event goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import structlog
from pydantic_core import to_json

from services.bus.broker import Partition, Record
from services.bus.claims import Claims
from services.bus.codec import Codec, digest, envelope_of, identity
from services.bus.deadletters import dead_letter
from services.bus.directory import TOPICS as DIRECTORY
from services.bus.directory import DirectoryTable, Recorded
from services.bus.envelope import Alarm, Envelope, Event, Held
from services.bus.errors import Unfit
from services.bus.events import ChildRecorded, DeadLetter, OrganisationRecorded
from services.bus.service import Service, View
from services.bus.store import Output, Seen, StateRow, Work

RETRY_HEADER = "safebus_retry"
"""A dead letter's original record, published again with this header, is decided once more."""

STEP_HEADER = "ce_causestep"
"""Which of how many outputs of its cause an output is, such as 2/3: a recovery sees whether all of them stand."""

FUTURE = timedelta(days=1)
"""A sender's clock may be wrong by this much; later than that is no time to decide by."""

SNOOZE = timedelta(minutes=10)
"""An alarm whose decision failed rings again after this, and is counted each time."""

log = structlog.get_logger()


@dataclass(slots=True)
class Heard:
    """One record, decoded or not."""

    record: Record
    event: Event | None = None
    fault: Unfit | None = None
    envelope: Envelope | None = None
    id: bytes = b""
    digest: bytes = b""

    @property
    def retry(self) -> bool:
        return any(name == RETRY_HEADER for name, _ in self.record.headers)


def hear(record: Record, codec: Codec, service: str) -> Heard:
    """Decode; a fault is kept, not raised."""
    heard = Heard(record)
    try:
        heard.event = codec.decode(record, service)
        heard.envelope = heard.event.envelope
        heard.digest = digest(heard.event)
    except Unfit as fault:
        heard.fault = fault
        if fault.code != "no_identity":
            try:
                heard.envelope = envelope_of(record.headers, record.topic, service)
            except Unfit:
                return heard
        heard.digest = blake2b(record.value or b"", digest_size=16).digest()
    if heard.envelope:
        heard.id = identity(heard.envelope)
    return heard


@dataclass(slots=True)
class Round:
    """What a transaction wrote, for the loop to send and count."""

    outputs: list[Output] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(topic, done | repeated | dead:<code> | held:<rule>) of what was heard."""


class Batch:
    """Decides one batch. Made anew for each attempt, so an undone transaction leaves nothing behind."""

    def __init__(
        self,
        service: Service,
        codec: Codec,
        directory: DirectoryTable,
        claims: Claims,
        *,
        now: datetime,
        keep_ids: timedelta,
        max_bytes: int,
    ) -> None:
        self.service = service
        self._codec, self._directory, self._claims = codec, directory, claims
        self._now, self._oldest, self._max_bytes = now, now - keep_ids, max_bytes
        self._views: dict[str, View] = {}
        self._rows: dict[str, StateRow] = {}
        self._touched: dict[str, Partition] = {}
        self._seen: dict[bytes, Seen] = {}
        self._new_ids: dict[bytes, dict[str, Any]] = {}
        self._buried: dict[bytes, dict[str, Any]] = {}
        self._dead: dict[bytes, tuple[bool, bool]] = {}
        self._retried: dict[str, list[bytes]] = {"done": [], "again_dead": []}
        self._topic_ids: Mapping[str, str] = {}
        self._snoozed: dict[str, datetime] = {}
        self._recorded: list[Recorded] = []
        self.round = Round()

    def decide(self, work: Work, heard: Sequence[Heard], topic_ids: Mapping[str, str]) -> Round:
        """Decide these records in order and write everything but the guard."""
        self._topic_ids = topic_ids
        heard_ids = [h.id for h in heard if h.id and h.record.topic not in DIRECTORY]
        self._seen = work.seen(heard_ids)
        self._dead = work.dead([h.id for h in heard if h.retry and h.id in self._seen])
        self._load(work, [key for h in heard if h.event and (key := self._key(h.event))])
        self._record_directory(heard)
        watching = work.any_dead()
        later: set[bytes] = set()
        for h in heard:
            outcome = self._one(h)
            self.round.counts[h.record.topic, outcome] += 1
            if outcome == "done" and (watching or self._buried) and not h.retry:
                later.add(_key_hash(h.record))
        self._directory.record(self._recorded)
        work.remember(list(self._new_ids.values()))
        work.bury(list(self._buried.values()))
        if later:
            work.overtake([dead_id for dead_id, _ in work.dead_by_key(list(later))])
        work.retried(**self._retried)
        self._write(work)
        return self.round

    def _record_directory(self, heard: Sequence[Heard]) -> None:
        """Before anything of the batch is decided; a version that is not newer changes nothing."""
        topics = self.service.directory_topics
        self._directory.record(
            h.event
            for h in heard
            if isinstance(h.event, OrganisationRecorded | ChildRecorded) and h.record.topic in topics
        )

    def _one(self, h: Heard) -> str:
        """What became of one record: done, repeated, or dead and why."""
        if h.record.topic in DIRECTORY and h.record.topic not in self.service.hears:
            return self._directory_row(h)
        known = self._seen.get(h.id) if h.id else None
        retry = known is not None and known.died and h.retry and known.digest == h.digest
        if known and known.digest == h.digest and not retry:
            return "repeated"
        fault = h.fault
        if known and not retry:
            fault = Unfit("this source and id came before with other content", code="id_reused")
        elif retry:
            overtaken, tried = self._dead.get(h.id, (False, True))
            if tried:
                return "repeated"
            if overtaken:
                fault = Unfit("later events of this key were decided meanwhile", code="retry_overtaken")
        fault = fault or self._decided(h)
        if fault:
            self._die(h, fault)
        if retry:
            self._retried["again_dead" if fault else "done"].append(h.id)
            self._dead[h.id] = (False, True)
        elif not known and h.id:
            self._remember(h, died=fault is not None)
        return f"dead:{fault.code}" if fault else "done"

    def ring(self, work: Work, rows: Sequence[StateRow], offsets: Mapping[Partition, int], ordinal: int) -> Round:
        """Decide about views whose moment has come. `ordinal` is above any that a ring here has used before."""
        assert self.service.view is not None
        for row in rows:
            place = (row.topic, row.partition)
            view = self.service.view.model_validate_json(row.body)
            alarm = Alarm(
                Envelope(
                    id=f"alarm {row.key} {row.alarm_us}",
                    source=f"urn:safebus:{self.service.name}",
                    type="alarm",
                    time=self._now,
                    correlation_id=getattr(view, "correlation_id", ""),
                    heard_by=self.service.name,
                )
            )
            self._rows[row.key], self._views[row.key], self._touched[row.key] = row, view, place
            before = len(self.round.outputs)
            try:
                for said in self.service.decide(alarm, view, self._directory):
                    assert not isinstance(said, Held), "an alarm has no record that could be held"
                    self._say(said, place, offsets[place], ordinal)
                    ordinal += 1
                self._views[row.key] = view.rung(alarm)
                self.round.counts[row.topic, "rung"] += 1
            except Exception as error:  # noqa: BLE001 - one child's alarm may not silence the others'
                del self.round.outputs[before:]
                self._snoozed[row.key] = self._now + SNOOZE
                self.round.counts[row.topic, "alarm_failed"] += 1
                log.error("alarm_failed", alarm=alarm.envelope.id, error=type(error).__name__)  # noqa: TRY400
        self._write(work)
        return self.round

    def _directory_row(self, h: Heard) -> str:
        """The directory's own events have versions instead of remembered ids."""
        if h.fault:
            self._die(h, h.fault)
            return f"dead:{h.fault.code}"
        assert isinstance(h.event, ChildRecorded | OrganisationRecorded)
        self._recorded.append(h.event)
        return "done"

    def _decided(self, h: Heard) -> Unfit | None:
        """Decide one event; the fault if it is refused. All of its outputs are queued, or none."""
        event, envelope = h.event, h.envelope
        assert event is not None
        assert envelope is not None
        if h.record.topic in self.service.directory_topics:
            # However old: what a compacted topic still holds is what stands.
            if type(event) not in self.service.on:
                return None
        elif envelope.time < self._oldest:
            return Unfit("older than consumed ids are kept", code="too_old", field="ce_time")
        if envelope.time > self._now + FUTURE:
            return Unfit("ce_time lies more than a day ahead", code="invalid", field="ce_time")
        key = self._key(event)
        view = self._views.get(key) if key else None
        if view is None and self.service.view:
            view = self.service.view()
        before = len(self.round.outputs)
        try:
            said = self.service.decide(event, view, self._directory)
            self._queue(h, said)
            if key and view:
                self._views[key] = view.evolve(event)
                self._touched[key] = (h.record.topic, h.record.partition)
        except Unfit as refusal:
            del self.round.outputs[before:]
            return refusal
        except Exception as error:  # noqa: BLE001 - a fault in a room may not stop the other children's events
            del self.round.outputs[before:]
            # The type alone: the text of an error may hold what the event said.
            kind = type(error).__name__
            log.error("decision_failed", event_id=envelope.id, error=kind)  # noqa: TRY400
            return Unfit(f"the decision failed with {kind}", code="decision_failed")
        return None

    def _queue(self, h: Heard, said: Sequence[Event | Held]) -> None:
        place = (h.record.topic, h.record.partition)
        ids: set[str] = set()
        events = sum(isinstance(part, Event) for part in said)
        for ordinal, part in enumerate(said):
            if isinstance(part, Held):
                self._bury_part(h, part, ordinal)
                continue
            if part.envelope.id in ids:
                raise Unfit("the decision yields one id twice", code="same_id_twice")
            ids.add(part.envelope.id)
            self._say(part, place, h.record.offset, ordinal, step=f"{len(ids)}/{events}")

    def _say(self, event: Event, place: Partition, offset: int, ordinal: int, step: str = "1/1") -> None:
        if not isinstance(event, (*self.service.emits, DeadLetter)):
            raise TypeError(f"{self.service.name} does not emit {type(event).__name__}")
        envelope = replace(event.envelope, time=self._now)
        value = self._codec.encode(event)
        headers = to_json([*self._codec.headers(envelope), (STEP_HEADER, step)])
        key = self._codec.key_of(event)
        if len(value) + len(headers) + len(key) > self._max_bytes:
            raise Unfit(f"its {event.topic} would be larger than {self._max_bytes} bytes", code="output_too_large")
        self.round.outputs.append(Output(*place, offset, ordinal, event.topic, key, value, headers, envelope.id))

    def _bury_part(self, h: Heard, part: Held, ordinal: int) -> None:
        self._say(self._letter(h, part), (h.record.topic, h.record.partition), h.record.offset, ordinal)
        self.round.counts[h.record.topic, f"held:{part.rule}"] += 1

    def _die(self, h: Heard, fault: Unfit) -> None:
        self._say(self._letter(h, fault), (h.record.topic, h.record.partition), h.record.offset, 0)

    def _letter(self, h: Heard, fault: Unfit | Held) -> DeadLetter:
        return dead_letter(
            h.record,
            self._topic_ids[h.record.topic],
            fault,
            service=self.service.name,
            envelope=h.envelope,
            now=self._now,
            claims=self._claims,
        )

    def _remember(self, h: Heard, *, died: bool) -> None:
        at = int(h.record.timestamp // 1000)
        self._new_ids[h.id] = {"id": h.id, "digest": h.digest, "died": died, "at": at}
        self._seen[h.id] = Seen(h.digest, died)
        if died:
            self._buried[h.id] = {"id": h.id, "key_hash": _key_hash(h.record), "overtaken": False, "retried": False}

    def _key(self, event: Event) -> str | None:
        return self.service.view.key_of(event) if self.service.view else None

    def _load(self, work: Work, keys: Sequence[str]) -> None:
        if self.service.view:
            self._rows = work.load(list(dict.fromkeys(keys)))
            self._views = {k: self.service.view.model_validate_json(row.body) for k, row in self._rows.items()}

    def _write(self, work: Work) -> None:
        rows = []
        for key, (topic, partition) in sorted(self._touched.items()):  # sorted: two workers lock in one order
            view = self._views[key]
            version = self._rows[key].version if key in self._rows else 0
            alarm = self._snoozed.get(key, view.alarm)
            alarm_us = int(alarm.timestamp() * 1_000_000) if alarm else None
            body = view.model_dump_json(exclude_defaults=True).encode()
            rows.append(StateRow(key, version, body, alarm_us, topic, partition))
        work.save(rows)


def _key_hash(record: Record) -> bytes:
    return blake2b(record.topic.encode() + b"\0" + (record.key or b""), digest_size=16).digest()
