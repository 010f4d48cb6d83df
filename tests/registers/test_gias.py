"""GIAS's lines → what the directory says of schools."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from services.bus.calendar import encompass_due
from services.bus.events import OrganisationRecorded, RecordStatus, Role
from services.registers.changes import changes
from services.registers.gias import COLUMNS, parse
from services.registers.reading import decoded
from tests.registers.test_demo_data import DATA

LINE = {
    "URN": "990001",
    "EstablishmentName": "Ashgrove Down Primary School",
    "EstablishmentStatus (name)": "Open",
    "LA (code)": "825",
    "PhaseOfEducation (name)": "Primary",
    "EstablishmentTypeGroup (name)": "LA maintained schools",
    "StatutoryLowAge": "4",
    "StatutoryHighAge": "11",
    "CloseDate": "31-08-2026",
}


def gias(*lines: dict[str, str]) -> str:
    out = StringIO(newline="")
    writer = csv.DictWriter(out, LINE)
    writer.writeheader()
    writer.writerows(LINE | line for line in lines)
    return out.getvalue()


def recorded(**cells: str) -> OrganisationRecorded:
    [record] = changes(OrganisationRecorded, parse(gias(cells)).said, {}).new
    assert isinstance(record, OrganisationRecorded)
    return record


def test_a_school_becomes_an_organisation_with_usual_hours_that_escalates_to_its_authority() -> None:
    """What GIAS knows, and the defaults for what it does not know."""
    school = recorded()
    assert school.organisation_id == "school:990001"
    assert (school.urn, school.name, school.kind) == ("990001", "Ashgrove Down Primary School", Role.SCHOOL)
    assert (school.status, school.version) == (RecordStatus.OPEN, 1)
    assert (school.low_age, school.high_age) == (4, 11)
    assert (school.local_authority_code, school.escalates_to) == ("825", "la:825")
    assert [(h.weekday, h.opens, h.closes) for h in school.weekly_hours] == [(d, "08:45", "15:15") for d in range(1, 6)]
    assert school.terms == []


def test_a_recorded_school_is_what_the_calendar_reckons_with() -> None:
    """The record has the shape that deadlines are computed from."""
    due = encompass_due(datetime(2026, 11, 20, 19, 40, tzinfo=UTC), recorded())
    assert due == datetime(2026, 11, 23, 8, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cells", "field", "value"),
    [
        ({"EstablishmentStatus (name)": "Open, but proposed to close"}, "status", RecordStatus.OPEN),
        ({"EstablishmentStatus (name)": "Closed"}, "status", RecordStatus.CLOSED),
        ({"EstablishmentStatus (name)": "Proposed to open"}, "status", RecordStatus.UNKNOWN),
        ({"PhaseOfEducation (name)": "Nursery"}, "kind", Role.NURSERY),
        ({"PhaseOfEducation (name)": "16 plus", "EstablishmentTypeGroup (name)": "Colleges"}, "kind", Role.SCHOOL),
        ({"PhaseOfEducation (name)": "", "EstablishmentTypeGroup (name)": "Universities"}, "kind", Role.OTHER),
        ({"StatutoryLowAge": "", "StatutoryHighAge": ""}, "low_age", None),
        ({"LA (code)": "000"}, "escalates_to", None),
    ],
)
def test_status_phase_ages_and_authority_are_read(cells: dict[str, str], field: str, value: Any) -> None:
    """A closed school stays and is marked closed; further education is a school (DOMAIN.md §2); ages may be missing."""
    assert getattr(recorded(**cells), field) == value


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"URN": "12345"}, "URN is not a URN: 6 digits"),
        ({"URN": ""}, "URN is empty"),
        ({"EstablishmentName": " "}, "EstablishmentName is empty"),
        ({"EstablishmentStatus (name)": "Shut"}, "EstablishmentStatus (name) is none of: open, "),
        ({"LA (code)": "82"}, "LA (code) is not 3 digits"),
        ({"StatutoryLowAge": "four"}, "StatutoryLowAge is not a whole number"),
        ({"StatutoryLowAge": "12"}, "StatutoryLowAge is above StatutoryHighAge"),
    ],
)
def test_a_line_that_cannot_be_used_names_its_column(cells: dict[str, str], told: str) -> None:
    """The other lines are read all the same."""
    parsed = parse(gias(cells, {"URN": "990002"}))
    assert [said.id for said in parsed.said] == ["school:990002"]
    assert str(parsed.bad[0]).startswith(f"line 2: {told}")


def test_the_columns_are_those_of_the_register() -> None:
    """Every column that is needed stands in the demo's file, whose header is GIAS's own."""
    header = next(csv.reader([decoded((DATA / "schools.csv").read_bytes()).splitlines()[0]]))
    assert set(COLUMNS) <= set(header)
