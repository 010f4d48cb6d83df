"""Who gets how much of a strategy discussion's minutes, and in which order."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import Directory
from services.bus.disclosing import deadline_id
from services.bus.envelope import Event, Held
from services.bus.events import (
    Action,
    Circumstance,
    ClaimCheck,
    DeadlineKind,
    DeadlineMet,
    DeadlineSet,
    Embargo,
    Invitee,
    MeetingRecorded,
    MinutesApproved,
    MinutesDistributed,
    Purpose,
    RecordStatus,
    Release,
    Role,
    YesNoUnknown,
)
from services.strategy_minutes.refusals import MeetingAboutNobody
from services.strategy_minutes.view import GENEROSITY, Meeting
from services.strategy_minutes.wiring import SERVICE
from tests.mash_outcomes.samples import (
    ADULT,
    AUTHORITY,
    CHARITY,
    CHILD,
    FORCE,
    KINDS,
    MASH,
    PRACTICE,
    SCHOOL,
    SOCIAL_CARE,
    TEAM,
    adult,
    child,
    county,
    organisation,
)
from tests.rooms import decide, held, london, of, said, written

HELD_AT, APPROVED_AT = london(2026, 11, 23, 14), london(2026, 11, 23, 15, 30)
YES, NO, UNKNOWN = YesNoUnknown.YES, YesNoUnknown.NO, YesNoUnknown.UNKNOWN
TEXT, EXTRACT, OTHERS = "MARK-full", "MARK-extract", "MARK-others"
DOCUMENT = ClaimCheck(sha256="0" * 64, size=1, media_type="application/pdf", location="claims/1")
EXPECTED = deadline_id(DeadlineKind.MEETING_EXPECTED, "meeting-1")


def invitee(who: str, attended: YesNoUnknown = YES, release: Release = Release.FULL, **changed: Any) -> Invitee:
    body = {"role": KINDS[who], "post": "safeguarding lead"}
    return Invitee(organisation_id=who, attended=attended, release=release, **{**body, **changed})


INVITEES = (
    invitee(SCHOOL, YES, Release.EXTRACT),
    invitee(FORCE, YES, Release.FULL),
    invitee(PRACTICE, NO, Release.UNKNOWN),
    invitee(SOCIAL_CARE, UNKNOWN, Release.ACTIONS_ONLY),
    invitee(TEAM, NO, Release.NOTHING),
)


def meeting(*invitees: Invitee, version: int = 1, at: datetime = HELD_AT, **changed: Any) -> MeetingRecorded:
    body = {
        "meeting_id": "meeting-1",
        "enquiry_id": "enquiry-1",
        "child_ids": [CHILD, "child-2"],
        "held_at": HELD_AT,
        "chair": "team manager",
        "location_confidential": False,
        "invitees": list(invitees or INVITEES),
        "adults_of_concern": [adult()],
        "lado": False,
    }
    event = MeetingRecorded(version=version, **{**body, **changed})
    return said(event, by=SERVICE.name, at=at, id=f"meeting {version}")


def minutes(minutes_id: str = "minutes-1", *, at: datetime = APPROVED_AT, **changed: Any) -> MinutesApproved:
    """Said as the event `id`, by default the id of the minutes."""
    event_id = changed.pop("id", minutes_id)
    body = {
        "meeting_id": "meeting-1",
        "approved_at": at,
        "approved_by": "team manager",
        "full_text": TEXT,
        "extract": EXTRACT,
        "actions": [action(SCHOOL, "own-school"), action(FORCE, OTHERS), action(SCHOOL, "own-school-2")],
        "document": DOCUMENT,
    }
    return said(MinutesApproved(minutes_id=minutes_id, **{**body, **changed}), by=SERVICE.name, at=at,
                id=event_id)  # fmt: skip


def action(owner: str, what: str) -> Action:
    return Action(action_id=f"action {what}", owner=owner, what=what, due_by=APPROVED_AT + timedelta(days=2))


def play(*events: Event, directory: Directory | None = None) -> list[Event | Held]:
    """What the room says to these events, one after the other; its memory is put away and taken out in between."""
    parts: list[Event | Held] = []
    view = Meeting()
    for event in events:
        answer, after = decide(SERVICE, event, directory or county(), view)
        assert isinstance(after, Meeting)
        parts += answer
        view = Meeting.model_validate_json(after.model_dump_json(exclude_defaults=True))
        assert view == after
    return parts


def to(who: str, parts: list[Event | Held]) -> MinutesDistributed:
    (one,) = (told for told in of(MinutesDistributed, parts) if told.disclosure.recipient == who)
    return one


def recipients(parts: list[Event | Held]) -> list[str]:
    return [told.disclosure.recipient for told in of(MinutesDistributed, parts)]


# --- who is handed what -----------------------------------------------------------------------------------------------


def test_absentees_are_told_first() -> None:
    """N5: those who could not come, or of whom it is not known, before those who did; each as they were invited."""
    parts = play(meeting(), minutes())
    assert recipients(parts) == [PRACTICE, SOCIAL_CARE, SCHOOL, FORCE]
    assert [told.was_absent for told in of(MinutesDistributed, parts)] == [True, True, False, False]


def test_each_distribution_has_a_deadline_to_be_read() -> None:
    """Within a working day, under the first child, escalating to the local authority."""
    parts = play(meeting(), minutes())
    expected = {d.disclosure_id: d for d in of(DeadlineSet, parts)}
    for told in of(MinutesDistributed, parts):
        deadline = expected.pop(told.disclosure.id)
        assert told.disclosure.purpose is Purpose.STRATEGY_MINUTES
        assert told.disclosure.due_by == deadline.due_by == london(2026, 11, 24, 17)
        assert (deadline.kind, deadline.child_id) == (DeadlineKind.MINUTES_READ, CHILD)
        assert (deadline.owed_by, deadline.escalate_to) == (told.disclosure.recipient, AUTHORITY)
    assert not expected


def test_h4_the_chair_decides_how_much_each_may_have() -> None:
    """H4: full, an extract, or actions only, which is also what an undecided release means; nothing is nothing."""
    parts = play(meeting(), minutes())
    full, extract, undecided, only = (to(who, parts) for who in (FORCE, SCHOOL, PRACTICE, SOCIAL_CARE))
    assert (full.release, full.text, full.document) == (Release.FULL, TEXT, DOCUMENT)
    assert (extract.release, extract.text, extract.document) == (Release.EXTRACT, EXTRACT, None)
    for told in (undecided, only):
        assert (told.release, told.text, told.document) == (Release.ACTIONS_ONLY, None, None)
    assert TEAM not in written(parts)


@pytest.mark.parametrize(
    ("release", "changed"),
    [(Release.EXTRACT, {"extract": None}), (Release.EXTRACT, {"extract": ""}),
     (Release.FULL, {"full_text": "", "document": None})],
)  # fmt: skip
def test_h4_what_is_not_there_is_not_made_up_for(release: Release, changed: dict[str, Any]) -> None:
    """H4: without an extract the full text is no substitute: actions only."""
    told = to(SCHOOL, play(meeting(invitee(SCHOOL, YES, release)), minutes(**changed)))
    assert (told.release, told.text, told.document) == (Release.ACTIONS_ONLY, None, None)


def test_h4_each_invitee_sees_its_own_actions_only() -> None:
    """H4: nobody is handed another's actions, whatever its release."""
    parts = play(meeting(), minutes())
    assert [own.what for own in to(SCHOOL, parts).own_actions] == ["own-school", "own-school-2"]
    assert [own.what for own in to(FORCE, parts).own_actions] == [OTHERS]
    assert to(PRACTICE, parts).own_actions == []
    assert OTHERS not in written([to(SCHOOL, parts), to(PRACTICE, parts)])


