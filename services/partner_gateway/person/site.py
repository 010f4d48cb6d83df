"""The inbox as a site that named people sign in to (services/people): whose it is, its cookie, tables and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.bus.settings import Settings
from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.tables import link, partner, person, session
from services.people import words
from services.people.pages import Pages
from services.people.site import Site, Terms, Words
from services.web.problems import Problem


@dataclass(frozen=True, slots=True)
class Person:
    """The named person who is signed in."""

    person_id: str
    organisation: str
    name: str
    post: str
    csrf: str
    """What each of their forms must carry."""
    sandbox: bool


def _person(row: sa.Row[Any]) -> Person:
    return Person(row.person_id, row.organisation, row.name, row.post, row.csrf, row.sandbox)


def _terms(at: Settings) -> Terms:
    return Terms(
        url=at.gateway_url,
        cert=at.gateway_tls_cert,
        minutes=at.gateway_session_minutes,
        hours=at.gateway_session_hours,
        client_id=at.oidc_client_id,
        client_secret=at.oidc_client_secret,
    )


SITE = Site(
    cookie="safebus",
    home="/inbox",
    goes_to="/inbox/{}",
    entry=re.compile(r"[1-9][0-9]{0,17}"),
    ground=gateway_of,
    terms=_terms,
    people=sa.select(person, partner.c.sandbox)
    .join(partner, partner.c.organisation == person.c.organisation)
    .where(person.c.closed_us.is_(None), partner.c.closed_us.is_(None)),
    person=_person,
    session=session,
    link=link,
    folder=Path(__file__).resolve().parent,
    filters={"word": words.word, "moment": words.moment, "day": words.day, "organisation": words.organisation},
    problems=(Problem,),
    words=Words(
        name="safeguarding inbox",
        short="inbox",
        whom="This inbox is for the named safeguarding people of schools, practices and other agencies.",
        stranger="You have signed in, but you are not one of the named safeguarding people of a school, practice or "
        "agency.",
        ask="whoever looks after the partners at your local authority",
        nothing="There is nothing at this address, or nothing for your organisation.",
        home="Go to what is waiting",
    ),
)

PAGES = Pages(SITE)
