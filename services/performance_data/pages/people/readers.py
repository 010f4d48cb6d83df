"""Naming who may see the performance pages, and ending that they may: for the command line."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.bus.errors import UserMistake
from services.people import sessions
from services.performance_data.pages.people.site import ROLES, SITE
from services.performance_data.pages.people.tables import link, reader, session


def add(connection: sa.Connection, name: str, post: str, role: str, *, subject: str | None = None) -> str:
    """A named person (DOMAIN.md H10); the person's id.

    `subject` is how the OpenID Connect issuer calls the person.

    Raises:
        UserMistake: there is no such role; or the subject is somebody else's.
    """
    if not name.strip() or not post.strip():
        raise UserMistake("a person has a name and a post, such as partnership analyst")
    if role not in ROLES:
        raise UserMistake(f"there is no role {role}; there are {', '.join(ROLES)}")
    if subject and sessions.by_subject(SITE, connection, subject) is not None:
        raise UserMistake("this sign-in is another person's already")
    person_id = f"reader-{secrets.token_hex(8)}"
    row = {"person_id": person_id, "name": name.strip(), "post": post.strip(), "role": role}
    connection.execute(reader.insert(), row | {"subject": subject, "closed_us": None})
    return person_id


def people(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Who may sign in now, by name."""
    return connection.execute(SITE.people.order_by(reader.c.name, reader.c.person_id)).all()


def new_link(connection: sa.Connection, person_id: str, *, now_us: int, minutes: float) -> str:
    """The token of a link that signs this person in once, within so many minutes. Shown here and never again.

    Raises:
        UserMistake: there is no such person now.
    """
    _now(connection, person_id)
    return sessions.new_link(SITE, connection, person_id, now_us=now_us, minutes=minutes)


def remove(connection: sa.Connection, person_id: str, *, now_us: int) -> None:
    """This person signs in no more and is signed out, at once.

    Raises:
        UserMistake: there is no such person now.
    """
    _now(connection, person_id)
    mine = reader.c.person_id == person_id
    connection.execute(reader.update().where(mine).values(closed_us=now_us, subject=None))
    for table in (session, link):
        connection.execute(table.delete().where(table.c.person_id == person_id))


def _now(connection: sa.Connection, person_id: str) -> None:
    if connection.execute(SITE.people.where(reader.c.person_id == person_id)).first() is None:
        raise UserMistake("there is no such person; `safebus performance person list` shows who there is")
