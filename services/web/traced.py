"""A span for each request at a door, which joins its caller's trace and is what the events belong to that it brings.

Source: OpenTelemetry semantic conventions, HTTP server spans; W3C Trace Context. The route is its template, never the
path that was asked for, which may hold an id.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.bus import tracing
from services.web.measured import method_of, route_of

_NAME = tracing.HEADER.encode()
_FAULT = 500


class Traced:
    """Around a door's application; nothing at all while nothing is traced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tracer = tracing.tracer()
        if tracer is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry import trace

        came = next((value for name, value in scope["headers"] if name == _NAME), None)
        method = method_of(scope)
        span = tracer.start_span(
            method,
            context=tracing.parent_of(came),
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": method, "url.scheme": str(scope.get("scheme", "http"))},
        )

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = int(message["status"])
                span.update_name(f"{method} {route_of(scope)}")
                span.set_attributes({"http.route": route_of(scope), "http.response.status_code": status})
                if status >= _FAULT:
                    span.set_status(trace.StatusCode.ERROR)
                span.end()  # a stream goes on for hours
            await send(message)

        # Whoever reads the header further in reads of the door's own span.
        ours = (_NAME, (tracing.traceparent(span) or "").encode())
        scope["headers"] = [*(pair for pair in scope["headers"] if pair[0] != _NAME), ours]
        try:
            # Nothing of an exception is kept: its text may hold what an event says.
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                await self._app(scope, receive, told)
        finally:
            if span.is_recording():
                span.end()
