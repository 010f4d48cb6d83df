"""Who a child of an incident is: H1 and H12."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.events import ChildRecorded, IncidentChild, MatchBasis, RecordStatus, UnmatchedReason
from services.police_notifications.match import ALIKE_ENOUGH, MOST_CANDIDATES, Match, Question, who_is
from tests.police_notifications.samples import BORN, LEOS_NUMBER, MAYAS_NUMBER, child, county, identity, record

UPN, OTHER_UPN = "A825200015001", "B825200015002"


def question(asked: IncidentChild, *records: ChildRecorded) -> Question:
    found = who_is(asked, county(*records))
    assert isinstance(found, Question)
    return found


@pytest.mark.parametrize(
    ("known", "given_", "basis"),
    [
        ({"nhs_number": MAYAS_NUMBER}, {"nhs_number": "999 000 0018"}, MatchBasis.NHS_NUMBER),
        ({"upn": UPN}, {"upn": UPN.lower(), "nhs_number": None}, MatchBasis.UPN),
    ],
)
def test_h12_an_identifier_with_forename_and_birth_is_certain(
    known: dict[str, Any], given_: dict[str, Any], basis: MatchBasis
) -> None:
    """Identifier, forename and date of birth agree: this child, however the number is written."""
    found = who_is(child(about=identity(**given_)), county(record(about=identity(**known))))
    assert isinstance(found, Match)
    assert (found.record.child_id, found.basis) == ("child-maya", basis)


def test_h12_a_police_reference_is_an_identifier() -> None:
    """The police's own reference makes a match certain as the NHS number does."""
    asked = child(about=identity(nhs_number=None), police_reference="P1")
    found = who_is(asked, county(record(police_reference="P1")))
    assert isinstance(found, Match)
    assert found.basis is MatchBasis.POLICE_REFERENCE


def test_h12_another_forces_reference_contradicts_nothing() -> None:
    """A child can have a nominal record in each force."""
    assert isinstance(who_is(child(police_reference="P2"), county(record(police_reference="P1"))), Match)


@pytest.mark.parametrize(
    ("given_", "known"),
    [
        ("MAYA", "Maya Rose"),
        ("Maya Rose", "Maya"),
        ("Anne-Marie", "Annemarie"),
        ("Anne Marie", "Anne-Marie Louise"),
        ("Zoë", "Zoe"),
        ("D'Arcy", "Darcy"),
        ("محمد", "محمد علي"),
    ],
)
def test_h12_compatible_forenames(given_: str, known: str) -> None:
    """Case, diacritics, hyphens, apostrophes and left-out middle names do not stand in the way."""
    assert isinstance(who_is(child(about=identity(given_)), county(record(about=identity(known)))), Match)


@pytest.mark.parametrize(
    ("given_", "known"),
    [("Leo", "Maya"), ("M", "Maya"), ("M", "M"), ("", ""), ("Muhammad Ali", "Muhammad Hassan"), ("Mia", "Maya")],
)
def test_h12_other_forenames_go_to_a_person(given_: str, known: str) -> None:
    """Initials, misspellings and twins who share a first name are never matched by their number."""
    asked = question(child(about=identity(given_)), record(about=identity(known)))
    assert asked.why is UnmatchedReason.NAME_OR_BIRTH_DIFFERS
    assert [one.child_id for one in asked.candidates] == ["child-maya"]


def test_h12_a_name_that_the_child_is_known_by_is_compatible() -> None:
    """Other names count, written forenames first, with or without the family name."""
    for known_as in ("Mimi", "Mimi Hartley"):
        assert isinstance(who_is(child(about=identity("Mimi")), county(record(also_known_as=[known_as]))), Match)


@pytest.mark.parametrize("born", [date(2016, 5, 5), None])
def test_h12_another_or_no_date_of_birth_goes_to_a_person(born: date | None) -> None:
    """An identifier and a name are not enough."""
    assert question(child(about=identity(born=born)), record()).why is UnmatchedReason.NAME_OR_BIRTH_DIFFERS


def test_h12_a_name_and_a_birthday_without_an_identifier_go_to_a_person() -> None:
    """However alike: the candidate is shown with what agrees, by field names only."""
    asked = question(child(about=identity(nhs_number=None)), record())
    assert asked.why is UnmatchedReason.NO_IDENTIFIER
    (candidate,) = asked.candidates
    assert candidate.matched_on == ["date_of_birth", "family_name", "forenames"]
    assert candidate.differs_on == []


def test_h12_two_records_with_one_number_go_to_a_person() -> None:
    """Two certain matches are none."""
    asked = question(child(), record("child-maya"), record("child-maya-too"))
    assert asked.why is UnmatchedReason.SEVERAL_CANDIDATES
    assert len(asked.candidates) == 2


def test_h12_identifiers_of_two_children_go_to_a_person() -> None:
    """The NHS number is one child's and the pupil number another's."""
    leo = record("child-leo", identity("Leo", nhs_number=LEOS_NUMBER, upn=UPN))
    asked = question(child(about=identity(upn=UPN)), record(), leo)
    assert asked.why is UnmatchedReason.SEVERAL_CANDIDATES


def test_h12_an_identifier_that_the_record_contradicts_goes_to_a_person() -> None:
    """One number agrees, another differs: somebody has mixed up two children."""
    asked = question(child(about=identity(upn=OTHER_UPN)), record(about=identity(upn=UPN)))
    assert asked.why is UnmatchedReason.SEVERAL_CANDIDATES
    assert asked.candidates[0].differs_on == ["upn"]


