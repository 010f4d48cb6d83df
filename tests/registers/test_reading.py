"""Lines of a register's file: all of them are accounted for, and no message shows what stands in one."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.errors import UserMistake
from services.registers.reading import Parsed, Row, Said, decoded, parse_lines


def read(text: str) -> Parsed:
    return parse_lines(
        text, ("id", "name"), lambda where, row: Said(where, row.required("id"), {"name": row.required("name")})
    )


def test_a_bad_line_is_listed_and_the_others_are_read() -> None:
    """Each bad line is named with its number and column; those around it are used."""
    parsed = read("id,name\na,Secret\n,Hidden\nb,\nc,Known\n")
    assert [said.id for said in parsed.said] == ["a", "c"]
    assert [str(line) for line in parsed.bad] == ["line 3: id is empty", "line 4: name is empty"]


def test_columns_may_come_in_any_order_among_others_with_spaces_and_empty_lines() -> None:
    """Only the needed columns matter."""
    parsed = read("more, name ,id\n\nx, Known , a \n,,\n")
    assert [(said.id, said.fields["name"]) for said in parsed.said] == [("a", "Known")]
    assert parsed.bad == []


def test_lines_of_another_length_and_broken_quotation_marks_are_listed() -> None:
    """A line that is no line of this table is told, and reading goes on where it can."""
    parsed = read('id,name\na\nb,x,y\n"c"d,x\ne,Known\n"f,never\nclosed,x\n')
    assert [said.id for said in parsed.said] == ["e"]
    assert [line.where for line in parsed.bad] == ["line 2", "line 3", "line 4", "lines 6 to 7"]
    assert parsed.bad[0].why == "has 1 cells where the header has 2"


def test_a_cell_may_hold_line_breaks_commas_and_quotation_marks() -> None:
    """What the CSV format allows is read; the record names all its lines."""
    parsed = read('id,name\na,"one, ""two""\nthree"\n')
    assert parsed.said[0].fields["name"] == 'one, "two"\nthree'
    assert parsed.said[0].where == "lines 2 to 3"


def test_an_id_that_stands_twice_counts_once() -> None:
    """The second line is listed: which of the two is right, a person must say."""
    parsed = read("id,name\na,Known\na,Other\n")
    assert [said.fields["name"] for said in parsed.said] == ["Known"]
    assert [str(line) for line in parsed.bad] == ["line 3: the same record stands at line 2 already"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lacks id, name"),
        ("id,names\n", "lacks name"),
        ("id,name,name\n", "repeats name"),
        ('"id', "no CSV header"),
    ],
)
def test_a_file_of_the_wrong_kind_is_refused_as_a_whole(text: str, told: str) -> None:
    """One sentence that names the columns."""
    with pytest.raises(UserMistake, match=told):
        read(text)


def test_gias_hands_out_windows_1252_and_others_utf_8() -> None:
    """Both encodings, with and without a byte order mark, give the same text."""
    name = "St Anne’s École"
    assert {decoded(name.encode(code)) for code in ("cp1252", "utf-8", "utf-8-sig")} == {name}
    with pytest.raises(UserMistake, match="neither UTF-8 nor Windows-1252"):
        decoded(b"\x81\x8d")


def test_cells_are_refused_by_column_and_never_shown() -> None:
    """Numbers, dates, answers and identifiers that cannot be read name the column and hold no value."""
    row = Row({"x": "4929x1"})
    for ask in (row.whole, row.day, row.yes):
        with pytest.raises(ValueError, match=r"^x is ") as refused:
            ask("x")
        assert "4929" not in str(refused.value)
    with pytest.raises(ValueError, match=r"^x is not an NHS number") as refused:
        row.identifier("x", "nhs-number")
    assert "4929" not in str(refused.value)
    with pytest.raises(ValueError, match="from 0 to 150"):
        Row({"x": "151"}).whole("x")
    with pytest.raises(ValueError, match="from 0 to 150"):
        Row({"x": "²"}).whole("x")


cells = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.lists(st.tuples(cells, cells), max_size=8))
def test_every_line_is_either_used_or_listed(lines: list[tuple[str, str]]) -> None:
    """Whatever the cells hold (NUL, emoji, right to left, quotation marks): nothing is lost between file and report."""
    out = StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(("id", "name"))
    writer.writerows(lines)
    parsed = read(out.getvalue())
    told = [line for line in lines if any(cell.strip() for cell in line)]
    assert len(parsed.said) + len(parsed.bad) == len(told)
    assert len({said.id for said in parsed.said}) == len(parsed.said)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    """No text makes the reader fall over."""
    read("id,name\n" + text)
