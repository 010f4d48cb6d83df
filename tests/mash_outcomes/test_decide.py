"""The outcome of an enquiry: everyone who must know is told, once, and each what was written for its class."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from services.bus.disclosing import deadline_id
from services.bus.envelope import Held, heard
from services.bus.events import (
    Circumstance,
    DeadlineKind,
    DeadlineMet,
    DeadlineSet,
    Grading,
    HealthToBeTold,
    Outcome,
    OutcomeShared,
    Purpose,
    RecipientClass,
    RecordStatus,
    Registration,
    Role,
    YesNoUnknown,
)
from services.mash_outcomes.refusals import ClosureWithoutRationale
from services.mash_outcomes.wiring import SERVICE
from tests.mash_outcomes.samples import (
    ADULT,
    AUTHORITY,
    CHARITY,
    CHILD,
    CLINIC,
    CONCERN,
    ENQUIRY,
    FORCE,
    MASH,
    MONDAY,
    NARRATIVE,
    NHS_NUMBER,
    NURSERY,
    PRACTICE,
    SCHOOL,
    SECRET,
    SOCIAL_CARE,
    UPN,
    adult,
    child,
    contact,
    county,
    decision,
    notified,
    organisation,
    play,
    reasons,
    told,
)
from tests.rooms import FRIDAY_EVENING, decide, held, london, of, written

IN_CARE = [(SCHOOL, "for education"), (NURSERY, "for education"), (SOCIAL_CARE, "for social care")]
CLOCK = DeadlineKind.FRONT_DOOR_DECISION


def clock(reference: str) -> str:
    return str(deadline_id(CLOCK, reference))


def clocks(kind: type[DeadlineSet] | type[DeadlineMet], parts: Any) -> list[str]:
    """Ids of the deadlines for decisions that were set, or met."""
    return [str(one.deadline_id) for one in of(kind, parts) if one.kind is CLOCK]


# --- who is told ------------------------------------------------------------------------------------------------------


def test_everyone_who_must_know_is_told_with_the_reason_for_its_class() -> None:
    """Schools, nursery, social care team and referrer hear the outcome; practice and health team are cued (N1, N2)."""
    parts, _ = play(contact(), decision())
    assert told(parts) == [*IN_CARE, (CHARITY, "for a professional referrer")]
    cues = of(HealthToBeTold, parts)
    assert [(cue.role, cue.reason) for cue in cues] == [
        (Role.GP_PRACTICE, "for health"),
        (Role.SCHOOL_NURSING, "for health"),
    ]
    assert held(parts) == []
    for shared in of(OutcomeShared, parts):
        assert (shared.outcome, shared.closes, shared.decision_id) == (Outcome.EARLY_HELP, True, "decision-1")
        assert shared.disclosure.purpose is Purpose.MASH_OUTCOME


def test_each_outcome_has_a_deadline_to_be_read() -> None:
    """Each disclosure is expected to be read within a working day, and escalates to the local authority."""
    parts, _ = play(contact(), decision())
    expected = {d.disclosure_id: d for d in of(DeadlineSet, parts) if d.kind is DeadlineKind.OUTCOME_READ}
    for shared in of(OutcomeShared, parts):
        deadline = expected.pop(shared.disclosure.id)
        assert (deadline.owed_by, deadline.escalate_to) == (shared.disclosure.recipient, AUTHORITY)
        assert deadline.due_by == shared.disclosure.due_by == london(2026, 11, 24, 17)
    assert not expected


def test_a_recipient_learns_no_more_of_the_child_than_it_needs() -> None:
    """A school gets the pupil number, nobody an NHS number; the others a name and a date of birth."""
    parts, _ = play(contact(), decision())
    upns = {shared.disclosure.recipient: shared.about.upn for shared in of(OutcomeShared, parts)}
    assert upns == {SCHOOL: UPN, NURSERY: UPN, SOCIAL_CARE: None, CHARITY: None}
    assert NHS_NUMBER not in written(parts)


def test_a_police_notification_needs_no_contact() -> None:
    """The force is the referrer of the enquiry on its incident: it is told, and the notification's clock is met."""
    parts, _ = play(notified(), decision())
    assert (FORCE, "for a professional referrer") in told(parts)
    assert clocks(DeadlineMet, parts) == [clock(str(notified().disclosure.id))]
    assert clocks(DeadlineSet, parts) == [], "the front door's clock was set when it was notified"


