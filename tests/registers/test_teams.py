"""Teams and calendars from YAML: what each entry decides, and where it is wrong."""

from __future__ import annotations

from datetime import date

import pytest

from services.bus.errors import UserMistake
from services.bus.events import OrganisationRecorded, Role
from services.registers import calendars, teams
from services.registers.changes import changes
from services.registers.reading import Wrong
from services.registers.words import days, hours

MASH = """\
mash:825:
  kind: MASH
  name: Buckinghamshire MASH
  authority: "825"
  hours: [Mon-Fri 09:00-17:30, sat 10:00-12:00]
  closed: {2026-12-24: early closing, 2026-12-29 to 2026-12-31: ""}
  escalates_to: la:825
"""


def test_a_team_is_recorded_with_its_hours_and_closures() -> None:
    """A whole record from one entry."""
    [mash] = changes(OrganisationRecorded, teams.parse(MASH).said, {}).new
    assert isinstance(mash, OrganisationRecorded)
    assert (mash.organisation_id, mash.kind, mash.local_authority_code) == ("mash:825", Role.MASH, "825")
    assert [(h.weekday, h.opens) for h in mash.weekly_hours] == [*((d, "09:00") for d in range(1, 6)), (6, "10:00")]
    assert [(c.first, c.last, c.why) for c in mash.closed_days] == [
        (date(2026, 12, 24), date(2026, 12, 24), "early closing"),
        (date(2026, 12, 29), date(2026, 12, 31), ""),
    ]
    assert mash.escalates_to == "la:825"


def test_a_calendar_names_schools_by_urn_or_id_and_decides_only_what_it_says() -> None:
    """A key that an entry lacks stays as the directory has it; one that is empty is emptied."""
    parsed = calendars.parse(
        "990001:\n  terms: [2026-11-02 to 2026-12-18, 2026-09-02 to 2026-10-23]\n"
        "school:990002: {holiday_cover: la:825, successor: null, closed:}\n"
    )
    assert [(said.id, said.where) for said in parsed.said] == [
        ("school:990001", "calendar line 1"),
        ("school:990002", "calendar line 3"),
    ]
    assert [term["first"] for term in parsed.said[0].fields["terms"]] == [date(2026, 9, 2), date(2026, 11, 2)]
    assert parsed.said[1].fields == {"holiday_cover": "la:825", "successor": None, "closed_days": []}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("Mash:825: {kind: MASH, name: X}", "the key is not an organisation's id"),
        ("[a]: {kind: MASH, name: X}", "the key is not an organisation's id"),
        ("mash:825: [kind]", "what follows the organisation's id is not a mapping"),
        ("mash:825: {kind: FRONT, name: X}", "kind is none of: SCHOOL"),
        ("mash:825: {kind: UNKNOWN, name: X}", "kind is none of: SCHOOL"),
        ("mash:825: {kind: MASH}", "name is empty"),
        ("mash:825: {kind: MASH, name: X, status: gone}", "status is neither"),
        ("mash:825: {kind: MASH, name: X, authority: Bucks}", "authority is not a code of 3 digits"),
        ("mash:825: {kind: MASH, name: X, ods_code: R-1}", "ods_code is not an ODS code"),
        ("mash:825: {kind: MASH, name: X, low_age: young}", "low_age is not a whole number"),
        ("mash:825: {kind: MASH, name: X, hour: [Mon 09:00-10:00]}", "has a key other than: kind, "),
        ("mash:825: {kind: MASH, name: X, hours: Mon 09:00-10:00}", "hours is not a list"),
        ("mash:825: {kind: MASH, name: X, hours: [Mon 10:00-09:00]}", "hours are not written as"),
        ("mash:825: {kind: MASH, name: X, hours: [Xyz 09:00-10:00]}", "hours are not written as"),
        ("mash:825: {kind: MASH, name: X, hours: [Fri-Mon 09:00-10:00]}", "hours name a later weekday"),
        ("mash:825: {kind: MASH, name: X, closed: [2026-12-24]}", "closed is not a mapping"),
        ("mash:825: {kind: MASH, name: X, closed: {Christmas: x}}", "closed holds a date"),
        ("mash:825: {kind: MASH, name: X, terms: [2026-12-24 to 2026-12-01]}", "terms holds a run of days that ends"),
        ("mash:825: {kind: MASH, name: X, escalates_to: somebody}", "escalates_to is not an organisation's id"),
    ],
)
def test_a_wrong_entry_is_listed_with_its_line_and_the_next_one_read(entry: str, told: str) -> None:
    """Also a misspelt key: passed over, it would look as if it had been heeded."""
    parsed = teams.parse(f"{entry}\nla:825: {{kind: LOCAL_AUTHORITY, name: Council}}\n")
    assert [said.id for said in parsed.said] == ["la:825"]
    assert str(parsed.bad[0]).startswith(f"line 1: {told}")


def test_an_organisation_that_stands_twice_counts_once() -> None:
    """YAML itself would silently let the last one win."""
    parsed = calendars.parse("990001: {holiday_cover: la:825}\nschool:990001: {holiday_cover: la:826}\n")
    assert [said.fields for said in parsed.said] == [{"holiday_cover": "la:825"}]
    assert [line.where for line in parsed.bad] == ["calendar line 2"]


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "a: b: c\n", "\t"])
def test_a_file_that_is_no_mapping_is_refused_whole(text: str) -> None:
    """In one sentence."""
    with pytest.raises(UserMistake, match="the file is not"):
        teams.parse(text)


def test_hours_and_days_are_phrases() -> None:
    """As the docstring shows them; round the clock is 00:00-24:00."""
    assert hours(["Sun 00:00-24:00"]) == [{"weekday": 7, "opens": "00:00", "closes": "24:00"}]
    assert days("2026-11-30", "x") == {"first": date(2026, 11, 30), "last": date(2026, 11, 30)}
    with pytest.raises(Wrong):
        days("2026-11-31", "x")
