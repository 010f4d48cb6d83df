"""`safebus partner`: who may come to the gateway's door, by which keys, and which of their people may sign in.

It works in the gateway's own database, so it runs where SAFEBUS_STORE_URL or SAFEBUS_DATA_DIR is the gateway's.
Exit codes: 0 done; 1 a hop of `test` failed; 2 a mistake, in one sentence; 75 the database is away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.bus.errors import UserMistake
from services.cli import people
from services.cli.keys import Days, Save, kept, tell, tell_key
from services.cli.people import AsJson, Minutes, Name, Person, Subject

if TYPE_CHECKING:
    import sqlalchemy as sa

    from services.bus.access import Access
    from services.bus.catalogue import Catalogue
    from services.bus.settings import Settings

A_HOP_FAILED = 1
LEAD = "designated safeguarding lead"

app = typer.Typer(name="partner", help="Who may come to the gateway, and how.", no_args_is_help=True)

Org = Annotated[str, typer.Argument(metavar="ORG", help="As in the directory: school:110394.", show_default=False)]
Post = Annotated[str, typer.Option(help="What this person is there.")]
Email = Annotated[str | None, typer.Option(help="Where a notice says that something waits.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Office:
    """What a command works with."""

    at: Settings
    access: Access
    catalogue: Catalogue
    now_us: int


@contextmanager
def office() -> Iterator[Office]:
    """The gateway's tables, made if the gateway has not run yet."""
    from services.bus.catalogue import load
    from services.partner_gateway.tables import metadata
    from services.partner_gateway.wiring import SERVICE

    with people.office(SERVICE.name, metadata) as here:
        yield Office(here.at, here.access, load(here.at.catalogue), here.now_us)


