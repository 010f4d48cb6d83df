"""Every service answers a probe, through the same loop as any event, and by the same few lines: none of it is a room's.

A probe is about nobody. It touches no view and no projection, and what it leads to is the answer and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from services.bus.events import ProbeHeard, ProbeSent
from services.bus.heard import Heard
from services.bus.projection import Copy, Projection
from services.bus.service import Service


def answer(probe: ProbeSent) -> Iterator[ProbeHeard]:
    """That it came as far as this service, and when it was sent."""
    service = probe.envelope.heard_by
    yield ProbeHeard.because(
        probe, subject=probe.probe_id, probe_id=probe.probe_id, service=service, sent_at=probe.sent_at
    )


def probed(service: Service) -> Service:
    """The room, and besides what it decides the answer to probes: so it runs, and so it is recovered.

    Probes are not remembered: one a minute would be half a million ids a year.
    """
    return replace(
        service,
        on={**service.on, ProbeSent: answer},
        emits=(*service.emits, ProbeHeard),
        projection=_WithoutProbes(service.projection) if service.projection else None,
        not_remembered=service.not_remembered | {ProbeSent},
    )


class _WithoutProbes:
    """A projection that is told of everything but probes."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self.tables = projection.tables

    @property
    def copies_to(self) -> Sequence[str]:
        return self._projection.copies_to

    def begin(self, connection: sa.Connection) -> None:
        self._projection.begin(connection)

    def record(self, connection: sa.Connection, done: Sequence[Heard]) -> Iterable[Copy]:
        return self._projection.record(connection, [h for h in done if not isinstance(h.event, ProbeSent)])

    def committed(self) -> None:
        self._projection.committed()
