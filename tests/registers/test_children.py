"""The local authority's index → what the directory says of children, and no personal data in what is refused."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.errors import UserMistake
from services.bus.events import ChildRecorded, Circumstance, RecordStatus, Role, YesNoUnknown
from services.registers.changes import changes
from services.registers.children import COLUMNS, parse
from services.registers.reading import Parsed

TODAY = date(2026, 11, 22)
LINE = {
    "child_id": "child-7qm2",
    "version": "4",
    "forenames": "Maya Rose",
    "family_name": "Hartley-Osei",
    "also_known_as": "Maya Osei; May Osei;",
    "date_of_birth": "2018-03-14",
    "nhs_number": "999 690 0606",
    "upn": "r825990122998",
    "schools": "school:990001;school:990002; school:990001",
    "gp_practice": "practice:K82007",
    "school_nursing": "health:825-school-nursing",
}


def index(*lines: dict[str, str]) -> Parsed:
    out = StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(lines)
    return parse(out.getvalue(), TODAY)


def recorded(**cells: str) -> ChildRecorded:
    found = changes(ChildRecorded, index(LINE | cells).said, {})
    assert found.bad == []
    [child] = found.new
    assert isinstance(child, ChildRecorded)
    return child


def test_a_child_is_recorded_with_every_school_and_identifiers_as_they_are_compared() -> None:
    """All registered schools count (H9), each once; numbers lose their spaces and gain capitals, so that they match."""
    child = recorded()
    assert (child.child_id, child.version, child.status) == ("child-7qm2", 4, RecordStatus.OPEN)
    assert child.identity.date_of_birth == date(2018, 3, 14)
    assert (child.identity.nhs_number, child.identity.upn) == ("9996900606", "R825990122998")
    assert child.also_known_as == ["Maya Osei", "May Osei"]
    assert [(r.organisation_id, r.role) for r in child.registrations] == [
        ("school:990001", Role.SCHOOL),
        ("school:990002", Role.SCHOOL),
        ("practice:K82007", Role.GP_PRACTICE),
        ("health:825-school-nursing", Role.SCHOOL_NURSING),
    ]
    assert (child.home_educated, child.location_confidential, child.provisional) == (False, False, False)


def test_h13_a_child_without_any_identifier_is_recorded() -> None:
    """H13: an unborn or undocumented child has a provisional id, and a missing identifier never blocks action."""
    [said] = index({"child_id": "child-x", "provisional": "yes", "circumstances": "unborn", "stated_age": "0"}).said
    [child] = changes(ChildRecorded, [said], {}).new
    assert isinstance(child, ChildRecorded)
    assert (child.provisional, child.stated_age, child.registrations) == (True, 0, [])
    assert child.circumstances == [Circumstance.UNBORN]


def test_h2_a_confidential_location_is_carried() -> None:
    """H2 begins with the mark on the child's record; capitals and spaces do not lose it."""
    assert recorded(location_confidential=" Yes ").location_confidential


@pytest.mark.parametrize(
    ("cell", "plan"), [("Yes", YesNoUnknown.YES), ("no", YesNoUnknown.NO), ("", YesNoUnknown.UNKNOWN)]
)
def test_a_protection_plan_is_known_only_where_it_is_written(cell: str, plan: YesNoUnknown) -> None:
    """H7: an empty cell is no statement that there is none."""
    assert recorded(protection_plan=cell).protection_plan is plan


def test_every_circumstance_of_the_contract_can_be_written_in_words() -> None:
    """H13: as the docstring lists them, one or several."""
    child = recorded(circumstances="looked after; Parent under 18;privately_fostered")
    assert child.circumstances == [
        Circumstance.LOOKED_AFTER,
        Circumstance.PARENT_UNDER_18,
        Circumstance.PRIVATELY_FOSTERED,
    ]
    assert recorded(circumstances="adopted record closed", status="closed").status == RecordStatus.CLOSED


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("child_id", "child 7"),
        ("version", "last"),
        ("status", "gone"),
        ("date_of_birth", "14/03/2018"),
        ("date_of_birth", "2026-11-23"),
        ("stated_age", "-1"),
        ("nhs_number", "9996900607"),
        ("nhs_number", "9999999999"),
        ("upn", "A825990122998"),
        ("schools", "990001"),
        ("schools", "practice:K82007"),
        ("gp_practice", "school:990001"),
        ("health_visiting", "Ms Jones"),
        ("home_educated", "maybe"),
        ("location_confidential", "?"),
        ("protection_plan", "perhaps"),
        ("circumstances", "in a refuge"),
        ("allocated_worker", "Jo Worker"),
        ("host_authority", "825"),
    ],
)
def test_a_refused_line_names_the_column_and_never_the_value(column: str, cell: str) -> None:
    """Personal data stays out of what is printed, also when it stands in the wrong column."""
    parsed = index(LINE | {column: cell})
    assert parsed.said == []
    [line] = parsed.bad
    assert str(line).startswith(f"line 2: {column} ")
    assert cell not in line.why.removeprefix(column)


def test_a_file_that_lacks_a_column_is_refused_whole() -> None:
    """A missing column is no statement that nobody has, say, an NHS number."""
    with pytest.raises(UserMistake, match="lacks nhs_number"):
        parse(",".join(column for column in COLUMNS if column != "nhs_number"), TODAY)


@given(st.lists(st.sampled_from(COLUMNS), max_size=4), st.text("Zq☂9;:- ", min_size=6, max_size=12))
def test_no_refusal_ever_holds_a_cell(columns: list[str], cell: str) -> None:
    """Whatever is written wherever: the sentences consist of our words and the column's name."""
    for line in index(LINE | dict.fromkeys(columns, cell)).bad:
        assert cell.strip() not in line.why or len(cell.strip()) < 3


@pytest.mark.parametrize(
    ("child_id", "column", "written"),
    [
        ("9996900606", "nhs_number", "999 690 0606"),
        ("r825990122998", "upn", "R825990122998"),
        ("N-26-118204", "police_reference", "n-26-118204"),
        ("SC-40417", "social_care_id", "SC-40417"),
    ],
)
def test_a_number_by_which_others_know_the_child_is_no_child_id(child_id: str, column: str, written: str) -> None:
    """The child_id is a key and stands in headers: whoever sees one must not be able to look the child up elsewhere."""
    [bad] = index(LINE | {"child_id": child_id, column: written}).bad
    assert "child_id" in bad.why
    assert child_id not in bad.why