def test_h4_an_action_whose_owner_was_not_invited_is_seen_by_a_person() -> None:
    """H4: it reaches nobody by itself, and is not lost."""
    lonely = minutes(actions=[action(CHARITY, "lonely"), action(TEAM, "released nothing")])
    wanted = [Held("H4", "action lonely"), Held("H4", "action released nothing")]
    assert held(play(meeting(), lonely)) == wanted
    assert held(play(lonely, meeting())) == wanted


@pytest.mark.parametrize("first", ["meeting", "minutes"])
def test_h4_embargoed_minutes_are_held_whole(first: str) -> None:
    """H4: while the police's embargo stands nothing goes out; once it is lifted, everything does, once."""
    embargo = Embargo(owner=FORCE, review_date=date(2026, 11, 30))
    kept = minutes(embargo=embargo)
    parts = play(*([meeting(), kept] if first == "meeting" else [kept, meeting()]))
    assert recipients(parts) == []
    assert held(parts) == [Held("H4", "minutes-1")]
    parts = play(meeting(), kept, minutes(id="lifted"), minutes(id="again"))
    assert recipients(parts) == [PRACTICE, SOCIAL_CARE, SCHOOL, FORCE]


def test_h4_an_allegation_against_a_professional_is_kept_apart() -> None:
    """H4: LADO minutes go to nobody automatically."""
    assert play(meeting(lado=True), minutes()) == [Held("H4", "minutes-1")]


