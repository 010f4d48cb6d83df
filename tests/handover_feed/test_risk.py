"""The order: the worst first, what is unknown among it, lowered by persons alone, and explained in words."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.envelope import Event
from services.bus.events import (
    ChildIdentity,
    Circumstance,
    DeadlineKind,
    Grading,
    HandoverAct,
    IncidentKind,
    MatterChanged,
    NoteKind,
    RiskCriterion,
    Team,
    YesNoUnknown,
)
from services.handover_feed.risk import HOLDS_NOT, ORDER, is_danger, order_key
from tests.handover_feed.samples import (
    DEE,
    MINUTE,
    act,
    card,
    contact,
    danger,
    decision_deadline,
    expected,
    identity,
    letter,
    met,
    note,
    notified,
    reason,
    requested,
    unmatched,
)
from tests.police_notifications.samples import county, record
from tests.rooms import FRIDAY_EVENING as AT

DANGER, GRADING, YOUNG, MISSING, REPEAT, DEADLINE = ORDER
BORN_2016 = county(record())


def rank(criterion: RiskCriterion, *heard: Event, **directory: Any) -> int:
    return reason(card(*heard, **directory), criterion).rank


def words(criterion: RiskCriterion, *heard: Event, **directory: Any) -> str:
    return reason(card(*heard, **directory), criterion).words


def test_a_card_has_one_reason_for_each_criterion_in_the_documented_order() -> None:
    """The ordering is explained on the card, what does not hold as well."""
    for shown in (card(danger()), card(unmatched()), card(letter()), card(note(matter="note"))):
        assert [one.criterion for one in shown.risk] == list(ORDER)
        assert all(one.words.endswith(".") for one in shown.risk)
    assert set(HOLDS_NOT) == set(ORDER)


@pytest.mark.parametrize(
    ("grading", "expected_rank", "said"),
    [
        (Grading.RED, 3, "Graded red."),
        (Grading.UNKNOWN, 3, "Nobody has graded it, so it counts as red."),
        (Grading.AMBER, 2, "Graded amber."),
        (Grading.GREEN, 1, "Graded green."),
    ],
)
def test_h7_what_nobody_has_graded_counts_as_red(grading: Grading, expected_rank: int, said: str) -> None:
    """H7: whether it came from the police or from anybody else."""
    for event in (notified(grading=grading), contact(grading=grading), unmatched(grading=grading)):
        assert rank(GRADING, event) == expected_rank
        assert words(GRADING, event) == said


def test_h14_a_later_contact_never_lowers_the_grade() -> None:
    """H14: the worst that is open counts, whoever joined later."""
    assert rank(GRADING, notified(grading=Grading.RED), contact("later", AT + MINUTE, grading=Grading.GREEN)) == 3


@pytest.mark.parametrize(
    ("about", "changed", "young"),
    [
        (identity(date(2021, 11, 21)), {}, True),  # five tomorrow
        (identity(date(2021, 11, 20)), {}, False),  # five today
        (identity(None), {}, True),
        (identity(None), {"stated_age": 4}, True),
        (identity(None), {"stated_age": 5}, False),
        (identity(date(2016, 5, 4)), {"circumstances": [Circumstance.UNBORN]}, True),
    ],
)
def test_h7_a_child_whose_age_is_not_known_counts_as_under_five(
    about: ChildIdentity, changed: dict[str, Any], young: bool
) -> None:
    """H7, H13: by date of birth, else by the age that was stated, unborn or unknown as the youngest."""
    directory = county(record(about=about, **changed))
    assert rank(YOUNG, notified(about=about), directory=directory) == young
    assert rank(YOUNG, contact(), directory=directory) == young
    if not about.date_of_birth and not changed:
        assert "not known" in words(YOUNG, contact(), directory=directory)


def test_of_two_ages_the_younger_counts() -> None:
    """The force's word and the index differ: the worst plausible."""
    assert rank(YOUNG, notified(about=identity(date(2024, 1, 1))), directory=BORN_2016) == 1
    assert rank(YOUNG, notified(about=identity(date(2016, 5, 4))), directory=BORN_2016) == 0


def test_an_unmatched_child_is_as_old_as_was_said() -> None:
    """Nobody knows who it is; how old it was said to be is known."""
    assert rank(YOUNG, unmatched(identity=identity(None), stated_age=3)) == 1
    assert rank(YOUNG, unmatched(identity=identity(None), stated_age=9)) == 0
    assert rank(YOUNG, unmatched(identity=identity(None))) == 1


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        ([IncidentKind.MISSING], 1),
        ([IncidentKind.NEGLECT, IncidentKind.MISSING], 1),
        ([IncidentKind.NEGLECT], 0),
        ([IncidentKind.UNKNOWN], 1),
        ([], 1),
    ],
)
def test_h7_an_incident_of_unknown_kind_may_be_a_missing_child(kinds: list[IncidentKind], missing: int) -> None:
    """H7; nobody is missing because of a contact, which has no kinds."""
    assert rank(MISSING, notified(kinds=kinds)) == missing
    assert rank(MISSING, contact()) == 0


