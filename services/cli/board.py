"""`safebus board`: who may sign in at the handover board, for which side and in which role.

It works in the board's own database, so it runs where SAFEBUS_STORE_URL or SAFEBUS_DATA_DIR is the board's.
Exit codes: 0 done; 2 a mistake, in one sentence; 75 the database is away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from services.cli import board_keys
from services.cli.keys import tell

if TYPE_CHECKING:
    import sqlalchemy as sa

    from services.bus.access import Access
    from services.bus.settings import Settings

app = typer.Typer(name="board", help="Who may come to the handover board, and how.", no_args_is_help=True)
person = typer.Typer(name="person", help="The board's named people.", no_args_is_help=True)
app.add_typer(person)
app.add_typer(board_keys.app)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="As `list` shows it.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Office:
    """What a command works with."""

    at: Settings
    access: Access
    now_us: int


@contextmanager
def office() -> Iterator[Office]:
    """The board's tables, made if the board has not run yet."""
    from services.bus.access import Access
    from services.bus.clock import Clock
    from services.bus.settings import settings
    from services.handover_feed.door.serve import NAME

    at = settings()
    access = Access(at, NAME)
    try:
        access.run(lambda connection: _make(connection, NAME))
        yield Office(at, access, int(Clock.of(at).now().timestamp() * 1_000_000))
    finally:
        access.close()


def _make(connection: sa.Connection, service: str) -> None:
    import sqlalchemy as sa

    import services.handover_feed.people.tables  # noqa: F401 - some of the tables that are made next
    from services.handover_feed.board import tables as shown
    from services.handover_feed.tables import metadata

    if connection.dialect.name != "sqlite":
        connection.execute(sa.schema.CreateSchema(service.replace("-", "_"), if_not_exists=True))
    for tables in (shown.metadata, metadata):  # who holds what is asked before anybody is removed
        tables.create_all(connection)


@person.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The person's name.", show_default=False)],
    post: Annotated[
        str, typer.Option(help="What this person is there: out-of-hours social worker.", show_default=False)
    ],
    team: Annotated[Literal["day", "night"], typer.Option(help="For which side they come.", show_default=False)],
    role: Annotated[
        Literal["worker-night", "worker-day", "manager", "auditor"],
        typer.Option(help="What they may: a manager also sees the measures, an auditor the log alone."),
    ],
    subject: Annotated[
        str | None, typer.Option(help="How the OpenID Connect issuer calls this person.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name a person who may sign in at the board."""
    from services.bus.events import Team
    from services.handover_feed.people import staff

    with office() as here:
        person_id = here.access.run(lambda c: staff.add(c, name, post, Team(team.upper()), role, subject=subject))
    told = {"person_id": person_id, "name": name, "team": team, "role": role}
    tell(told, [f"{person_id} may sign in, by `safebus board link {person_id}`"], as_json)


@person.command("remove")
def remove(person_id: Person, as_json: AsJson = False) -> None:
    """Let a person sign in no more, and sign them out, at once. What they had taken stays in their name."""
    from services.handover_feed.people import staff

    with office() as here:
        held = here.access.run(lambda c: staff.remove(c, person_id, now_us=here.now_us))
    lines = [f"{person_id} can no longer sign in"]
    lines += [f"they still hold {', '.join(held)}: somebody must take what they held"] if held else []
    tell({"person_id": person_id, "removed": True, "still_holds": held}, lines, as_json)


@app.command()
def link(
    person_id: Person,
    minutes: Annotated[float, typer.Option(min=1, max=1440, help="It works for so long.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Make a link that signs a named person in, once. For a demo; in use, people sign in by OpenID Connect."""
    from services.handover_feed.people import staff
    from services.people.sign_in import link_path

    with office() as here:
        token = here.access.run(lambda c: staff.new_link(c, person_id, now_us=here.now_us, minutes=minutes))
        url = address(here.at) + link_path(token)
    tell({"url": url, "minutes": minutes}, [url, f"it works once, for {minutes:g} minutes"], as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show who may sign in."""
    from services.handover_feed.people import staff

    with office() as here:
        found = [
            {"person_id": one.person_id, "name": one.name, "post": one.post, "team": one.team.lower(), "role": one.role}
            for one in here.access.run(staff.people)
        ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo("nobody may sign in yet; `safebus board person add NAME --post … --team … --role …` names somebody")
    else:
        _print(found)


def address(at: Settings) -> str:
    """Where the board that works here is, as it said itself; before it ran, as the settings say."""
    from services.handover_feed.door.serve import where

    scheme = "https" if at.board_tls_cert else "http"
    return (where(at) or at.board_url or f"{scheme}://{at.board_host}:{at.board_port}").rstrip("/")


def _print(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("person", "name", "post", "team", "role"):
        shown.add_column(name, overflow="fold")
    for row in found:
        shown.add_row(*row.values())
    Console(highlight=False).print(shown)
