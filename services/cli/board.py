"""`safebus board`: who may sign in at the handover board, for which side and in which role.

It works in the board's own database, so it runs where SAFEBUS_STORE_URL or SAFEBUS_DATA_DIR is the board's.
Exit codes: 0 done; 2 a mistake, in one sentence; 75 the database is away.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Literal

import typer

from services.cli import board_keys, people
from services.cli.keys import tell
from services.cli.people import AsJson, Minutes, Name, Office, Person, Subject

app = typer.Typer(name="board", help="Who may come to the handover board, and how.", no_args_is_help=True)
person = typer.Typer(name="person", help="The board's named people.", no_args_is_help=True)
app.add_typer(person)
app.add_typer(board_keys.app)


def office() -> AbstractContextManager[Office]:
    """The board's tables, made if the board has not run yet."""
    import services.handover_feed.people.tables  # noqa: F401 - some of the tables that are made next
    from services.handover_feed.board import tables as shown
    from services.handover_feed.door.serve import NAME
    from services.handover_feed.tables import metadata

    return people.office(NAME, shown.metadata, metadata)  # who holds what is asked before anybody is removed


@person.command("add")
def add(
    name: Name,
    post: Annotated[
        str, typer.Option(help="What this person is there: out-of-hours social worker.", show_default=False)
    ],
    team: Annotated[Literal["day", "night"], typer.Option(help="For which side they come.", show_default=False)],
    role: Annotated[
        Literal["worker-night", "worker-day", "manager", "auditor"],
        typer.Option(help="What they may: a manager also sees the measures, an auditor the log alone."),
    ],
    subject: Subject = None,
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
def link(person_id: Person, minutes: Minutes = 30.0, as_json: AsJson = False) -> None:
    """Make a link that signs a named person in, once. For a demo; in use, people sign in by OpenID Connect."""
    from services.handover_feed.door.serve import place_of
    from services.handover_feed.people import staff

    with office() as here:
        token = here.access.run(lambda c: staff.new_link(c, person_id, now_us=here.now_us, minutes=minutes))
    people.tell_link(place_of(here.at), token, minutes, as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show who may sign in."""
    from services.handover_feed.people import staff

    with office() as here:
        found = [
            {"person_id": one.person_id, "name": one.name, "post": one.post, "team": one.team.lower(), "role": one.role}
            for one in here.access.run(staff.people)
        ]
    nobody = "nobody may sign in yet; `safebus board person add NAME --post … --team … --role …` names somebody"
    people.tell_people(found, nobody, as_json)
