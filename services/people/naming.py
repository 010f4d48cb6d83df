"""Naming who may sign in at a site, and ending that they may: what the command line does, over a site's own table."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.bus.errors import UserMistake
from services.people import sessions
from services.people.site import Site


@dataclass(frozen=True, slots=True)
class Named:
    """The named people of one site (DOMAIN.md H10)."""

    site: Site[Any]
    table: sa.Table
    """person_id, name, post, subject (the OpenID Connect issuer's name for them), closed_us, and the site's own."""
    kind: str
    """What a person's id begins with."""
    listed: str
    """The command that lists them."""

    def add(self, connection: sa.Connection, name: str, post: str, subject: str | None, **more: str) -> str:
        """One more; the person's id.

        Raises:
            UserMistake: the name or the post is empty, or the subject is somebody else's.
        """
        if not name.strip() or not post.strip():
            raise UserMistake("a person has a name and a post, such as social worker")
        if subject and sessions.by_subject(self.site, connection, subject) is not None:
            raise UserMistake("this sign-in is another person's already")
        person_id = f"{self.kind}-{secrets.token_hex(8)}"
        row = {"person_id": person_id, "name": name.strip(), "post": post.strip(), "subject": subject}
        connection.execute(self.table.insert(), row | more | {"closed_us": None})
        return person_id

    def now(self, connection: sa.Connection) -> Sequence[sa.Row[Any]]:
        """Who may sign in now, by name."""
        return connection.execute(self.site.people.order_by(self.table.c.name, self.table.c.person_id)).all()

    def new_link(self, connection: sa.Connection, person_id: str, *, now_us: int, minutes: float) -> str:
        """The token of a link that signs this person in once, within so many minutes. Shown here and never again.

        Raises:
            UserMistake: there is no such person now.
        """
        self._must_be(connection, person_id)
        return sessions.new_link(self.site, connection, person_id, now_us=now_us, minutes=minutes)

    def remove(self, connection: sa.Connection, person_id: str, *, now_us: int) -> None:
        """This person signs in no more and is signed out, at once; somebody else may have their sign-in.

        Raises:
            UserMistake: there is no such person now.
        """
        self._must_be(connection, person_id)
        mine = self.table.c.person_id == person_id
        connection.execute(self.table.update().where(mine).values(closed_us=now_us, subject=None))
        for table in (self.site.session, self.site.link):
            connection.execute(table.delete().where(table.c.person_id == person_id))

    def _must_be(self, connection: sa.Connection, person_id: str) -> None:
        if connection.execute(self.site.people.where(self.table.c.person_id == person_id)).first() is None:
            raise UserMistake(f"there is no such person; `{self.listed}` shows who there is")
