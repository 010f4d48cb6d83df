"""`safebus recover SERVICE`: rebuild a lost or restored database from the log, telling nobody anything twice.

What Kafka says was consumed is replayed with sending off: those outputs were acknowledged before the offset moved. What
came after may have been sent in part, so the output topics are read first, and what stands there is not decided again
(DESIGN.md §1, rules 2 and 3). Nothing is committed to Kafka until the end; a recovery that is interrupted starts over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import structlog

from services.bus.batch import STEP_HEADER, Heard, Round
from services.bus.broker import Broker, Partition
from services.bus.errors import Surroundings

log = structlog.get_logger()


class Recovery:
    """One recovery of one service. Its loop reads to the ends that it found at its start, then stops."""

    def __init__(self, service: str, broker: Broker, output_topics: Sequence[str]) -> None:
        self._service, self._broker, self._output_topics = service, broker, output_topics
        self._committed: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._standing: set[bytes] = set()
        self._complete: dict[bytes, int] = {}
        self.kept = False
        """The database is sound; only the guards of topics that no longer exist were dropped."""
        self.replayed = 0
        self.reused = 0

    async def read_outputs(self) -> None:
        """Learn what this service has said already, by id and by cause."""
        ours = f"urn:safebus:{self._service}".encode()
        async for record in self._broker.scan(self._output_topics):
            held = dict(record.headers)
            if held.get("ce_source") != ours:
                continue
            this = _hash(ours, held.get("ce_id"))
            if this in self._standing:
                continue
            self._standing.add(this)
            cause = _hash(held.get("ce_causesource"), held.get("ce_causeid"))
            total = int((held.get(STEP_HEADER) or b"0").rpartition(b"/")[2] or 0)
            self._complete[cause] = self._complete.get(cause, total) - 1
        log.info("outputs_read", service=self._service, standing=len(self._standing))

    def claimed(self, committed: Mapping[Partition, int | None], ends: Mapping[Partition, int]) -> None:
        """The partitions, and how far each was consumed and reaches."""
        if self._ends and set(ends) != set(self._ends):
            raise Surroundings(f"another {self._service} is running; stop it before a recovery")
        self._committed = {p: offset or 0 for p, offset in committed.items()}
        self._ends = dict(ends)

    def keep_unsent(self, done: Round, heard: Sequence[Heard]) -> None:
        """Drop the outputs that were acknowledged or stand in their topics."""
        causes = {(h.record.topic, h.record.partition, h.record.offset): h for h in heard}
        kept = []
        for output in done.outputs:
            place = (output.topic, output.partition)
            if output.offset < self._committed.get(place, 0):
                self.replayed += 1
                continue
            envelope = causes[*place, output.offset].envelope
            cause = _hash(envelope.source.encode(), envelope.id.encode()) if envelope else b""
            this = _hash(f"urn:safebus:{self._service}".encode(), output.id.encode())
            if this in self._standing or self._complete.get(cause) == 0:
                self.reused += 1
                continue
            kept.append(output)
        done.outputs[:] = kept

    def done(self, known: Mapping[Partition, int]) -> bool:
        """Everything was read to the ends that were found."""
        return bool(self._ends) and (self.kept or all(known.get(p, 0) >= end for p, end in self._ends.items()))


def _hash(source: bytes | None, event_id: bytes | None) -> bytes:
    return blake2b((source or b"") + b"\0" + (event_id or b""), digest_size=16).digest()
