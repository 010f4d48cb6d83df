"""What is there at the end: the log, read by the operator, and each inbox, read by its owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from services.bus.broker import Record
from services.bus.envelope import Event
from services.bus.events import (
    DeadLetter,
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    MinutesDistributed,
    OutcomeShared,
    PoliceNotified,
)
from services.bus.heard import hear
from services.bus.run import broker_for, codec_for
from services.bus.settings import Settings
from tests.soak.ledger import Ledger
from tests.soak.readers import Readers, pages
from tests.soak.reconcile import TOLD_BY_THE_STORY, Entry, Seen, Told

DISCLOSING = [*TOLD_BY_THE_STORY, DeadlineMissed.topic]
OTHERS = [DeadlineSet.topic, DeadlineMet.topic, DeadLetter.topic]
OPERATOR = "operator"


async def collect(at: Settings, run: str, ledger: Ledger, readers: Readers) -> Seen:
    """All that is compared; of the log what follows from this run's events, and no other's."""
    seen = Seen(
        owed=ledger.owed,
        decisions=ledger.decisions,
        malformed=ledger.malformed,
        receipts=ledger.receipts,
        streamed=readers.streamed,
        began_at=readers.began_at,
    )
    first: dict[str, tuple[bytes | None, bytes | None]] = {}
    async for record, event in _said(at):
        if not _of(run, event):
            continue
        said = (record.key, record.value)
        if (before := first.setdefault(event.envelope.id, said)) is not said:
            seen.repeats += 1
            if before != said:
                seen.differing.append(event.envelope.id)
            continue
        _note(seen, record, event)
    everything = await asyncio.gather(*map(pages, readers.clients.values()))
    for organisation, found in zip(readers.clients, everything, strict=True):
        seen.inboxes[organisation] = [Entry(one.number, one.disclosure_id, one.type) for one in found]
    return seen


async def _said(at: Settings) -> AsyncIterator[tuple[Record, Event]]:
    broker, codec = broker_for(at, OPERATOR), codec_for(at)
    async for record in broker.scan([*DISCLOSING, *OTHERS]):
        await codec.learn([record])
        heard = hear(record, codec, OPERATOR)
        if heard.event is not None:
            yield record, heard.event
    await broker.close()


def _of(run: str, event: Event) -> bool:
    if isinstance(event, DeadLetter):
        return str(event.event_id).startswith(run) or f" {run}-" in event.envelope.correlation_id
    return f" {run}-" in event.envelope.correlation_id or getattr(event, "child_id", "").startswith(run)


def _note(seen: Seen, record: Record, event: Event) -> None:
    if isinstance(event, DeadLetter):
        seen.letters.append((event.event_id or "", event.reason_code))
    elif isinstance(event, DeadlineSet):
        seen.deadlines[str(event.deadline_id)] = str(event.disclosure_id) if event.disclosure_id else None
    elif isinstance(event, DeadlineMet):
        seen.met.append(str(event.deadline_id))
    else:
        if isinstance(event, DeadlineMissed):
            seen.missed.append(str(event.deadline_id))
        disclosure = event.disclosure  # type: ignore[attr-defined]
        about, root = _about(event)
        seen.log.append(
            Told(
                str(disclosure.id),
                event.topic,
                disclosure.recipient,
                about,
                root,
                record.partition,
                record.offset,
                disclosure.recipient_role,
            )
        )


def _about(event: Event) -> tuple[str, str]:
    """The child or meeting, and what it follows from."""
    started = event.envelope.correlation_id.rpartition(" ")[2]
    match event:
        case PoliceNotified():
            return event.child_id, event.incident_id
        case OutcomeShared():
            return event.child_id, event.decision_id  # a contact that comes after it is what it then follows from
        case MinutesDistributed():
            return event.meeting_id, event.minutes_id
        case _:
            return str(getattr(event, "child_id", "")), started
