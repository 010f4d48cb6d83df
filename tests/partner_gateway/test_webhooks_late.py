"""Senders hear by webhook what was not read in time: once, by role, and never who."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.bus import events as e
from services.bus.envelope import Envelope
from services.client.webhooks import verify_webhook
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import tables
from services.partner_gateway.tables import posted
from services.partner_gateway.webhooks import kept, sender
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.hooks import (
    ME,
    MONDAY,
    OTHER,
    add_partners,
    api,
    at,
    hook,
    often,
    partners,
    quiet,
    step,
    two,
    until,
)
from tests.partner_gateway.test_projection import missed
from tests.partner_gateway.webhook_endpoint import endpoint

__all__ = ["api", "at", "often", "partners", "two"]


def sent(organisation: str, event_id: str, to: str, due: datetime, disclosure: UUID) -> e.DeadlineMissed:
    """Something that discloses because of an event that `organisation` posted."""
    plain = missed(to, disclosure)
    event = plain.model_copy(update={"disclosure": plain.disclosure.model_copy(update={"due_by": due})})
    source = f"urn:safebus:{organisation}"
    return event.enveloped(
        Envelope(str(disclosure), "urn:safebus:test", event.topic, MONDAY, correlation_id=f"{source} {event_id}")
    )


def _posted(organisation: str, event_id: str, at_us: int) -> dict[str, Any]:
    return {
        "source": f"urn:safebus:{organisation}",
        "event_id": event_id,
        "organisation": organisation,
        "type": "mash.contacts.v1",
        "digest": b"",
        "at_us": at_us,
        "acknowledged": True,
    }


async def test_a_sender_is_told_once_by_role_what_was_not_read_in_time(
    gateway: Gateway, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 4, H2: the id that it posted and a role, never who; not what was read, nor others'. Each webhook."""
    monkeypatch.setattr(sender, "LATE_EVERY", 0)
    rows = [_posted(o, i, gateway.now_us) for o, i in ((ME, "a b"), (ME, "read"), (OTHER, "theirs"))]
    await gateway.access.write(lambda c: c.execute(posted.insert(), rows))
    due, read_one = MONDAY + timedelta(hours=2), uuid4()
    async with endpoint() as there:
        made = await hook(api, there)
        await tell(
            gateway,
            sent(ME, "a b", "school:110394", due, uuid4()),
            sent(ME, "read", "school:110394", due, read_one),
            sent(OTHER, "theirs", "school:110394", due, uuid4()),
            sent(ME, "a b", "practice:K81001", MONDAY + timedelta(days=9), uuid4()),
            sent(ME, "a b", "school:110395", MONDAY - timedelta(days=1), uuid4()),
        )
        await gateway.access.write(
            lambda c: c.execute(
                tables.reading.insert(), {"disclosure_id": str(read_one), "state": "READ", "at_us": gateway.now_us}
            )
        )
        await quiet(there)
        assert there.received == []
        step(gateway, hours=3)
        await until(lambda: there.received)
        step(gateway, hours=3)
        await quiet(there)
        async with endpoint() as second:
            began = int(MONDAY.timestamp() * 1_000_000)
            await gateway.access.write(lambda c: kept.add(c, ME, second.url, now_us=began))
            await until(lambda: second.received)
    [received] = there.received
    assert received.id == "late.1"
    said = verify_webhook(received.headers, received.body, made["secret"])
    assert (said["type"], said["data"]) == ("sent.late", {"id": "a b", "role": "LOCAL_AUTHORITY"})


async def test_two_processes_tell_a_sender_once(two: list[Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both look for what is late at the same time; its notices are numbered without a gap all the same."""
    monkeypatch.setattr(sender, "LATE_EVERY", 0)
    one, _ = two
    await add_partners(one)
    await one.access.write(lambda c: c.execute(posted.insert(), _posted(ME, "x", one.now_us)))
    due = MONDAY + timedelta(hours=2)
    async with endpoint() as there:
        await one.access.write(lambda c: kept.add(c, ME, there.url, now_us=one.now_us))
        await tell(one, *(sent(ME, "x", "school:110394", due, uuid4()) for _ in range(3)))
        step(one, hours=3)
        await until(lambda: len(there.received) >= 3)
        await tell(one, sent(ME, "x", "school:110394", due, uuid4()))
        await until(lambda: len(there.received) >= 4)
        await quiet(there)
    assert there.ids == ["late.1", "late.2", "late.3", "late.4"]
