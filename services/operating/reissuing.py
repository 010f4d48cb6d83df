"""`safebus replay SERVICE --outputs`: copies a service's stored outputs, as they stand in their topics, once more.

Not decided anew: the same ids, bytes, headers and partitions (DESIGN.md §1, rule 2), for a service downstream that may
have missed some. Whoever heard one before knows its id and drops the copy as repeated. Signed in as the service, which
alone may say what it says.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from services.bus import catalogue
from services.bus.broker import Partition, Record, Sending
from services.bus.errors import UserMistake
from services.bus.events import DeadLetter, ProbeHeard
from services.bus.run import broker_for
from services.bus.service import Service
from services.bus.settings import Settings

AT_ONCE: Final = 500
"""Records that are sent before the next are read."""


@dataclass(slots=True)
class Reissued:
    """What was, or would be, sent again."""

    service: str
    by_topic: Counter[str] = field(default_factory=Counter)
    heard_by: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By topic, the services that hear it."""

    @property
    def number(self) -> int:
        return sum(self.by_topic.values())


def topics_of(service: Service, at: Settings, wanted: Collection[str] = ()) -> list[str]:
    """What of it is copied: all that other parts of the bus hear. Inboxes of agencies are left out, as their systems
    may not tell repeats; so are dead letters, and answers to probes.

    Raises:
        UserMistake: the service does not say one that is wanted.
    """
    known = catalogue.load(at.catalogue)
    said = sorted({*service.says} & known.topics.keys() - {DeadLetter.topic, ProbeHeard.topic})
    full = {name: name for name in said} | {name.rpartition(".v")[0]: name for name in said}
    if unknown := [name for name in wanted if name not in full]:
        raise UserMistake(f"{service.name} does not say {unknown[0]}; it says {', '.join(said) or 'nothing'}")
    return sorted({full[name] for name in wanted}) if wanted else said


async def reissue(
    service: Service, at: Settings, topics: Sequence[str], *, dry_run: bool, told: Callable[[int], object]
) -> Reissued:
    """Send them, each once, in the order in which they stand. Broken off, it may be begun again: nothing changes.

    Raises:
        Surroundings: the broker is away.
        Unacknowledged: unknown whether the last were taken; begin again.
    """
    known = catalogue.load(at.catalogue)
    services = set(known.services)
    done = Reissued(
        service.name,
        heard_by={topic: [who for who in known.topics[topic].read_by if who in services] for topic in topics},
    )
    broker = broker_for(at, at.principal or service.name)
    writer = None if dry_run else broker.writer()
    ours, seen, waiting = (
        f"urn:safebus:{service.name}".encode(),
        set[bytes](),
        defaultdict[Partition, list[Sending]](list),
    )

    async def send() -> None:
        if writer is not None:
            await asyncio.gather(*(writer.send(place, records) for place, records in waiting.items()))
        waiting.clear()
        told(done.number)

    try:
        if writer is not None:
            await writer.start()
        async for record in broker.scan(topics):
            held = dict(record.headers)
            event_id = held.get("ce_id") or b""
            if held.get("ce_source") != ours or event_id in seen:
                continue  # another's, or a copy that was made before
            seen.add(event_id)
            waiting[record.topic, record.partition].append(_as_it_is(record))
            done.by_topic[record.topic] += 1
            if sum(map(len, waiting.values())) >= AT_ONCE:
                await send()
        await send()
    finally:
        if writer is not None:
            await writer.stop()
        await broker.close()
    return done


def _as_it_is(record: Record) -> Sending:
    return Sending(cast("bytes", record.key), record.value, cast("list[tuple[str, bytes]]", list(record.headers)))
