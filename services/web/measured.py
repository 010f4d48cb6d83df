"""How long a door takes to answer, by route and status, as OpenTelemetry's conventions name it for Prometheus.

The route is its template, `/v1/inbox/{number}`, never the path that was asked for: a path may hold an id, and there is
no end of them. Source: OpenTelemetry semantic conventions, HTTP server metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANSWERED = Histogram(
    "http_server_request_duration_seconds",
    "From a request's headers to those of its answer; a stream's own length is not in it",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
STREAMS = Gauge("safebus_streams_open", "Live streams that are open at this process's door")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "_OTHER"
NO_ROUTE = "none"
"""Refused before a route was found, or there is none."""


class Measured:
    """Around everything else of an application, so that what is refused early counts too."""

    def __init__(self, app: ASGIApp, streams: Callable[[], int]) -> None:
        """
        Args:
            streams: how many are open now.
        """
        self._app = app
        STREAMS.set_function(lambda: float(streams()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                labels = (method_of(scope), route_of(scope), str(message["status"]))
                ANSWERED.labels(*labels).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, measured)


def method_of(scope: Scope) -> str:
    """One of few: whoever calls may send any word as a method."""
    return scope["method"] if scope["method"] in METHODS else OTHER


def route_of(scope: Scope) -> str:
    """The template of the route that answers."""
    return str(getattr(scope.get("route"), "path", NO_ROUTE))
