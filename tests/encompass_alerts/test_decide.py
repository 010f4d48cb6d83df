"""Operation Encompass: who is alerted, by when, and how little each learns."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import MemoryDirectory, Recorded
from services.bus.disclosing import deadline_id
from services.bus.envelope import Event, Held
from services.bus.events import (
    AdultOfConcern,
    Circumstance,
    DeadlineKind,
    DeadlineSet,
    IncidentKind,
    LawfulBasis,
    PoliceNotified,
    Purpose,
    RecordStatus,
    Registration,
    Role,
    SchoolAlerted,
    YesNoUnknown,
)
from services.encompass_alerts.wiring import SERVICE
from tests.encompass_alerts.samples import (
    AUTHORITY,
    CHILD,
    MASH,
    NHS_NUMBER,
    NURSERY,
    OTHER_SCHOOL,
    SCHOOL,
    TEAM,
    UPN,
    adult,
    at_school,
    county,
    maya,
    notified,
    organisation,
)
from tests.rooms import FRIDAY_EVENING, decide, held, london, of, written

MONDAY_OPENING = london(2026, 11, 23, 8, 40)
CHRISTMAS, SUMMER = london(2026, 12, 23, 20), london(2027, 8, 10, 20)
YES, NO, UNKNOWN = YesNoUnknown.YES, YesNoUnknown.NO, YesNoUnknown.UNKNOWN
S49A, PUBLIC_TASK = LawfulBasis.DA_ACT_2021_S49_A, LawfulBasis.PUBLIC_TASK_6_1_E


def after(told: PoliceNotified, *rows: Recorded) -> list[Event | Held]:
    """What is said of it in the county, with these rows in place of its own."""
    return decide(SERVICE, told, county(*rows))[0]


def alerted(parts: list[Event | Held]) -> dict[str, LawfulBasis]:
    """Who was alerted, and on what basis."""
    return {one.disclosure.recipient: one.disclosure.lawful_basis for one in of(SchoolAlerted, parts)}


def test_h9_a_friday_evening_is_due_on_monday_at_opening() -> None:
    """At once, whatever the hour; due at the next school day's start, with a deadline that the receipt ends."""
    parts = after(notified())
    (alert,), (deadline,) = of(SchoolAlerted, parts), of(DeadlineSet, parts)
    assert (alert.disclosure.recipient, alert.disclosure.recipient_role) == (SCHOOL, Role.SCHOOL)
    assert (alert.disclosure.purpose, alert.disclosure.lawful_basis) == (Purpose.OPERATION_ENCOMPASS, S49A)
    assert alert.disclosure.due_by == deadline.due_by == MONDAY_OPENING
    assert (deadline.kind, deadline.disclosure_id) == (DeadlineKind.SCHOOL_ALERT_READ, alert.disclosure.id)
    assert deadline.deadline_id == deadline_id(DeadlineKind.SCHOOL_ALERT_READ, str(alert.disclosure.id))
    assert (deadline.owed_by, deadline.owed_role, deadline.escalate_to) == (SCHOOL, Role.SCHOOL, AUTHORITY)


@pytest.mark.parametrize(
    ("aware", "due"),
    [
        pytest.param(london(2026, 11, 24, 10), london(2026, 11, 24, 15, 20), id="in school hours: leaving time"),
        pytest.param(london(2026, 11, 24, 3), london(2026, 11, 24, 8, 40), id="at night: that morning"),
        pytest.param(FRIDAY_EVENING, MONDAY_OPENING, id="matched on Tuesday only: overdue, and seen to be"),
        pytest.param(london(2036, 1, 1), london(2026, 11, 24, 15, 20), id="a clock ten years ahead moves nothing"),
    ],
)
def test_h9_the_clock_starts_when_the_police_become_aware(aware: datetime, due: datetime) -> None:
    """Not when the child was matched, nor when the alert was written."""
    told = notified(aware_at=aware, at=london(2026, 11, 24, 12))
    assert of(SchoolAlerted, after(told))[0].disclosure.due_by == due


