"""What went wrong, as RFC 9457 problem details: what a developer must do, never what was in the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from traceback import extract_tb
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.bus.errors import Surroundings
from services.bus.outside import place_of, sentence_of

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:safebus:problem:"

MOST_FAULTS = 100
"""In one answer, which may not be many times longer than the request."""


class Problem(Exception):
    """An answer other than success.

    `code` is stable, for programs; `detail` is one sentence for a person; `errors` names each wrong field by JSON
    pointer (RFC 6901) with the reason against it, never its value.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors, self.headers = status, code, detail, errors, headers

    def body(self) -> dict[str, Any]:
        """The problem details object."""
        said: dict[str, Any] = {
            "type": TYPES + self.code,
            "title": self.code.replace("-", " "),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            said["errors"] = [{"pointer": f"#{pointer}", "detail": reason} for pointer, reason in self.errors]
        return said

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, headers=dict(self.headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI, prove: Callable[[Request], Awaitable[object]] | None = None) -> None:
    """Every error of this application as problem details.

    Args:
        prove: raises a Problem for a caller who has proved nothing.
    """

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = error.errors()
        unread = any(fault["type"] == "json_invalid" for fault in faults)
        if unread and (refused := await _unproved(request, prove)):
            return refused.response()
        errors = [("", "is not JSON")] if unread else list(map(_wrong, faults[:MOST_FAULTS]))
        return Problem(422, "invalid-request", "something in the request is missing or wrong", errors=errors).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400 and (refused := await _unproved(request, prove)):
            return refused.response()
        codes = {404: "not-found", 405: "method-not-allowed"}
        words = {404: "there is nothing here, or nothing for you", 405: "this address does not take that method"}
        code, detail = codes.get(error.status_code, "refused"), words.get(error.status_code, "the request is refused")
        return Problem(error.status_code, code, detail, headers=error.headers).response()

    @app.exception_handler(Surroundings)
    async def surroundings(_request: Request, _error: Surroundings) -> JSONResponse:
        detail = "this cannot be done now; try again, an event with the same id"
        return Problem(503, "try-again", detail, headers={"Retry-After": "2"}).response()


def _wrong(fault: Any) -> tuple[str, str]:
    """Pointers are into the body; of what stands elsewhere they begin with where, as in `/query/after`."""
    where, *within = fault["loc"]
    return place_of(within if where == "body" else fault["loc"]), sentence_of(fault)


async def _unproved(request: Request, prove: Callable[[Request], Awaitable[object]] | None) -> Problem | None:
    """The refusal of a caller who has proved nothing, where FastAPI read the body before anybody asked for a proof."""
    try:
        if prove is not None:
            await prove(request)
    except Problem as refused:
        return refused
    return None


class Faults:
    """What we did not foresee: 500, and in the log where it happened. Never its text, which may hold what was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001 - of any kind, that is the point
            where = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
            log.error("fault", error=type(error).__name__, where=where[-5:])  # noqa: TRY400
            if begun:
                raise ConnectionAbortedError("an answer that had begun cannot be ended well") from None
            said = Problem(500, "fault", "this failed, and the log says where; nothing is known to be done")
            await said.response()(scope, receive, send)