def test_a_notification_that_joins_an_enquiry_of_another_number_has_the_same_clock() -> None:
    """A contact whose id is the notification's disclosure id is that notification, whatever the enquiry's number."""
    reference = str(notified().disclosure.id)
    joined = contact(reference, of=FORCE, role=Role.POLICE, enquiry_id="other")
    parts, _ = play(joined, decision(enquiry_id="other"))
    assert clocks(DeadlineMet, parts) == [clock(reference)]


def test_an_organisation_in_two_parts_is_told_once() -> None:
    """A school that raised the concern itself hears once, with the reason for education, and its clock is met."""
    parts, _ = play(contact(of=SCHOOL, role=Role.SCHOOL), contact("contact-2", of=SCHOOL, role=Role.SCHOOL), decision())
    assert told(parts) == IN_CARE
    assert clocks(DeadlineMet, parts) == [clock("contact-1"), clock("contact-2")]


def test_a_school_that_closed_is_told_through_its_successor() -> None:
    """After an academisation the school that took over is told; where there is none, a person decides."""
    closed = organisation(NURSERY, status=RecordStatus.CLOSED, successor=SCHOOL)
    parts, _ = play(decision(), directory=county(closed))
    assert told(parts) == [(SCHOOL, "for education"), (SOCIAL_CARE, "for social care")]
    parts, _ = play(decision(), directory=county(organisation(NURSERY, status=RecordStatus.CLOSED)))
    assert held(parts) == [Held("H7", CHILD, NURSERY)]


def test_a_former_school_is_not_told() -> None:
    """Only registrations that hold on the day count."""
    left = Registration(organisation_id=SCHOOL, role=Role.SCHOOL, until=MONDAY.date() - timedelta(days=1))
    parts, _ = play(decision(), directory=county(child(registrations=[left], allocated_worker=None)))
    assert told(parts) == []


def test_between_two_schools_the_next_one_is_told() -> None:
    """N1: a decision in August is not lost because the old school's registration has ended and the new one's begins."""
    left = Registration(organisation_id=NURSERY, role=Role.NURSERY, until=MONDAY.date() - timedelta(days=1))
    comes = Registration(organisation_id=SCHOOL, role=Role.SCHOOL, since=MONDAY.date() + timedelta(days=20))
    later = Registration(organisation_id="school:x", role=Role.SCHOOL, since=MONDAY.date() + timedelta(days=400))
    parts, _ = play(decision(), directory=county(child(registrations=[left, later, comes], allocated_worker=None)))
    assert told(parts) == [(SCHOOL, "for education")]
    assert held(parts) == []


@pytest.mark.parametrize(("at_school", "role"), [(True, Role.SCHOOL_NURSING), (False, Role.HEALTH_VISITING)])
def test_a_child_without_a_health_team_is_cued_by_school_entry(at_school: bool, role: Role) -> None:
    """With no team registered the cue still goes out, so that the gap is seen: by school entry, not by birthday."""
    places = [Registration(organisation_id=SCHOOL, role=Role.SCHOOL)] if at_school else []
    parts, _ = play(decision(), directory=county(child(registrations=places)))
    assert [cue.role for cue in of(HealthToBeTold, parts)] == [Role.GP_PRACTICE, role]


def test_a_health_referrer_hears_through_its_cue() -> None:
    """The child's own practice as referrer gets no outcome of its own, and its clock ends; another needs a person."""
    parts, _ = play(contact(of=PRACTICE, role=Role.GP_PRACTICE), decision())
    assert (told(parts), clocks(DeadlineMet, parts)) == (IN_CARE, [clock("contact-1")])
    parts, _ = play(contact(of=CLINIC, role=Role.GP_PRACTICE), decision())
    assert (told(parts), clocks(DeadlineMet, parts)) == (IN_CARE, [])
    assert held(parts) == [Held("H11", "contact-1", CLINIC)]