def test_h9_every_registered_school_is_told_and_a_nursery_on_its_own_basis() -> None:
    """Two schools and a nursery: three alerts, three ids, three deadlines."""
    child = maya(at_school(), at_school(OTHER_SCHOOL), at_school(NURSERY, Role.NURSERY))
    parts = after(notified(), child)
    assert alerted(parts) == {SCHOOL: S49A, OTHER_SCHOOL: S49A, NURSERY: LawfulBasis.NURSERY_ENCOMPASS}
    assert len({one.disclosure.id for one in of(SchoolAlerted, parts)}) == 3
    assert len({one.deadline_id for one in of(DeadlineSet, parts)}) == 3


def test_h9_home_education_is_told_to_the_authority_on_its_own_basis() -> None:
    """With a school for part of the week, that school is told as well."""
    home = LawfulBasis.HOME_EDUCATION_ENCOMPASS
    assert alerted(after(notified(), maya(home_educated=True))) == {AUTHORITY: home}
    assert alerted(after(notified(), maya(at_school(), home_educated=True))) == {SCHOOL: S49A, AUTHORITY: home}


def test_h9_a_child_at_no_school_yet_is_told_to_health_visiting() -> None:
    """Health visitors know no pupil numbers, so they get none."""
    parts = after(
        notified(), maya(Registration(organisation_id=TEAM, role=Role.HEALTH_VISITING), born=date(2024, 1, 1))
    )
    assert alerted(parts) == {TEAM: PUBLIC_TASK}
    assert of(SchoolAlerted, parts)[0].about.upn is None


def test_h9_health_visiting_is_not_told_of_a_child_at_nursery() -> None:
    """Under-fives to their nursery if they have one."""
    team = Registration(organisation_id=TEAM, role=Role.HEALTH_VISITING)
    assert list(alerted(after(notified(), maya(at_school(NURSERY, Role.NURSERY), team)))) == [NURSERY]


@pytest.mark.parametrize("registrations", [[], [at_school("school:unheard-of")]])
def test_h9_a_child_registered_nowhere_is_told_to_the_authority(registrations: list[Registration]) -> None:
    """Nobody else would be told."""
    assert alerted(after(notified(), maya(*registrations))) == {AUTHORITY: PUBLIC_TASK}


def test_h9_a_child_whom_nobody_can_be_told_about_is_held() -> None:
    """No school, no team, no authority in the directory: a person must see it."""
    assert decide(SERVICE, notified(), MemoryDirectory([maya()]))[0] == [Held("H9", CHILD)]


def test_h9_one_school_without_anybody_in_its_place_does_not_hide_behind_the_other() -> None:
    """The school that is there is told, and the other is held for a person."""
    child = maya(at_school(), at_school("school:gone"))
    parts, _ = decide(SERVICE, notified(), MemoryDirectory([child, organisation(SCHOOL)]))
    assert list(alerted(parts)) == [SCHOOL]
    assert Held("H9", CHILD) in parts


@pytest.mark.parametrize("status", [RecordStatus.CLOSED, RecordStatus.UNKNOWN])
def test_h9_a_closed_school_is_told_through_its_successor(status: RecordStatus) -> None:
    """Through two of them, if need be; without one, the authority is told."""
    old = organisation(SCHOOL, status=status, successor="school:between")
    between = organisation("school:between", status=RecordStatus.CLOSED, successor=OTHER_SCHOOL)
    assert alerted(after(notified(), old, between)) == {OTHER_SCHOOL: S49A}
    assert alerted(after(notified(), organisation(SCHOOL, status=status))) == {AUTHORITY: PUBLIC_TASK}
    circle = organisation("school:between", status=RecordStatus.CLOSED, successor=SCHOOL)
    assert alerted(after(notified(), old, circle)) == {AUTHORITY: PUBLIC_TASK}


