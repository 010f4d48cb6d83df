"""The Organisation Data Service's lines → what the directory says of practices."""

from __future__ import annotations

from services.bus.events import OrganisationRecorded, RecordStatus, Role
from services.registers.changes import changes
from services.registers.ods import parse

FILE = "OrganisationCode,Name,Postcode\nk82001,RECTORY MEADOW SURGERY,HP7 0HG\n"


def test_a_practice_becomes_an_organisation_with_core_hours() -> None:
    """Codes are compared in capitals; without an authority nobody is named for escalation."""
    [practice] = changes(OrganisationRecorded, parse(FILE).said, {}).new
    assert isinstance(practice, OrganisationRecorded)
    assert (practice.organisation_id, practice.ods_code) == ("practice:K82001", "K82001")
    assert (practice.kind, practice.status) == (Role.GP_PRACTICE, RecordStatus.OPEN)
    assert {(h.opens, h.closes) for h in practice.weekly_hours} == {("08:00", "18:30")}
    assert (practice.local_authority_code, practice.escalates_to) == (None, None)


def test_an_authority_named_for_the_whole_file_is_each_practices_own() -> None:
    """The register does not say in whose area a practice lies; the importing authority does."""
    [practice] = changes(OrganisationRecorded, parse(FILE, "825").said, {}).new
    assert isinstance(practice, OrganisationRecorded)
    assert (practice.local_authority_code, practice.escalates_to) == ("825", "la:825")


def test_bad_codes_and_nameless_practices_are_listed() -> None:
    """By line and column."""
    parsed = parse("OrganisationCode,Name\nK82 001,X\nK82002,\n")
    assert [str(line) for line in parsed.bad] == [
        "line 2: OrganisationCode is not an ODS code: 1 to 9 letters and digits",
        "line 3: Name is empty",
    ]