def test_the_placeholder_number_is_nobodys() -> None:
    """9999999999 passes the check digit and identifies no one."""
    nobody = identity(nhs_number="9999999999")
    assert question(child(about=nobody), record(about=nobody)).why is UnmatchedReason.NO_IDENTIFIER


@pytest.mark.parametrize("status", [RecordStatus.CLOSED, RecordStatus.UNKNOWN])
def test_h1_a_closed_record_is_never_matched_nor_named(status: RecordStatus) -> None:
    """The only agreeing record is closed: a person is asked, and sees no candidate."""
    assert question(child(), record(status=status)) == Question(UnmatchedReason.RECORD_CLOSED)


def test_h1_a_number_of_a_closed_record_names_nobody_whatever_the_name() -> None:
    """The number agrees and the name does not; neither that record nor one that looks alike is offered."""
    old = record("child-old", identity("Ann"), status=RecordStatus.CLOSED)
    alike = record("child-new", identity(nhs_number=LEOS_NUMBER))
    assert question(child(), old, alike) == Question(UnmatchedReason.RECORD_CLOSED)


def test_h1_a_closed_record_that_is_only_alike_is_no_candidate() -> None:
    """A closed record of the same family name and birthday is not shown beside the open one."""
    twin = record("child-twin", identity("Mayla", nhs_number=LEOS_NUMBER), status=RecordStatus.CLOSED)
    asked = question(child(about=identity(nhs_number=None)), record(), twin)
    assert [one.child_id for one in asked.candidates] == ["child-maya"]


@pytest.mark.parametrize("by", [{"nhs_number": MAYAS_NUMBER}, {"nhs_number": None}])
def test_h1_an_old_identity_does_not_lead_to_the_new_one(by: dict[str, Any]) -> None:
    """After an adoption the police give the old name: the new record, however alike, is not offered as a candidate."""
    old = record("child-old", status=RecordStatus.CLOSED)
    new = record("child-new", identity("Maya Rose", "Okafor", nhs_number=LEOS_NUMBER))
    assert question(child(about=identity(**by)), old, new) == Question(UnmatchedReason.RECORD_CLOSED)


def test_h1_numbers_of_a_closed_and_an_open_record_are_not_joined() -> None:
    """The police hold the old reference and the new pupil number: neither is told of the other."""
    old = record("child-old", status=RecordStatus.CLOSED, police_reference="P1")
    new = record("child-new", identity(family_name="Okafor", nhs_number=LEOS_NUMBER, upn=UPN))
    asked = child(about=identity(nhs_number=None, upn=UPN), police_reference="P1")
    assert question(asked, old, new) == Question(UnmatchedReason.RECORD_CLOSED)


def test_a_closed_duplicate_does_not_stand_in_the_way() -> None:
    """A closed record that says no more than the open one leaves the match certain."""
    assert isinstance(who_is(child(), county(record(), record("child-twice", status=RecordStatus.CLOSED))), Match)


def test_nobody_alike_is_no_candidate() -> None:
    """An unknown child has no candidates, and says so."""
    stranger = child(about=identity("Xu", "Quill", date(2012, 1, 1), nhs_number=None))
    assert question(stranger, record()) == Question(UnmatchedReason.NO_CANDIDATE)


def test_candidates_are_few_and_the_most_alike_come_first() -> None:
    """A common name brings a short list, in the order of the score, the same each time."""
    rows = [record(f"child-{n}", identity(born=date(2016, 5, n), nhs_number=None)) for n in range(1, 20)]
    asked = question(child(about=identity(nhs_number=None)), *rows)
    scores = [one.score for one in asked.candidates]
    assert asked.candidates[0].child_id == "child-4"
    assert len(scores) == MOST_CANDIDATES
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= ALIKE_ENOUGH


@pytest.mark.parametrize("born", [date(2016, 4, 5), date(2015, 5, 4)])
def test_a_slip_in_the_date_of_birth_still_finds_the_candidate(born: date) -> None:
    """Day and month exchanged, or one of the three wrong."""
    asked = question(child(about=identity(nhs_number=None)), record(about=identity(born=born, nhs_number=None)))
    assert [one.child_id for one in asked.candidates] == ["child-maya"]
    assert "date_of_birth" in asked.candidates[0].differs_on


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(forenames=names, family_name=names, born=st.none() | st.dates(), known=names, aka=st.lists(names, max_size=2))
def test_h12_no_name_alone_is_ever_certain(
    forenames: str, family_name: str, born: date | None, known: str, aka: list[str]
) -> None:
    """Without an identifier nothing is a match, whatever the names, and every score is from 0 to 100."""
    asked = child(about=identity(forenames, family_name, born, None))
    found = who_is(asked, county(record(about=identity(known, family_name, born, None), also_known_as=aka)))
    assert isinstance(found, Question)
    assert all(0 <= one.score <= 100 for one in found.candidates)


@given(born=st.dates(), forenames=st.sampled_from(["Maya", "Mia", "Maya Rose", "M"]))
def test_h12_a_match_always_agrees_in_birth_and_name(born: date, forenames: str) -> None:
    """A certain match has the incident's date of birth and a compatible forename."""
    found = who_is(child(about=identity(forenames, born=born)), county(record()))
    assert isinstance(found, Match) == (born == BORN and forenames.startswith("Maya"))
