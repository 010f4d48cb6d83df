"""`safebus recover SERVICE`: rebuild a lost or restored database from the log, telling nobody anything twice.

What Kafka says was consumed is replayed with sending off: those outputs were acknowledged before the offset moved. What
came after may have been sent in part, so the output topics are read first, and what stands there is not decided again
(DESIGN.md §1, rules 2 and 3). Nothing is committed to Kafka until the end; a recovery that is interrupted starts over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

import structlog

from services.bus.batch import DIED, STEP_HEADER, Rang, Round, where
from services.bus.broker import Broker, Partition, Reader
from services.bus.errors import Surroundings, Unfit
from services.bus.heard import Heard
from services.bus.ordered import InOrder
from services.bus.projection import COPIED_BY

log = structlog.get_logger()


class Recovery:
    """One recovery of one service. Its loop reads to the ends that it found at its start, then stops."""

    def __init__(self, service: str, broker: Broker, output_topics: Sequence[str]) -> None:
        self._service, self._broker, self._output_topics = service, broker, output_topics
        self._committed: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._standing: set[bytes] = set()
        self._missing: dict[bytes, int] = {}
        """By cause, how many of its outputs do not stand."""
        self._died: set[str] = set()
        self._rang: dict[bytes, datetime] = {}
        """By alarm, when it rang. Of one that said nothing no trace is left, so it rings again at the end."""
        self.begun = False
        self.kept = False
        """The database is sound; only the guards of topics that no longer exist were dropped."""
        self.finished = False
        self.replayed = 0
        self.reused = 0

    def reader(self, reader: Reader) -> Reader:
        """By which it reads what the service heard: about in the order in which the service heard it."""
        return InOrder(reader)

    async def read_outputs(self) -> None:
        """Learn what this service has said already, by id and by cause."""
        ours = f"urn:safebus:{self._service}"
        self._standing, self._missing, self._died, self._rang = set(), {}, set(), {}
        async for record in self._broker.scan(self._output_topics):
            held = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
            if held.get("ce_source") == ours or held.get(COPIED_BY) == self._service:
                self._stands(held)
        log.info("outputs_read", service=self._service, standing=len(self._standing))

    def _stands(self, held: Mapping[str, str]) -> None:
        this = _hash(held.get("ce_id", ""))
        if this in self._standing:
            return
        self._standing.add(this)
        step, _, place = held.get(STEP_HEADER, "").partition(" ")
        if step == DIED:
            self._died.add(place)
        cause, of = _cause(held), step.rpartition("/")[2]
        self._missing[cause] = self._missing.get(cause, int(of) if of.isdecimal() else 1) - 1
        if not place and held.get("ce_causesource") == f"urn:safebus:{self._service}":
            self._rang[cause] = datetime.fromisoformat(held["ce_time"])

    def claimed(self, committed: Mapping[Partition, int | None], ends: Mapping[Partition, int]) -> None:
        """The partitions, and how far each was consumed and reaches."""
        if self._ends and set(ends) != set(self._ends):
            raise Surroundings(f"another {self._service} is running; stop it before a recovery")
        self._committed = {p: offset or 0 for p, offset in committed.items()}
        self._ends = dict(ends)

    def mark(self, heard: Sequence[Heard], topic_ids: Mapping[str, str]) -> None:
        """What died stays dead, though it might be decided now: its dead letter is before a person already. And what
        was done is done, though it might be refused now, by a directory that has changed: nobody would be told less,
        and what is remembered of the child would lack it."""
        if self.kept:
            return
        for h in heard:
            if h.fault is None:
                place = where(topic_ids[h.record.topic], h.record)
                if place in self._died:
                    h.fault = Unfit("it died before", code="died_before")
                else:
                    h.was_done = self._was_done(h, place)

    def _was_done(self, h: Heard, place: str) -> bool:
        """It was consumed, and no dead letter stands for it; or all that it led to stands."""
        record = h.record
        consumed = record.offset < self._committed.get((record.topic, record.partition), 0)
        return consumed or self._missing.get(_hash(place)) == 0

    def rang(self, alarm: str) -> Rang | None:
        """Whether this alarm rang before, by its id: what it led to says so."""
        cause = _hash(f"urn:safebus:{self._service} {alarm}")
        return Rang(at, self._missing[cause] == 0) if (at := self._rang.get(cause)) else None

    def keep_unsent(self, done: Round) -> None:
        """Drop the outputs that were acknowledged or stand in their topics."""
        if self.kept:
            return  # the database knows what was decided, and what it does not know is new
        kept = []
        for output in done.outputs:
            of_an_alarm = output.ordinal < 0
            held = {name: value.decode("utf-8", "replace") for name, value in output.sending.headers}
            if output.offset < self._committed.get((output.topic, output.partition), 0) and not of_an_alarm:
                self.replayed += 1
            elif _hash(held.get("ce_id", "")) in self._standing or self._missing.get(_cause(held)) == 0:
                self.reused += 1
            else:
                kept.append(output)
        done.outputs[:] = kept

    def caught_up(self, known: Mapping[Partition, int]) -> bool:
        """Everything was read to the ends that were found."""
        return bool(self._ends) and (self.kept or all(known.get(p, 0) >= end for p, end in self._ends.items()))


def _cause(held: Mapping[str, str]) -> bytes:
    """Of an output, by its headers: where its cause stands; an alarm's stands nowhere and is known by its id."""
    place = held.get(STEP_HEADER, "").partition(" ")[2]
    return _hash(place or f"{held.get('ce_causesource', '')} {held.get('ce_causeid', '')}")


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
