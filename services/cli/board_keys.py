"""`safebus board key`: keys by which teams' own screens read the board."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.bus.errors import UserMistake
from services.cli.keys import Days, Save, kept, tell, tell_key

app = typer.Typer(name="key", help="Keys of teams' own screens: they read the board.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Whose screen it is for.", show_default=False)],
    days: Days = 400.0,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Make a key that reads the board, shown now and never again."""
    from services.cli.board import office
    from services.handover_feed.door.keys import add_key, id_of

    with office() as here:
        key = here.access.run(lambda c: kept(add_key(c, name, now_us=here.now_us, days=days), save))
    key_id = id_of(key)
    lines = [f"the screens of {name} may read the board until `safebus board key revoke {key_id}`"]
    tell_key({"key_id": key_id, "name": name}, lines, key, save, as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show the keys that work now, never their secrets."""
    import json

    from services.cli.board import office
    from services.handover_feed.door.keys import keys_now

    with office() as here:
        rows = here.access.run(lambda c: keys_now(c, now_us=here.now_us))
    found = [{"key_id": row.key_id, "name": row.name, "expires": _moment(row.expires_us)} for row in rows]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    lines = [f"{one['key_id']}  until {one['expires'][:10]}  {one['name']}" for one in found]
    typer.echo("\n".join(lines or ["no screen has a key yet; `safebus board key add NAME` makes one"]))


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="As `list` shows it.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """End a key, and every stream that it opened, within seconds."""
    from services.cli.board import office
    from services.handover_feed.door.keys import revoke_key

    with office() as here:
        if not here.access.run(lambda c: revoke_key(c, key_id, now_us=here.now_us)):
            raise UserMistake("there is no such key now; `safebus board key list` shows those that work")
    tell({"key_id": key_id, "revoked": True}, [f"{key_id} no longer reads the board"], as_json)


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
