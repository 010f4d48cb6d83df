"""Naming who may see the performance pages, and ending that they may: for the command line."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.errors import UserMistake
from services.people.naming import Named
from services.performance_data.pages.people.site import ROLES, SITE
from services.performance_data.pages.people.tables import reader

NAMED = Named(SITE, reader, "reader", "safebus performance person list")

people, new_link, remove = NAMED.now, NAMED.new_link, NAMED.remove


def add(connection: sa.Connection, name: str, post: str, role: str, *, subject: str | None = None) -> str:
    """A named person; the person's id.

    `subject` is how the OpenID Connect issuer calls the person.

    Raises:
        UserMistake: there is no such role; or the subject is somebody else's.
    """
    if role not in ROLES:
        raise UserMistake(f"there is no role {role}; there are {', '.join(ROLES)}")
    return NAMED.add(connection, name, post, subject, role=role)
