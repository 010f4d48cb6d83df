"""A made-up Buckinghamshire: who is in its directory, and how often what happens at which hour.

The teams, practices and schools are those of the demo's example registers (services/cli/demo/data); more schools are
made like them. Every NHS number is in the test range, 999.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from functools import cached_property

from services.bus.calendar import LONDON
from services.bus.directory import Recorded
from services.bus.events import ChildRecorded, OrganisationRecorded, RecordStatus, Registration, Role
from services.cli.demo import DATA
from services.registers import cli as registers
from services.registers.changes import changes

FORCE, COUNCIL, MASH, DUTY = "police:thames-valley", "la:825", "mash:825", "duty:825"
NURSES, VISITORS = "health:825-school-nursing", "health:825-health-visiting"
ON = date(2026, 9, 1)
"""The day by which ages are counted."""

FORENAMES = [
    "Ada",
    "Bilal",
    "Cara",
    "Dev",
    "Esme",
    "Finn",
    "Gita",
    "Hugo",
    "Imani",
    "Jude",
    "Kit",
    "Lena",
    "Milo",
    "Nia",
    "Otis",
    "Priya",
    "Rosa",
    "Sol",
    "Tariq",
    "Una",
]
FAMILIES = [
    "Ashby",
    "Brook",
    "Calder",
    "Denholm",
    "Eastway",
    "Fenn",
    "Garrow",
    "Hale",
    "Ingram",
    "Jessop",
    "Kerr",
    "Lund",
    "Marsh",
    "Noor",
    "Oakes",
    "Pell",
]


class Kind(Enum):
    """What comes from outside."""

    INCIDENT = "incident"
    CONTACT = "contact"


A_MONTH = {Kind.INCIDENT: 780, Kind.CONTACT: 1200}
"""DOMAIN.md §3: domestic abuse notifications of a force area of its kind; 900 referrals, and contacts a third more."""

_NIGHTS = [
    1.6,
    1.4,
    1.1,
    0.8,
    0.5,
    0.4,
    0.4,
    0.6,
    0.7,
    0.7,
    0.7,
    0.8,
    0.8,
    0.8,
    0.8,
    0.9,
    1.0,
    1.1,
    1.3,
    1.5,
    1.7,
    1.9,
    1.9,
    1.8,
]
_OFFICE = [
    0.1,
    0.1,
    0.1,
    0.1,
    0.1,
    0.1,
    0.1,
    0.3,
    1.2,
    2.6,
    2.8,
    2.6,
    2.0,
    2.2,
    2.6,
    2.8,
    2.0,
    0.8,
    0.4,
    0.3,
    0.2,
    0.2,
    0.1,
    0.1,
]


def rate(kind: Kind, at: datetime) -> float:
    """How many an hour at that moment: abuse is reported at night and at week-ends, contacts in office hours."""
    there = at.astimezone(LONDON)
    weekend = there.weekday() >= 5
    by_hour, day = (_NIGHTS, 1.4 if weekend else 0.84) if kind is Kind.INCIDENT else (_OFFICE, 0.2 if weekend else 1.32)
    return A_MONTH[kind] * 12 / 365.25 / sum(by_hour) * by_hour[there.hour] * day


def arrivals(chance: random.Random, start: datetime) -> Iterator[tuple[datetime, Kind]]:
    """When what comes, without end (a Poisson process, thinned)."""
    most = {kind: A_MONTH[kind] * 12 / 365.25 / 24 * 4 for kind in Kind}
    at = start
    while True:
        at += timedelta(hours=chance.expovariate(sum(most.values())))
        kind = chance.choices(list(most), list(most.values()))[0]
        if chance.random() < rate(kind, at) / most[kind]:
            yield at, kind


def nhs_number(nine: int) -> str | None:
    """The number of the test range with these nine digits, the check digit added; None where there is none."""
    digits = f"{nine:09}"
    check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(digits)) % 11
    return None if check == 10 else f"{digits}{check % 11}"


@dataclass(frozen=True)
class County:
    """Its directory. The same arguments make the same one."""

    run: str
    """Stands before each child's id, so that two runs on one bus do not meet."""
    seed: int = 1
    number: int = 600
    schools: int = 24
    practices: int = 50

    @cached_property
    def organisations(self) -> list[OrganisationRecorded]:
        """Those of the example registers, and schools made like the open ones among them."""
        read = [
            registers.read(registers.Kind.TEAMS, DATA / "organisations.yaml"),
            registers.read(registers.Kind.GIAS, DATA / "schools.csv"),
            registers.read(registers.Kind.ODS, DATA / "practices.csv", authority="825"),
        ]
        found: list[Recorded] = [one for kind, parsed in read for one in changes(kind, parsed.said, {}).new]
        listed = [one for one in found if isinstance(one, OrganisationRecorded)]
        practices = [one for one in listed if one.kind is Role.GP_PRACTICE][: self.practices]
        models = [one for one in listed if one.kind is Role.SCHOOL and one.status is RecordStatus.OPEN]
        made = []
        for number in range(self.schools):
            urn, model = str(995_000 + number), models[number % len(models)]
            made.append(
                model.model_copy(
                    update={"organisation_id": f"school:{urn}", "urn": urn, "name": f"Made-up School {number + 1}"}
                )
            )
        teams = [one for one in listed if one.kind not in (Role.GP_PRACTICE, Role.SCHOOL, Role.NURSERY)]
        return [*teams, *practices, *made]

    @cached_property
    def children(self) -> list[ChildRecorded]:
        """Each with a practice, and a school and its nurses or, below five, a health visitor."""
        chance, made = random.Random(f"{self.seed} children"), list[ChildRecorded]()
        schools = [one.organisation_id for one in self.organisations if one.kind is Role.SCHOOL]
        practices = [one.organisation_id for one in self.organisations if one.kind is Role.GP_PRACTICE]
        numbers = chance.sample(range(999_000_000, 1_000_000_000 - 1_000), self.number * 2)
        valid = [number for nine in numbers if (number := nhs_number(nine))]
        for count in range(self.number):
            born = ON - timedelta(days=chance.randrange(60, 17 * 365))
            at_school = (ON - born).days >= 5 * 365
            places = [(chance.choice(practices), Role.GP_PRACTICE)]
            if at_school:
                places += [(chance.choice(schools), Role.SCHOOL), (NURSES, Role.SCHOOL_NURSING)]
            else:
                places += [(VISITORS, Role.HEALTH_VISITING)]
            made.append(
                ChildRecorded.model_validate(
                    {
                        "child_id": f"{self.run}-child-{count}",
                        "version": 1,
                        "status": "OPEN",
                        "identity": {
                            "forenames": chance.choice(FORENAMES),
                            "family_name": chance.choice(FAMILIES),
                            "date_of_birth": born,
                            "nhs_number": valid[count],
                        },
                        "also_known_as": [],
                        "registrations": [Registration(organisation_id=at, role=role) for at, role in places],
                        "home_educated": False,
                        "location_confidential": False,
                        "circumstances": [],
                    }
                )
            )
        return made


def place(child: ChildRecorded, *roles: Role) -> str | None:
    """Where the child is registered in one of these roles."""
    return next((held.organisation_id for held in child.registrations if held.role in roles), None)