def test_a_health_referrer_registered_since_the_decision_needs_a_person() -> None:
    """The decision's cue went to who was registered then. The practice that the child has since has heard nothing."""
    late = contact(of=PRACTICE, role=Role.GP_PRACTICE, received_at=FRIDAY_EVENING, at=MONDAY + timedelta(days=2))
    moved = child(
        registrations=[Registration(organisation_id=PRACTICE, role=Role.GP_PRACTICE, since=date(2026, 11, 24))]
    )
    for directory, heard_of_it in ((county(), True), (county(moved), False)):
        before, _ = play(decision(), directory=directory)
        parts, _ = play(decision(), late, directory=directory)
        assert (clock("contact-1") in clocks(DeadlineMet, parts[len(before) :])) is heard_of_it
        assert (Held("H11", "contact-1", PRACTICE) not in parts) is heard_of_it


def test_h10_a_referrer_without_an_inbox_is_held_for_a_person() -> None:
    """A professional whose organisation is not named, or not known, must be told by a person; the clock runs on."""
    parts, _ = play(contact(of=None), contact("contact-2", of="other:unknown"), decision())
    assert held(parts) == [Held("H10", "contact-1"), Held("H7", "contact-2", "other:unknown")]
    assert clocks(DeadlineMet, parts) == []


def test_a_child_who_is_not_in_the_directory_is_not_passed_over() -> None:
    """The referrer is told, and a person sees that nobody knows the child's school and practice."""
    parts, _ = play(contact(child_id="child-9"), decision(child_id="child-9"))
    assert told(parts) == [(CHARITY, "for a professional referrer")]
    assert held(parts) == [Held("H7", "child-9")]


# --- which comes first ------------------------------------------------------------------------------------------------


def test_a_decision_without_its_contact_tells_the_others_at_once() -> None:
    """School and health do not wait for the record of who raised it; somebody owes that record, and it escalates."""
    parts, _ = play(decision())
    assert told(parts) == IN_CARE
    assert len(of(HealthToBeTold, parts)) == 2
    (owed,) = (d for d in of(DeadlineSet, parts) if d.kind is CLOCK)
    assert (owed.owed_by, owed.escalate_to, owed.due_by) == (MASH, AUTHORITY, london(2026, 11, 24, 17))


def test_a_late_contact_tells_its_referrer() -> None:
    """Once the contact is recorded, its referrer hears the decision, both clocks end, and nobody else hears again."""
    before, _ = play(decision())
    parts, _ = play(decision(), contact(at=MONDAY + timedelta(hours=1)))
    late = parts[len(before) :]
    assert told(late) == [(CHARITY, "for a professional referrer")]
    assert clocks(DeadlineMet, late) == [clock("contact-1"), clock(f"{ENQUIRY} {CHILD}")]
    assert of(HealthToBeTold, late) == []
    parts, _ = play(decision(), notified())
    assert (FORCE, "for a professional referrer") in told(parts)


def test_a_new_school_that_raised_the_concern_hears_though_its_registration_came_late() -> None:
    """The child had changed schools, which the directory learnt after the decision and before the contact: the new
    school was not told as its school, so it must hear as the referrer, and only then its clock ends."""
    new, before = "school:110002", county()
    moved = child(
        version=2, registrations=[Registration(organisation_id=new, role=Role.SCHOOL, since=date(2026, 11, 2))]
    )
    after = county(moved, organisation(SCHOOL).model_copy(update={"organisation_id": new}))
    at_first, case = play(decision(), directory=before)
    late = contact(of=new, role=Role.SCHOOL, at=MONDAY + timedelta(hours=2))
    then, _ = decide(SERVICE, late, after, case)
    assert new not in [recipient for recipient, _ in told(at_first)]
    assert [recipient for recipient, _ in told(then)] == [new]