@app.command()
def add(
    organisation: Org,
    principal: Annotated[str, typer.Option("--as", help="Whose events it may post, as in topics.yaml.")],
    sandbox: Annotated[bool, typer.Option("--sandbox", help="It may have test events sent to itself.")] = False,
    person: Annotated[str | None, typer.Option(help="A named person who may sign in.", show_default=False)] = None,
    post: Post = LEAD,
    email: Email = None,
    subject: Subject = None,
    days: Days = 365.0,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Make an organisation a partner, with an API key that is shown now and never again."""
    from services.partner_gateway.partners import registry

    with office() as here:

        def make(connection: sa.Connection) -> tuple[str, list[str], str | None]:
            registry.add_partner(connection, organisation, principal, now_us=here.now_us, sandbox=sandbox)
            row = registry.open_partner(connection, organisation)
            may = registry.granted(row, here.catalogue)
            key = registry.add_key(connection, organisation, may, now_us=here.now_us, days=days)
            named = None
            if person is not None:
                named = registry.add_person(connection, organisation, person, post, subject=subject, email=email)
            return kept(key, save), sorted(may), named

        key, scopes, person_id = here.access.run(make)
    told = {"organisation": organisation, "acts_as": principal, "sandbox": sandbox, "scopes": scopes}
    lines = [f"{organisation} is a partner; it may use {', '.join(scopes)}"]
    lines += [f"{person_id} may sign in, by `safebus partner link {organisation} {person_id}`"] if person_id else []
    tell_key(told | {"person_id": person_id}, lines, key, save, as_json)


@app.command("rotate-key")
def rotate_key(
    organisation: Org,
    overlap: Annotated[
        float, typer.Option("--overlap-days", min=0, max=365, help="The former keys work so long; 0 if one leaked.")
    ] = 7.0,
    days: Days = 365.0,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key, shown now and never again; the former ones end after an overlap."""
    from services.partner_gateway.partners import registry

    with office() as here:

        def make(connection: sa.Connection) -> str:
            may = registry.granted(registry.open_partner(connection, organisation), here.catalogue)
            key = registry.rotate_key(
                connection, organisation, may, now_us=here.now_us, overlap_days=overlap, days=days
            )
            return kept(key, save)

        key = here.access.run(make)
    ends = f"after {overlap:g} days" if overlap else "within seconds"
    tell_key({"organisation": organisation}, [f"the former keys of {organisation} end {ends}"], key, save, as_json)


@app.command("person")
def person_(
    organisation: Org,
    name: Name,
    post: Post = LEAD,
    email: Email = None,
    subject: Subject = None,
    as_json: AsJson = False,
) -> None:
    """Name one more person who may sign in for a partner."""
    from services.partner_gateway.partners import registry

    with office() as here:
        person_id = here.access.run(
            lambda c: registry.add_person(c, organisation, name, post, subject=subject, email=email)
        )
    tell(
        {"organisation": organisation, "person_id": person_id},
        [f"{person_id} may sign in, by `safebus partner link {organisation} {person_id}`"],
        as_json,
    )


@app.command("client")
def client_(
    organisation: Org,
    client_id: Annotated[str, typer.Argument(help="As the issuer of access tokens names it.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Let a partner's system speak for it with access tokens, by OAuth2 client credentials."""
    from services.partner_gateway.partners import registry

    with office() as here:

        def make(connection: sa.Connection) -> None:
            may = registry.granted(registry.open_partner(connection, organisation), here.catalogue)
            registry.add_client(connection, client_id, organisation, may)

        here.access.run(make)
        trusts = here.at.jwt_issuer
    told = {"organisation": organisation, "client_id": client_id}
    by = f"with tokens of {trusts}" if trusts else "once SAFEBUS_JWT_ISSUER and SAFEBUS_JWKS_URL are set"
    tell(told, [f"{client_id} speaks for {organisation}, {by}"], as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show every partner, its keys (never their secrets), clients and named people."""
    from services.partner_gateway.partners import registry

    with office() as here:

        def look(connection: sa.Connection) -> list[dict[str, Any]]:
            return [_as_object(connection, row, here.now_us) for row in registry.partners(connection)]

        found = here.access.run(look)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo("there are no partners yet; `safebus partner add ORG --as PRINCIPAL` makes one")
    else:
        _print(found)


@app.command()
def link(
    organisation: Org,
    person_id: Person,
    minutes: Minutes = 30.0,
    as_json: AsJson = False,
) -> None:
    """Make a link that signs a named person in, once. For a demo; in use, people sign in by OpenID Connect."""
    from services.partner_gateway.door.serve import place_of
    from services.partner_gateway.partners import registry

    with office() as here:

        def make(connection: sa.Connection) -> str:
            registry.open_partner(connection, organisation)
            if person_id not in {row.person_id for row in registry.people_of(connection, organisation)}:
                raise UserMistake(f"{organisation} has no such person; `safebus partner list` shows whom it has")
            return registry.one_time_link(connection, person_id, now_us=here.now_us, minutes=minutes)

        token = here.access.run(make)
    people.tell_link(place_of(here.at), token, minutes, as_json)


@app.command("test")
def try_out(organisation: Org, as_json: AsJson = False) -> None:
    """Send a test event through the whole path, and report each hop. It stays in the inbox, marked as a test.

    Exit code 0 if every hop is good, 1 if one is not.
    """
    import asyncio

    from services.cli.hops import Hop, Trial
    from services.partner_gateway.door.serve import place_of

    found: list[Hop] = []

    def say(hop: Hop) -> None:
        found.append(hop)
        if not as_json:
            typer.echo(str(hop))

    with office() as here:
        good = asyncio.run(Trial(here, people.address(place_of(here.at)), organisation).run(say))
    if as_json:
        hops = [{"hop": hop.name, "good": hop.good, "what": hop.what, "ms": hop.ms} for hop in found]
        typer.echo(json.dumps({"organisation": organisation, "good": good, "hops": hops}, indent=2))
    raise typer.Exit(0 if good else A_HOP_FAILED)


@app.command()
def remove(
    organisation: Org,
    person_id: Annotated[
        str | None, typer.Option("--person", help="Only this person of it.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End a partner, with its keys, clients, people and webhooks, within seconds; its inbox stays as it is."""
    from services.partner_gateway.partners import registry

    with office() as here:
        if person_id is None:
            here.access.run(lambda c: registry.close_partner(c, organisation, now_us=here.now_us))
            said = f"{organisation} is no longer a partner; nothing of it works any more, and its inbox was kept"
        else:
            here.access.run(lambda c: registry.close_person(c, organisation, person_id, now_us=here.now_us))
            said = f"{person_id} of {organisation} can no longer sign in"
    tell({"organisation": organisation, "person_id": person_id, "removed": True}, [said], as_json)


def _as_object(connection: sa.Connection, row: Any, now_us: int) -> dict[str, Any]:
    from services.partner_gateway.partners import registry

    keys = registry.keys_of(connection, row.organisation, now_us=now_us)
    named = registry.people_of(connection, row.organisation)
    return {
        "organisation": row.organisation,
        "acts_as": row.acts_as,
        "sandbox": row.sandbox,
        "keys": [{"key_id": key.key_id, "expires": _moment(key.expires_us)} for key in keys],
        "clients": list(registry.clients_of(connection, row.organisation)),
        "people": [{"person_id": one.person_id, "name": one.name, "post": one.post} for one in named],
    }


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="seconds")


def _print(found: list[dict[str, Any]]) -> None:
    """Lines, since ids must come whole out of a narrow terminal: `partner link` asks for them."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for row in found:
        kind = row["acts_as"] + (", sandbox" if row["sandbox"] else "")
        console.print(Text(row["organisation"], "bold"), f" acts as {kind}", sep="", soft_wrap=True)
        ways = [f"key {key['key_id']} until {key['expires'][:10]}" for key in row["keys"]]
        ways += [f"client {name}" for name in row["clients"]]
        people = [f"{one['person_id']} {one['name']}, {one['post']}" for one in row["people"]]
        for line in [*(ways or ["no key and no client"]), *people]:
            console.print(Text(f"  {line}"), soft_wrap=True)
