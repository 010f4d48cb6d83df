"""A file that a command writes is whole and its owner's alone, and nothing else is put in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.cli.writing import written


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Also where another of that name, open to all, stood before."""
    file = tmp_path / "letters.jsonl"
    file.write_text("older")
    written(file, "newer")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("newer", 0o600)


def test_what_is_no_file_is_left_as_it_is(tmp_path: Path) -> None:
    """A pipe, or a device such as /dev/stdout, would be replaced by a file; a folder is told as one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserMistake, match="pipe cannot be written: it is no file"):
        written(pipe, "text")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(UserMistake, match="cannot be written: it is a folder; no key was made"):
        written(tmp_path, "text", "; no key was made")


def test_a_folder_that_is_not_there_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    """Not by that of the file that it would have been at first."""
    file = tmp_path / "none" / "letters.jsonl"
    with pytest.raises(UserMistake) as told:
        written(file, "text")
    assert str(told.value) == f"{file} cannot be written: No such file or directory"
