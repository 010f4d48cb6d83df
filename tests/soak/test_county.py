"""The made-up county: the same seed makes the same one, and it is as large as the real one's figures say."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from nhs_number import is_valid

from services.bus.calendar import LONDON
from services.bus.events import Role
from tests.soak.county import A_MONTH, County, Kind, arrivals, place

START = datetime(2026, 9, 1, tzinfo=UTC)


def test_the_same_seed_makes_the_same_county() -> None:
    """And another seed another one."""
    assert County("r", seed=3).children == County("r", seed=3).children
    assert County("r", seed=3).children != County("r", seed=4).children


def test_every_child_is_made_up_and_registered() -> None:
    """An NHS number of the test range, each its own; a practice, and a school with its nurses or a health visitor."""
    county = County("r")
    numbers = [child.identity.nhs_number or "" for child in county.children]
    assert len(set(numbers)) == len(numbers) == 600
    assert all(number.startswith("999") and is_valid(number) for number in numbers)
    known = {one.organisation_id for one in county.organisations}
    for child in county.children:
        assert place(child, Role.GP_PRACTICE) in known
        assert (place(child, Role.SCHOOL) in known) != (place(child, Role.HEALTH_VISITING) in known)


def test_a_quarter_has_as_much_as_the_figures_say() -> None:
    """DOMAIN.md §3, within a tenth; abuse mostly outside office hours, contacts in them."""
    until = START + timedelta(days=91.3)
    came = list(takewhile(lambda one: one[0] < until, arrivals(random.Random(1), START)))
    total = Counter(kind for _, kind in came)
    for kind in Kind:
        assert abs(total[kind] / (3 * A_MONTH[kind]) - 1) < 0.1
    office = Counter(kind for at, kind in came if 9 <= at.astimezone(LONDON).hour < 17)
    assert office[Kind.INCIDENT] < total[Kind.INCIDENT] / 3
    assert office[Kind.CONTACT] > total[Kind.CONTACT] * 2 / 3
