"""Naming the board's people, and ending what they may: for the command line (services/cli/board.py)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.bus.errors import UserMistake
from services.bus.events import Team
from services.handover_feed.board import reading
from services.handover_feed.people.site import ROLES, SITE
from services.handover_feed.people.tables import link, session, staff
from services.people import sessions


def add(connection: sa.Connection, name: str, post: str, team: Team, role: str, *, subject: str | None = None) -> str:
    """A named person of the board (DOMAIN.md H10); the person's id.

    `subject` is how the OpenID Connect issuer calls the person.

    Raises:
        UserMistake: there is no such role, or it is the other side's; or the subject is somebody else's.
    """
    if not name.strip() or not post.strip():
        raise UserMistake("a person has a name and a post, such as out-of-hours social worker")
    if role not in ROLES:
        raise UserMistake(f"there is no role {role}; there are {', '.join(ROLES)}")
    if team is Team.UNKNOWN:
        raise UserMistake("a person belongs to the team day or night")
    if ROLES[role] not in (None, team):
        raise UserMistake(f"a {role} belongs to the other team")
    if subject and sessions.by_subject(SITE, connection, subject) is not None:
        raise UserMistake("this sign-in is another person's already")
    person_id = f"staff-{secrets.token_hex(8)}"
    row = {"person_id": person_id, "name": name.strip(), "post": post.strip(), "team": team.value, "role": role}
    connection.execute(staff.insert(), row | {"subject": subject, "closed_us": None})
    return person_id


def people(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Who may sign in now, by name."""
    return connection.execute(SITE.people.order_by(staff.c.name, staff.c.person_id)).all()


def new_link(connection: sa.Connection, person_id: str, *, now_us: int, minutes: float) -> str:
    """The token of a link that signs this person in once, within so many minutes. Shown here and never again.

    Raises:
        UserMistake: there is no such person now.
    """
    _now(connection, person_id)
    return sessions.new_link(SITE, connection, person_id, now_us=now_us, minutes=minutes)


def remove(connection: sa.Connection, person_id: str, *, now_us: int) -> list[str]:
    """This person signs in no more and is signed out, at once; ids of the matters that stay taken in their name.

    Raises:
        UserMistake: there is no such person now.
    """
    _now(connection, person_id)
    mine = staff.c.person_id == person_id
    connection.execute(staff.update().where(mine).values(closed_us=now_us, subject=None))
    for table in (session, link):
        connection.execute(table.delete().where(table.c.person_id == person_id))
    return reading.holds(connection, person_id)


def _now(connection: sa.Connection, person_id: str) -> None:
    if connection.execute(SITE.people.where(staff.c.person_id == person_id)).first() is None:
        raise UserMistake("there is no such person; `safebus board list` shows who there is")
