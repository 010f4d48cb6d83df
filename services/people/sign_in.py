"""In by OpenID Connect, or in the embedded demo by a one-time link; out by a button. Who signs in is a named person."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.people import sessions
from services.people.pages import Pages, Refused
from services.people.pending import NoSecondFactor, Pending, SignInRefused
from services.people.site import HAND_ON
from services.people.visit import form_of, person_of, tell, token_of

if TYPE_CHECKING:
    from services.people.oidc import Issuer

log = structlog.get_logger()

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")

PENDING, LINK = "sign-in", "link"
MINUTES = 10 * 60

DEAD_LINK = (
    410,
    "This sign-in link does not work",
    "A sign-in link works once, and only for a short time. This one has been used, or its time is up.",
    "Ask whoever gave it to you for a new one.",
)


def link_path(token: str) -> str:
    """The path of the one-time link for `token`: what whoever makes one hands on, after the site's address."""
    return f"/sign-in/link/{token}"


def routes(pages: Pages, visited: Callable[..., Awaitable[object]]) -> APIRouter:
    """The ways in and out of one site; `visited` is its dependency that calls `signed_in`."""
    router, door = APIRouter(route_class=pages.route, include_in_schema=False), Door(pages)
    pages_of: dict[str, Callable[..., Awaitable[Response]]] = {
        "/sign-in": door.sign_in,
        "/sign-in/start": door.start,
        "/sign-in/callback": door.callback,
        "/sign-in/link/{token}": door.follow,
        "/sign-in/link": door.before_use,
        "/sign-out": door.stay,
        "/signed-out": door.signed_out,
    }
    for path, route in pages_of.items():
        router.add_api_route(path, route, methods=["GET"])
    router.add_api_route("/sign-in/link", door.use, methods=["POST"])
    router.add_api_route("/sign-out", door.sign_out, methods=["POST"], dependencies=[Depends(visited)])
    return router