def test_an_organisation_that_was_invited_twice_is_told_once() -> None:
    """Two posts share one inbox: the less entitled of the two decides, absent if either was."""
    twice = meeting(invitee(SCHOOL, YES, Release.FULL), invitee(SCHOOL, NO, Release.EXTRACT, post="school nurse"))
    parts = play(twice, minutes(actions=[]))
    assert (to(SCHOOL, parts).release, to(SCHOOL, parts).was_absent) == (Release.EXTRACT, True)


def test_h2_an_invitee_does_not_learn_who_the_others_are() -> None:
    """H2: no other invitee is named in what one is handed."""
    for told in of(MinutesDistributed, play(meeting(), minutes())):
        others = {one.organisation_id for one in INVITEES} - {told.disclosure.recipient}
        assert not [other for other in others if other in written([told])]


@pytest.mark.parametrize("who", ["meeting", "directory"])
def test_h2_deadlines_and_holds_do_not_show_who_was_invited(who: str) -> None:
    """H2: of a confidential child only roles are said, whoever knows that it is."""
    kept = county(child(location_confidential=who == "directory"), organisation(FORCE, status=RecordStatus.CLOSED))
    links = adult(**{PRACTICE.rpartition(":")[2]: YES})
    parts = play(meeting(location_confidential=who == "meeting", adults_of_concern=[links]), minutes(), directory=kept)
    assert recipients(parts) == [SOCIAL_CARE, SCHOOL]
    assert {(d.owed_by, d.location_confidential) for d in of(DeadlineSet, parts)} == {(None, True)}
    assert all(told.disclosure.location_confidential for told in of(MinutesDistributed, parts))
    assert held(parts) == [Held("H3", "minutes-1"), Held("H7", "minutes-1")]


def test_h3_where_it_is_not_known_the_reader_declares_first() -> None:
    """H3: the invitee has its share, and it opens to who says that no adult of concern is connected with them."""
    parts = play(meeting(adults_of_concern=[adult(**{SCHOOL.rpartition(":")[2]: UNKNOWN})]), minutes())
    asked = {one.disclosure.recipient for one in of(MinutesDistributed, parts) if one.disclosure.declare_no_conflict}
    assert (asked, held(parts)) == ({SCHOOL}, [])


def test_h3_a_conflicted_invitee_is_bypassed() -> None:
    """H3: a person releases its share; a correction that rules the conflict out hands it over, to nobody else."""
    conflicted = meeting(adults_of_concern=[adult(**{SCHOOL.rpartition(":")[2]: YES})])
    parts = play(conflicted, minutes())
    assert recipients(parts) == [PRACTICE, SOCIAL_CARE, FORCE]
    assert held(parts) == [Held("H3", "minutes-1", SCHOOL)]
    after = play(conflicted, minutes(), meeting(version=2))
    assert recipients(after) == [PRACTICE, SOCIAL_CARE, FORCE, SCHOOL]


def test_h1_minutes_about_a_closed_record_go_to_a_person() -> None:
    """H1: what was said of a child before an adoption reaches nobody automatically."""
    assert play(meeting(), minutes(), directory=county(child(status=RecordStatus.CLOSED))) == [Held("H1", CHILD)]


def test_h13_minutes_about_a_child_who_does_not_fit_go_to_a_person() -> None:
    """H13: of an unborn child nobody but maternity safeguarding hears; of a looked-after one the carer stays hidden."""
    for circumstance in (Circumstance.UNBORN, Circumstance.LOOKED_AFTER):
        parts = play(meeting(), minutes(), directory=county(child(circumstances=[circumstance])))
        assert parts == [Held("H13", CHILD)]


def test_an_invitee_without_an_inbox_or_a_known_role_is_seen_by_a_person() -> None:
    """H7: nothing is disclosed to an organisation that is not known or to a role that has no name yet."""
    strange = [invitee(SCHOOL, role=Role.UNKNOWN), Invitee(**{**invitee(FORCE).model_dump(), "organisation_id": "x"})]
    parts = play(meeting(*strange, adults_of_concern=[]), minutes(actions=[]))
    assert parts == [Held("H7", "minutes-1", SCHOOL), Held("H7", "minutes-1", "x")]


# --- which comes first, and what comes again --------------------------------------------------------------------------