def test_h9_in_holidays_the_named_cover_is_told_and_the_school_for_its_first_day_back() -> None:
    """Cover, due when it is next there; without a name, the authority. All registered schools are told even so: in
    January the child is back, and its own school must not be the one that never heard."""
    cover = organisation("cover:1", Role.SOCIAL_CARE)
    parts = after(notified(at=CHRISTMAS), organisation(SCHOOL, holiday_cover="cover:1"), cover)
    assert alerted(parts) == {"cover:1": S49A, SCHOOL: S49A}
    assert [one.disclosure.due_by for one in of(SchoolAlerted, parts)] == [
        london(2026, 12, 24, 8, 40),
        london(2027, 1, 4, 8, 40),
    ]
    assert alerted(after(notified(at=CHRISTMAS))) == {AUTHORITY: PUBLIC_TASK, SCHOOL: S49A}


def test_h9_one_cover_for_two_schools_is_told_once() -> None:
    """No recipient twice; and both schools."""
    rows = [organisation(one, holiday_cover="cover:1") for one in (SCHOOL, OTHER_SCHOOL)]
    child, cover = maya(at_school(), at_school(OTHER_SCHOOL)), organisation("cover:1", Role.SOCIAL_CARE)
    told = [one.disclosure.recipient for one in of(SchoolAlerted, after(notified(at=CHRISTMAS), *rows, child, cover))]
    assert told == ["cover:1", SCHOOL, OTHER_SCHOOL]


def test_h9_on_a_change_of_school_the_new_one_is_told() -> None:
    """The old one no longer has the child on its next day; in the holidays the new one and its cover are told."""
    leaves = at_school(until=date(2026, 11, 20))
    moved = maya(leaves, at_school(OTHER_SCHOOL, since=date(2026, 11, 23)))
    assert list(alerted(after(notified(), moved))) == [OTHER_SCHOOL]
    assert list(alerted(after(notified(at=london(2026, 11, 19, 20)), moved))) == [SCHOOL]
    summer = maya(at_school(until=date(2027, 7, 21)), at_school(OTHER_SCHOOL, since=date(2027, 9, 1)))
    cover = organisation("cover:1", Role.SOCIAL_CARE)
    rows = organisation(OTHER_SCHOOL, holiday_cover="cover:1"), cover
    assert list(alerted(after(notified(at=SUMMER), summer, *rows))) == ["cover:1", OTHER_SCHOOL]


def test_h9_between_two_schools_the_next_one_is_told_although_it_starts_later() -> None:
    """A child who has left and starts in a fortnight is the new school's."""
    gap = maya(
        at_school(until=date(2026, 11, 10)),
        at_school(OTHER_SCHOOL, since=date(2026, 12, 1)),
        at_school("school:110003", since=date(2027, 9, 1)),
    )
    assert list(alerted(after(notified(), gap))) == [OTHER_SCHOOL]


def test_h9_a_historic_incident_says_that_it_is() -> None:
    """And when it happened; the clock still runs from when the police learnt of it."""
    long_ago = FRIDAY_EVENING - timedelta(days=900)
    (alert,) = of(SchoolAlerted, after(notified(historic=True, occurred_at=long_ago)))
    assert (alert.historic, alert.incident_at) == (True, long_ago)
    assert alert.disclosure.due_by == MONDAY_OPENING


@pytest.mark.parametrize(
    ("born", "told"),
    [
        pytest.param(date(2008, 11, 20), False, id="18 today"),
        pytest.param(date(2008, 11, 21), True, id="18 tomorrow"),
        pytest.param(None, True, id="an unknown age counts as the worst"),
    ],
)
def test_children_under_18_only(born: date | None, told: bool) -> None:
    """Domestic Abuse Act 2021 s.49A. Whoever the police took for a child and is none is seen by a person (H13)."""
    parts = after(notified(), maya(at_school(), born=born))
    assert bool(of(SchoolAlerted, parts)) is told
    assert held(parts) == ([] if told else [Held("H13", CHILD)])