def test_the_record_of_an_unknown_contact_is_owed_once() -> None:
    """However many decisions wait for it, and however many contacts come."""
    second = decision("decision-2", at=MONDAY + timedelta(hours=1))
    late = [contact(name, of=who, at=MONDAY + timedelta(hours=2)) for name, who in (("a", CHARITY), ("b", FORCE))]
    parts, _ = play(decision(), second, *late)
    record = clock(f"{ENQUIRY} {CHILD}")
    assert clocks(DeadlineSet, parts).count(record) == 1
    assert clocks(DeadlineMet, parts).count(record) == 1


def test_a_late_contact_hears_the_decision_that_stands() -> None:
    """The latest by when it was decided, whichever was heard last."""
    newer = decision("decision-2", at=MONDAY + timedelta(hours=1), outcome=Outcome.ADVICE)
    parts, _ = play(newer, decision(), contact(at=MONDAY + timedelta(hours=2)))
    assert [s.outcome for s in of(OutcomeShared, parts) if s.disclosure.recipient == CHARITY] == [Outcome.ADVICE]


def test_a_late_contact_is_not_told_what_was_not_written_for_it() -> None:
    """Where no reason was written for the referrer's class, a person decides and the clock runs on."""
    without = decision(shareable_reasons=reasons(RecipientClass.EDUCATION, RecipientClass.HEALTH,
                                                 RecipientClass.SOCIAL_CARE))  # fmt: skip
    parts, _ = play(without, contact(at=MONDAY))
    assert told(parts) == IN_CARE
    assert held(parts) == [Held("H5", CHILD, CHARITY)]
    assert clock("contact-1") not in clocks(DeadlineMet, parts)


def test_nobody_is_told_one_decision_twice() -> None:
    """The same decision or contact, said again as another event, changes nothing; other content needs a person."""
    parts, _ = play(contact(), decision())
    again = heard(decision().enveloped(decision("decision-1b").envelope), SERVICE.name)
    twice = heard(contact().enveloped(contact("other").envelope), SERVICE.name)
    assert play(contact(), decision(), again, twice)[0] == parts
    changed = heard(decision(outcome=Outcome.ADVICE).enveloped(again.envelope), SERVICE.name)
    assert play(contact(), decision(), changed)[0] == [*parts, Held("H16", CHILD)]


def test_a_second_contact_of_one_referrer_after_the_decision_tells_it_nothing_new() -> None:
    """It has heard already; the second contact's clock ends."""
    parts, _ = play(contact(), decision(), contact("contact-2", at=MONDAY))
    assert told(parts).count((CHARITY, "for a professional referrer")) == 1
    assert clocks(DeadlineMet, parts) == [clock("contact-1"), clock("contact-2")]


@pytest.mark.parametrize("who", [SCHOOL, PRACTICE])
def test_a_second_contact_of_one_who_was_not_told_does_not_end_its_clock(who: str) -> None:
    """H3, H14: the first time it was held, so nobody there has heard: a person sees it, and both clocks run on."""
    links = adult(**{who.rpartition(":")[2]: YesNoUnknown.YES})
    role = Role.SCHOOL if who == SCHOOL else Role.GP_PRACTICE
    first, second = contact(of=who, role=role), contact("contact-2", of=who, role=role, at=MONDAY)
    parts, _ = play(first, decision(adults_of_concern=[links]), second)
    assert clocks(DeadlineMet, parts) == []
    assert {h.rule for h in held(parts)} == {"H3"}


def test_a_second_contact_of_a_health_referrer_that_is_not_registered_stays_open() -> None:
    """H11: its role was cued, and the cue does not reach it, now as then."""
    late = contact("contact-2", of=CLINIC, role=Role.GP_PRACTICE, at=MONDAY)
    parts, _ = play(contact(of=CLINIC, role=Role.GP_PRACTICE), decision(), late)
    assert (held(parts), clocks(DeadlineMet, parts)) == (
        [Held("H11", "contact-1", CLINIC), Held("H11", "contact-2", CLINIC)],
        [],
    )


