"""A register's file → its lines, cell by cell. Bad ones are told by line and column, never by what stands in them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from io import StringIO
from typing import Any

from services.bus.contract.identifiers import reason_against
from services.bus.errors import UserMistake

LONGEST_CELL = 1_000_000


class Wrong(ValueError):
    """One line cannot be used. The message names the column or key and holds no value."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out, and why."""

    where: str
    """`line 7`, or `calendar line 7`."""
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass(frozen=True, slots=True)
class Said:
    """What one line says of one organisation or child."""

    where: str
    id: str
    fields: Mapping[str, Any]
    """The body's fields that this line decides. Others stay as the directory has them."""
    at_first: Mapping[str, Any] = field(default_factory=dict)
    """Fields for a record that the directory does not have yet."""
    version: int | None = None
    """The sender's own version; None: one is derived from whether the content changed."""
    complete: bool = True
    """Enough for a record that the directory does not have yet. A calendar's entry is not."""


@dataclass(slots=True)
class Parsed:
    said: list[Said] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)


class Row:
    """One line's cells by column name, without the spaces around them."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def text(self, column: str) -> str | None:
        """The cell, None when it is empty."""
        return self._cells[column].strip() or None

    def required(self, column: str) -> str:
        if text := self.text(column):
            return text
        raise Wrong(f"{column} is empty")

    def whole(self, column: str, most: int = 150) -> int | None:
        """A whole number from 0 to `most`, None when the cell is empty. As it stands: of years."""
        text = self.text(column)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most:
            return int(text)
        raise Wrong(f"{column} is not a whole number from 0 to {most}")

    def day(self, column: str) -> date | None:
        """An ISO date, YYYY-MM-DD; None when the cell is empty."""
        text = self.text(column)
        try:
            return None if text is None else date.fromisoformat(text)
        except ValueError:
            raise Wrong(f"{column} is not a date written YYYY-MM-DD") from None

    def yes(self, column: str) -> bool:
        """`yes` or `no`; an empty cell is no."""
        text = (self.text(column) or "no").casefold()
        if text not in ("yes", "no"):
            raise Wrong(f"{column} is neither yes nor no")
        return text == "yes"

    def several(self, column: str) -> list[str]:
        """The parts between semicolons, each once, in their order."""
        return list(dict.fromkeys(part.strip() for part in (self.text(column) or "").split(";") if part.strip()))

    def identifier(self, column: str, kind: str) -> str | None:
        """The identifier as it was written, None when the cell is empty. `kind` as in the schemas."""
        text = self.text(column)
        if text is not None and (reason := reason_against(kind, text)):
            raise Wrong(f"{column} {reason}")
        return text


def decoded(data: bytes) -> str:
    """The file's text: UTF-8 with or without a byte order mark, else Windows-1252, which is what GIAS hands out.

    Raises:
        UserMistake: it is neither.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return data.decode("cp1252")
        except UnicodeDecodeError:
            raise UserMistake("the file is neither UTF-8 nor Windows-1252 text; save it again as CSV UTF-8") from None


def parse_lines(text: str, columns: Sequence[str], say: Callable[[str, Row], Said]) -> Parsed:
    """Every line of a CSV file as `say(where, row)` reads it; what it refuses, and what is no line, among the bad.

    Raises:
        UserMistake: the header lacks some of `columns`; then nothing of the file can be used.
    """

    def said_at(where: str, cells: Mapping[str, str] | Wrong) -> Said:
        if isinstance(cells, Wrong):
            raise cells
        return say(where, Row(cells))

    return gathered((where, partial(said_at, where, cells)) for where, cells in _lines(text, columns))


def gathered(lines: Iterable[tuple[str, Callable[[], Said]]]) -> Parsed:
    """What each line says. Those that refuse, and those that repeat an id, are among the bad."""
    parsed = Parsed()
    firsts: dict[str, str] = {}
    for where, say in lines:
        try:
            said = say()
        except Wrong as wrong:
            parsed.bad.append(BadLine(where, str(wrong)))
            continue
        if first := firsts.get(said.id):
            parsed.bad.append(BadLine(where, f"the same record stands at {first} already"))
        else:
            firsts[said.id] = where
            parsed.said.append(said)
    return parsed


def _lines(text: str, columns: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str] | Wrong]]:
    """`line N` and its cells, or why it has none. Empty lines are passed over."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    header = _header(reader, columns)
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            reason = "a quotation mark is misplaced or never closed, or a cell is too long"
            yield _span(first, reader.line_num), Wrong(reason)
            continue
        where = _span(first, reader.line_num)
        if any(cell.strip() for cell in cells):
            if len(cells) == len(header):
                yield where, dict(zip(header, cells, strict=True))
            else:
                yield where, Wrong(f"has {len(cells)} cells where the header has {len(header)}")


def _header(reader: Iterator[list[str]], columns: Sequence[str]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error:
        raise UserMistake("the first line is no CSV header") from None
    if missing := [name for name in columns if name not in header]:
        raise UserMistake(f"the file's header lacks {', '.join(missing)}; is it the right kind of file?")
    if repeated := sorted({name for name in header if header.count(name) > 1 and name in columns}):
        raise UserMistake(f"the file's header repeats {', '.join(repeated)}")
    return header


def _span(first: int, last: int) -> str:
    return f"line {first}" if last <= first else f"lines {first} to {last}"