def test_only_domestic_abuse_is_told() -> None:
    """Other harm goes other ways; domestic abuse among other kinds is told."""
    assert after(notified(kinds=[IncidentKind.NEGLECT])) == []
    assert alerted(after(notified(kinds=[IncidentKind.NEGLECT, IncidentKind.DOMESTIC_ABUSE])))


@pytest.mark.parametrize("kinds", [[], [IncidentKind.UNKNOWN, IncidentKind.OTHER]])
def test_h7_an_incident_of_unknown_kind_is_held(kinds: list[IncidentKind]) -> None:
    """It may be domestic abuse: only a person says that it is not."""
    assert after(notified(kinds=kinds)) == [Held("H7", CHILD)]


def test_h1_a_record_closed_meanwhile_is_held() -> None:
    """Its schools may no longer be this child's."""
    assert after(notified(), maya(at_school(), status=RecordStatus.CLOSED)) == [Held("H1", CHILD)]


@pytest.mark.parametrize("by_police", [True, False])
def test_h13_a_child_who_does_not_fit_is_held(by_police: bool) -> None:
    """Looked after, for one: whose school learns what is for a person to say."""
    special = [Circumstance.LOOKED_AFTER]
    told = notified(circumstances=special if by_police else [])
    assert after(told, maya(at_school(), circumstances=[] if by_police else special)) == [Held("H13", CHILD)]


@pytest.mark.parametrize("by_police", [True, False])
def test_h2_a_confidential_location_hides_which_school_owes_it(by_police: bool) -> None:
    """The deadline gives the role only."""
    told = notified(location_confidential=by_police)
    (deadline,) = of(DeadlineSet, after(told, maya(at_school(), location_confidential=not by_police)))
    assert (deadline.owed_by, deadline.owed_role) == (None, Role.SCHOOL)
    assert deadline.location_confidential
    assert SCHOOL not in written([deadline])
    (alert,) = of(SchoolAlerted, after(told, maya(at_school(), location_confidential=not by_police)))
    assert alert.disclosure.location_confidential, "so that its receipt names nobody"


def test_h2_two_schools_of_a_child_in_hiding_are_held_and_the_third_is_told() -> None:
    """Neither hold names its school, so the two read the same: they are one, and do not undo the third's alert."""
    someone = adult(nursery_500001=NO, la_825=NO, school_110001=YES, school_110002=YES)
    child = maya(at_school(), at_school(OTHER_SCHOOL), at_school(NURSERY, Role.NURSERY), location_confidential=True)
    parts = after(notified(adults_of_concern=[someone]), child)
    assert list(alerted(parts)) == [NURSERY]
    assert held(parts) == [Held("H3", CHILD)]


def test_another_county_is_not_told_by_guesswork() -> None:
    """Of two authorities the child's own; where nothing says which, a person decides."""
    other = organisation("la:100", Role.LOCAL_AUTHORITY, local_authority_code="100", escalates_to=MASH)
    assert list(alerted(after(notified(), maya(), other))) == [AUTHORITY]
    nowhere = organisation(MASH, Role.MASH, local_authority_code=None)
    assert after(notified(), maya(), other, nowhere) == [Held("H9", CHILD)]


def test_h3_an_adult_of_concern_at_one_school_holds_that_one_alone() -> None:
    """The other school is told; of a child in hiding the hold does not name the school (H2)."""
    someone = adult(school_110001=YES, school_110002=NO, la_825=NO)
    child = maya(at_school(), at_school(OTHER_SCHOOL))
    parts = after(notified(adults_of_concern=[someone]), child)
    assert list(alerted(parts)) == [OTHER_SCHOOL]
    assert held(parts) == [Held("H3", CHILD, SCHOOL)]
    parts = after(notified(adults_of_concern=[someone], location_confidential=True), child)
    assert held(parts) == [Held("H3", CHILD)]


