"""In by OpenID Connect, or in the embedded demo by a one-time link; out by a button. Who signs in is a named person."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

import structlog
from fastapi import APIRouter, Request
from fastapi.params import Query
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.settings import Settings
from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.person import sessions
from services.partner_gateway.person.oidc import Issuer, NoSecondFactor, Pending, SignInRefused
from services.partner_gateway.person.pages import Page, Refused, render
from services.partner_gateway.person.visit import Visit, check_form, form_of, number_of

log = structlog.get_logger()
router = APIRouter(route_class=Page, include_in_schema=False)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")

PENDING, LINK = "safebus-sign-in", "safebus-link"
MINUTES = 10 * 60

DEAD_LINK = (
    410,
    "This sign-in link does not work",
    "A sign-in link works once, and only for a short time. This one has been used, or its time is up.",
    "Ask whoever gave it to you for a new one.",
)
START_AGAIN = (
    400,
    "We could not sign you in",
    "The sign-in took too long, or was begun in another window or another browser.",
    "Go to the inbox and sign in again.",
)


def link_path(token: str) -> str:
    """The path of the one-time link for `token`: what whoever makes one hands on, after the gateway's address."""
    return f"/sign-in/link/{token}"


@router.get("/sign-in")
async def sign_in(request: Request, entry: str = "", ended: str = "") -> Response:
    """How to sign in. `entry` is where to go afterwards: a number and never an address, so nowhere else."""
    at = gateway_of(request).settings
    return render(request, "sign_in.html", by_issuer=bool(at.oidc_issuer), entry=number_of(entry), ended=bool(ended))


@router.get("/sign-in/start")
async def start(request: Request, entry: str = "") -> Response:
    issuer, at = _issuer(request), gateway_of(request).settings
    pending = Pending.new(number_of(entry))
    answer = RedirectResponse(await issuer.address(pending, _callback(request)), 303)
    _set_for_a_while(answer, at, PENDING, pending.cookie())
    return answer


@router.get("/sign-in/callback")
async def callback(
    request: Request,
    code: str = "",
    state: str = "",
    iss: Annotated[str | None, Query()] = None,
) -> Response:
    """The issuer sends the browser back here; only to the browser that began does it mean anything."""
    gateway, issuer = gateway_of(request), _issuer(request)
    pending = Pending.of(request.cookies.get(sessions.cookie_name(gateway.settings, PENDING), ""))
    if pending is None or not secrets.compare_digest(pending.state.encode(), state.encode()):
        log.info("sign_in_refused", reason="state")
        raise Refused(*START_AGAIN)
    try:
        subject = await issuer.subject(pending, code, iss, _callback(request))
    except SignInRefused as refused:
        log.info("sign_in_refused", reason=refused.reason)
        raise _said(refused) from refused
    person_id = await gateway.access.read(lambda connection: sessions.by_subject(connection, subject))
    if person_id is None:
        log.info("sign_in_refused", reason="not_a_named_person")
        raise Refused(
            403,
            "You do not have access to this inbox",
            "You have signed in, but you are not one of the named safeguarding people of a school, practice or agency.",
            "Ask whoever looks after the partners at your local authority to add you.",
        )
    answer = await _begin(request, person_id, pending.entry)
    _drop(answer, gateway.settings, PENDING)
    return answer


@router.get("/sign-in/link/{token}")
async def follow(request: Request, token: str) -> Response:
    """Takes the token out of the address and shows a button: programs that scan mail follow links, and press none."""
    if not _TOKEN.fullmatch(token):
        raise Refused(*DEAD_LINK)
    answer = RedirectResponse("/sign-in/link", 303)
    _set_for_a_while(answer, gateway_of(request).settings, LINK, token)
    return answer


@router.get("/sign-in/link")
async def before_use(request: Request) -> Response:
    gateway, token = gateway_of(request), _link(request)
    now_us = gateway.now_us
    if await gateway.access.read(lambda connection: sessions.of_link(connection, token, now_us)) is None:
        raise Refused(*DEAD_LINK)
    return render(request, "link.html", csrf=_proof(token))


