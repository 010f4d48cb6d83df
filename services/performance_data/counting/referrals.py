"""Who was notified and referred, how often again, and what the police asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.performance_data.counting.known import Known
from services.performance_data.counting.tables import Span, Thing, table, within_12_months, words
from services.performance_data.facts import micros
from services.performance_data.measures import Grain, Measure, Unit

GROUP = "Notifications and contacts"
AGAIN = "Children who come again"
STRATEGY = "Strategy discussions"
ONCE = (
    "A police notification counts once for each child and incident, in the month in which the force said it or, where "
    "a person had to say who the child is, that person did; what the force says again of the same incident is not "
    "counted again."
)
CONTACT = (
    "A contact counts once, when it was received; one that a MASH records for a police notification counts there, and "
    "not here."
)


class Way(NamedTuple):
    """One way of dividing what came."""

    name: str
    """Of the measure, after `_by_`."""
    title: str
    by: str
    meaning: str = ""
    source: str = "N10"
    adds_up: bool = True


def notifications(known: Known, span: Span) -> Iterator[Measure]:
    """By day, kind, source and area."""
    ways = (
        Way("kind", "by kind of incident", "kind", "An incident of two kinds stands in both rows.", adds_up=False),
        Way("source", "by force", "force"),
        Way(
            "area",
            "by area",
            "area",
            "The area is the local authority of the front door that was told; it is withheld for a child whose place "
            "is confidential.",
            "N10, H2",
        ),
    )
    things = [
        (one.at, (tuple(map(words, one.kinds)), (known.name(one.force),), (known.area_of(one.door, one.child),)))
        for one in known.notifications
    ]
    yield from _each_way("notifications", "Police notifications", ONCE, "N10", things, ways, span)


def contacts(known: Known, span: Span) -> Iterator[Measure]:
    """By day, grading, source and area."""
    ways = (
        Way("grading", "by grading", "grading"),
        Way("source", "by who made them", "referrer", source="N10, N14"),
        Way(
            "area",
            "by area",
            "area",
            "The area is the referrer's local authority; it is withheld for a child whose place is confidential.",
            "N10, H2",
        ),
    )
    things = [
        (one.at, ((words(one.grading),), (words(one.role),), (known.area_of(one.organisation, one.child),)))
        for one in known.contacts
    ]
    yield from _each_way("contacts", "Contacts", CONTACT, "N10, N14", things, ways, span)


def _each_way(
    what: str,
    title: str,
    meaning: str,
    source: str,
    things: Sequence[tuple[int, Sequence[tuple[str, ...]]]],
    ways: Sequence[Way],
    span: Span,
) -> Iterator[Measure]:
    """By day, and in each way; `things` are moments, each with its values in the order of the ways."""
    yield table(
        f"{what}_by_day", group=GROUP, title=f"{title} by day", unit=Unit.COUNT, grain=Grain.DAY, meaning=meaning,
        source=source, things=(Thing(at) for at, _ in things), span=span,
    )  # fmt: skip
    for place, way in enumerate(ways):
        yield table(
            f"{what}_by_{way.name}", group=GROUP, title=f"{title} {way.title}", unit=Unit.COUNT, by=way.by,
            adds_up=way.adds_up, meaning=f"{meaning} {way.meaning}".strip(), source=way.source,
            things=[Thing(at, values=values[place]) for at, values in things], span=span,
        )  # fmt: skip


def again(known: Known, span: Span) -> Iterator[Measure]:
    """Re-referrals, and repeat incidents. A child who was adopted is another child here, as everywhere (H1)."""
    yield table(
        "re_referrals", group=AGAIN, title="Referrals of a child who was referred in the 12 months before",
        unit=Unit.SHARE,
        meaning="Of all enquiries that began in the month, by a police notification or a contact, those of a child "
        "whose other enquiry began at most 12 calendar months earlier. Contacts that join an enquiry begin none.",
        source="N10", things=_again((one.child, one.began, one.enquiry) for one in known.enquiries), span=span,
    )  # fmt: skip
    yield table(
        "repeat_incidents", group=AGAIN, title="Notifications of a child with an incident in the 12 months before",
        unit=Unit.SHARE,
        meaning=f"{ONCE} A repeat is one of a child of whom another incident was notified at most 12 calendar months "
        "earlier, of whatever kind.",
        source="N10", things=_again((one.child, one.at, one.incident) for one in known.notifications), span=span,
    )  # fmt: skip


def _again(those: Iterable[tuple[str, int, str]]) -> Iterator[Thing]:
    """Each with whether another of the same child came before it, within 12 months."""
    of_child: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for child, at, name in those:
        of_child[child].append((at, name))
    for moments in of_child.values():
        moments.sort()
        before: int | None = None
        for at, _ in moments:
            yield Thing(at, before is not None and within_12_months(before, at))
            before = at


def strategy(known: Known, span: Span) -> Iterator[Measure]:
    """What the police asked for (N6), and whether it was held."""
    held: dict[tuple[str, str], int] = {}
    for met in known.meetings:
        for child in met.children:
            held[met.enquiry, child] = min(met.held, held.get((met.enquiry, child), met.held))
    now = micros(span.now)
    asked, met_of_asked = [], []
    for one in known.notifications:
        asked.append(Thing(one.at, values=(words(one.wanted),)))
        if one.wanted == "YES":
            moments = [held[enquiry, one.child] for enquiry in known.enquiries_of(one) if (enquiry, one.child) in held]
            met_of_asked.append(Thing(one.at, any(at <= now for at in moments)))
    yield table(
        "strategy_asked", group=STRATEGY, title="Whether the police asked for a strategy discussion", unit=Unit.COUNT,
        by="asked for", meaning=ONCE, source="N6", things=asked, span=span,
    )  # fmt: skip
    yield table(
        "strategy_held", group=STRATEGY, title="Strategy discussions held of those the police asked for",
        unit=Unit.SHARE,
        meaning="Of the notifications of the month that ask for one, those for whose enquiry and child a discussion "
        "has been held, whenever that was.",
        source="N6; Working Together: as soon as there is reasonable cause", things=met_of_asked, span=span,
    )  # fmt: skip
