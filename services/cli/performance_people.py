"""`safebus performance person`: who may sign in at the performance pages, and in which role.

It works in the pages' own database, so it runs where SAFEBUS_STORE_URL or SAFEBUS_DATA_DIR is theirs.
Exit codes: 0 done; 2 a mistake, in one sentence; 75 the database is away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from services.cli.keys import tell

if TYPE_CHECKING:
    from services.bus.access import Access
    from services.bus.settings import Settings

app = typer.Typer(name="person", help="Who may see the performance pages, and how.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="As `list` shows it.", show_default=False)]


class Office(NamedTuple):
    """What a command works with."""

    at: Settings
    access: Access
    now_us: int


@contextmanager
def office() -> Iterator[Office]:
    """The pages' tables, made if they were never opened."""
    from services.bus.access import Access
    from services.bus.clock import Clock
    from services.bus.settings import settings
    from services.performance_data.pages.people.tables import STORE, make

    at = settings()
    access = Access(at, STORE)
    try:
        access.run(make)
        yield Office(at, access, int(Clock.of(at).now().timestamp() * 1_000_000))
    finally:
        access.close()


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The person's name.", show_default=False)],
    post: Annotated[str, typer.Option(help="What they are there: partnership analyst.", show_default=False)],
    role: Annotated[
        Literal["analyst", "manager"],
        typer.Option(help="An analyst may also see small numbers, which must stay inside the partnership."),
    ],
    subject: Annotated[
        str | None, typer.Option(help="How the OpenID Connect issuer calls this person.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name a person who may sign in at the performance pages."""
    from services.performance_data.pages.people import readers

    with office() as here:
        person_id = here.access.run(lambda c: readers.add(c, name, post, role, subject=subject))
    lines = [f"{person_id} may sign in, by `safebus performance person link {person_id}`"]
    tell({"person_id": person_id, "name": name, "role": role}, lines, as_json)


@app.command("remove")
def remove(person_id: Person, as_json: AsJson = False) -> None:
    """Let a person sign in no more, and sign them out, at once."""
    from services.performance_data.pages.people import readers

    with office() as here:
        here.access.run(lambda c: readers.remove(c, person_id, now_us=here.now_us))
    tell({"person_id": person_id, "removed": True}, [f"{person_id} can no longer sign in"], as_json)


@app.command("link")
def link(
    person_id: Person,
    minutes: Annotated[float, typer.Option(min=1, max=1440, help="It works for so long.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Make a link that signs a named person in, once. For a demo; in use, people sign in by OpenID Connect."""
    from services.people.sign_in import link_path
    from services.performance_data.pages.people import readers

    with office() as here:
        token = here.access.run(lambda c: readers.new_link(c, person_id, now_us=here.now_us, minutes=minutes))
        url = address(here.at) + link_path(token)
    tell({"url": url, "minutes": minutes}, [url, f"it works once, for {minutes:g} minutes"], as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show who may sign in."""
    from services.performance_data.pages.people import readers

    with office() as here:
        found = [
            {"person_id": one.person_id, "name": one.name, "post": one.post, "role": one.role}
            for one in here.access.run(readers.people)
        ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo("nobody may sign in yet; `safebus performance person add NAME --post … --role …` names somebody")
    else:
        _print(found)


def address(at: Settings) -> str:
    """Where the pages are, as they said themselves; before they were opened, as the settings say."""
    from services.performance_data.pages.door.serve import where

    scheme = "https" if at.performance_tls_cert else "http"
    return (where(at) or at.performance_url or f"{scheme}://{at.performance_host}:{at.performance_port}").rstrip("/")


def _print(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("person", "name", "post", "role"):
        shown.add_column(name, overflow="fold")
    for row in found:
        shown.add_row(*row.values())
    Console(highlight=False).print(shown)
