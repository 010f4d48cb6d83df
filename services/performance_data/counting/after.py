"""Minutes of strategy discussions (N5), and what the night took, left and handed back (N7, N8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from services.performance_data.counting.known import Known
from services.performance_data.counting.tables import Span, Thing, seconds, table, words
from services.performance_data.facts import Handed, Matter
from services.performance_data.measures import Measure, Unit

MINUTES = "Minutes of strategy discussions"
NIGHT = "Out of hours"
TAKEN, NOT_TAKEN = "taken at night", "waited until the day"
TIME = (
    "From when the discussion was held until an invitee could first read what the chair released to it, in the month "
    "of the discussion."
)


def minutes(known: Known, span: Span) -> Iterator[Measure]:
    """To each invitee: absentees apart, and by role. Which organisation it was is not told (H2, H4)."""
    first = known.first(Handed, lambda one: (one.meeting, one.recipient), lambda one: one.told)
    took = [(one, seconds(one.held, one.told)) for one in first]
    yield table(
        "minutes_by_attendance", group=MINUTES, title="Time until minutes reached an invitee, absentees apart",
        unit=Unit.SECONDS, by="invitee", meaning=TIME, source="N5; 1 working day by default",
        things=[Thing(one.held, time, ("was absent" if one.absent else "was there",)) for one, time in took], span=span,
    )  # fmt: skip
    yield table(
        "minutes_by_role", group=MINUTES, title="Time until minutes reached an invitee, by role", unit=Unit.SECONDS,
        by="role", meaning=TIME, source="N5",
        things=[Thing(one.held, time, (words(one.role),)) for one, time in took], span=span,
    )  # fmt: skip


def nights(known: Known, span: Span) -> Iterator[Measure]:
    """Taken, waited, handed back."""
    versions: dict[str, dict[int, Matter]] = defaultdict(dict)
    for one in known.all(Matter):
        versions[one.matter].setdefault(one.version, one)
    taken, waited, back = [], [], []
    for matter in versions.values():
        takings: set[int] = set()
        handings: set[int] = set()
        waiting: int | None = None
        at_night = NOT_TAKEN
        for version in sorted(matter):
            card = matter[version]
            if card.taken is not None and card.taken_by == "NIGHT":
                at_night = TAKEN
                if card.taken not in takings:
                    takings.add(card.taken)
                    taken.append(Thing(card.taken))
                    if waiting is not None:
                        waited.append(Thing(card.taken, seconds(waiting, card.taken)))
            if card.handed is not None and card.team == "DAY" and card.handed not in handings:
                handings.add(card.handed)
                back.append(Thing(card.handed, values=(at_night,)))
                at_night = NOT_TAKEN
            waiting = card.waiting
    yield table(
        "night_taken", group=NIGHT, title="Matters that the out-of-hours team took", unit=Unit.COUNT,
        meaning="Each time that one of the out-of-hours team took a matter, in the month in which it was taken.",
        source="N7", things=taken, span=span,
    )  # fmt: skip
    yield table(
        "night_waited", group=NIGHT, title="Time a matter waited until the out-of-hours team took it",
        unit=Unit.SECONDS,
        meaning="From when the oldest thing that nobody had acted on came, until it was taken. Left out are what "
        "nobody took at night, and what was taken again by another worker while nothing waited.",
        source="N7, H7", things=waited, span=span,
    )  # fmt: skip
    yield table(
        "night_handed_back", group=NIGHT, title="Matters handed to the day team", unit=Unit.COUNT,
        by="at night",
        meaning="Each time that a matter was handed to the day team, in the month in which it was: after one of the "
        "out-of-hours team had taken it, or without that any had, so that it waited until the day.",
        source="N7, N8", things=back, span=span,
    )  # fmt: skip