def test_a_clock_that_runs_ahead_keeps_nobody_from_hearing() -> None:
    """Received ten years from now is received now; decided ten years from now is not the latest for ever."""
    ahead = FRIDAY_EVENING + timedelta(days=3650)
    parts, _ = play(contact(received_at=ahead, at=FRIDAY_EVENING), decision())
    assert (CHARITY, "for a professional referrer") in told(parts)
    assert of(DeadlineSet, parts)[0].due_by == london(2026, 11, 23, 17)
    newer = decision("decision-2", at=MONDAY + timedelta(hours=1), outcome=Outcome.ADVICE)
    parts, _ = play(decision(decided_at=ahead), newer, contact(at=MONDAY + timedelta(hours=2)))
    assert [s.outcome for s in of(OutcomeShared, parts) if s.disclosure.recipient == CHARITY] == [Outcome.ADVICE]


def test_a_private_person_is_not_taken_for_a_colleague() -> None:
    """What a professional of the same organisation heard does not answer somebody who is none."""
    parts, _ = play(contact(), decision(), contact("contact-2", professional=False, at=MONDAY))
    assert told(parts)[-2:] == [(CHARITY, "for a professional referrer"), (CHARITY, "for the family")]


# --- the rules that prevent harm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rationale", [None, "", "  \n"])
def test_a_closure_without_a_rationale_is_refused_whole(rationale: str | None) -> None:
    """N2: nobody is told half; the refusal names the decision and nothing of what it says."""
    with pytest.raises(ClosureWithoutRationale) as refused:
        play(contact(), decision(rationale=rationale))
    assert (refused.value.decision_id, refused.value.recipient_class) == ("decision-1", None)
    assert refused.value.field == "/rationale"


@pytest.mark.parametrize(
    "missing", [RecipientClass.EDUCATION, RecipientClass.HEALTH, RecipientClass.SOCIAL_CARE,
                RecipientClass.REFERRER_PROFESSIONAL],
)  # fmt: skip
def test_h5_a_closure_without_a_reason_for_a_class_is_refused_whole(missing: RecipientClass) -> None:
    """H5: each class that must know needs a reason of its own; a blank one is none."""
    written_for = [r for r in reasons() if r.recipient_class is not missing]
    blank = [r.model_copy(update={"reason": " "}) if r.recipient_class is missing else r for r in reasons()]
    for reasons_given in (written_for, blank):
        with pytest.raises(ClosureWithoutRationale) as refused:
            play(contact(), decision(shareable_reasons=reasons_given))
        assert refused.value.recipient_class is missing
        assert SECRET not in str(refused.value)


def test_an_enquiry_that_goes_on_needs_no_reason() -> None:
    """Only a closure does: a decision that goes on is told with what there is."""
    parts, _ = play(contact(), decision(closes=False, rationale=None, shareable_reasons=[]))
    assert told(parts) == [(who, None) for who, _ in [*IN_CARE, (CHARITY, "")]]


def test_h5_the_internal_rationale_and_the_referral_never_leave() -> None:
    """H5: nothing that leaves has the internal rationale, the concern, the narrative or, to a partner, an adult."""
    parts, _ = play(notified(), contact(voice=CONCERN), decision(), contact("contact-2", of=FORCE, at=MONDAY))
    for mark in (SECRET, CONCERN, NARRATIVE):
        assert mark not in written(parts)
    assert ADULT not in written(part for part in parts if not isinstance(part, HealthToBeTold))


def test_h5_a_referrer_who_is_not_a_professional_gets_the_approved_reason_and_nothing_else() -> None:
    """H5: not the outcome, not the child's particulars, not what happens next."""
    parts, _ = play(contact(professional=False), decision())
    shared = of(OutcomeShared, parts)[-1]
    assert (shared.disclosure.recipient, shared.disclosure.recipient_role) == (CHARITY, Role.REFERRER)
    assert (shared.reason, shared.outcome, shared.what_happens_next) == ("for the family", Outcome.UNKNOWN, "")
    assert "Maya" not in written([shared])


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("approved_by", [None, " "])
def test_h5_without_approval_a_referrer_who_is_not_a_professional_is_held(approved_by: str, closes: bool) -> None:
    """H5: whether the enquiry closes or goes on, a person decides; the others are told, and the clock runs on."""
    unapproved = decision(shareable_reasons=reasons(approved_by=approved_by), closes=closes)
    parts, _ = play(contact(professional=False), unapproved)
    assert told(parts) == IN_CARE
    assert held(parts) == [Held("H5", CHILD, CHARITY)]
    assert clocks(DeadlineMet, parts) == []


