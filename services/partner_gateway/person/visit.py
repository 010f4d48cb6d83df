"""A signed-in person's request: who it is, as the one authorisation sees them, and which entry it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.who import INBOX, RECEIPTS, Caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.reading import Row
from services.partner_gateway.person.site import SITE, Person
from services.people.pages import Refused
from services.people.visit import signed_in

MAY = frozenset({INBOX, RECEIPTS})
"""What a named person may: read the organisation's inbox, and write that they read or acted."""


@dataclass(frozen=True, slots=True)
class Visited:
    """Who is signed in, by which session, as the one authorisation sees them."""

    person: Person
    caller: Caller
    token: str


async def visited(request: Request) -> Visited:
    """FastAPI dependency.

    Raises:
        SignInFirst: nobody is signed in, or their session has ended.
    """
    person, token = await signed_in(SITE, request, request.path_params.get("number"))
    by = f"person {person.person_id}"
    return Visited(person, Caller(person.organisation, MAY, by, "person", person.person_id, person.sandbox), token)


Visit = Annotated[Visited, Depends(visited)]


def number_of(text: object) -> int | None:
    """An entry's number, if it is written as one."""
    number = SITE.valid(text)
    return int(number) if number else None


async def entry_of(request: Request, visit: Visited, number: str) -> Row:
    """The organisation's own entry of that number.

    Raises:
        Refused: it has none, whoever else has: the same page, by the same query.
    """
    gateway, person = gateway_of(request), visit.person
    wanted, now_us = number_of(number) or 0, gateway.now_us
    row = await gateway.access.read(
        lambda c: reading.entry(c, person.organisation, wanted, now_us, person_id=person.person_id)
    )
    if row is None:
        raise Refused(404, "Page not found", "There is nothing at this address, or nothing for your organisation.")
    return row
