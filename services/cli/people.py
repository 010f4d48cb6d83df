"""What the commands about named people share, whichever site they sign in at: its database, its address, its links."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from services.cli.keys import tell

if TYPE_CHECKING:
    import sqlalchemy as sa

    from services.bus.access import Access
    from services.bus.settings import Settings
    from services.web.serving import Place

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="As `list` shows it.", show_default=False)]
Name = Annotated[str, typer.Argument(help="The person's name.", show_default=False)]
Subject = Annotated[
    str | None, typer.Option(help="How the OpenID Connect issuer calls this person.", show_default=False)
]
Minutes = Annotated[float, typer.Option(min=1, max=1440, help="It works for so long.")]


class Office(NamedTuple):
    """What a command works with."""

    at: Settings
    access: Access
    now_us: int


@contextmanager
def office(store: str, *tables: sa.MetaData) -> Iterator[Office]:
    """The site's tables in that store, made if it has not run yet."""
    from services.bus.access import Access
    from services.bus.clock import Clock
    from services.bus.settings import settings
    from services.people.tables import make

    at = settings()
    access = Access(at, store)
    try:
        access.run(lambda connection: make(connection, store, *tables))
        yield Office(at, access, int(Clock.of(at).now().timestamp() * 1_000_000))
    finally:
        access.close()


def address(place: Place) -> str:
    """Where the site that works here is, as it said itself; before it ran, as the settings say."""
    from services.web.serving import where

    scheme = "https" if place.cert else "http"
    return (where(place.file) or place.url or f"{scheme}://{place.host}:{place.port}").rstrip("/")


def tell_link(place: Place, token: str, minutes: float, as_json: bool) -> None:
    """The link by which somebody signs in, once."""
    from services.people.sign_in import link_path

    url = address(place) + link_path(token)
    tell({"url": url, "minutes": minutes}, [url, f"it works once, for {minutes:g} minutes"], as_json)


def tell_people(found: Sequence[Mapping[str, Any]], nobody: str, as_json: bool) -> None:
    """Who may sign in, each by `person_id` and what else is known of them; what to do when there is nobody."""
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo(nobody)
    else:
        _print(found)


def _print(found: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in found[0]:
        shown.add_column(name.removesuffix("_id"), overflow="fold")
    for row in found:
        shown.add_row(*row.values())
    Console(highlight=False).print(shown)
