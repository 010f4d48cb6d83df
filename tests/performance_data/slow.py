"""The same figures by the plainest way: over every record of the log, again and again, without the measures' code.

A figure is `(count, numerator, denominator, median, p90)`, by measure, `row` or `total`, period and value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
Number = tuple[Any, Any, Any, Any, Any]
Slow = dict[tuple[str, str, date, tuple[str, ...]], Number]


@dataclass
class Line:
    """One record of the log, decoded; `event` is None where that could not be done."""

    topic: str
    partition: int
    offset: int
    told: datetime
    event: Any


@dataclass
class One:
    """Something that is counted."""

    at: datetime
    rows: list[str]
    sample: Any = None


def slowly(lines: Iterable[Line], months: list[date], now: datetime) -> Slow:
    """Every figure of these months."""
    log = sorted(lines, key=lambda line: (line.topic, line.partition, line.offset))
    once: list[Line] = []
    seen = set()
    for line in log:
        if line.event is None:
            continue
        said = line.event.envelope
        if (said.source, said.id) not in seen:
            seen.add((said.source, said.id))
            once.append(line)
    return _Slow(once, months, now).figures


def unreadable(lines: Iterable[Line]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.event is None:
            found[line.topic] += 1
    return dict(found)


class _Slow:
    def __init__(self, lines: list[Line], months: list[date], now: datetime) -> None:
        self.lines, self.months, self.now = lines, months, now
        self.figures: Slow = {}
        self.confidential = self._confidential()
        self.notified = self._earliest("PoliceNotified", lambda e: (e.child_id, e.incident_id))
        self.own = {(line.event.child_id, str(line.event.disclosure.id)): line.event.incident_id
                    for line in self.of("PoliceNotified")}  # fmt: skip
        contacts = self._earliest("ContactReceived", lambda e: (e.child_id, e.contact_id), _received)
        self.contacts = [line for line in contacts if (line.event.child_id, line.event.contact_id) not in self.own]
        self.other_name: dict[tuple[str, str], str] = {}
        for line in contacts:
            incident = self.own.get((line.event.child_id, line.event.contact_id))
            if incident and (line.event.child_id, incident) not in self.other_name:
                self.other_name[line.event.child_id, incident] = line.event.enquiry_id
        self.referrals()
        self.telling()
        self.requests()
        self.decisions()
        self.minutes()
        self.nights()

    # --- tools -------------------------------------------------------------------------------------------------------

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if type(line.event).__name__ == kind]

    def _earliest(self, kind: str, what: Callable[[Any], Any], when: Callable[[Any], datetime] | None = None) -> Any:
        best: dict[Any, Line] = {}
        for line in self.of(kind):
            at = when or (lambda event: event.at)
            if what(line.event) not in best or at(line.event) < at(best[what(line.event)].event):
                best[what(line.event)] = line
        return sorted(best.values(), key=lambda line: (when or (lambda event: event.at))(line.event))

    def _confidential(self) -> set[str]:
        found = set()
        for line in self.lines:
            event = line.event
            block = getattr(event, "disclosure", None)
            of_event = getattr(event, "location_confidential", False)
            name = type(event).__name__
            if name == "MeetingRecorded" and of_event:
                found |= set(event.child_ids)
            elif name in ("MatterChanged", "MinutesDistributed", "HealthToBeTold", "MeetingRecorded"):
                continue
            elif of_event or (block is not None and block.location_confidential):
                found.add(event.child_id)
        return found

    def name(self, organisation: str) -> str:
        entries = [line.event for line in self.of("OrganisationRecorded") if line.event.organisation_id == organisation]
        if not entries:
            return organisation
        highest = max(entry.version for entry in entries)
        return next(f"{entry.name} ({organisation})" for entry in entries if entry.version == highest)

    def area(self, organisation: str | None, child: str) -> str:
        if child in self.confidential:
            return "withheld"
        entries = [line.event for line in self.of("OrganisationRecorded") if line.event.organisation_id == organisation]
        if not entries:
            return "not known"
        highest = max(entry.version for entry in entries)
        code = next(entry.local_authority_code for entry in entries if entry.version == highest)
        if not code:
            return "not known"
        return self.name(f"la:{code}").removesuffix(f" (la:{code})")

    def names_of(self, notified: Any) -> list[str]:
        other = self.other_name.get((notified.child_id, notified.incident_id))
        return [notified.incident_id, other] if other else [notified.incident_id]

    def put(self, measure: str, unit: str, ones: Iterable[One], *, by: bool = True, days: bool = False) -> None:
        boxes: dict[Any, list[Any]] = {("total", month, ()): [] for month in self.months}
        if not by:
            for month in self.months:
                day = month
                while day.month == month.month and day.year == month.year:
                    if days and day <= self.now.astimezone(LONDON).date():
                        boxes["row", day, ()] = []
                    day += timedelta(days=1)
                if not days:
                    boxes["row", month, ()] = []
        for one in ones:
            day = one.at.astimezone(LONDON).date()
            month = date(day.year, day.month, 1)
            if month not in self.months:
                continue
            boxes["total", month, ()].append(one.sample)
            if not by:
                boxes["row", day if days else month, ()].append(one.sample)
            for row in one.rows if by else []:
                boxes.setdefault(("row", month, (row,)), []).append(one.sample)
        for (which, period, values), samples in boxes.items():
            self.figures[measure, which, period, values] = _number(unit, samples)

    # --- the measures ------------------------------------------------------------------------------------------------

    def referrals(self) -> None:
        notified = [line.event for line in self.notified]
        self.put("notifications_by_day", "count", [One(e.at, []) for e in notified], by=False, days=True)
        self.put("notifications_by_kind", "count", [One(e.at, [_word(k) for k in set(e.kinds)]) for e in notified])
        self.put("notifications_by_source", "count", [One(e.at, [self.name(e.force)]) for e in notified])
        self.put("notifications_by_area", "count",
                 [One(e.at, [self.area(e.disclosure.recipient, e.child_id)]) for e in notified])  # fmt: skip
        contacts = [line.event for line in self.contacts]
        self.put("contacts_by_day", "count", [One(_received(e), []) for e in contacts], by=False, days=True)
        self.put("contacts_by_grading", "count", [One(_received(e), [_word(e.grading)]) for e in contacts])
        self.put("contacts_by_source", "count", [One(_received(e), [_word(e.referrer.role)]) for e in contacts])
        areas = [(_received(e), self.area(e.referrer.organisation_id, e.child_id)) for e in contacts]
        self.put("contacts_by_area", "count", [One(at, [area]) for at, area in areas])
        begins: dict[tuple[str, str], datetime] = {}
        for e in notified:
            key = (e.child_id, self.names_of(e)[-1])
            begins[key] = min(begins.get(key, e.at), e.at)
        for e in contacts:
            key = (e.child_id, e.enquiry_id)
            begins[key] = min(begins.get(key, _received(e)), _received(e))
        self.put("re_referrals", "share", _repeats([(c, at, n) for (c, n), at in begins.items()]), by=False)
        self.put("repeat_incidents", "share",
                 _repeats([(e.child_id, e.at, e.incident_id) for e in notified]), by=False)  # fmt: skip
        self.put("strategy_asked", "count", [One(e.at, [_word(e.strategy_discussion.wanted)]) for e in notified])
        held = []
        for e in notified:
            if e.strategy_discussion.wanted == "YES":
                was = any(
                    meeting.enquiry_id in self.names_of(e)
                    and e.child_id in meeting.child_ids
                    and meeting.held_at <= self.now
                    for meeting in self.meetings()
                )
                held.append(One(e.at, [], was))
        self.put("strategy_held", "share", held, by=False)

    def meetings(self) -> list[Any]:
        every = [line.event for line in self.of("MeetingRecorded")]
        last = {e.meeting_id: max(o.version for o in every if o.meeting_id == e.meeting_id) for e in every}
        return [e for e in every if e.version == last[e.meeting_id]]

    def telling(self) -> None:
        by_id = {(line.event.envelope.source, line.event.envelope.id): line for line in self.of("PoliceNotified")}
        alerts: dict[Any, Line] = {}
        for line in self.of("SchoolAlerted"):
            key = line.event.disclosure.id
            if key not in alerts or line.told < alerts[key].told:
                alerts[key] = line
        took, in_time, read = [], [], []
        for line in alerts.values():
            event, said = line.event, line.event.envelope
            role, due = _word(event.disclosure.recipient_role), event.disclosure.due_by
            cause = by_id.get((said.cause_source, said.cause_id))
            if cause is not None:
                took.append(One(cause.event.at, [role], _seconds(cause.told, line.told)))
            if due is None:
                continue
            in_time.append(One(event.at, [role], line.told <= due))
            if line.told <= due:
                was_read = any(
                    receipt.event.disclosure_id == event.disclosure.id
                    and receipt.event.state != "UNKNOWN"
                    and receipt.event.happened_at <= due
                    for receipt in self.of("DisclosureRead")
                )
                read.append(One(event.at, [role], was_read))
        self.put("notification_to_alert", "seconds", took)
        self.put("alerts_in_time_by_role", "share", in_time)
        self.put("alerts_read_in_time_by_role", "share", read)

        cues = {(line.event.envelope.source, line.event.envelope.id): line.event for line in self.of("HealthToBeTold")}
        decided = {}
        for line in self._earliest("DecisionMade", lambda e: (e.decision_id, e.child_id), _decided):
            decided[line.event.decision_id, line.event.child_id] = line.event.enquiry_id
        outcome, practice = [], []
        for line in self.notified:
            e = line.event
            ends = [
                shared.told
                for shared in self.of("OutcomeShared")
                if shared.event.child_id == e.child_id and shared.event.enquiry_id in self.names_of(e)
            ]
            if ends:
                outcome.append(One(e.at, [], _seconds(line.told, min(ends))))
            ends = []
            for update in self.of("HealthUpdated"):
                said = update.event.envelope
                cue = cues.get((said.cause_source, said.cause_id))
                if update.event.child_id != e.child_id or cue is None:
                    continue
                of = decided.get((cue.decision_id, e.child_id))
                if update.event.disclosure.recipient_role == "GP_PRACTICE" and of in self.names_of(e):
                    ends.append(update.told)
            if ends:
                practice.append(One(e.at, [], _seconds(line.told, min(ends))))
        self.put("notification_to_outcome", "seconds", outcome, by=False)
        self.put("notification_to_gp", "seconds", practice, by=False)

    def requests(self) -> None:
        states, times = [], []
        shares: dict[str, list[One]] = {"on time": [], "late": [], "incomplete": [], "not returned": []}
        for line in self._earliest("InformationRequested", lambda e: e.request_id):
            e = line.event
            dues = [
                deadline.event.due_by
                for deadline in self.of("DeadlineSet")
                if (deadline.event.disclosure_id or deadline.event.deadline_id) == e.disclosure.id
            ]
            due = min(dues) if dues else e.disclosure.due_by
            missing, done, some = set(e.categories), None, False
            returned = [other for other in self.of("InformationReturned") if other.event.request_id == e.request_id]
            for other in sorted(returned, key=lambda other: other.event.at):
                given = {answer.category for answer in other.event.answers if answer.state != "UNKNOWN"}
                some = some or bool(given & missing)
                missing -= given
                if not missing and done is None:
                    done = max(e.at, other.event.at)
            if done is not None:
                state = "on time" if due is None or done <= due else "late"
            elif due is None or self.now <= due:
                state = "waiting"
            else:
                state = "incomplete" if some else "not returned"
            agency = "withheld" if e.child_id in self.confidential else self.name(e.disclosure.recipient)
            states.append(One(e.at, [state]))
            if state != "waiting":
                for other_state, ones in shares.items():
                    ones.append(One(e.at, [agency], other_state == state))
            if done is not None:
                times.append(One(e.at, [agency], _seconds(e.at, done)))
        self.put("information_requests", "count", states)
        for state, ones in shares.items():
            self.put(f"information_{state.replace(' ', '_')}_by_agency", "share", ones)
        self.put("information_time_by_agency", "seconds", times)

    def decisions(self) -> None:
        ones = []
        for line in self._earliest("DecisionMade", lambda e: (e.decision_id, e.child_id), _decided):
            e = line.event
            if e.closes:
                says = bool((e.rationale or "").strip()) and any(one.reason.strip() for one in e.shareable_reasons)
                ones.append(One(_decided(e), ["triage" if e.triage else "enquiry or assessment"], says))
        self.put("closures_with_rationale", "share", ones)

    def minutes(self) -> None:
        first: dict[Any, Line] = {}
        for line in self.of("MinutesDistributed"):
            key = (line.event.meeting_id, line.event.disclosure.recipient)
            if key not in first or line.told < first[key].told:
                first[key] = line
        attendance, roles = [], []
        for line in first.values():
            e = line.event
            took = _seconds(e.held_at, line.told)
            attendance.append(One(e.held_at, ["was absent" if e.was_absent else "was there"], took))
            roles.append(One(e.held_at, [_word(e.disclosure.recipient_role)], took))
        self.put("minutes_by_attendance", "seconds", attendance)
        self.put("minutes_by_role", "seconds", roles)

    def nights(self) -> None:
        taken, waited, back = [], [], []
        for matter in sorted({line.event.matter_id for line in self.of("MatterChanged")}):
            cards: dict[int, Any] = {}
            for line in self.of("MatterChanged"):
                if line.event.matter_id == matter and line.event.version not in cards:
                    cards[line.event.version] = line.event
            story = [cards[version] for version in sorted(cards)]
            for place, card in enumerate(story):
                before = story[:place]
                took = card.state == "TAKEN" and card.taken_at and card.taken_by and card.taken_by.team == "NIGHT"
                if took and not any(old.state == "TAKEN" and old.taken_at == card.taken_at for old in before):
                    taken.append(One(card.taken_at, []))
                    if before and before[-1].waiting_since:
                        waited.append(One(card.taken_at, [], _seconds(before[-1].waiting_since, card.taken_at)))
                handed = card.handed_on_at and card.team == "DAY"
                if handed and not any(old.handed_on_at == card.handed_on_at and old.team == "DAY" for old in before):
                    last = max((place for place, old in enumerate(before) if old.handed_on_at and old.team == "DAY"),
                               default=-1)  # fmt: skip
                    in_hand = any(
                        old.state == "TAKEN" and old.taken_at and old.taken_by and old.taken_by.team == "NIGHT"
                        for old in story[last + 1 : place + 1]
                    )
                    back.append(One(card.handed_on_at, ["taken at night" if in_hand else "waited until the day"]))
        self.put("night_taken", "count", taken, by=False)
        self.put("night_waited", "seconds", waited, by=False)
        self.put("night_handed_back", "count", back)


def _number(unit: str, samples: list[Any]) -> Number:
    if unit == "share":
        return None, sum(1 for sample in samples if sample), len(samples), None, None
    if unit == "count" or not samples:
        return len(samples), None, None, None, None
    low_to_high = sorted(samples)
    middle = len(low_to_high) // 2
    median = low_to_high[middle] if len(low_to_high) % 2 else (low_to_high[middle - 1] + low_to_high[middle]) / 2
    slow = next(time for place, time in enumerate(low_to_high, 1) if 10 * place >= 9 * len(low_to_high))
    return len(low_to_high), None, None, median, slow


def _repeats(those: list[tuple[str, datetime, str]]) -> list[One]:
    found = []
    for child, at, name in those:
        day = at.astimezone(LONDON).date()
        earlier = [
            before.astimezone(LONDON).date()
            for other, before, other_name in those
            if other == child and (before, other_name) < (at, name)
        ]
        found.append(One(at, [], any(_year_later(before) >= day for before in earlier)))
    return found


def _year_later(day: date) -> date:
    if (day.month, day.day) == (2, 29):
        return date(day.year + 1, 2, 28)
    return date(day.year + 1, day.month, day.day)


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin) / timedelta(seconds=1))


def _received(event: Any) -> datetime:
    at: datetime = min(event.received_at, event.at)
    return at


def _decided(event: Any) -> datetime:
    at: datetime = min(event.decided_at, event.at)
    return at


def _word(code: Any) -> str:
    known = {"GP_PRACTICE": "GP practice", "MASH": "MASH"}
    return known.get(str(code), str(code).lower().replace("_", " "))


def at_milliseconds(number: int) -> datetime:
    """Kafka's time of a record."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)
