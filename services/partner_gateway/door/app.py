"""The gateway's web application: every router, the headers that protect a browser, and the errors in one form."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.partner_gateway.documents import routes as documents
from services.partner_gateway.door import events_in, inbox_out, limits, problems, reference, sent, stream
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners import routes as partners
from services.partner_gateway.person import routes as person
from services.partner_gateway.webhooks import routes as webhooks

ROUTERS = (
    events_in.router,
    sent.router,
    inbox_out.router,
    stream.router,
    webhooks.router,
    documents.router,
    partners.router,
    person.router,
    reference.router,
)

SECURITY = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


def application(gateway: Gateway) -> FastAPI:
    """The whole application over one gateway."""
    app = FastAPI(title="safebus partner gateway", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.gateway = gateway
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)

    limits.install(app)
    app.add_middleware(problems.Faults)
    app.add_middleware(Protect)
    return app


class Protect:
    """Adds the security headers that a response does not set itself; streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, protected)