def test_minutes_before_their_meeting_wait_for_it() -> None:
    """The record of the meeting is owed and escalates; once it comes, everyone is told, absentees first."""
    before = play(minutes(), minutes("minutes-2", at=APPROVED_AT + timedelta(hours=1)))
    (owed,) = of(DeadlineSet, before)
    assert len(before) == 1
    assert (owed.kind, owed.deadline_id, owed.child_id) == (DeadlineKind.MEETING_EXPECTED, EXPECTED, "meeting-1")
    assert (owed.due_by, owed.owed_role, owed.owed_by) == (london(2026, 11, 24, 17), Role.LOCAL_AUTHORITY, None)
    assert owed.escalate_to == MASH, "never the authority that owes it"
    parts = play(minutes(), meeting(at=london(2026, 11, 25, 9)))
    (met,) = of(DeadlineMet, parts)
    assert (met.deadline_id, met.late, met.due_by) == (EXPECTED, True, owed.due_by)
    assert recipients(parts) == [PRACTICE, SOCIAL_CARE, SCHOOL, FORCE]


def test_without_an_authority_a_person_hears_that_the_meeting_is_missing() -> None:
    """H7: where nobody could be escalated to, the wait is visible all the same."""
    closed = county(organisation(AUTHORITY, status=RecordStatus.CLOSED))
    assert play(minutes(), directory=closed) == [Held("H7", "meeting-1")]


def test_nobody_is_handed_the_same_minutes_twice() -> None:
    """Minutes said again, a meeting said again, an older version of either: nothing follows."""
    parts = play(meeting(version=3), minutes())
    again = [minutes(id="again"), meeting(version=3), meeting(invitee(CHARITY), version=2),
             minutes("minutes-0", at=APPROVED_AT - timedelta(hours=1))]  # fmt: skip
    assert play(meeting(version=3), minutes(), *again) == parts


def test_h16_minutes_that_say_something_else_under_their_old_id_are_seen_by_a_person() -> None:
    """H16: invitees hold the other text; an action that was added would reach nobody in silence."""
    before = play(meeting(), minutes())
    for other in (minutes(id="again", actions=[action(SCHOOL, "added")]),
                  minutes(id="again", full_text="-", approved_at=APPROVED_AT - timedelta(hours=1))):  # fmt: skip
        assert play(meeting(), minutes(), other)[len(before) :] == [Held("H16", "minutes-1")]
    later = minutes(id="again", approved_at=APPROVED_AT + timedelta(minutes=1))
    assert play(meeting(), minutes(), later) == before, "approved again, and nothing else"


@pytest.mark.parametrize("handed", [True, False])
def test_h4_a_meeting_that_says_something_else_under_its_old_version_is_seen_by_a_person(handed: bool) -> None:
    """H4: one of the two is wrong about who may have what; whoever was added would never hear."""
    earlier = [meeting(), minutes()] if handed else [meeting()]
    before = play(*earlier)
    other = meeting(*INVITEES, invitee(CHARITY))
    assert play(*earlier, other)[len(before) :] == [Held("H4", "meeting-1")]


def test_minutes_from_the_future_do_not_silence_those_that_follow() -> None:
    """Approved ten years from now, by a clock that runs ahead: the next minutes replace them all the same."""
    ahead = minutes(approved_at=APPROVED_AT + timedelta(days=3650))
    before = play(meeting(), ahead)
    parts = play(meeting(), ahead, minutes("minutes-2", at=APPROVED_AT + timedelta(hours=1)))[len(before) :]
    assert recipients(parts) == recipients(before) == [PRACTICE, SOCIAL_CARE, SCHOOL, FORCE]


def test_a_corrected_meeting_tells_those_who_were_added() -> None:
    """Newly invited, or given more by the chair: told, replacing what they had; nobody else hears again."""
    before = play(meeting(), minutes())
    corrected = meeting(*INVITEES[:2], invitee(PRACTICE, NO, Release.FULL), *INVITEES[3:], invitee(CHARITY), version=2)
    parts = play(meeting(), minutes(), corrected)[len(before) :]
    assert recipients(parts) == [PRACTICE, CHARITY]
    assert to(PRACTICE, parts).disclosure.supersedes == to(PRACTICE, before).disclosure.id
    assert to(CHARITY, parts).disclosure.supersedes is None
    assert held(parts) == []


