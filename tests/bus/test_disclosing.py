"""What every room asks before it discloses: H3's links, who is there now, who hears of silence."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import MemoryDirectory
from services.bus.disclosing import (
    area_codes,
    authority_for,
    conflict,
    deadline_id,
    expect,
    held_or,
    local_authority,
    match_deadline_id,
    of_area,
    registered,
    standing,
)
from services.bus.envelope import Envelope, Held
from services.bus.events import (
    AdultLink,
    AdultOfConcern,
    DeadlineKind,
    DeadlineMissed,
    DeadlineSet,
    LinkCapacity,
    RecordStatus,
    Registration,
    Role,
    YesNoUnknown,
)
from tests.encompass_alerts.samples import at_school, maya, notified, organisation
from tests.rooms import FRIDAY_EVENING

YES, NO, UNKNOWN = YesNoUnknown.YES, YesNoUnknown.NO, YesNoUnknown.UNKNOWN
DAY = date(2026, 11, 20)


def adult(*links: tuple[str, YesNoUnknown]) -> AdultOfConcern:
    return AdultOfConcern(
        reference="adult",
        links=[AdultLink(organisation_id=at, link=link, capacity=LinkCapacity.OTHER) for at, link in links],
    )


def disclosing() -> DeadlineMissed:
    """Something that tells school:1 of a child."""
    said = Envelope("1", "urn:test", DeadlineMissed.topic, FRIDAY_EVENING)
    return DeadlineMissed.model_validate(
        {
            "disclosure": {
                "id": UUID(int=1), "recipient": "school:1", "recipient_role": "SCHOOL", "purpose": "ESCALATION",
                "lawful_basis": "PUBLIC_TASK_6_1_E",
            },
            "deadline_id": UUID(int=2), "child_id": "child", "kind": "SCHOOL_ALERT_READ", "due_by": FRIDAY_EVENING,
            "owed_role": "SCHOOL",
        }
    ).enveloped(said)  # fmt: skip


@pytest.mark.parametrize(
    ("adults", "worst"),
    [
        ([], NO),
        ([adult(("school:1", NO))], NO),
        ([adult(("school:2", NO))], UNKNOWN),
        ([adult()], UNKNOWN),
        ([adult(("school:1", NO)), adult()], UNKNOWN),
        ([adult(("school:1", NO)), adult(("school:1", YES))], YES),
        ([adult(), adult(("school:1", YES))], YES),
        ([adult(("school:1", NO), ("school:1", UNKNOWN))], UNKNOWN),
    ],
)
def test_h3_the_worst_link_of_any_adult_counts(adults: list[AdultOfConcern], worst: YesNoUnknown) -> None:
    """No link recorded is unknown, not no."""
    assert conflict(adults, "school:1") is worst


@given(links=st.lists(st.sampled_from(YesNoUnknown), min_size=1), hidden=st.booleans())
def test_h3_one_yes_holds_it_and_anything_but_no_is_declared_first(links: list[YesNoUnknown], hidden: bool) -> None:
    """A yes is held, and not even decided; in hiding, without the recipient's name (H2). Where a link is not known, it
    opens only to who declares that there is no conflict; the rest of the decision is as it was."""
    told = disclosing()
    parts = list(
        held_or(
            (part for part in (told, Held("told", "child"))),
            adults=[adult(("school:1", link)) for link in links],
            recipient="school:1",
            subject="child",
            location_confidential=hidden,
        )
    )
    if YES in links:
        assert parts == [Held("H3", "child", None if hidden else "school:1")]
        return
    alert, rest = parts
    assert isinstance(alert, DeadlineMissed)
    assert alert.disclosure.declare_no_conflict is (set(links) != {NO})
    assert alert.disclosure.model_copy(update={"declare_no_conflict": False}) == told.disclosure
    assert (alert.envelope, rest) == (told.envelope, Held("told", "child"))
    assert not told.disclosure.declare_no_conflict, "what was decided is not changed behind its back"


def test_registrations_hold_from_their_first_to_their_last_day() -> None:
    """Both included; open ends hold for ever; other roles are left out."""
    of_the_day = at_school("a", since=DAY, until=DAY)
    always, before = at_school("b"), at_school("c", until=date(2026, 11, 19))
    practice = Registration(organisation_id="d", role=Role.GP_PRACTICE)
    child = maya(of_the_day, always, before, practice)
    assert registered(child, DAY, Role.SCHOOL) == [of_the_day, always]
    assert registered(child, DAY, *Role) == [of_the_day, always, practice]


def test_who_took_over_stands_for_who_closed() -> None:
    """Across several changes; nobody where it ends, turns in a circle or is not known."""
    closed = RecordStatus.CLOSED
    directory = MemoryDirectory(
        [
            organisation("a", status=closed, successor="b"),
            organisation("b", status=closed, successor="c"),
            organisation("c"),
            organisation("d", status=closed),
            organisation("e", status=closed, successor="e"),
            organisation("f", status=closed, successor="gone"),
        ]
    )
    assert standing("a", directory) == standing("c", directory) == directory.organisation("c")
    assert [standing(one, directory) for one in ("d", "e", "f", "gone")] == [None] * 4


def test_a_child_belongs_to_the_authority_of_most_who_care_for_it() -> None:
    """A school across the border is one voice among several; the social care team has one, who has left has none."""
    directory = MemoryDirectory(
        [
            organisation("school:1", local_authority_code="826"),
            organisation("practice:1", Role.GP_PRACTICE),
            organisation("team:1", Role.SOCIAL_CARE),
            organisation("school:2", local_authority_code="100"),
        ]
    )
    practice = Registration(organisation_id="practice:1", role=Role.GP_PRACTICE)
    left = at_school("school:2", until=date(2026, 11, 19))
    child = maya(at_school("school:1"), left, practice, allocated_worker="team:1")
    assert area_codes(child, DAY, directory) == ["825", "826"]
    assert area_codes(None, DAY, directory) == []


def test_nobody_is_guessed_where_several_counties_are_there() -> None:
    """Another county must not learn of a child because its id comes first; the only one there is, is no guess."""
    county, next_door = (organisation(f"mash:{code}", Role.MASH, local_authority_code=code) for code in ("825", "826"))
    both = MemoryDirectory([county, next_door])
    assert of_area(Role.MASH, ["999", "826"], both) == next_door
    assert of_area(Role.MASH, [None, "999"], both) is None
    assert of_area(Role.MASH, [None, "999"], MemoryDirectory([county])) == county
    shut = next_door.model_copy(update={"status": RecordStatus.CLOSED})
    assert of_area(Role.MASH, ["826"], MemoryDirectory([county, shut])) == county


def test_silence_is_told_to_the_named_one_else_to_the_authority() -> None:
    """Its own authority before any other; a closed one is passed over."""
    near, far = (
        organisation("la:825", Role.LOCAL_AUTHORITY),
        organisation("la:100", Role.LOCAL_AUTHORITY, local_authority_code="100"),
    )
    shut = organisation("la:000", Role.LOCAL_AUTHORITY, status=RecordStatus.CLOSED)
    directory = MemoryDirectory([near, far, shut, organisation("lead:1", Role.OTHER)])
    assert authority_for(organisation("a", escalates_to="lead:1"), directory) == directory.organisation("lead:1")
    assert authority_for(organisation("a", escalates_to="gone"), directory) == near
    assert authority_for(organisation("a"), directory) == near
    assert local_authority("999", directory) is local_authority(None, directory) is None
    assert local_authority("825", MemoryDirectory([shut])) is None


def test_silence_is_never_told_to_the_silent_one() -> None:
    """An authority that is told of a home-educated child and does not read: whom it names hears, else its MASH, else a
    person."""
    county = organisation("la:825", Role.LOCAL_AUTHORITY)
    duty = organisation("duty:825", Role.OUT_OF_HOURS)
    assert authority_for(county, MemoryDirectory([county, duty])) is None
    assert authority_for(organisation("la:825", escalates_to="la:825"), MemoryDirectory([county, duty])) is None
    mash = organisation("mash:825", Role.MASH)
    assert authority_for(county, MemoryDirectory([county, duty, mash])) == mash
    named = organisation("la:825", Role.LOCAL_AUTHORITY, escalates_to="duty:825")
    assert authority_for(named, MemoryDirectory([named, duty])) == duty


def asked(directory: MemoryDirectory, *adults: AdultOfConcern, hidden: bool = False) -> DeadlineSet | Held:
    return expect(
        notified(),
        DeadlineKind.SCHOOL_ALERT_READ,
        id=UUID(int=1),
        child_id="child",
        of=organisation("school:1"),
        due_by=FRIDAY_EVENING,
        adults=adults,
        location_confidential=hidden,
        directory=directory,
    )


def test_h3_an_escalation_to_a_conflicted_authority_is_held() -> None:
    """For yes; of a child in hiding without its name. Where it is not known, its reader declares first."""
    county = MemoryDirectory([organisation("la:825", Role.LOCAL_AUTHORITY)])
    sure, unsure = asked(county, adult(("la:825", NO))), asked(county, adult())
    assert isinstance(sure, DeadlineSet)
    assert isinstance(unsure, DeadlineSet)
    assert (sure.declare_no_conflict, unsure.declare_no_conflict) == (False, True)
    assert asked(county, adult(("la:825", YES))) == Held("H3", "child", "la:825")
    assert asked(county, adult(("la:825", YES)), hidden=True) == Held("H3", "child")


def test_a_deadline_that_would_be_missed_in_silence_is_held() -> None:
    """With nobody to escalate to, a person has to watch."""
    assert asked(MemoryDirectory()) == Held("H7", "child")


def test_h2_a_deadline_of_a_child_in_hiding_names_nobody() -> None:
    """Role only."""
    county = MemoryDirectory([organisation("la:825", Role.LOCAL_AUTHORITY)])
    seen, unseen = asked(county), asked(county, hidden=True)
    assert isinstance(seen, DeadlineSet)
    assert isinstance(unseen, DeadlineSet)
    assert (seen.owed_by, seen.owed_role) == ("school:1", Role.SCHOOL)
    assert (unseen.owed_by, unseen.owed_role) == (None, Role.SCHOOL)


def test_ids_of_deadlines_follow_from_what_they_are_about() -> None:
    """The same thing gives the same id; another kind, incident or child another one."""
    assert match_deadline_id("i", "c") == match_deadline_id("i", "c")
    ids = {match_deadline_id("i", "c"), match_deadline_id("i", "d"), match_deadline_id("j", "c")}
    ids |= {deadline_id(kind, "i") for kind in DeadlineKind}
    assert len(ids) == 3 + len(DeadlineKind)
