"""Naming the board's people, and ending what they may: for the command line (services/cli/board.py)."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.errors import UserMistake
from services.bus.events import Team
from services.handover_feed.board import reading
from services.handover_feed.people.site import ROLES, SITE
from services.handover_feed.people.tables import staff
from services.people.naming import Named

NAMED = Named(SITE, staff, "staff", "safebus board list")

people, new_link = NAMED.now, NAMED.new_link


def add(connection: sa.Connection, name: str, post: str, team: Team, role: str, *, subject: str | None = None) -> str:
    """A named person of the board; the person's id.

    `subject` is how the OpenID Connect issuer calls the person.

    Raises:
        UserMistake: there is no such role, or it is the other side's; or the subject is somebody else's.
    """
    if role not in ROLES:
        raise UserMistake(f"there is no role {role}; there are {', '.join(ROLES)}")
    if team is Team.UNKNOWN:
        raise UserMistake("a person belongs to the team day or night")
    if ROLES[role] not in (None, team):
        raise UserMistake(f"a {role} belongs to the other team")
    return NAMED.add(connection, name, post, subject, team=team.value, role=role)


def remove(connection: sa.Connection, person_id: str, *, now_us: int) -> list[str]:
    """This person signs in no more and is signed out, at once; ids of the matters that stay taken in their name.

    Raises:
        UserMistake: there is no such person now.
    """
    NAMED.remove(connection, person_id, now_us=now_us)
    return reading.holds(connection, person_id)
