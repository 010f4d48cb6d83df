"""What went wrong, as RFC 9457 problem details: what a developer must do, never what was in the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.bus.errors import Surroundings

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:safebus:problem:"


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


def install(app: FastAPI) -> None:
    """Every error of this application as problem details."""

    @app.exception_handler(Problem)
    async def problem(_request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def unfit(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [("/" + "/".join(map(str, e["loc"])), e["type"].replace("_", " ")) for e in error.errors()]
        return Problem(422, "invalid-request", "a parameter of the request is wrong", errors=errors).response()

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not-found", 405: "method-not-allowed"}
        words = {404: "there is nothing here, or nothing for you", 405: "this address does not take that method"}
        code, detail = codes.get(error.status_code, "refused"), words.get(error.status_code, "the request is refused")
        return Problem(error.status_code, code, detail, headers=error.headers).response()

    @app.exception_handler(Surroundings)
    async def surroundings(_request: Request, _error: Surroundings) -> JSONResponse:
        detail = "the gateway cannot do this now; try again, an event with the same id"
        return Problem(503, "try-again", detail, headers={"Retry-After": "2"}).response()
