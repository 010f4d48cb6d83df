"""The performance pages as a site that named people sign in to (services/people): its cookie, tables and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from services.bus.settings import Settings
from services.people.pages import Pages
from services.people.site import Site, Terms, Words
from services.performance_data.pages.door.context import reading_room_of
from services.performance_data.pages.paths import FOLDER
from services.performance_data.pages.people.tables import link, reader, session

Role = Literal["analyst", "manager"]
ROLES: tuple[Role, ...] = ("analyst", "manager")
"""Both see the figures with small numbers suppressed; an analyst may ask for those that must stay inside."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who is signed in."""

    person_id: str
    name: str
    post: str
    role: Role
    csrf: str
    """What each of their forms must carry."""

    @property
    def may_see_inside(self) -> bool:
        """Whether small numbers may be shown to them."""
        return self.role == "analyst"


def _reader(row: sa.Row[Any]) -> Reader:
    return Reader(row.person_id, row.name, row.post, row.role, row.csrf)


def _terms(at: Settings) -> Terms:
    return Terms(
        url=at.performance_url,
        cert=at.performance_tls_cert,
        minutes=at.performance_session_minutes,
        hours=at.performance_session_hours,
        client_id=at.performance_oidc_client_id or at.oidc_client_id,
        client_secret=at.performance_oidc_client_secret or at.oidc_client_secret,
    )


SITE = Site(
    cookie="safebus-performance",
    home="/",
    goes_to="/performance/{}",
    entry=re.compile(r"\d{4}-\d{2}(?:\.\.\d{4}-\d{2})?"),
    ground=reading_room_of,
    terms=_terms,
    people=sa.select(reader).where(reader.c.closed_us.is_(None)),
    person=_reader,
    session=session,
    link=link,
    folder=FOLDER,
    words=Words(
        name="performance pages",
        short="performance pages",
        whom="They are for the named analysts and managers of the safeguarding partnership.",
        stranger="You have signed in, but you are not one of the named analysts and managers of the partnership.",
        ask="whoever looks after the partnership’s performance data",
        nothing="There is nothing at this address.",
        home="Go to the performance pages",
    ),
)

PAGES = Pages(SITE)
