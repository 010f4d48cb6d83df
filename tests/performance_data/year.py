"""A made-up year of the partnership: every event that is counted, with what goes wrong on the way to a log.

Repeats of the same event, events that come late or before what they refer to, answers in part, incidents told again,
contacts that are the police's own, children in confidential places, clocks that lie, and bytes that are no event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid5

from services.bus.envelope import Envelope, Event
from services.bus.events import (
    ContactReceived,
    DeadlineSet,
    DecisionMade,
    DisclosureRead,
    HealthToBeTold,
    HealthUpdated,
    InformationRequested,
    InformationReturned,
    MatterChanged,
    MeetingRecorded,
    MinutesDistributed,
    OrganisationRecorded,
    OutcomeShared,
    PoliceNotified,
    SchoolAlerted,
)

NAMESPACE = UUID("5afeb05e-0000-5000-8000-00000000beef")
BEGAN = datetime(2025, 9, 1, tzinfo=UTC)
DAYS = 365
NAME = "Zebedee Quillfeather"
"""Of every child, so that a test finds it wherever it should not be."""
NHS_NUMBER = "9990000018"
ABOUT = {"forenames": "Zebedee", "family_name": "Quillfeather", "nhs_number": NHS_NUMBER}
KINDS = ["DOMESTIC_ABUSE", "NEGLECT", "MISSING", "EXPLOITATION"]
CATEGORIES = ["ATTENDANCE", "LEARNING_NEEDS", "HEALTH", "FAMILY"]
AGENCIES = ["school:995001", "school:995002", "practice:Z95001", "health:Z95"]
"""Here and below: nobody else's in the tests, since what is recorded of an organisation stands in Kafka for good."""
FORCES = ["police:made-up-north", "police:made-up-south"]
DOORS = ["mash:995", "mash:996", "duty:995"]


@dataclass(frozen=True)
class Said:
    """One record on its way: what, and when Kafka has it."""

    event: Event
    told: datetime
    key: str
    spoilt: bool = False
    """Its bytes are no event."""


def year(seed: int, children: int = 60, incidents: int = 150) -> list[Said]:
    """The same for the same seed, in the order in which it is produced."""
    return _Year(Random(seed), children).all(incidents)