def test_h5_a_member_of_the_public_without_an_inbox_is_held() -> None:
    """H5: nobody is addressed by guesswork."""
    parts, _ = play(contact(of=None, professional=False), decision())
    assert held(parts) == [Held("H5", "contact-1")]


def test_h5_a_school_s_inbox_does_not_mix_with_a_private_referrer_s() -> None:
    """H5: a parent who gave the school as its organisation is told by a person; the school hears as a school."""
    parts, _ = play(contact(of=SCHOOL, role=Role.OTHER, professional=False), decision())
    assert told(parts) == IN_CARE
    assert held(parts) == [Held("H5", "contact-1", SCHOOL)]


@pytest.mark.parametrize("who", ["decision", "contact", "directory"])
def test_h2_what_is_set_and_held_does_not_show_who_was_told(who: str) -> None:
    """H2: whoever says that the place is confidential, neither deadlines nor holds name a recipient."""
    raised = contact(location_confidential=who == "contact")
    clinic = contact("contact-2", of=CLINIC, role=Role.GP_PRACTICE)
    conflicted = adult(**{SCHOOL.rpartition(":")[2]: YesNoUnknown.YES})
    made = decision(location_confidential=who == "decision", adults_of_concern=[conflicted])
    kept = county(child(location_confidential=who == "directory"), organisation(NURSERY, status=RecordStatus.CLOSED))
    parts, _ = play(raised, clinic, made, directory=kept)
    outcomes = [d for d in of(DeadlineSet, parts) if d.kind is DeadlineKind.OUTCOME_READ]
    assert outcomes
    assert all(d.owed_by is None and d.location_confidential for d in outcomes)
    assert {h.rule: h.recipient for h in held(parts)} == {"H3": None, "H7": None, "H11": None}
    assert all(cue.location_confidential for cue in of(HealthToBeTold, parts))


def test_h2_holds_that_may_not_say_whom_they_are_about_do_not_undo_the_rest() -> None:
    """H2: two places of a child in hiding have closed; the holds read the same, and the social care team is told."""
    closed = (organisation(place, status=RecordStatus.CLOSED) for place in (SCHOOL, NURSERY))
    parts, _ = play(contact(), decision(), directory=county(child(location_confidential=True), *closed))
    assert told(parts) == [(SOCIAL_CARE, "for social care"), (CHARITY, "for a professional referrer")]
    assert held(parts) == [Held("H7", CHILD)]
    assert all(shared.disclosure.location_confidential for shared in of(OutcomeShared, parts))


def test_h3_an_adult_of_concern_at_the_authority_keeps_nobody_from_hearing() -> None:
    """H3: every escalation is held, as one matter before one person, and every outcome is shared."""
    conflicted = adult(**{AUTHORITY.rpartition(":")[2]: YesNoUnknown.YES})
    parts, _ = play(contact(), decision(adults_of_concern=[conflicted]))
    assert told(parts) == [*IN_CARE, (CHARITY, "for a professional referrer")]
    assert held(parts) == [Held("H3", CHILD, AUTHORITY)]


def test_h2_a_late_contact_may_be_the_first_to_know() -> None:
    """H2: what its contact says of the place counts for a decision that did not know it."""
    before, _ = play(decision())
    parts, _ = play(decision(), contact(location_confidential=True, at=MONDAY))
    assert {d.owed_by for d in of(DeadlineSet, parts[len(before) :])} == {None}


def test_h3_where_it_is_not_known_the_reader_declares_first() -> None:
    """H3: everyone is told, and the one that may be connected opens it once a person there has declared."""
    unsure = adult(**{SCHOOL.rpartition(":")[2]: YesNoUnknown.UNKNOWN})
    parts, _ = play(contact(of=SCHOOL, role=Role.SCHOOL), decision(adults_of_concern=[unsure]))
    assert held(parts) == []
    asked = {one.disclosure.recipient for one in of(OutcomeShared, parts) if one.disclosure.declare_no_conflict}
    assert asked == {SCHOOL}