@router.post("/sign-in/link")
async def use(request: Request) -> Response:
    gateway, token = gateway_of(request), _link(request)
    check_form(request, await form_of(request), _proof(token))
    now_us = gateway.now_us
    person_id = await gateway.access.write(lambda connection: sessions.use_link(connection, token, now_us))
    if person_id is None:
        log.info("sign_in_refused", reason="dead_link")
        raise Refused(*DEAD_LINK)
    answer = await _begin(request, person_id, None)
    _drop(answer, gateway.settings, LINK)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, visit: Visit) -> Response:
    gateway = gateway_of(request)
    check_form(request, await form_of(request), visit.person.csrf)
    await gateway.access.write(lambda connection: sessions.end(connection, visit.token))
    log.info("signed_out", by=visit.caller.by, organisation=visit.person.organisation)
    answer = RedirectResponse("/signed-out", 303)
    sessions.forget(answer, gateway.settings)
    return answer


@router.get("/sign-out")
async def stay() -> Response:
    """An address typed in or loaded again signs nobody out."""
    return RedirectResponse("/inbox", 303)


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    return render(request, "signed_out.html")


async def _begin(request: Request, person_id: str, entry: int | None) -> Response:
    """A session of a new secret, whatever the browser had before; and on to the inbox."""
    gateway = gateway_of(request)
    at, now_us = gateway.settings, gateway.now_us
    former = request.cookies.get(sessions.cookie_name(at))
    token = await gateway.access.write(lambda c: sessions.begin(c, at, person_id, now_us, former))
    log.info("signed_in", by=f"person {person_id}")
    answer = RedirectResponse(f"/inbox/{entry}" if entry else "/inbox", 303)
    sessions.keep(answer, at, token)
    return answer


def _said(refused: SignInRefused) -> Refused:
    if isinstance(refused, NoSecondFactor):
        return Refused(
            403,
            "You need a second step to sign in",
            "You signed in with a password alone. This inbox also needs a second step, such as a code from your phone.",
            "Set it up with whoever runs your sign-in, then sign in again.",
        )
    return Refused(403, "We could not sign you in", "The sign-in was stopped or did not succeed. You can try again.")


def _issuer(request: Request) -> Issuer:
    """Made once an application."""
    at = gateway_of(request).settings
    if not at.oidc_issuer or not at.oidc_client_id:
        raise Refused(404, "Page not found", "Signing in with an account is not set up here.")
    state = request.app.state
    if not hasattr(state, "issuer"):
        state.issuer = Issuer(at)
    issuer: Issuer = state.issuer
    return issuer


def _link(request: Request) -> str:
    """The one-time token that this browser followed. Where people can sign in with a second factor they must (H10)."""
    at = gateway_of(request).settings
    token = request.cookies.get(sessions.cookie_name(at, LINK))
    if not token or at.oidc_issuer:
        raise Refused(*DEAD_LINK)
    return token


def _proof(token: str) -> str:
    """What the button's form carries: it shows that the page was made for the browser that holds the token."""
    return sessions.hash_of(f"form {token}").hex()


def _callback(request: Request) -> str:
    at = gateway_of(request).settings
    scheme = "https" if sessions.by_https(at) else "http"
    return (at.gateway_url or f"{scheme}://{request.url.netloc}").rstrip("/") + "/sign-in/callback"


def _set_for_a_while(answer: Response, at: Settings, name: str, value: str) -> None:
    answer.set_cookie(
        sessions.cookie_name(at, name), value, max_age=MINUTES, path="/", httponly=True,
        secure=sessions.by_https(at), samesite="lax",
    )  # fmt: skip


def _drop(answer: Response, at: Settings, name: str) -> None:
    answer.delete_cookie(
        sessions.cookie_name(at, name), path="/", httponly=True, secure=sessions.by_https(at), samesite="lax"
    )
