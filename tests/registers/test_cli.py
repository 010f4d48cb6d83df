"""`safebus directory import`: what is refused before anything touches the bus."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.bus.events import ChildRecorded, OrganisationRecorded
from services.registers.cli import Kind, read
from tests.registers.test_demo_data import DATA


def test_each_kind_is_read_by_its_own_reader() -> None:
    """A calendar's entries follow its schools, so that they are laid over them."""
    kind, parsed = read(Kind.GIAS, DATA / "schools.csv", calendar=DATA / "school-calendar.yaml")
    assert kind is OrganisationRecorded
    assert [said.complete for said in parsed.said] == [True] * 5 + [False] * 5
    assert read(Kind.CHILDREN, DATA / "children.csv")[0] is ChildRecorded
    assert len(read(Kind.ODS, DATA / "practices.csv", authority="825")[1].said) == 50
    assert len(read(Kind.TEAMS, DATA / "organisations.yaml")[1].said) == 8


def test_a_file_of_another_kind_is_refused_in_a_sentence() -> None:
    """It names the columns that are missing, not what stands in others."""
    with pytest.raises(UserMistake, match=r"lacks URN, EstablishmentName.*is it the right kind of file"):
        read(Kind.GIAS, DATA / "practices.csv")
    with pytest.raises(UserMistake, match="the file is not"):
        read(Kind.TEAMS, DATA / "practices.csv")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing files and folders."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UserMistake, match="cannot be read"):
            read(Kind.ODS, path)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("data", [b"", b"\n \n", b"not this kind", b"[]", b"\xff\xfe\x00", b"a: [", b"\x00"])
def test_a_file_of_which_nothing_can_be_used_is_told_by_its_name(tmp_path: Path, kind: Kind, data: bytes) -> None:
    """Empty, another kind's, or not even text: one sentence that begins with the file, and no fault of our own."""
    file = tmp_path / "register"
    file.write_bytes(data)
    with pytest.raises(UserMistake) as told:
        read(kind, file)
    assert str(told.value).startswith(str(file))
    assert "\n" not in str(told.value)


def test_the_calendar_is_told_apart_from_its_register(tmp_path: Path) -> None:
    """Of two files the one that is wrong is named."""
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text("no mapping")
    with pytest.raises(UserMistake, match=r"calendar\.yaml: the file is not a YAML mapping"):
        read(Kind.GIAS, DATA / "schools.csv", calendar=calendar)


def test_options_go_with_their_own_kind() -> None:
    """An option that would be passed over is refused."""
    with pytest.raises(UserMistake, match="--calendar goes with gias only"):
        read(Kind.TEAMS, DATA / "organisations.yaml", calendar=DATA / "school-calendar.yaml")
    with pytest.raises(UserMistake, match="--authority"):
        read(Kind.GIAS, DATA / "schools.csv", authority="825")
    with pytest.raises(UserMistake, match="--authority"):
        read(Kind.ODS, DATA / "practices.csv", authority="Bucks")
