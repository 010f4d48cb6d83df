"""What a process shows of itself: /livez, /readyz and /metrics, and what its room tells operators besides."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from services.bus.errors import UserMistake
from services.bus.health import Health
from services.bus.metrics import exposition
from services.bus.settings import Settings


def application(health: Health, more: Sequence[BaseRoute] = ()) -> Starlette:
    """200 when alive and when ready, else 503 with the reason in words."""

    async def livez(_request: Request) -> Response:
        return PlainTextResponse(
            "alive\n" if health.is_alive else "the loop has stopped turning\n", _status(health.is_alive)
        )

    async def readyz(_request: Request) -> Response:
        return PlainTextResponse(f"{health.reason}\n", _status(health.is_ready))

    async def metrics(_request: Request) -> Response:
        return Response(await exposition(), media_type=CONTENT_TYPE_LATEST)

    own = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=[*own, *more])


def _status(good: bool) -> int:
    return 200 if good else 503


class QuietServer(uvicorn.Server):
    """Leaves the signals alone."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """The process's own handlers stop the service first."""
        yield


class StatusPage:
    """Serves until closed; `port` is the one it got."""

    def __init__(self, health: Health, settings: Settings, more: Sequence[BaseRoute] = ()) -> None:
        where = (settings.http_host, settings.http_port)
        try:
            self._socket = socket.create_server(where)
        except OSError as error:
            raise UserMistake(
                f"{where[0]}:{where[1]}, where the process would show its health, cannot be had ({error.strerror}); "
                "choose another SAFEBUS_HTTP_PORT, or 0 for any"
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self._server = QuietServer(
            uvicorn.Config(application(health, more), log_config=None, access_log=False, lifespan="off")
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> StatusPage:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        if self._task:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, 3)
