"""A signed-in person's request: who it is, and that it is they who sent the form."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData

from services.people import sessions
from services.people.pages import Refused, SignInFirst
from services.people.site import Named, P, Seen, Site


async def signed_in(site: Site[P], request: Request, entry: object = None, *, by_hand: bool = True) -> tuple[P, str]:
    """Who is signed in, and their session's secret.

    Args:
        entry: the id of what the page shows, to come back to after a sign-in, if it is written as an entry's id.
        by_hand: whether a person asks. What a page asks for by itself keeps no session alive.

    Raises:
        SignInFirst: nobody is signed in, or their session has ended or is locked.
    """
    ground = site.ground(request)
    at, now_us, token = ground.settings, ground.now_us, token_of(site, request)
    found = await ground.access.read(lambda c: sessions.find(site, c, at, token, now_us)) if token else None
    if found is None or found.locked:
        locked = found is not None
        raise SignInFirst(site.valid(entry), ended=bool(token) and not locked, locked=locked)
    if found.to_note and by_hand:
        await ground.access.write(lambda c: sessions.note_use(site, c, at, token, now_us))
    request.state.person, request.state.entry = found.person, site.valid(entry)
    return found.person, token


async def left(site: Site[Any], request: Request) -> float:
    """Seconds until the session of the browser that asks ends or is locked, 0 once it has; a stream ends then too."""
    ground, token = site.ground(request), token_of(site, request)
    at, now_us = ground.settings, ground.now_us
    found = await ground.access.read(lambda c: sessions.find(site, c, at, token, now_us)) if token else None
    return max(0.0, found.left) if found else 0.0


def person_of(request: Request) -> Named:
    """Who `signed_in` found there."""
    found: Named = request.state.person
    return found


async def tell(site: Site[Any], request: Request, what: Seen, person_id: str) -> None:
    """Whoever records it."""
    if site.seen:
        await site.seen(request, what, person_id)


def token_of(site: Site[Any], request: Request, part: str = "") -> str:
    """What the browser keeps for this site, or nothing."""
    return request.cookies.get(sessions.cookie_name(site, site.ground(request).settings, part), "")


async def form_of(site: Site[Any], request: Request, csrf: str) -> FormData:
    """A form that comes from our own page. A browser also says where a request is from, if the site is by HTTPS.

    Raises:
        Refused: it may come from elsewhere.
    """
    form = await request.form(max_files=0, max_fields=1000, max_part_size=10_000)
    sent = form.get("csrf")
    from_elsewhere = request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    if from_elsewhere or not isinstance(sent, str) or not secrets.compare_digest(sent.encode(), csrf.encode()):
        raise Refused(
            403,
            "This page is out of date",
            "You may have signed in again in another window. Nothing was recorded.",
            f"Go back to the {site.words.short}, open the page again, and repeat what you did.",
        )
    return form
