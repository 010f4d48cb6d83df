"""The demo's own files: whole, made up, and true to what the scenario needs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import services
from services.bus.directory import MemoryDirectory, Recorded
from services.bus.events import ChildRecorded, OrganisationRecorded, RecordStatus, Role
from services.registers import calendars, children, gias, ods, teams
from services.registers.changes import changes
from services.registers.reading import decoded

DATA = Path(services.__path__[0]) / "cli" / "demo" / "data"


def text(name: str) -> str:
    return decoded((DATA / name).read_bytes())


def rows() -> list[Recorded]:
    """Every record that importing the demo's files publishes; nothing in them may be left out."""
    schools, calendar = gias.parse(text("schools.csv")), calendars.parse(text("school-calendar.yaml"))
    practices, others = ods.parse(text("practices.csv"), "825"), teams.parse(text("organisations.yaml"))
    index = children.parse(text("children.csv"), date(2026, 11, 22))
    parsed = (schools, calendar, practices, others, index)
    assert [line for one in parsed for line in one.bad] == []
    organisations = [said for one in parsed[:-1] for said in one.said]
    found = changes(OrganisationRecorded, organisations, {}), changes(ChildRecorded, index.said, {})
    assert [line for one in found for line in one.bad] == []
    return [record for one in found for record in one.new]


def test_every_line_is_imported_and_every_organisation_that_is_named_exists() -> None:
    """Registrations, cover, successors, workers and escalation lead to organisations in these files."""
    found = rows()
    directory = MemoryDirectory(found)
    assert len([row for row in found if isinstance(row, ChildRecorded)]) == 8
    named: set[str | None] = {None}
    for row in found:
        if isinstance(row, OrganisationRecorded):
            named |= {row.holiday_cover, row.successor, row.escalates_to}
        else:
            named |= {registration.organisation_id for registration in row.registrations}
            named |= {row.allocated_worker, row.placing_authority, row.host_authority}
    assert [name for name in named if name and directory.organisation(name) is None] == []


def test_no_child_and_no_school_can_be_taken_for_a_real_one() -> None:
    """NHS numbers in the test range 999, URNs and the establishments in UPNs in the unused range 99."""
    for row in rows():
        if isinstance(row, ChildRecorded):
            assert (row.identity.nhs_number or "999").startswith("999")
            assert (row.identity.upn or "....99")[4:6] == "99"
        elif row.urn:
            assert row.urn.startswith("99")


def test_the_scenarios_children_are_there() -> None:
    """Two siblings at two schools, a child under five with health visiting, one whose location is confidential."""
    index = [row for row in rows() if isinstance(row, ChildRecorded)]
    siblings = [child for child in index if child.identity.family_name == "Hartley-Osei"]
    schools = {r.organisation_id for child in siblings for r in child.registrations if r.role == Role.SCHOOL}
    assert len(schools) == 2
    for child in siblings:
        assert any(r.role == Role.GP_PRACTICE for r in child.registrations)
    small = [c for c in siblings if any(r.role == Role.HEALTH_VISITING for r in c.registrations)]
    assert [child.identity.date_of_birth for child in small] == [date(2023, 6, 2)]
    assert [child.child_id for child in index if child.location_confidential] == ["child-r3dn"]


def test_a_school_that_became_an_academy_stays_closed_with_its_successor() -> None:
    """DOMAIN.md §2: a new URN on academisation; the old record is marked, never removed."""
    old = MemoryDirectory(rows()).organisation("school:990004")
    assert old is not None
    assert (old.status, old.successor) == (RecordStatus.CLOSED, "school:990005")
