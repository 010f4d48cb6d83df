"""The gateway's web application: every router, the headers that protect a browser, and the errors in one form."""

from __future__ import annotations

from fastapi import FastAPI

from services.partner_gateway.documents import routes as documents
from services.partner_gateway.door import events_in, inbox_out, limits, reference, sent, stream
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.who import caller
from services.partner_gateway.partners import routes as partners
from services.partner_gateway.person import routes as person
from services.partner_gateway.person.site import PAGES
from services.partner_gateway.webhooks import routes as webhooks
from services.people.errors import ErrorPages
from services.web import problems
from services.web.measured import Measured
from services.web.protect import Protect
from services.web.traced import Traced

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


def application(gateway: Gateway) -> FastAPI:
    """The whole application over one gateway."""
    app = FastAPI(title="safebus partner gateway", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.gateway = gateway
    problems.install(app, prove=caller)
    for router in ROUTERS:
        app.include_router(router)

    limits.install(app, gateway.settings)
    app.add_middleware(problems.Faults)
    app.add_middleware(ErrorPages, pages=PAGES, programs=("/v1", "/docs"))
    app.add_middleware(Protect)
    app.add_middleware(Traced)
    app.add_middleware(Measured, streams=gateway.streams.open.total)
    return app
