"""Each disclosure stands once in its recipient's inbox, gaplessly numbered."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import sqlalchemy as sa

from services.bus import events as e
from services.bus.envelope import Envelope
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.inbox.tables import entry, epoch
from tests.partner_gateway.conftest import tell

DUE = datetime(2026, 11, 23, 8, 45, tzinfo=UTC)


def missed(to: str, disclosure: UUID | None = None) -> e.DeadlineMissed:
    """Something that discloses, to `to`."""
    return e.DeadlineMissed.model_validate(
        {
            "disclosure": {
                "id": disclosure or uuid4(), "recipient": to, "recipient_role": "LOCAL_AUTHORITY",
                "purpose": "ESCALATION", "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": None,
            },
            "deadline_id": uuid4(), "child_id": "child-1", "kind": "SCHOOL_ALERT_READ", "due_by": DUE,
            "owed_role": "SCHOOL",
        }
    )  # fmt: skip


async def test_each_organisation_counts_for_itself_and_a_repeat_takes_no_number(gateway: Gateway) -> None:
    """DESIGN.md §1: once, gaplessly numbered; a repeat carries the same number."""
    same = uuid4()
    await tell(gateway, missed("la:825", same), missed("la:826"), missed("la:825"))
    await tell(gateway, missed("la:825", same), missed("la:825"))
    rows = await gateway.access.read(lambda c: c.execute(sa.select(entry.c.organisation, entry.c.number)).all())
    assert sorted(map(tuple, rows)) == [("la:825", 1), ("la:825", 2), ("la:825", 3), ("la:826", 1)]


async def test_an_agency_that_speaks_kafka_has_a_copy_with_its_number(gateway: Gateway) -> None:
    """Each disclosure once, on the organisation's own topic, with the cursor that HTTPS gives it; nobody else's."""
    same = missed("police:thames-valley").enveloped(Envelope("1", "urn:test", e.DeadlineMissed.topic, DUE))
    other = missed("la:825").enveloped(Envelope("2", "urn:test", e.DeadlineMissed.topic, DUE))
    record = MemoryRecord(same.topic, 0, 0, b"", b"", [], 0)
    done = [Heard(record, event=event, envelope=event.envelope) for event in (same, other)]
    copies = await gateway.access.write(lambda connection: list(INBOXES.record(connection, done)))
    again = await gateway.access.write(lambda connection: list(INBOXES.record(connection, done)))
    epoch_now = await gateway.access.read(lambda c: c.execute(sa.select(epoch.c.epoch)).scalar_one())
    assert [(copy.topic, list(copy.headers)) for copy in copies] == [
        ("inbox.police.thames-valley", [("safebus_cursor", f"{epoch_now}.1".encode())])
    ]
    assert again == []


async def test_nobody_but_its_owner_reads_the_file_that_holds_the_inboxes(gateway: Gateway) -> None:
    """Whoever makes it first, the door or the loop's store."""
    assert mode_of(Path(str(gateway.access.engine.url.database))) == 0o600


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
