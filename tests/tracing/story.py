"""One answer that matches a child, and all that follows for two children: told, owed, read, missed, given up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.bus.claims import Claims
from services.bus.codec import validated
from services.bus.deadletters import dead_letter
from services.bus.envelope import Envelope, Event
from services.bus.errors import Unfit
from services.bus.events import ChildMatched
from services.bus.memory import MemoryRecord
from services.bus.publish import Publisher
from services.bus.settings import Settings

NAME = "Zyxwvut"
"""A name, which nobody may see."""
AT = datetime(2026, 11, 20, 19, 40, tzinfo=UTC)


class Story:
    """`ids` by what each event is: matched, alert, other_alert, deadline, receipt, met, missed, letter, …"""

    def __init__(self, at: Settings) -> None:
        self.at = at
        self.tag = uuid4().hex[:6]
        self.child, self.other = f"child-1-{self.tag}", f"child-2-{self.tag}"
        self.adopted_from, self.adopted_as = f"child-3-{self.tag}", f"child-4-{self.tag}"
        self.hiding = f"child-5-{self.tag}"
        self.ids = {name: str(uuid4()) for name in NAMES}
        self.twice = f"twice-1-{self.tag}"
        self.nowhere = f"nowhere-1-{self.tag}"
        self.found: dict[Any, Any] = {}

    async def publish(self) -> None:
        """Say all of it, in order."""
        async with Publisher("admin", self.at) as bus:
            for event in self._events():
                await bus.publish([event])

    def _events(self) -> list[Event]:
        ids = self.ids
        matched = self._said("matched", ChildMatched.topic, _matched(self.tag, self.child), source="la:825")
        alert = self._said("alert", "encompass.alerts.v1", _alert(ids["alert"], self.child), cause=matched)
        letter = dead_letter(
            MemoryRecord("encompass.alerts.v1", 0, 0, self.child.encode(), NAME.encode(), [], 0),
            "topic",
            Unfit("/about: is wrong", code="invalid"),
            service="handover-feed",
            envelope=alert.envelope,
            now=AT,
            claims=Claims(self.at.claims),
        )
        ids["letter"] = letter.envelope.id
        receipt = self._said("receipt", "receipts.v1", _receipt(ids["alert"], self.child), source="school:990001")
        deadline = self._said("deadline", "deadlines.set.v1", _deadline(ids["deadline"], self.child), cause=matched)
        told = _disclosure(ids["missed"], "police:thames-valley")
        missed = {"disclosure": told, "child_id": self.child, "kind": "SCHOOL_ALERT_READ", "due_by": AT,
                  "deadline_id": UUID(ids["deadline"]), "owed_role": "SCHOOL", "owed_by": None}  # fmt: skip
        met = {"deadline_id": uuid4(), "child_id": self.child, "kind": "SCHOOL_ALERT_READ", "due_by": AT,
               "met_at": AT, "late": True}  # fmt: skip
        hidden = _alert(ids["hidden"], self.hiding, confidential=True)
        return [
            matched,
            alert,
            self._said("other_alert", "encompass.alerts.v1", _alert(ids["other_alert"], self.other), cause=matched),
            deadline,
            letter,
            receipt,
            self._said("met", "deadlines.met.v1", met, cause=receipt),
            self._said("missed", "deadlines.missed.v1", missed, alarm=True),
            self._said(self.twice, ChildMatched.topic, _matched(f"{self.tag}-a", self.child), source="la:825"),
            self._said(self.twice, ChildMatched.topic, _matched(f"{self.tag}-b", self.child), source="la:826"),
            self._said("orphan", "receipts.v1", _receipt(str(uuid4()), self.hiding), gone=self.nowhere),
            self._said("hidden", "encompass.alerts.v1", hidden, source="school:990001"),
            self._said("closed", "directory.children.v1", _child(self.adopted_from), correlation="adoption"),
            self._said(
                "opened", "directory.children.v1", _child(self.adopted_as), correlation="adoption", gone="closed"
            ),
        ]

    def _said(
        self,
        name: str,
        topic: str,
        content: Mapping[str, Any],
        *,
        source: str = "encompass-alerts",
        cause: Event | None = None,
        alarm: bool = False,
        gone: str | None = None,
        correlation: str = "",
    ) -> Event:
        because = cause.envelope if cause else None
        cause_id = because.id if because else f"alarm {self.child} 17" if alarm else self.ids.get(gone or "", gone)
        envelope = Envelope(
            id=self.ids.get(name, name),
            source=f"urn:safebus:{source}",
            type=topic,
            time=AT,
            cause_id=cause_id,
            cause_source=because.source if because else "urn:safebus:encompass-alerts" if cause_id else None,
            correlation_id=(because.correlation_id or f"{because.source} {because.id}") if because else correlation,
        )
        return validated(topic, content).enveloped(envelope)


NAMES = (
    "matched",
    "alert",
    "other_alert",
    "deadline",
    "receipt",
    "met",
    "missed",
    "orphan",
    "hidden",
    "closed",
    "opened",
)


def _matched(tag: str, child: str) -> dict[str, Any]:
    return {"incident_id": f"incident-1-{tag}", "child_reference": NAME, "child_id": child, "decided_by": NAME,
            "reason": f"{NAME} said so"}  # fmt: skip


def _disclosure(disclosure_id: str, recipient: str, *, confidential: bool = False) -> dict[str, Any]:
    return {"id": UUID(disclosure_id), "recipient": recipient, "recipient_role": "SCHOOL", "due_by": AT,
            "purpose": "OPERATION_ENCOMPASS", "lawful_basis": "DA_ACT_2021_S49A",
            "location_confidential": confidential}  # fmt: skip


def _alert(disclosure_id: str, child: str, *, confidential: bool = False) -> dict[str, Any]:
    about = {"forenames": NAME, "family_name": NAME, "date_of_birth": None, "nhs_number": None, "upn": None}
    told = _disclosure(disclosure_id, "school:990001", confidential=confidential)
    return {"disclosure": told, "child_id": child, "about": about, "incident_at": AT, "aware_at": AT,
            "presence": "BOTH", "historic": False, "what_to_do": NAME}  # fmt: skip


def _receipt(disclosure_id: str, child: str) -> dict[str, Any]:
    return {"receipt_id": "receipt-1", "disclosure_id": UUID(disclosure_id), "child_id": child, "role": "SCHOOL",
            "state": "READ", "happened_at": AT, "practitioner": NAME, "hidden_from_online_access": None}  # fmt: skip


def _deadline(deadline_id: str, child: str) -> dict[str, Any]:
    return {"deadline_id": UUID(deadline_id), "child_id": child, "kind": "SCHOOL_ALERT_READ", "disclosure_id": None,
            "owed_role": "SCHOOL", "owed_by": "school:990001", "due_by": AT, "escalate_to": "la:825",
            "needs_hidden_confirmation": False, "location_confidential": False}  # fmt: skip


def _child(child: str) -> dict[str, Any]:
    about = {"forenames": NAME, "family_name": NAME, "date_of_birth": None, "nhs_number": None, "upn": None}
    return {"child_id": child, "version": 1, "status": "OPEN", "provisional": False, "identity": about,
            "also_known_as": [], "registrations": [], "home_educated": False, "location_confidential": False,
            "circumstances": [], "protection_plan": "UNKNOWN"}  # fmt: skip