def test_h16_what_somebody_should_not_have_had_goes_to_a_person() -> None:
    """H16: a correction that takes something back is a recall, which a second person confirms; said once."""
    less = meeting(invitee(FORCE, YES, Release.ACTIONS_ONLY), *INVITEES[2:], version=2)
    parts = play(meeting(), minutes(), less, less.model_copy(update={"version": 3}).enveloped(less.envelope))
    assert held(parts) == [Held("H16", "minutes-1", SCHOOL), Held("H16", "minutes-1", FORCE)]
    assert recipients(parts) == [PRACTICE, SOCIAL_CARE, SCHOOL, FORCE]


def test_later_minutes_replace_earlier_ones() -> None:
    """Each invitee is handed the new version, which names the disclosure that it replaces."""
    before = play(meeting(), minutes())
    parts = play(meeting(), minutes(), minutes("minutes-2", at=APPROVED_AT + timedelta(hours=1)))[len(before) :]
    assert recipients(parts) == recipients(before)
    for who in recipients(before):
        assert to(who, parts).disclosure.supersedes == to(who, before).disclosure.id
        assert to(who, parts).disclosure.id != to(who, before).disclosure.id


def test_minutes_that_waited_are_replaced_like_any_other() -> None:
    """What was handed out because the meeting came is named by the later minutes, too."""
    before = play(minutes(), meeting())
    parts = play(minutes(), meeting(), minutes("minutes-2", at=APPROVED_AT + timedelta(hours=1)))[len(before) :]
    assert to(SCHOOL, parts).disclosure.supersedes == to(SCHOOL, before).disclosure.id


def test_a_meeting_about_nobody_is_refused() -> None:
    """Minutes without a child have no purpose for which they might be shared."""
    with pytest.raises(MeetingAboutNobody):
        play(meeting(child_ids=[]))


def test_minutes_of_a_meeting_without_invitees_go_to_a_person() -> None:
    """A record that lost its invitees on the way: nobody would have the minutes. Once it names them, they have."""
    nobody = meeting(version=1).model_copy(update={"invitees": []}).enveloped(meeting(version=1).envelope)
    parts = play(nobody, minutes(actions=[]))
    assert parts == [Held("H4", "minutes-1")]
    assert FORCE in recipients(play(nobody, minutes(), meeting(version=2, at=APPROVED_AT + timedelta(hours=1))))


# --- whatever happens -------------------------------------------------------------------------------------------------

ANYONE = st.builds(invitee, st.sampled_from(sorted(KINDS)), st.sampled_from(YesNoUnknown), st.sampled_from(Release))


@given(
    invited=st.lists(ANYONE, max_size=6),
    added=st.lists(ANYONE, max_size=3),
    extract=st.sampled_from([None, EXTRACT]),
    order=st.permutations(range(3)),
)
def test_whatever_happens(invited: list[Invitee], added: list[Invitee], extract: str | None, order: list[int]) -> None:
    """In every order: absentees first, no minutes twice unless they replace, nobody more than the chair allows, the
    same ids again, and no invitee list, adult or other owner's action in anything that leaves."""
    first = meeting(*invited) if invited else meeting(invitee(SCHOOL))
    second = meeting(*first.invitees, *added, version=2)
    owned = [action(who, f"MARK-{who}") for who in sorted(KINDS)]
    events = [first, second, minutes(extract=extract, actions=owned)]
    parts = play(*(events[i] for i in order))
    told = of(MinutesDistributed, parts)
    absent = [one.was_absent for one in told]
    if order.index(2) == 2 or order.index(0) > order.index(1):
        assert absent == sorted(absent, reverse=True)
    earlier: dict[str, UUID] = {}
    for one in told:
        who = one.disclosure.recipient
        assert one.disclosure.supersedes == earlier.get(who)
        earlier[who] = one.disclosure.id
        releases = [GENEROSITY.index(i.release) for i in second.invitees if i.organisation_id == who and
                    i.release is not Release.UNKNOWN]  # fmt: skip
        assert GENEROSITY.index(one.release) <= max([*releases, GENEROSITY.index(Release.ACTIONS_ONLY)])
        assert (one.text == TEXT) == (one.document is not None) == (one.release is Release.FULL)
        shown = written([one])
        assert f"MARK-{who}" in shown
        assert not [other for other in KINDS if other != who and f'"MARK-{other}"' in shown]
        assert not [other for other in KINDS if other != who and f'"{other}"' in shown]
        assert ADULT not in shown
    ids = [event.envelope.id for event in of(Event, parts)]
    assert len(ids) == len(set(ids))
    assert ids == [event.envelope.id for event in of(Event, play(*(events[i] for i in order)))]
