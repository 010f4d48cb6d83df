"""Checks with other agencies: on a recorded ground, in time, and category by category."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.bus.disclosing import deadline_id
from services.bus.envelope import Held
from services.bus.events import (
    AnswerState,
    Category,
    DeadlineKind,
    DeadlineMet,
    DeadlineSet,
    FamilyTold,
    Grading,
    RecordStatus,
    Role,
    Threshold,
)
from services.mash_outcomes.refusals import RequestWithoutGround
from tests.mash_outcomes.samples import (
    AUTHORITY,
    CHILD,
    MASH,
    SCHOOL,
    answer,
    child,
    contact,
    county,
    organisation,
    play,
    requested,
    returned,
)
from tests.rooms import FRIDAY_EVENING, held, london, of, written

BOTH = (answer(Category.ATTENDANCE), answer(Category.HEALTH))


@pytest.mark.parametrize(
    ("priority", "due_by"),
    [
        (Grading.RED, FRIDAY_EVENING + timedelta(hours=4)),
        (Grading.UNKNOWN, FRIDAY_EVENING + timedelta(hours=4)),
        (Grading.AMBER, london(2026, 11, 25, 16)),
        (Grading.GREEN, london(2026, 12, 3, 16)),
    ],
)
def test_h14_red_runs_by_the_clock_amber_and_green_by_opening_hours(priority: Grading, due_by: Any) -> None:
    """N3, H14: 4 hours, or 24 or 72 of the hours in which the agency is open; what is not graded counts as red (H7)."""
    parts, _ = play(requested(priority=priority))
    (deadline,) = of(DeadlineSet, parts)
    assert (deadline.kind, deadline.due_by) == (DeadlineKind.INFORMATION_RESPONSE, due_by)
    assert (deadline.owed_by, deadline.owed_role, deadline.escalate_to) == (SCHOOL, Role.SCHOOL, AUTHORITY)


def test_reading_a_request_does_not_end_it() -> None:
    """The deadline is found by a receipt of the request, which does not end it."""
    parts, _ = play(requested())
    (deadline,) = of(DeadlineSet, parts)
    assert (deadline.deadline_id, deadline.disclosure_id) == (requested().disclosure.id, None)


def test_an_answer_is_met_when_it_is_complete() -> None:
    """N4: every category answered, in however many parts; said once."""
    some, rest = returned(BOTH[0]), returned(BOTH[1], at=FRIDAY_EVENING + timedelta(hours=5))
    parts, _ = play(requested(), some)
    assert of(DeadlineMet, parts) == []
    parts, _ = play(requested(), some, rest, returned(*BOTH))
    (met,) = of(DeadlineMet, parts)
    assert (met.deadline_id, met.late, met.due_by) == (
        requested().disclosure.id, True, FRIDAY_EVENING + timedelta(hours=4),
    )  # fmt: skip


@pytest.mark.parametrize(
    "silent",
    [
        answer(Category.HEALTH, AnswerState.UNKNOWN),
        answer(Category.HEALTH, AnswerState.INFORMATION),
        answer(Category.HEALTH, AnswerState.WITHHELD),
    ],
)
def test_a_category_that_says_nothing_is_not_answered(silent: Any) -> None:
    """N4: no state, no information, or withheld without a reason is silence."""
    assert of(DeadlineMet, play(requested(), returned(BOTH[0], silent))[0]) == []


def test_information_and_a_reason_to_withhold_it_are_answers() -> None:
    """N4: what is known, and why it is not given, count; neither leaves."""
    given = answer(Category.ATTENDANCE, AnswerState.INFORMATION, information="MARK-known")
    withheld = answer(Category.HEALTH, AnswerState.WITHHELD, withheld_reason="MARK-why")
    parts, _ = play(requested(), returned(given, withheld))
    assert len(of(DeadlineMet, parts)) == 1
    assert "MARK" not in written(parts)


def test_an_answer_before_its_request_waits_for_it() -> None:
    """Whoever asked owes the record of the request, and that escalates; once it comes, the answer counts."""
    before, _ = play(returned(*BOTH))
    (owed,) = of(DeadlineSet, before)
    record = deadline_id(DeadlineKind.INFORMATION_RESPONSE, "request-1")
    assert (owed.deadline_id, owed.owed_by, owed.due_by) == (record, MASH, london(2026, 11, 23, 17))
    parts, _ = play(returned(*BOTH), returned(*BOTH, at=FRIDAY_EVENING + timedelta(hours=2)), requested())
    assert [d.deadline_id for d in of(DeadlineSet, parts)] == [record, requested().disclosure.id]
    assert [m.deadline_id for m in of(DeadlineMet, parts)] == [record, requested().disclosure.id]


def test_the_same_request_again_sets_no_second_deadline() -> None:
    """A request that is said twice keeps its first clock."""
    parts, _ = play(requested(), requested(at=FRIDAY_EVENING + timedelta(hours=2)), returned(*BOTH))
    assert len(of(DeadlineSet, parts)) == 1
    assert [m.due_by for m in of(DeadlineMet, parts)] == [FRIDAY_EVENING + timedelta(hours=4)]


def test_an_agency_that_is_not_known_needs_a_person() -> None:
    """Nobody can answer for an organisation that has closed."""
    parts, _ = play(requested(), directory=county(organisation(SCHOOL, status=RecordStatus.CLOSED)))
    assert parts == [Held("H7", "request-1")]


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"threshold": Threshold.UNKNOWN}, ["threshold"]),
        ({"family_told": FamilyTold.UNKNOWN}, ["family_told"]),
        ({"family_told": FamilyTold.NOT_YET}, ["family_told"]),
        ({"family_told": FamilyTold.NOT_TOLD_UNSAFE, "family_not_told_reason": " "}, ["family_not_told_reason"]),
        ({"authorised_by": None}, ["authorised_by"]),
        ({"authorised_by": "", "family_told": FamilyTold.UNKNOWN}, ["family_told", "authorised_by"]),
    ],
)
def test_h6_below_section_47_a_request_without_its_ground_is_refused(
    changed: dict[str, Any], missing: list[str]
) -> None:
    """H6: threshold, family told or why not, and who authorised it; at section 47 nothing of that is required."""
    with pytest.raises(RequestWithoutGround) as refused:
        play(requested(**changed))
    assert (refused.value.request_id, refused.value.missing) == ("request-1", missing)
    assert refused.value.field == f"/{missing[0]}"
    assert len(play(requested(**{**changed, "threshold": Threshold.SECTION_47}))[0]) == 1


def test_h6_a_reason_why_telling_the_family_is_unsafe_is_a_ground() -> None:
    """H6: whether the family was told, or why that is unsafe."""
    unsafe = requested(family_told=FamilyTold.NOT_TOLD_UNSAFE, family_not_told_reason="MARK-unsafe")
    parts, _ = play(unsafe)
    assert len(of(DeadlineSet, parts)) == 1
    assert "MARK" not in written(parts)


@pytest.mark.parametrize("who", ["directory", "contact", "nobody knows the child"])
def test_h2_a_deadline_does_not_show_who_was_asked(who: str) -> None:
    """H2: of a confidential child, and of one who is not in the directory, who owes the answer is not said."""
    asked = requested(child_id="child-9" if who.startswith("nobody") else CHILD)
    known = county(child(location_confidential=who == "directory"))
    parts, _ = play(contact(location_confidential=who == "contact"), asked, directory=known)
    deadline = of(DeadlineSet, parts)[-1]
    assert (deadline.owed_by, deadline.location_confidential) == (None, True)
    assert held(parts) == []