def test_h3_a_conflicted_recipient_is_bypassed() -> None:
    """H3: where an adult of concern is connected, a person releases it; the others are told."""
    conflicted = adult(**{SCHOOL.rpartition(":")[2]: YesNoUnknown.YES})
    parts, _ = play(contact(of=SCHOOL, role=Role.SCHOOL), decision(adults_of_concern=[adult("a"), conflicted]))
    assert told(parts) == IN_CARE[1:]
    assert held(parts) == [Held("H3", CHILD, SCHOOL)]
    assert clocks(DeadlineMet, parts) == [], "a referrer who was not told has not been answered"
    assert all(cue.adults_of_concern for cue in of(HealthToBeTold, parts)), "health is asked the same when it is sent"


def test_h1_h13_a_child_who_does_not_fit_goes_to_a_person() -> None:
    """H1, H13: of a record that was closed, or a child in special circumstances, nobody is told automatically."""
    for changed, rule in (
        ({"status": RecordStatus.CLOSED}, "H1"),
        ({"circumstances": [Circumstance.LOOKED_AFTER]}, "H13"),
    ):
        for events in ([contact(), decision()], [decision(), contact(at=MONDAY)]):
            parts, _ = play(*events, directory=county(child(**changed)))
            assert told(parts) == []
            assert of(HealthToBeTold, parts) == []
            assert set(held(parts)) == {Held(rule, CHILD)}


def test_h14_each_contact_keeps_its_own_clock() -> None:
    """H14: joining an enquiry neither ends nor moves the first clock; a contact after the decision needs another."""
    later = contact("contact-2", of=FORCE, role=Role.POLICE, received_at=MONDAY + timedelta(hours=2))
    parts, _ = play(contact(), decision(), later)
    assert clocks(DeadlineSet, parts) == [clock("contact-1"), clock("contact-2")]
    assert clocks(DeadlineMet, parts) == [clock("contact-1")]
    assert FORCE not in dict(told(parts))
    parts, _ = play(contact(), later, decision())
    assert (clocks(DeadlineMet, parts), FORCE in dict(told(parts))) == ([clock("contact-1")], False)
    parts, _ = play(contact(), decision(), later, decision("decision-2", at=MONDAY + timedelta(hours=3)))
    assert clock("contact-2") in clocks(DeadlineMet, parts)


def test_h14_a_refused_decision_ends_no_clock() -> None:
    """H14: the referrer's clock runs until a decision that takes effect."""
    _, case = play(contact())
    with pytest.raises(ClosureWithoutRationale):
        SERVICE.decide(decision(rationale=None), case, county())
    parts = SERVICE.decide(decision(), case, county())
    assert clocks(DeadlineMet, parts) == [clock("contact-1")]


@pytest.mark.parametrize("grading", list(Grading))
def test_h14_red_runs_by_the_clock(grading: Grading) -> None:
    """H14, H7: red, or not graded, is due within a day on a Friday evening; the others within a working day."""
    parts, _ = play(contact(grading=grading))
    red = grading in (Grading.RED, Grading.UNKNOWN)
    (deadline,) = of(DeadlineSet, parts)
    assert deadline.due_by == (FRIDAY_EVENING + timedelta(days=1) if red else london(2026, 11, 23, 17))
    assert (deadline.owed_by, deadline.owed_role) == (MASH, Role.MASH)


def test_h14_every_sibling_has_a_decision_of_its_own() -> None:
    """H14: siblings share an enquiry and nothing else: neither who raised it nor what was decided."""
    sibling = contact("contact-2", child_id="child-2")
    assert SERVICE.view is not None
    assert SERVICE.view.key_of(sibling) != SERVICE.view.key_of(contact()) == SERVICE.view.key_of(decision())
    assert SERVICE.view.key_of(notified()) == SERVICE.view.key_of(decision())