class _Year:
    def __init__(self, random: Random, children: int) -> None:
        self.random = random
        self.children = [f"child-{number}" for number in range(children)]
        self.hidden = set(random.sample(self.children, max(1, children // 12)))
        self.said: list[Said] = []
        self.count = 0

    def all(self, incidents: int) -> list[Said]:
        for version in (1, 2):
            self.organisations(version)
        for number in range(incidents):
            self.incident(f"incident-{number}")
        for number in range(incidents // 2):
            self.contact(f"enquiry-{number}")
        for number in range(incidents // 5):
            self.night(f"matter-{number}")
        return self.as_it_goes()

    def as_it_goes(self) -> list[Said]:
        """In the order of time, but for what is late; with repeats, and with bytes that are no event."""
        order = sorted(self.said, key=lambda one: one.told)
        for one in self.random.sample(order, len(order) // 12):
            order.insert(self.random.randrange(len(order)), one)
        for one in self.random.sample(order, len(order) // 10):
            order.remove(one)
            order.insert(self.random.randrange(len(order)), one)
        return [replace(one, spoilt=self.random.random() < 0.01) for one in order]

    # --- pieces ------------------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def moment(self) -> datetime:
        return BEGAN + timedelta(seconds=self.random.randrange(DAYS * 86_400))

    def after(self, moment: datetime, hours: float) -> datetime:
        return moment + timedelta(seconds=self.random.randrange(1, round(hours * 3600)))

    def id(self) -> UUID:
        self.count += 1
        return uuid5(NAMESPACE, f"{self.count} {self.random.random()}")

    def say(
        self,
        kind: Any,
        key: str,
        at: datetime,
        /,
        *,
        cause: Event | None = None,
        had: datetime | None = None,
        **body: Any,
    ) -> Event:
        own = Envelope(str(self.id()), f"urn:made-up:{self.random.randrange(3)}", kind.topic, at)
        if cause is not None:
            own = own.changed(cause_id=cause.envelope.id, cause_source=cause.envelope.source)
        event: Event = kind(**body).enveloped(own)
        if had is None:
            had = at + timedelta(milliseconds=self.random.randrange(60_000))
        self.said.append(Said(event, had.replace(microsecond=had.microsecond // 1000 * 1000), key))
        return event

    def disclosure(self, recipient: str, role: str, child: str, due: datetime | None = None) -> dict[str, Any]:
        return {
            "id": self.id(), "recipient": recipient, "recipient_role": role, "purpose": "OPERATION_ENCOMPASS",
            "lawful_basis": "DA_ACT_2021_S49A", "due_by": due,
            "location_confidential": child in self.hidden and self.chance(0.5),
        }  # fmt: skip

    # --- the partnership's year --------------------------------------------------------------------------------------

    def organisations(self, version: int) -> None:
        listed = [*AGENCIES, *FORCES, *DOORS, "la:995", "la:996"]
        for one in listed:
            code = one.split(":")[1] if one[:2] in ("la", "ma", "du") else self.random.choice(["995", "996", None])
            self.say(
                OrganisationRecorded, one, BEGAN + timedelta(days=version), organisation_id=one, version=version,
                kind="OTHER", name=f"{one.title()} {'anew' if version == 2 and self.chance(0.3) else ''}".strip(),
                local_authority_code=code, status="OPEN", weekly_hours=[], closed_days=[], terms=[],
            )  # fmt: skip

    def incident(self, incident: str) -> None:
        at = self.moment()
        for child in self.random.sample(self.children, self.random.choice([1, 1, 2])):
            notified = self.notified(incident, child, at)
            if self.chance(0.1):
                self.notified(incident, child, self.after(at, 48))
            enquiry = incident
            if self.chance(0.15):
                enquiry = f"own-{incident}-{child}"
                self.contacted(enquiry, child, self.after(at, 5), contact=str(notified.disclosure.id))
            self.alerts(notified)
            self.enquiry(enquiry, child, self.after(at, 30))
            if self.chance(0.4):
                self.meeting(enquiry, [child], self.after(at, 100))

    def notified(self, incident: str, child: str, at: datetime) -> PoliceNotified:
        event = self.say(
            PoliceNotified, child, at, disclosure=self.disclosure(self.random.choice(DOORS), "MASH", child),
            child_id=child, incident_id=incident, child_reference=child, about=ABOUT,
            force=self.random.choice(FORCES), occurred_at=at, aware_at=at, historic=False,
            kinds=self.random.sample(KINDS, self.random.choice([1, 1, 2])) * self.random.choice([1, 2]),
            grading="AMBER", immediate_danger="NO", narrative=f"About {NAME}", presence="BOTH",
            strategy_discussion={"wanted": self.random.choice(["YES", "NO", "UNKNOWN"]), "reason": "made up"},
            adults_of_concern=[], protective_instructions=[], visit_hazards=[],
            location_confidential=child in self.hidden and self.chance(0.5), circumstances=[], matched_by="UPN",
        )  # fmt: skip
        assert isinstance(event, PoliceNotified)
        return event

    def alerts(self, notified: PoliceNotified) -> None:
        at = notified.at
        for role, school in (("SCHOOL", AGENCIES[0]), ("NURSERY", AGENCIES[1]))[: self.random.choice([1, 1, 2])]:
            due = None if self.chance(0.05) else self.after(at, 40)
            told = self.after(at, 60 if self.chance(0.2) else 1)
            alert = self.say(
                SchoolAlerted, notified.child_id, at, had=told, cause=None if self.chance(0.05) else notified,
                disclosure=self.disclosure(school, role, notified.child_id, due), child_id=notified.child_id,
                about=ABOUT, incident_at=at, aware_at=at, presence="BOTH", historic=False, what_to_do="",
            )  # fmt: skip
            assert isinstance(alert, SchoolAlerted)
            for state in self.random.choice([[], ["READ"], ["READ", "ACTED"], ["UNKNOWN"]]):
                read = self.after(told, 30)
                self.say(
                    DisclosureRead, notified.child_id, read, receipt_id=str(self.id()),
                    disclosure_id=alert.disclosure.id, child_id=notified.child_id, role=role, state=state,
                    happened_at=read - timedelta(minutes=self.random.choice([0, 0, 600])),
                )  # fmt: skip

    def contact(self, enquiry: str) -> None:
        child, at = self.random.choice(self.children), self.moment()
        self.contacted(enquiry, child, at)
        if self.chance(0.3):
            self.contacted(enquiry, child, self.after(at, 50))
        self.enquiry(enquiry, child, self.after(at, 30))

    def contacted(self, enquiry: str, child: str, at: datetime, contact: str | None = None) -> None:
        self.say(
            ContactReceived, child, at, contact_id=contact or str(self.id()), enquiry_id=enquiry, child_id=child,
            received_at=at + timedelta(hours=self.random.choice([-3, 0, 5])),
            referrer={"organisation_id": self.random.choice([*AGENCIES, None]),
                      "role": self.random.choice(["SCHOOL", "GP_PRACTICE", "SCHOOL_NURSING"]), "professional": True},
            grading=self.random.choice(["RED", "AMBER", "GREEN", "UNKNOWN"]), concern=f"About {NAME}",
            threshold="LEVEL_3", family_told="TOLD",
            location_confidential=child in self.hidden and self.chance(0.5), adults_of_concern=[],
        )  # fmt: skip

    def enquiry(self, enquiry: str, child: str, at: datetime) -> None:
        for _ in range(self.random.choice([0, 1, 2])):
            self.request(enquiry, child, at)
        for _ in range(self.random.choice([0, 1, 1, 2])):
            self.decision(enquiry, child, self.after(at, 60))

    def request(self, enquiry: str, child: str, at: datetime) -> None:
        due = self.random.choice([None, self.after(at, 30)])
        asked = self.random.sample(CATEGORIES, self.random.choice([1, 2, 3]))
        request = str(self.id())
        event = self.say(
            InformationRequested, child, at, request_id=request,
            disclosure=self.disclosure(self.random.choice(AGENCIES), "OTHER", child, due),
            enquiry_id=enquiry, child_id=child, about=ABOUT, categories=asked, priority="AMBER",
            threshold="SECTION_47", family_told="TOLD",
        )  # fmt: skip
        assert isinstance(event, InformationRequested)
        if self.chance(0.8):
            self.say(
                DeadlineSet, child, at, deadline_id=event.disclosure.id, child_id=child, kind="INFORMATION_RESPONSE",
                owed_role="OTHER", due_by=self.after(at, 50), escalate_to="la:995", needs_hidden_confirmation=False,
                location_confidential=child in self.hidden,
            )  # fmt: skip
        for _ in range(self.random.choice([0, 1, 1, 2])):
            said = self.after(at, 60) - timedelta(hours=self.random.choice([0, 0, 2]))
            answers = [
                {"category": category, "state": self.random.choice(["INFORMATION", "NOTHING_KNOWN", "UNKNOWN"]),
                 "information": NAME}
                for category in self.random.sample(CATEGORIES, self.random.choice([2, 4]))
            ]  # fmt: skip
            self.say(
                InformationReturned, child, said, response_id=str(self.id()), request_id=request, enquiry_id=enquiry,
                child_id=child, answers=answers,
            )  # fmt: skip

    def decision(self, enquiry: str, child: str, at: datetime) -> None:
        decision, closes = str(self.id()), self.chance(0.6)
        made = self.say(
            DecisionMade, child, at, decision_id=decision, enquiry_id=enquiry, child_id=child,
            decided_at=at + timedelta(hours=self.random.choice([-2, 0, 4])), decided_by="post", triage=self.chance(0.3),
            outcome="EARLY_HELP", closes=closes, rationale=self.random.choice([None, " ", f"{NAME} is safe"]),
            shareable_reasons=[{"recipient_class": "HEALTH", "reason": "made up"}] * self.random.choice([0, 1, 2]),
            what_happens_next="", threshold="LEVEL_3", family_told="TOLD",
            location_confidential=child in self.hidden and self.chance(0.5), adults_of_concern=[],
        )  # fmt: skip
        for recipient in self.random.sample(AGENCIES, self.random.choice([0, 1, 2])):
            self.say(
                OutcomeShared, child, at, had=self.after(at, 2), cause=made, decision_id=decision, enquiry_id=enquiry,
                disclosure=self.disclosure(recipient, "SCHOOL", child), child_id=child, about=ABOUT,
                outcome="EARLY_HELP", closes=closes, what_happens_next="", decided_at=at,
            )  # fmt: skip
        for role in self.random.sample(["GP_PRACTICE", "SCHOOL_NURSING"], self.random.choice([0, 1, 2])):
            cue = self.say(
                HealthToBeTold, child, at, cause=made, cue_id=self.id(), child_id=child, role=role,
                what="ENQUIRY_OUTCOME", decision_id=decision, outcome="EARLY_HELP", closes=closes,
                what_happens_next="", decided_at=at, location_confidential=False, adults_of_concern=[],
            )  # fmt: skip
            if self.chance(0.8):
                self.say(
                    HealthUpdated, child, at, had=self.after(at, 5), cause=cue, child_id=child, about=ABOUT, title="",
                    disclosure=self.disclosure(AGENCIES[2], role, child), text=NAME, outcome="EARLY_HELP",
                    decided_at=at, hide_from_online_access=True,
                )  # fmt: skip

    def meeting(self, enquiry: str, children: list[str], at: datetime) -> None:
        meeting = str(self.id())
        for version in range(1, self.random.choice([2, 3])):
            self.say(
                MeetingRecorded, meeting, at, meeting_id=meeting, version=version, enquiry_id=enquiry,
                child_ids=children, held_at=at + timedelta(hours=version), chair="post", invitees=[],
                location_confidential=bool(self.hidden & set(children)) and self.chance(0.5), adults_of_concern=[],
                lado=False,
            )  # fmt: skip
        for number, recipient in enumerate(self.random.sample(AGENCIES, self.random.choice([1, 2, 3]))):
            for _ in range(self.random.choice([1, 1, 2])):
                self.say(
                    MinutesDistributed, meeting, at, had=self.after(at, 90), meeting_id=meeting,
                    disclosure=self.disclosure(recipient, ("SCHOOL", "POLICE", "GP_PRACTICE")[number], children[0]),
                    minutes_id="m", child_ids=children, held_at=at, release="FULL", text=NAME, own_actions=[],
                    was_absent=self.chance(0.4),
                )  # fmt: skip

    def night(self, matter: str) -> None:
        at = self.moment()
        waiting: datetime | None = at
        for version, (state, team) in enumerate(self._shift(), 1):
            at = self.after(at, 6)
            taken = state == "TAKEN"
            handed = state == "OPEN" and team == "DAY"
            self.say(
                MatterChanged, matter, at, matter_id=matter, version=version, changed_at=at, caused_by="x",
                state=state, team=team, handed_on_at=at if handed else None, taken_at=at if taken else None,
                taken_by={"person_id": "p", "name": NAME, "post": "x", "team": team} if taken else None,
                waiting_since=None if taken else waiting, location_confidential=False, declare_no_conflict=False,
                circumstances=[], protection_plan="NO", hazards=[], protective_instructions=[], adults_of_concern=[],
                risk=[], facts=[], told=[], acts=[],
            )  # fmt: skip

    def _shift(self) -> Iterator[tuple[str, str]]:
        yield "OPEN", "NIGHT"
        if self.chance(0.7):
            yield "TAKEN", "NIGHT"
        if self.chance(0.5):
            yield "OPEN", "DAY"
            if self.chance(0.5):
                yield "TAKEN", "DAY"
        elif self.chance(0.3):
            yield "OPEN", "NIGHT"
            yield "TAKEN", "NIGHT"
        yield "CLOSED", "DAY"
