"""Who was notified and referred, how often again, and what the police asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from services.performance_data.counting.known import Known
from services.performance_data.counting.tables import Span, Thing, table, within_12_months, words
from services.performance_data.facts import micros
from services.performance_data.measures import Grain, Measure, Unit

GROUP = "Notifications and contacts"
AGAIN = "Children who come again"
STRATEGY = "Strategy discussions"
ONCE = (
    "A police notification counts once for each child and incident, in the month in which the force said it; what the "
    "force says again of the same incident is not counted again."
)
CONTACT = (
    "A contact counts once, when it was received; one that a MASH records for a police notification counts there, and "
    "not here."
)


def notifications(known: Known, span: Span) -> Iterator[Measure]:
    """By day, kind, source and area."""
    things = [
        (one.at, tuple(map(words, one.kinds)), known.name(one.force), known.area_of(one.door, one.child))
        for one in known.notifications
    ]
    yield table(
        "notifications_by_day", group=GROUP, title="Police notifications by day", unit=Unit.COUNT, grain=Grain.DAY,
        meaning=ONCE, source="N10", things=(Thing(at) for at, *_ in things), span=span,
    )  # fmt: skip
    yield table(
        "notifications_by_kind", group=GROUP, title="Police notifications by kind of incident", unit=Unit.COUNT,
        by="kind", adds_up=False, meaning=f"{ONCE} An incident of two kinds stands in both rows.", source="N10",
        things=(Thing(at, values=kinds) for at, kinds, *_ in things), span=span,
    )  # fmt: skip
    yield table(
        "notifications_by_source", group=GROUP, title="Police notifications by force", unit=Unit.COUNT, by="force",
        meaning=ONCE, source="N10", things=(Thing(at, values=(force,)) for at, _, force, _ in things), span=span,
    )  # fmt: skip
    yield table(
        "notifications_by_area", group=GROUP, title="Police notifications by area", unit=Unit.COUNT, by="area",
        meaning=f"{ONCE} The area is the local authority of the front door that was told; it is withheld for a child "
        "whose place is confidential.",
        source="N10, H2", things=(Thing(at, values=(area,)) for at, *_, area in things), span=span,
    )  # fmt: skip


def contacts(known: Known, span: Span) -> Iterator[Measure]:
    """By day, grading, source and area."""
    things = [
        (one.at, words(one.grading), words(one.role), known.area_of(one.organisation, one.child))
        for one in known.contacts
    ]
    yield table(
        "contacts_by_day", group=GROUP, title="Contacts by day", unit=Unit.COUNT, grain=Grain.DAY, meaning=CONTACT,
        source="N10, N14", things=(Thing(at) for at, *_ in things), span=span,
    )  # fmt: skip
    yield table(
        "contacts_by_grading", group=GROUP, title="Contacts by grading", unit=Unit.COUNT, by="grading",
        meaning=CONTACT, source="N10", things=(Thing(at, values=(grading,)) for at, grading, *_ in things), span=span,
    )  # fmt: skip
    yield table(
        "contacts_by_source", group=GROUP, title="Contacts by who made them", unit=Unit.COUNT, by="referrer",
        meaning=CONTACT, source="N10, N14", things=(Thing(at, values=(role,)) for at, _, role, _ in things), span=span,
    )  # fmt: skip
    yield table(
        "contacts_by_area", group=GROUP, title="Contacts by area", unit=Unit.COUNT, by="area",
        meaning=f"{CONTACT} The area is the referrer's local authority; it is withheld for a child whose place is "
        "confidential.",
        source="N10, H2", things=(Thing(at, values=(area,)) for at, *_, area in things), span=span,
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
