"""`safebus performance person`: who may sign in at the performance pages, and in which role.

It works in the pages' own database, so it runs where SAFEBUS_STORE_URL or SAFEBUS_DATA_DIR is theirs.
Exit codes: 0 done; 2 a mistake, in one sentence; 75 the database is away.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Literal

import typer

from services.cli import people
from services.cli.keys import tell
from services.cli.people import AsJson, Minutes, Name, Office, Person, Subject

app = typer.Typer(name="person", help="Who may see the performance pages, and how.", no_args_is_help=True)


def office() -> AbstractContextManager[Office]:
    """The pages' tables, made if they were never opened."""
    from services.performance_data.pages.people.tables import STORE, metadata

    return people.office(STORE, metadata)


@app.command("add")
def add(
    name: Name,
    post: Annotated[str, typer.Option(help="What they are there: partnership analyst.", show_default=False)],
    role: Annotated[
        Literal["analyst", "manager"],
        typer.Option(help="An analyst may also see small numbers, which must stay inside the partnership."),
    ],
    subject: Subject = None,
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
def link(person_id: Person, minutes: Minutes = 30.0, as_json: AsJson = False) -> None:
    """Make a link that signs a named person in, once. For a demo; in use, people sign in by OpenID Connect."""
    from services.performance_data.pages.door.serve import place_of
    from services.performance_data.pages.people import readers

    with office() as here:
        token = here.access.run(lambda c: readers.new_link(c, person_id, now_us=here.now_us, minutes=minutes))
    people.tell_link(place_of(here.at), token, minutes, as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show who may sign in."""
    from services.performance_data.pages.people import readers

    with office() as here:
        found = [
            {"person_id": one.person_id, "name": one.name, "post": one.post, "role": one.role}
            for one in here.access.run(readers.people)
        ]
    nobody = "nobody may sign in yet; `safebus performance person add NAME --post … --role …` names somebody"
    people.tell_people(found, nobody, as_json)
