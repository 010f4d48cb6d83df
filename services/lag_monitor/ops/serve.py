"""Opens the operators' page: on this machine alone unless a setting says otherwise, for it asks nobody who they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from services.bus.settings import Settings
from services.lag_monitor.ops.desk import Desk, Lag
from services.lag_monitor.ops.exporter import exported
from services.lag_monitor.ops.page import STATIC, render
from services.lag_monitor.ops.targets import targets
from services.lag_monitor.probing.kept import Probes
from services.web.measured import Measured
from services.web.protect import Protect
from services.web.serving import Place, listen, serving
from services.web.serving import where as serving_at

DOOR = "ops.json"
"""Below the data directory: where the page is, for commands on this machine."""

log = structlog.get_logger()


@asynccontextmanager
async def open_ops(at: Settings, lag: Lag, probes: Probes | None = None) -> AsyncIterator[str]:
    """Look at every process and serve the page until the block ends; the address it is at.

    Raises:
        UserMistake: the port is taken, or SAFEBUS_OPS_TARGETS cannot be read.
    """
    place = place_of(at)
    targets(at)  # a mistake there is told at once
    listening = listen(place)
    if not is_loopback(at.ops_host):
        log.warning("ops_open_to_others", host=at.ops_host)
    async with Desk(at, lag, probes) as desk:
        with exported(desk):
            async with serving(application(desk), listening, place, _nothing_to_close) as address:
                yield address


def application(desk: Desk) -> FastAPI:
    """The page, its style and script, and what Prometheus scrapes."""
    alone = is_loopback(desk.settings.ops_host)

    async def ops(request: Request) -> Response:
        return HTMLResponse(render(desk, f"{request.base_url}ops", loopback=alone))

    async def front(_request: Request) -> Response:
        return RedirectResponse("/ops", 307)

    async def scraped(_request: Request) -> Response:
        """Prometheus's HTTP service discovery: what runs, and where."""
        found = [
            {"targets": [urlsplit(one.address).netloc], "labels": {"job": "safebus", "process": one.name}}
            for one in targets(desk.settings)
        ]
        return JSONResponse(found)

    async def nothing(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("There is nothing at this address; the operators' page is at /ops.\n", 404)

    # A site that a browser on this machine visits may not read it by a name of its own (DNS rebinding).
    hosts = ["localhost", "127.0.0.1", "[::1]", desk.settings.ops_host] if alone else ["*"]
    app = FastAPI(title="safebus operations", docs_url=None, redoc_url=None, openapi_url=None)
    for path, answer in {"/": front, "/ops": ops, "/ops/targets": scraped}.items():
        app.add_api_route(path, answer, methods=["GET", "HEAD"], response_model=None)
    app.include_router(STATIC.router())
    app.add_exception_handler(404, nothing)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(Protect)
    app.add_middleware(Measured, streams=lambda: 0)
    return app


async def _nothing_to_close() -> None:
    """No stream is ever open here."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def where(at: Settings) -> str | None:
    """The address of the page that was opened last in this data directory; None if none is open."""
    return serving_at(place_of(at).file)


def place_of(at: Settings) -> Place:
    """Where the settings want it."""
    return Place("the operators' page", "OPS", at.ops_host, at.ops_port, None, None, None, at.data_dir / DOOR)
