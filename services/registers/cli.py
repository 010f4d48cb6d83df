"""`safebus directory import KIND FILE`.

Exit codes: 0, every line is in the directory now; 1, the good lines are, and those that are listed are not; 2, nothing
was imported, because the file or the call is wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.bus.calendar import LONDON
from services.bus.directory import Recorded
from services.bus.errors import UserMistake
from services.bus.events import ChildRecorded, OrganisationRecorded
from services.cli.screen import Screen
from services.registers import calendars, children, gias, ods, teams
from services.registers.changes import Changes
from services.registers.importing import bring_in
from services.registers.reading import Parsed, decoded

EXIT_SOME_LEFT_OUT = 1

directory = typer.Typer(name="directory", help="Who is who: schools, practices, teams, children.", no_args_is_help=True)


@directory.callback()
def _directory() -> None:
    """Keeps `import` a command of its own: typer would merge a single command into its group."""


class Kind(StrEnum):
    """What sort of register a file is."""

    GIAS = "gias"
    ODS = "ods"
    CHILDREN = "children"
    TEAMS = "teams"


@directory.command("import")
def import_(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="gias: schools, from Get Information About Schools. ods: practices, from the NHS Organisation Data "
            "Service. children: the authority's own index. teams: organisations that no register lists (YAML)."
        ),
    ],
    file: Annotated[Path, typer.Argument(help="the register's file", show_default=False)],
    principal: Annotated[str, typer.Option("--as", help="the principal that publishes")] = "importer",
    calendar: Annotated[
        Path | None, typer.Option(help="gias: a YAML file with hours, terms, closed days, holiday cover by URN")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="ods: the local authority, 3 digits, in whose area all practices lie")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Bring a register into the directory.

    Only what differs is published, so that importing a file again does nothing. Lines that cannot be used are listed,
    by line and column; the others are imported.

    Exit codes: 0 all lines are in; 1 some lines were left out; 2 nothing was imported, the file or the call is wrong.
    """
    with Screen() as screen:
        screen.doing(f"reading {file}")
        record, parsed = read(kind, file, calendar=calendar, authority=authority)
        found = asyncio.run(bring_in(record, parsed, principal, screen.doing))
    typer.echo(_as_json(kind, found) if as_json else _in_words(found))
    if found.bad:
        raise typer.Exit(EXIT_SOME_LEFT_OUT)


def read(
    kind: Kind, file: Path, *, calendar: Path | None = None, authority: str | None = None
) -> tuple[type[Recorded], Parsed]:
    """What the file says, a calendar's entries after it, and of which type the records are.

    Raises:
        UserMistake: a file cannot be read or is of another kind, or an option does not go with this one.
    """
    if calendar and kind is not Kind.GIAS:
        raise UserMistake("--calendar goes with gias only; a team's own entry holds its hours")
    if authority is not None and (
        kind is not Kind.ODS or not (len(authority) == 3 and authority.isascii() and authority.isdigit())
    ):
        raise UserMistake("--authority is a local authority's code of 3 digits and goes with ods only")
    if kind is Kind.CHILDREN:
        return ChildRecorded, _parsed(file, lambda text: children.parse(text, datetime.now(LONDON).date()))
    if kind is Kind.TEAMS:
        return OrganisationRecorded, _parsed(file, teams.parse)
    if kind is Kind.ODS:
        return OrganisationRecorded, _parsed(file, lambda text: ods.parse(text, authority))
    parsed = _parsed(file, gias.parse)
    if calendar:
        more = _parsed(calendar, calendars.parse)
        parsed = Parsed(parsed.said + more.said, parsed.bad + more.bad)
    return OrganisationRecorded, parsed


def _parsed(file: Path, parse: Callable[[str], Parsed]) -> Parsed:
    """What it says; a file of which nothing can be used is told by its name, as there may be two."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserMistake(f"{file} cannot be read: {error.strerror}") from None
    if not data.strip():
        raise UserMistake(f"{file} is empty")
    try:
        return parse(decoded(data))
    except UserMistake as mistake:
        raise UserMistake(f"{file}: {mistake}") from None


def _in_words(found: Changes) -> str:
    lines = [f"{len(found.new)} new, {len(found.changed)} changed, {found.unchanged} unchanged"]
    if found.bad:
        lines += [f"{len(found.bad)} left out:", *(f"  {line}" for line in found.bad)]
    return "\n".join(lines)


def _as_json(kind: Kind, found: Changes) -> str:
    return json.dumps(
        {
            "kind": kind,
            "new": len(found.new),
            "changed": len(found.changed),
            "unchanged": found.unchanged,
            "left_out": [{"where": line.where, "why": line.why} for line in found.bad],
        }
    )
