"""Information requests and how they were answered (N3, N4), and closures with their rationale (N2, N9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from services.performance_data.counting.known import Known
from services.performance_data.counting.tables import Span, Thing, seconds, table
from services.performance_data.facts import Answered, Asked, Due, micros
from services.performance_data.measures import WITHHELD, Measure, Unit

GROUP = "Information requests"
CLOSURES = "Closures"
ON_TIME, LATE, INCOMPLETE, NOT_RETURNED, WAITING = "on time", "late", "incomplete", "not returned", "waiting"
DUE = (
    "A request counts in the month in which it was made. It is due as its deadline was set: red by the clock, amber "
    "and green by the agency's opening hours. It is answered once every category asked for has an answer."
)
OVER = "Requests that are not due yet and not answered are left out."


class Request(NamedTuple):
    """One request as it stands."""

    at: int
    agency: str
    state: str
    answered: int | None


def requests(known: Known, span: Span) -> Iterator[Measure]:
    """By state; on time, late, incomplete and not returned by agency; the time it took."""
    found = list(_requests(known, micros(span.now)))
    yield table(
        "information_requests", group=GROUP, title="Information requests by how they were answered", unit=Unit.COUNT,
        by="answered",
        meaning=f"{DUE} Incomplete: due, with an answer to some categories. Not returned: due, with none. Waiting: not "
        "due yet.",
        source="N3, N4", things=(Thing(one.at, values=(one.state,)) for one in found), span=span,
    )  # fmt: skip
    over = [one for one in found if one.state != WAITING]
    for state, name in (
        (ON_TIME, "answered in full and on time"),
        (LATE, "answered in full, but late"),
        (INCOMPLETE, "answered in part only"),
        (NOT_RETURNED, "not answered at all"),
    ):
        yield table(
            f"information_{state.replace(' ', '_')}_by_agency", group=GROUP,
            title=f"Information requests {name}, by agency", unit=Unit.SHARE, by="agency",
            meaning=f"{DUE} {OVER} The agency is withheld for a child whose place is confidential.",
            source="N3, H2" if state in (ON_TIME, LATE) else "N4, H2",
            things=[Thing(one.at, one.state == state, (one.agency,)) for one in over], span=span,
        )  # fmt: skip
    yield table(
        "information_time_by_agency", group=GROUP, title="Time until an information request was answered in full",
        unit=Unit.SECONDS, by="agency",
        meaning=f"{DUE} The time is the clock's, nights and weekends included. Requests that are not answered in full "
        "so far are left out.",
        source="N3, H2",
        things=[Thing(one.at, seconds(one.at, one.answered), (one.agency,)) for one in found if one.answered],
        span=span,
    )  # fmt: skip


def _requests(known: Known, now: int) -> Iterator[Request]:
    answers: dict[str, list[Answered]] = defaultdict(list)
    for answer in sorted(known.all(Answered), key=lambda one: one.at):
        answers[answer.request].append(answer)
    dues: dict[str, int] = {}
    for due in known.all(Due):
        if due.disclosure is not None:
            dues[due.disclosure] = min(due.due, dues.get(due.disclosure, due.due))
    for asked in known.first(Asked, lambda one: one.request, lambda one: one.at):
        left, answered, some = set(asked.categories), None, False
        for answer in answers[asked.request]:
            some = some or bool(left & set(answer.categories))
            left -= set(answer.categories)
            if not left and answered is None:
                answered = max(answer.at, asked.at)
        agency = WITHHELD if asked.child in known.hidden else known.name(asked.agency)
        yield Request(asked.at, agency, _state(dues.get(asked.disclosure, asked.due), answered, some, now), answered)


def _state(due: int | None, answered: int | None, some: bool, now: int) -> str:
    """A request without any due time is late for nobody."""
    if answered is not None:
        return ON_TIME if due is None or answered <= due else LATE
    if due is None or now <= due:
        return WAITING
    return INCOMPLETE if some else NOT_RETURNED


def closures(known: Known, span: Span) -> Iterator[Measure]:
    """Share that has a rationale and a reason to share; triage apart, of which no record was kept once (N9)."""
    closed = [one for one in known.decisions if one.closes]
    things = [Thing(one.at, one.reasoned, ("triage" if one.triage else "enquiry or assessment",)) for one in closed]
    yield table(
        "closures_with_rationale", group=CLOSURES, title="Closures that say why", unit=Unit.SHARE, by="closed in",
        meaning="Of the decisions of the month that close an enquiry for a child, those with a rationale and at least "
        "one reason written to be shared. The bus shares none without; the others wait for their decider.",
        source="N2, N9, H5", things=things, span=span,
    )  # fmt: skip
