"""What holds of whatever happens at a front door, in whatever order."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.bus.envelope import Event
from services.bus.events import (
    DeadlineSet,
    HealthToBeTold,
    OutcomeShared,
    RecipientClass,
    Role,
    ShareableReason,
    YesNoUnknown,
)
from services.mash_outcomes.refusals import ClosureWithoutRationale
from tests.mash_outcomes.samples import (
    ADULT,
    CHARITY,
    CLINIC,
    CONCERN,
    FORCE,
    MONDAY,
    NARRATIVE,
    PRACTICE,
    REASONS,
    SCHOOL,
    SECRET,
    adult,
    child,
    contact,
    county,
    decision,
    notified,
    play,
    told,
)
from tests.rooms import FRIDAY_EVENING, held, of, written

REFERRERS = [
    (CHARITY, Role.OTHER), (FORCE, Role.POLICE), (SCHOOL, Role.SCHOOL), (PRACTICE, Role.GP_PRACTICE),
    (CLINIC, Role.GP_PRACTICE), (None, Role.OTHER),
]  # fmt: skip
LINKS = st.dictionaries(st.sampled_from(["110001", "500001", "tvp", "charity"]), st.sampled_from(YesNoUnknown))


@st.composite
def contacts(draw: st.DrawFn) -> list[Event]:
    raised = draw(st.lists(st.tuples(st.sampled_from(REFERRERS), st.booleans(), st.integers(0, 80)), max_size=4))
    return [
        contact(f"contact-{number}", of=who, role=role, professional=professional,
                received_at=FRIDAY_EVENING + timedelta(hours=hours))
        for number, ((who, role), professional, hours) in enumerate(raised)
    ]  # fmt: skip


@st.composite
def decisions(draw: st.DrawFn) -> Event:
    written_for = draw(st.sets(st.sampled_from(sorted(REASONS))))
    approved = draw(st.sampled_from([None, "", "MASH manager"]))
    return decision(
        closes=draw(st.booleans()),
        rationale=draw(st.sampled_from([None, " ", SECRET])),
        shareable_reasons=[ShareableReason(recipient_class=c, reason=f"for {c}", approved_by=approved)
                           for c in RecipientClass if c in written_for],
        adults_of_concern=[adult(ADULT, **draw(LINKS))],
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    events = [*draw(contacts()), draw(decisions()), *([notified()] if draw(st.booleans()) else [])]
    return {
        "events": draw(st.permutations(events)),
        "directory": county(child(location_confidential=draw(st.booleans()))),
    }


@given(histories())
def test_whatever_happens(history: dict[str, Any]) -> None:
    """Refused whole, or: no recipient is told twice in one part, every id is its own and the same again, whoever is
    not told is held, and nothing leaves that must not."""
    try:
        parts, _ = play(*history["events"], directory=history["directory"])
    except ClosureWithoutRationale:
        return
    events = of(Event, parts)
    ids = Counter(event.envelope.id for event in events)
    assert set(ids.values()) <= {1}
    again = of(Event, play(*history["events"], directory=history["directory"])[0])
    assert [event.envelope.id for event in again] == list(ids)
    by_cause = Counter((shared.envelope.cause_id, shared.disclosure.recipient) for shared in of(OutcomeShared, parts))
    assert set(by_cause.values()) <= {1}
    in_care = Counter(one.disclosure.recipient for one in of(OutcomeShared, parts)
                      if one.disclosure.recipient_role is not Role.REFERRER)  # fmt: skip
    assert set(in_care.values()) <= {1}
    for mark in (SECRET, CONCERN, NARRATIVE):
        assert mark not in written(parts)
    assert ADULT not in written(part for part in parts if not isinstance(part, HealthToBeTold))
    reached = {who for who, _ in told(parts)} | {h.recipient for h in held(parts)}
    if history["directory"].child("child-1").location_confidential:
        assert {h.recipient for h in held(parts)} <= {None}
        assert {d.owed_by for d in of(DeadlineSet, parts)} <= {None}
    else:
        assert SCHOOL in reached
    assert [cue.role for cue in of(HealthToBeTold, parts)] == [Role.GP_PRACTICE, Role.SCHOOL_NURSING]


@given(contacts(), decisions())
def test_every_contact_that_was_received_before_is_told_or_held_in_either_order(raised: list[Event], made: Any) -> None:
    """The decision first or the contacts first: each referrer whom it answers is told, or a person sees that it is
    not. Where everything is known from the start, the order changes nobody's outcome."""
    try:
        parts, _ = play(*raised, made)
    except ClosureWithoutRationale:
        return
    answered = [c for c in raised if isinstance(c, type(contact())) and c.received_at <= MONDAY]
    for one in answered:
        who = one.referrer.organisation_id
        by_cue = who == PRACTICE and one.referrer.professional
        seen = {to for to, _ in told(parts)} | {h.recipient for h in held(parts)} | {h.subject for h in held(parts)}
        assert by_cue or who in seen or one.contact_id in seen, one.contact_id
    late, _ = play(made, *raised)
    for one in answered:
        who = one.referrer.organisation_id
        seen = {to for to, _ in told(late)} | {h.recipient for h in held(late)} | {h.subject for h in held(late)}
        assert (who == PRACTICE and one.referrer.professional) or who in seen or one.contact_id in seen


def test_the_marks_are_found() -> None:
    """The search for what must not leave does find what is there."""
    assert SECRET in written([decision()])
    assert NARRATIVE in written([notified()])
    assert ADULT in written([contact()])
