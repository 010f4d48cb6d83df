"""What an import publishes: what differs, once, with a version that the directory heeds."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import Recorded
from services.bus.events import ChildRecorded, OrganisationRecorded
from services.registers.changes import Changes, changes
from services.registers.reading import Said

SCHOOL: dict[str, Any] = {"kind": "SCHOOL", "name": "Ashgrove Down", "status": "OPEN", "urn": "990001"}
ID = "school:990001"
HOURS = {"weekly_hours": [{"weekday": 1, "opens": "09:00", "closes": "15:00"}]}


def school(where: str = "line 2", **fields: Any) -> Said:
    return Said(where, ID, SCHOOL | fields, at_first=HOURS | {"escalates_to": "la:825"})


def child(version: int | None, **fields: Any) -> Said:
    content: dict[str, Any] = {
        "status": "OPEN",
        "identity": {"forenames": "A", "family_name": "B"},
        "also_known_as": [],
    }
    content |= {"registrations": [], "home_educated": False, "location_confidential": False, "circumstances": []}
    return Said("line 2", "child-1", content | fields, version=version)


def after(found: Changes, before: dict[str, Recorded] | None = None) -> dict[str, Recorded]:
    """The directory once these changes have been published."""
    rows = (*found.new, *found.changed)
    return (before or {}) | {r.organisation_id if isinstance(r, OrganisationRecorded) else r.child_id: r for r in rows}


def test_importing_twice_publishes_nothing_the_second_time() -> None:
    """Content decides, not the file."""
    first = changes(OrganisationRecorded, [school()], {})
    assert [record.version for record in first.new] == [1]
    again = changes(OrganisationRecorded, [school()], after(first))
    assert (again.new, again.changed, again.unchanged, again.bad) == ([], [], 1, [])


def test_a_change_carries_the_next_version_and_keeps_what_the_register_does_not_know() -> None:
    """Hours that the authority has set are not undone by a register without hours; a new name is the next version."""
    stands = after(changes(OrganisationRecorded, [school()], {}))
    set_by_authority = {**stands[ID].model_dump(), "version": 7, "weekly_hours": [], "holiday_cover": "la:825"}
    standing: dict[str, Recorded] = {ID: OrganisationRecorded.model_validate(set_by_authority)}
    [changed] = changes(OrganisationRecorded, [school(name="Ashgrove Up")], standing).changed
    assert isinstance(changed, OrganisationRecorded)
    assert (changed.version, changed.name) == (8, "Ashgrove Up")
    assert (changed.weekly_hours, changed.holiday_cover, changed.escalates_to) == ([], "la:825", "la:825")


def test_a_calendar_is_laid_over_the_line_of_its_school_or_the_directorys_record() -> None:
    """One record comes out, not two versions; an organisation that nobody knows is listed."""
    entry = Said("calendar line 1", ID, {"holiday_cover": "la:825"}, complete=False)
    [both] = changes(OrganisationRecorded, [school(), entry], {}).new
    assert isinstance(both, OrganisationRecorded)
    assert (both.name, both.holiday_cover, both.version) == ("Ashgrove Down", "la:825", 1)
    later = changes(OrganisationRecorded, [entry], after(changes(OrganisationRecorded, [school()], {})))
    assert [record.version for record in later.changed] == [2]
    unknown = changes(OrganisationRecorded, [entry], {})
    assert unknown.new == []
    assert str(unknown.bad[0]) == "calendar line 1: neither the directory nor the file knows this organisation"


def test_what_the_contract_refuses_is_listed_by_field_and_never_by_value() -> None:
    """The schema's own checks hold for imports as for every event."""
    found = changes(OrganisationRecorded, [school(urn="99x")], {})
    assert found.new == []
    assert [str(line) for line in found.bad] == ["line 2: urn: is not a URN: 6 digits"]


def test_the_senders_own_version_is_kept_and_must_rise_with_every_change() -> None:
    """A line that differs at the same or a lower version would be ignored by every reader: it is listed instead."""
    standing = after(changes(ChildRecorded, [child(5)], {}))
    assert standing["child-1"].version == 5
    assert changes(ChildRecorded, [child(5)], standing).unchanged == 1
    assert changes(ChildRecorded, [child(4)], standing).unchanged == 1
    [newer] = changes(ChildRecorded, [child(9, home_educated=True)], standing).changed
    assert newer.version == 9
    [confirmed] = changes(ChildRecorded, [child(9)], standing).changed
    assert confirmed.version == 9, "else a later line with version 7 would pass for news"
    for version in (5, 4):
        stale = changes(ChildRecorded, [child(version, home_educated=True)], standing)
        assert (stale.changed, len(stale.bad)) == ([], 1)
        assert stale.bad[0].why.startswith("version is not higher")
    [derived] = changes(ChildRecorded, [child(None, home_educated=True)], standing).changed
    assert derived.version == 6


names = st.sampled_from(["A", "B", "C"])


@given(st.lists(names, max_size=6))
def test_every_publication_is_newer_than_the_last_and_the_directory_follows_the_file(said: list[str]) -> None:
    """Whatever sequence of files is imported: versions rise, and what stands afterwards is what the last one said."""
    standing: dict[str, Recorded] = {}
    for name in said:
        found = changes(OrganisationRecorded, [school(name=name)], standing)
        for record in found.changed:
            assert record.version > standing[ID].version
        standing = after(found, standing)
        now = standing[ID]
        assert isinstance(now, OrganisationRecorded)
        assert now.name == name
