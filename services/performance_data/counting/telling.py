"""How fast partners were told after a police notification, and whether schools knew and read it in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from services.performance_data.counting.known import Known
from services.performance_data.counting.tables import Span, Thing, seconds, table, words
from services.performance_data.facts import Alerted, Cued, HealthTold, Notified, Read, Shared
from services.performance_data.measures import Measure, Unit

TIMES = "How fast partners are told"
ENCOMPASS = "Operation Encompass"
BEGIN = "The time begins when the front door could read the notification."


def times(known: Known, span: Span) -> Iterator[Measure]:
    """From notification to alert, to outcome, to GP told (N1)."""
    notified = dict(known.keyed(Notified))
    alerts = [
        Thing(notified[one.cause].at, seconds(notified[one.cause].told, one.told), (words(one.role),))
        for one in _alerts(known)
        if one.cause in notified
    ]
    yield table(
        "notification_to_alert", group=TIMES, title="From the notification to the alert", unit=Unit.SECONDS, by="told",
        meaning=f"{BEGIN} It ends when the school, nursery or team could read its alert. Alerts that follow from "
        "something later, such as a change of school, are left out.",
        source="Domestic Abuse Act 2021 s.49A", things=alerts, span=span,
    )  # fmt: skip
    yield table(
        "notification_to_outcome", group=TIMES, title="From the notification to its first outcome", unit=Unit.SECONDS,
        meaning=f"{BEGIN} It ends when the first partner could read the outcome of that child's enquiry. "
        "Notifications without an outcome so far are left out.",
        source="N1; Working Together: within 1 working day", things=_until(known, _outcomes(known)), span=span,
    )  # fmt: skip
    yield table(
        "notification_to_gp", group=TIMES, title="From the notification to the GP being told", unit=Unit.SECONDS,
        meaning=f"{BEGIN} It ends when a GP practice could read the first update on that child's enquiry. "
        "Notifications of which no practice was told so far are left out.",
        source="N1", things=_until(known, _practices(known)), span=span,
    )  # fmt: skip


def _alerts(known: Known) -> list[Alerted]:
    return known.first(Alerted, lambda one: one.disclosure, lambda one: one.told)


def _until(known: Known, ends: dict[tuple[str, str], int]) -> Iterator[Thing]:
    for one in known.notifications:
        moments = [ends[enquiry, one.child] for enquiry in known.enquiries_of(one) if (enquiry, one.child) in ends]
        if moments:
            yield Thing(one.at, seconds(one.told, min(moments)))


def _outcomes(known: Known) -> dict[tuple[str, str], int]:
    """By enquiry and child, when the first outcome could be read."""
    ends: dict[tuple[str, str], int] = {}
    for one in known.all(Shared):
        ends[one.enquiry, one.child] = min(one.told, ends.get((one.enquiry, one.child), one.told))
    return ends


def _practices(known: Known) -> dict[tuple[str, str], int]:
    """By enquiry and child, when the first GP practice could read of a decision on it."""
    decision_of = {key: cue.decision for key, cue in known.keyed(Cued)}
    enquiry_of = {(one.decision, one.child): one.enquiry for one in known.decisions}
    ends: dict[tuple[str, str], int] = {}
    for one in known.all(HealthTold):
        enquiry = enquiry_of.get((decision_of.get(one.cause, ""), one.child))
        if one.role == "GP_PRACTICE" and enquiry is not None:
            ends[enquiry, one.child] = min(one.told, ends.get((enquiry, one.child), one.told))
    return ends


def encompass(known: Known, span: Span) -> Iterator[Measure]:
    """Share told before the school day, and of those, read in time (H9)."""
    reads: dict[str, list[int]] = defaultdict(list)
    for read in known.all(Read):
        reads[read.disclosure].append(read.at)
    told, read_in_time = [], []
    for one in _alerts(known):
        if one.due is None:
            continue
        in_time, role = one.told <= one.due, (words(one.role),)
        told.append(Thing(one.at, in_time, role))
        if in_time:
            read_in_time.append(Thing(one.at, any(at <= one.due for at in reads[one.disclosure]), role))
    yield table(
        "alerts_in_time_by_role", group=ENCOMPASS, title="Alerts that came before the school day", unit=Unit.SHARE,
        by="told",
        meaning="Of the alerts of the month, those that could be read before they were due: the next school day's "
        "start, or in school hours that day's leaving time. Left out are alerts without a due time, and children of "
        "whom no school was told, as those whom a person has yet to match.",
        source="H9; Domestic Abuse Act 2021 s.49A", things=told, span=span,
    )  # fmt: skip
    yield table(
        "alerts_read_in_time_by_role", group=ENCOMPASS,
        title="Alerts that came before the school day and were read by then", unit=Unit.SHARE, by="told",
        meaning="Of the alerts that came before the school day, those that somebody had read by then, as the receipts "
        "say.",
        source="N13, N12", things=read_in_time, span=span,
    )  # fmt: skip