class Door:
    """What its routes do."""

    def __init__(self, pages: Pages) -> None:
        self._pages, self._site, self._words = pages, pages.site, pages.site.words

    async def sign_in(self, request: Request, entry: str = "", ended: str = "") -> Response:
        """How to sign in. `entry` is where to go afterwards: an id and never an address, so nowhere else."""
        by_issuer, entry_id = bool(self._site.ground(request).settings.oidc_issuer), self._site.valid(entry)
        return self._pages.render(request, "sign_in.html", by_issuer=by_issuer, entry=entry_id, ended=bool(ended))

    async def start(self, request: Request, entry: str = "") -> Response:
        issuer, pending = self._issuer(request), Pending.new(self._site.valid(entry))
        answer = RedirectResponse(await issuer.address(pending, self._callback(request)), 303)
        self._keep(request, answer, PENDING, pending.cookie())
        return answer

    async def callback(
        self,
        request: Request,
        code: str = "",
        state: str = "",
        iss: Annotated[str | None, Query()] = None,
    ) -> Response:
        """The issuer sends the browser back here; only to the browser that began does it mean anything."""
        issuer, ground = self._issuer(request), self._site.ground(request)
        pending = Pending.of(token_of(self._site, request, PENDING), self._site)
        if pending is None or not secrets.compare_digest(pending.state.encode(), state.encode()):
            log.info("sign_in_refused", reason="state")
            raise Refused(
                400,
                "We could not sign you in",
                "The sign-in took too long, or was begun in another window or another browser.",
                f"Go to the {self._words.short} and sign in again.",
            )
        try:
            subject = await issuer.subject(pending, code, iss, self._callback(request))
        except SignInRefused as refused:
            log.info("sign_in_refused", reason=refused.reason)
            raise self._said(refused) from refused
        person_id = await ground.access.read(lambda c: sessions.by_subject(self._site, c, subject))
        if person_id is None:
            log.info("sign_in_refused", reason="not_a_named_person")
            raise Refused(
                403,
                f"You do not have access to this {self._words.short}",
                self._words.stranger,
                f"Ask {self._words.ask} to add you.",
            )
        answer = await self._begin(request, person_id, pending.entry)
        sessions.forget(self._site, ground.settings, answer, PENDING)
        return answer

    async def follow(self, request: Request, token: str) -> Response:
        """Takes the token out of the address and shows a button: programs that scan mail follow links, press none."""
        if not _TOKEN.fullmatch(token):
            raise Refused(*DEAD_LINK)
        answer = RedirectResponse("/sign-in/link", 303)
        self._keep(request, answer, LINK, token)
        return answer

    async def before_use(self, request: Request) -> Response:
        ground, token = self._site.ground(request), self._link(request)
        now_us = ground.now_us
        if await ground.access.read(lambda c: sessions.of_link(self._site, c, token, now_us)) is None:
            raise Refused(*DEAD_LINK)
        return self._pages.render(request, "link.html", csrf=_proof(token))

    async def use(self, request: Request) -> Response:
        ground, token = self._site.ground(request), self._link(request)
        await form_of(self._site, request, _proof(token))
        now_us = ground.now_us
        person_id = await ground.access.write(lambda c: sessions.use_link(self._site, c, token, now_us))
        if person_id is None:
            log.info("sign_in_refused", reason="dead_link")
            raise Refused(*DEAD_LINK)
        answer = await self._begin(request, person_id, None)
        sessions.forget(self._site, ground.settings, answer, LINK)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """The session itself ends; or stays, and the site asks first to hand on what must not be left."""
        site, ground, person = self._site, self._site.ground(request), person_of(request)
        token, person_id = token_of(site, request), person.person_id
        await form_of(site, request, person.csrf)

        def leave(connection: sa.Connection) -> bool:
            if site.holds and site.holds(connection, person_id):
                return False
            sessions.end(site, connection, token)
            return True

        if not await ground.access.write(leave):
            return RedirectResponse(HAND_ON, 303)
        log.info("signed_out", by=f"person {person_id}")
        await tell(site, request, "SIGNED_OUT", person_id)
        answer = RedirectResponse("/signed-out", 303)
        sessions.forget(site, ground.settings, answer)
        return answer

    async def stay(self) -> Response:
        """An address typed in or loaded again signs nobody out."""
        return RedirectResponse(self._site.home, 303)

    async def signed_out(self, request: Request) -> Response:
        return self._pages.render(request, "signed_out.html")

    async def _begin(self, request: Request, person_id: str, entry: str | None) -> Response:
        """A session of a new secret, whatever the browser had before; and on to the first page, or to the entry."""
        site, ground = self._site, self._site.ground(request)
        at, now_us, former = ground.settings, ground.now_us, token_of(site, request)
        token = await ground.access.write(lambda c: sessions.begin(site, c, at, person_id, now_us, former))
        log.info("signed_in", by=f"person {person_id}")
        await tell(site, request, "SIGNED_IN", person_id)
        answer = RedirectResponse(site.after(entry), 303)
        sessions.keep(site, at, answer, token)
        return answer

    def _said(self, refused: SignInRefused) -> Refused:
        if isinstance(refused, NoSecondFactor):
            return Refused(
                403,
                "You need a second step to sign in",
                f"You signed in with a password alone. This {self._words.short} also needs a second step, such as a "
                "code from your phone.",
                "Set it up with whoever runs your sign-in, then sign in again.",
            )
        return Refused(
            403, "We could not sign you in", "The sign-in was stopped or did not succeed. You can try again."
        )

    def _issuer(self, request: Request) -> Issuer:
        """Made once an application."""
        at = self._site.ground(request).settings
        terms, state = self._site.terms(at), request.app.state
        if not at.oidc_issuer or not terms.client_id:
            raise Refused(404, "Page not found", "Signing in with an account is not set up here.")
        if not hasattr(state, "issuer"):
            from services.people.oidc import Issuer  # most installations' pages never need it

            state.issuer = Issuer(at, terms)
        issuer: Issuer = state.issuer
        return issuer

    def _link(self, request: Request) -> str:
        """The one-time token that this browser followed. Where people can sign in with a second factor they must."""
        token = token_of(self._site, request, LINK)
        if not token or self._site.ground(request).settings.oidc_issuer:
            raise Refused(*DEAD_LINK)
        return token

    def _callback(self, request: Request) -> str:
        terms = self._site.terms(self._site.ground(request).settings)
        scheme = "https" if terms.https else "http"
        return (terms.url or f"{scheme}://{request.url.netloc}").rstrip("/") + "/sign-in/callback"

    def _keep(self, request: Request, answer: Response, part: str, value: str) -> None:
        """For a while."""
        sessions.keep(self._site, self._site.ground(request).settings, answer, value, part, MINUTES)


def _proof(token: str) -> str:
    """What the button's form carries: it shows that the page was made for the browser that holds the token."""
    return sessions.hash_of(f"form {token}").hex()
