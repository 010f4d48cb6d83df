"""A signed-in person's request: who it is, that it is they who sent the form, and which entry it is about."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.door.who import INBOX, RECEIPTS, Caller
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.reading import Row
from services.partner_gateway.person import sessions
from services.partner_gateway.person.pages import Refused, SignInFirst
from services.partner_gateway.person.sessions import Person

MAY = frozenset({INBOX, RECEIPTS})
"""What a named person may: read the organisation's inbox, and write that they read or acted."""

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")

STALE_FORM = (
    403,
    "This page is out of date",
    "You may have signed in again in another window. Nothing was recorded.",
    "Go back to the inbox, open the page again, and repeat what you did.",
)


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
    gateway = gateway_of(request)
    at, now_us = gateway.settings, gateway.now_us
    token = request.cookies.get(sessions.cookie_name(at), "")
    found = await gateway.access.read(lambda c: sessions.find(c, at, token, now_us)) if token else None
    if found is None:
        raise SignInFirst(number_of(request.path_params.get("number", "")), ended=bool(token))
    person, note = found
    if note:
        await gateway.access.write(lambda c: sessions.note_use(c, token, now_us))
    request.state.person = person
    by = f"person {person.person_id}"
    return Visited(person, Caller(person.organisation, MAY, by, "person", person.person_id, person.sandbox), token)


Visit = Annotated[Visited, Depends(visited)]


def number_of(text: object) -> int | None:
    """An entry's number, if it is written as one."""
    return int(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else None


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


async def form_of(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=10, max_part_size=10_000)


def check_form(request: Request, form: FormData, csrf: str) -> None:
    """That it comes from our own page. A browser also says where a request is from, if the gateway is by HTTPS.

    Raises:
        Refused: it may come from elsewhere.
    """
    sent = form.get("csrf")
    from_elsewhere = request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    if from_elsewhere or not isinstance(sent, str) or not secrets.compare_digest(sent.encode(), csrf.encode()):
        raise Refused(*STALE_FORM)
