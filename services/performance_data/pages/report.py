"""The monthly report: for a terminal, and as one HTML file that is printed or sent on, without anything beside it."""

from __future__ import annotations

import shutil
from functools import cache
from io import StringIO

import jinja2
from markupsafe import Markup
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Ruled
from rich.text import Text

from services.people.static import SHARED
from services.performance_data.measures import Figures
from services.performance_data.pages import words
from services.performance_data.pages.cells import Table
from services.performance_data.pages.paths import STATIC, TEMPLATES
from services.performance_data.pages.shown import Block, Shown, shown

WIDTH = 100
"""Characters: lines that are longer are not read well."""


def render(figures: Figures, *, width: int | None = None, colour: bool = False) -> str:
    """The report as text.

    Args:
        width: characters a line; by default the terminal's, and no more than WIDTH.
        colour: whether it may hold a terminal's control sequences.
    """
    wide = width or min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    out = Console(
        file=StringIO(), width=wide, force_terminal=colour, highlight=False, color_system="standard" if colour else None
    )
    report = shown(figures)
    _head(out, report)
    for group in report.groups:
        out.print()
        out.rule(Text(group.heading, style="bold"), align="left", characters="─", style="dim")
        for block in group.blocks:
            _measure(out, block)
    file = out.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def html(figures: Figures) -> str:
    """The report as one HTML file; it loads nothing."""
    return _templates().get_template("report.html").render(shown=shown(figures), style=_style())


def _head(out: Console, report: Shown) -> None:
    out.print(Text(f"{report.title}, {report.period}", style="bold"))
    out.print(Text(f"Computed on {report.made}."))
    for caution in report.cautions:
        out.print(Text(f"! {caution}", style="yellow"))


def _measure(out: Console, block: Block) -> None:
    out.print()
    out.print(Text(block.title, style="bold"))
    out.print(Padding(Text.assemble(f"{block.month}: ", (block.total, "bold")), (0, 0, 0, 2)))
    answers = "".join(f" {answer}." for answer in block.answers)
    for said in filter(None, (block.meaning, block.note, block.computed, f"Answers to:{answers}")):
        out.print(Padding(Text(said, style="dim"), (0, 0, 0, 2)))
    for one in block.drawn:
        table = one.more or one.table
        out.print()
        out.print(Padding(_ruled(table) if table.tells else Text(_instead(table)), (0, 0, 0, 2)))


def _instead(table: Table) -> str:
    if not table.rows:
        return "No cases."
    return f"By {table.heads[table.named - 1].lower()}: each number is {words.SUPPRESSED}."


def _ruled(table: Table) -> Ruled:
    """What a line is about is said once where the next line is about the same."""
    ruled = Ruled(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for place, head in enumerate(table.heads):
        ruled.add_column(head, justify="left" if place < table.named else "right", overflow="fold")
    above = ""
    for row in table.rows:
        first = "" if table.named > 1 and row[0] == above else row[0]
        above = row[0]
        ruled.add_row(*(Text(cell) for cell in (first, *row[1:])))
    return ruled


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> Markup:
    """Our own style sheets, as they are."""
    sheets = (SHARED / "look.css", STATIC / "performance.css")
    return Markup("\n".join(sheet.read_text("utf-8") for sheet in sheets))  # noqa: S704 - files of ours
