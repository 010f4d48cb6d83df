"""The facts as one knows them once all were heard, in whatever order: each thing once, with what belongs to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from services.performance_data.counting.tables import day_of
from services.performance_data.facts import (
    Alerted,
    Asked,
    Contacted,
    Decided,
    Due,
    Fact,
    HealthTold,
    Kept,
    Met,
    Notified,
    Organisation,
    Shared,
    Unreadable,
)
from services.performance_data.measures import NOT_KNOWN, WITHHELD

F = TypeVar("F", bound=Fact)


class Enquiry(NamedTuple):
    """One referral of one child, whoever made it first."""

    child: str
    enquiry: str
    began: int


class Known:
    """Built once for each set of figures, and thrown away."""

    def __init__(self, held: Iterable[tuple[str, Kept]]) -> None:
        """`held` are the table's entries: an event's identity, and its fact."""
        first: dict[str, Kept] = {}
        for key, kept in held:
            # The same event may stand in two partitions, if somebody sent it under two keys: the first one counts.
            if key not in first or kept[1:] < first[key][1:]:
                first[key] = kept
        self._by_type: dict[object, list[Any]] = defaultdict(list)
        for key, kept in sorted(first.items(), key=lambda entry: entry[1][1:]):
            self._by_type[type(kept.fact)].append((key, kept.fact))

    def all(self, kind: type[F]) -> Iterator[F]:
        """Every fact of that kind, in the log's order."""
        return (fact for _, fact in self.keyed(kind))

    def keyed(self, kind: type[F]) -> list[tuple[str, F]]:
        """The same, each with its event's identity."""
        return self._by_type[kind]

    def first(self, kind: type[F], of: Callable[[F], Hashable], at: Callable[[F], int]) -> list[F]:
        """For each thing that facts of this kind are about, the earliest one; the log's order where two are alike."""
        found: dict[Hashable, F] = {}
        for fact in sorted(self.all(kind), key=at):
            found.setdefault(of(fact), fact)
        return list(found.values())

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Children of whom any event says that their place must stay unknown (H2)."""
        kinds = (Notified, Contacted, Alerted, Decided, Shared, HealthTold, Asked, Due)
        said = {fact.child for kind in kinds for _, fact in self._by_type[kind] if fact.hidden}
        return frozenset(said.union(*(met.children for met in self.all(Met) if met.hidden)))

    @cached_property
    def meetings(self) -> list[Met]:
        """Each as its latest version has it: one that is put off was not held when it had been planned."""
        latest: dict[str, Met] = {}
        for met in self.all(Met):
            if met.meeting not in latest or met.version > latest[met.meeting].version:
                latest[met.meeting] = met
        return list(latest.values())

    @cached_property
    def _organisations(self) -> dict[str, Organisation]:
        latest: dict[str, Organisation] = {}
        for entry in self.all(Organisation):
            if entry.organisation not in latest or entry.version > latest[entry.organisation].version:
                latest[entry.organisation] = entry
        return latest

    def name(self, organisation: str) -> str:
        """What it is called, with its id, as two may be called alike."""
        entry = self._organisations.get(organisation)
        return f"{entry.name} ({organisation})" if entry else organisation

    def area_of(self, organisation: str | None, child: str) -> str:
        """The authority in which an organisation lies. It could lead to a child's place: then it is withheld (H2)."""
        if child in self.hidden:
            return WITHHELD
        entry = self._organisations.get(organisation or "")
        if entry is None or not entry.area:
            return NOT_KNOWN
        authority = self._organisations.get(f"la:{entry.area}")
        return authority.name if authority else f"authority {entry.area}"

    @cached_property
    def notifications(self) -> list[Notified]:
        """One for each child and incident. What the police say again of it is none."""
        return self.first(Notified, lambda one: (one.child, one.incident), lambda one: one.at)

    @property
    def began(self) -> date | None:
        """The first day of the month in which the first notification was said; None where there is none."""
        day = day_of(min(one.at for one in self.notifications)) if self.notifications else None
        return day.replace(day=1) if day else None

    @cached_property
    def contacts(self) -> list[Contacted]:
        """Those of agencies and the public. One that a MASH recorded for a police notification is that notification."""
        return [one for one in self._every_contact if (one.child, one.contact) not in self._disclosures]

    @cached_property
    def _every_contact(self) -> list[Contacted]:
        return self.first(Contacted, lambda one: (one.child, one.contact), lambda one: one.at)

    @cached_property
    def _disclosures(self) -> dict[tuple[str, str], str]:
        return {(one.child, one.disclosure): one.incident for one in self.all(Notified)}

    @cached_property
    def _renamed(self) -> dict[tuple[str, str], str]:
        """Under which enquiry a MASH that numbers its own went on with an incident (decision 7)."""
        found: dict[tuple[str, str], str] = {}
        for one in self._every_contact:
            incident = self._disclosures.get((one.child, one.contact))
            if incident is not None:
                found.setdefault((one.child, incident), one.enquiry)
        return found

    def enquiries_of(self, notified: Notified) -> frozenset[str]:
        """The ids under which decisions on this notification may be recorded."""
        own = notified.incident
        return frozenset({own, self._renamed.get((notified.child, own), own)})

    @cached_property
    def enquiries(self) -> list[Enquiry]:
        """Every referral of every child, once."""
        began: dict[tuple[str, str], int] = {}
        begun = [
            (one.child, self._renamed.get((one.child, one.incident), one.incident), one.at)
            for one in self.notifications
        ]
        begun += [(one.child, one.enquiry, one.at) for one in self.contacts]
        for child, enquiry, at in begun:
            began[child, enquiry] = min(at, began.get((child, enquiry), at))
        return [Enquiry(child, enquiry, at) for (child, enquiry), at in began.items()]

    @cached_property
    def decisions(self) -> list[Decided]:
        return self.first(Decided, lambda one: (one.decision, one.child), lambda one: one.at)

    @property
    def unreadable(self) -> tuple[tuple[str, int], ...]:
        """By topic, how many of its events could not be decoded."""
        counted: dict[str, int] = defaultdict(int)
        for one in self.all(Unreadable):
            counted[one.topic] += 1
        return tuple(sorted(counted.items()))