def test_other_incidents_within_twelve_months_count() -> None:
    """Each once, however often its force sends it again; closed ones too; not those of more than a year ago."""
    old = notified("old", AT - timedelta(days=366))
    before = notified("before", AT - timedelta(days=364))
    again = notified("again", AT - timedelta(days=300), incident_id="incident of before")
    closed = act(HandoverAct.CLOSED, "old", "before", "again", at=AT - MINUTE)
    assert rank(REPEAT, notified()) == 0
    assert rank(REPEAT, old, notified()) == 0
    assert rank(REPEAT, old, before, again, closed, notified()) == 1
    assert words(REPEAT, old, before, notified()) == "1 other incident in the 12 months before."


def test_h7_who_is_not_known_may_have_been_hurt_before() -> None:
    """H7: the match is unknown, so the worst plausible."""
    assert rank(REPEAT, unmatched()) == 1
    assert "not known" in words(REPEAT, unmatched())
    assert rank(MISSING, unmatched()) == 1


def test_the_nearer_deadline_ranks_higher_and_one_that_is_met_no_more() -> None:
    """A request due in four hours comes before a decision due tomorrow; what nobody expects comes last."""
    soon, later = requested(), expected(decision_deadline(), DeadlineKind.FRONT_DOOR_DECISION)
    assert rank(DEADLINE, soon) > rank(DEADLINE, notified(), later) > rank(DEADLINE, notified()) == 0
    assert rank(DEADLINE, later, soon) == rank(DEADLINE, soon)
    assert "19:40 on 21 November 2026" in words(DEADLINE, notified(), later)
    done = met(decision_deadline(), DeadlineKind.FRONT_DOOR_DECISION)
    assert rank(DEADLINE, notified(), later, done, contact()) == 0


def test_only_what_is_open_counts() -> None:
    """What a person has closed with a reason, or what has ended, ranks no more."""
    closed = card(danger(), act(HandoverAct.CLOSED, "danger"))
    assert [one.rank for one in closed.risk] == [0] * len(ORDER)
    both = card(danger(), act(HandoverAct.CLOSED, "danger"), contact("later", AT + MINUTE))
    assert (reason(both, DANGER).rank, reason(both, GRADING).rank) == (0, 1)


def test_h7_a_person_lowers_a_risk_for_what_was_seen_and_for_nothing_later() -> None:
    """H7: the card keeps the reason that was there, and says who judged it away and why."""
    lower = act(HandoverAct.RISK_CHANGED, "danger", no_longer=[DANGER, GRADING], reason="she is at her aunt's")
    shown = reason(card(danger(), lower), DANGER)
    assert (shown.rank, shown.lowered) == (0, True)
    assert "A child is in immediate danger" in shown.words
    assert "Nia Rhys, out-of-hours social worker judged" in shown.words
    assert "she is at her aunt's" in shown.words
    again = card(danger(), lower, notified("later", AT + MINUTE, grading=Grading.AMBER))
    assert (reason(again, DANGER).lowered, reason(again, GRADING).rank) == (True, 2)
    worse = reason(card(danger(), lower, danger("later", AT + MINUTE)), DANGER)
    assert (worse.rank, worse.lowered) == (1, False)


def test_what_is_about_nobody_has_no_age() -> None:
    """A note about the rota comes after every child of unknown age."""
    about_nobody = card(note(matter="note", to=Team.NIGHT, by=DEE, kind=NoteKind.ASKED))
    assert [one.rank for one in about_nobody.risk] == [0] * len(ORDER)


def test_cards_are_sorted_worst_first() -> None:
    """By default danger, then grading, then the young, the missing, the repeated, and the nearest deadline."""
    small = identity(date(2024, 1, 1))
    ordered = [
        card(danger()),
        card(notified(immediate_danger=YesNoUnknown.UNKNOWN, grading=Grading.GREEN)),
        card(notified(grading=Grading.UNKNOWN)),
        card(notified(about=small), directory=county(record("another"))),
        card(notified(kinds=[IncidentKind.MISSING])),
        card(notified("before", AT - timedelta(days=9), grading=Grading.GREEN), notified()),
        card(notified(), expected(decision_deadline(), DeadlineKind.FRONT_DOOR_DECISION)),
        card(notified("longer", AT - MINUTE)),
        card(notified()),
        card(contact()),
    ]
    assert sorted([*ordered[5:], *ordered[:5]], key=order_key) == ordered


def test_an_installation_sets_its_own_order() -> None:
    """Criteria that it leaves out do not count."""
    young = card(notified(about=identity(date(2024, 1, 1)), grading=Grading.GREEN), directory=county(record("x")))
    red = card(notified(grading=Grading.RED))
    assert sorted([young, red], key=order_key) == [red, young]
    assert sorted([red, young], key=lambda one: order_key(one, [YOUNG, GRADING])) == [young, red]


@given(st.lists(st.sampled_from([danger(), notified(), contact(), unmatched(), letter()]), min_size=2, max_size=5))
def test_the_order_is_total(heard: list[Event]) -> None:
    """Two pages that show the same cards show them in the same order."""
    cards = [card(event) for event in heard]
    keys = [order_key(one) for one in sorted(cards, key=order_key)]
    assert all(one <= other for one, other in pairwise(keys))


def test_what_interrupts_is_marked_on_the_card() -> None:
    """For a team's own screen, which has only the card."""
    shown: MatterChanged = card(danger())
    assert is_danger(shown)
    assert not is_danger(card(notified()))