@pytest.mark.parametrize("unsure", [adult(), adult(school_110001=UNKNOWN)])
def test_h3_where_a_link_is_not_known_the_reader_declares_first(unsure: AdultOfConcern) -> None:
    """A link that nobody has asked about is unknown; one of several adults is enough. The school is alerted at once all
    the same, and so is whoever hears of its silence."""
    cleared = adult(school_110001=NO, la_825=NO)
    for adults, declared in (([cleared], False), ([cleared, unsure], True)):
        parts = after(notified(adults_of_concern=adults))
        (alert,), (deadline,) = of(SchoolAlerted, parts), of(DeadlineSet, parts)
        assert (alert.disclosure.declare_no_conflict, deadline.declare_no_conflict) == (declared, declared)


def test_h3_an_adult_of_concern_at_the_authority_holds_the_escalation_alone() -> None:
    """The school is told; a person watches whether it reads."""
    parts = after(notified(adults_of_concern=[adult(school_110001=NO, la_825=YES)]))
    assert list(alerted(parts)) == [SCHOOL]
    assert held(parts) == [Held("H3", CHILD, AUTHORITY)]


def test_a_school_learns_as_little_as_it_needs() -> None:
    """Name, date of birth, pupil number, that it happened and when: no NHS number, adult, place, voice or narrative."""
    parts = after(notified(adults_of_concern=[adult(school_110001=NO, la_825=NO)]))
    (alert,) = of(SchoolAlerted, parts)
    assert (alert.about.forenames, alert.about.family_name, alert.about.upn) == ("Maya", "Hartley", UPN)
    out = written(parts)
    assert not [
        mark for mark in ("NARRATIVE", "ADDRESS", "VOICE", "WISH", "INSTRUCTION", "ADULT") if mark + "MARK" in out
    ]
    assert NHS_NUMBER not in out
    assert MASH not in out
    assert set(type(alert).model_fields) == {
        "disclosure", "child_id", "about", "incident_at", "aware_at", "presence", "historic", "what_to_do",
    }  # fmt: skip


registrations = st.lists(
    st.builds(
        Registration,
        organisation_id=st.sampled_from([SCHOOL, OTHER_SCHOOL, NURSERY, TEAM, "school:unheard-of"]),
        role=st.sampled_from([Role.SCHOOL, Role.NURSERY, Role.HEALTH_VISITING, Role.GP_PRACTICE]),
        since=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
        until=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    ),
    max_size=6,
)


@given(
    registrations=registrations,
    home=st.booleans(),
    confidential=st.booleans(),
    at=st.datetimes(datetime(2026, 9, 1), datetime(2027, 8, 31)),  # noqa: DTZ001
    changed=st.fixed_dictionaries({"historic": st.booleans(), "kinds": st.just([IncidentKind.DOMESTIC_ABUSE])}),
)
def test_somebody_is_always_told_and_nobody_twice(
    registrations: list[Registration], home: bool, confidential: bool, at: datetime, changed: dict[str, Any]
) -> None:
    """Wherever the child is registered and whatever the day: the same ids again, each recipient once, a deadline each.

    No envelope holds a name, a number, a date of birth or a place.
    """
    told = notified(at=at.astimezone(FRIDAY_EVENING.tzinfo), location_confidential=confidential, **changed)
    child = maya(*registrations, home_educated=home)
    parts = after(told, child)
    assert written(parts) == written(after(told, child))
    recipients = [one.disclosure.recipient for one in of(SchoolAlerted, parts)]
    assert recipients
    assert len(recipients) == len(set(recipients)) == len(of(DeadlineSet, parts))
    ids = [part.envelope.id for part in parts if isinstance(part, Event)]
    assert len(ids) == len(set(ids))
    assert all(one.disclosure.due_by and one.disclosure.due_by > told.aware_at for one in of(SchoolAlerted, parts))
    envelopes = " ".join(str(part.envelope) for part in parts if isinstance(part, Event))
    assert not [
        mark for mark in ("Maya", "Hartley", NHS_NUMBER, UPN, "2016-05-04", "school:", "nursery:") if mark in envelopes
    ]
