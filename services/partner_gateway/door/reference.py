"""GET /v1/openapi.json, /v1/asyncapi.json and /docs: for developers of other systems. Nothing in them is secret."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from services.partner_gateway.door.context import gateway_of
from services.partner_gateway.reference.made import Reference
from services.web.problems import Problem

router = APIRouter(include_in_schema=False)

_OURS = Path(__file__).parent.parent / "reference" / "static"
_SWAGGER_UI = Path(str(files("fastapi_offline"))) / "static"
STATIC = {
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
    "start.js": (_OURS, "text/javascript"),
    "reference.css": (_OURS, "text/css"),
}
"""The files that the pages may load, each with its folder: nothing else is served, and nothing from elsewhere."""

FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


def _reference(request: Request) -> Reference:
    """Made at the first request, and the same until the process ends."""
    state = request.app.state
    if not hasattr(state, "reference"):
        gateway = gateway_of(request)
        state.reference = Reference.of(request.app.routes, gateway.catalogue, gateway.settings)
    return state.reference  # type: ignore[no-any-return]


@router.get("/v1/openapi.json")
async def openapi(request: Request) -> Response:
    return Response(_reference(request).openapi, media_type="application/json")


@router.get("/v1/asyncapi.json")
async def asyncapi(request: Request) -> Response:
    return Response(_reference(request).asyncapi, media_type="application/json")


@router.get("/docs")
async def docs(request: Request) -> Response:
    return Response(_reference(request).page, media_type="text/html")


@router.get("/docs/events")
async def events(request: Request) -> Response:
    return Response(_reference(request).events_page, media_type="text/html")


@router.get("/docs/static/{name}")
async def static(name: str) -> Response:
    if name not in STATIC:
        raise Problem(404, "not-found", "there is nothing here, or nothing for you")
    folder, media_type = STATIC[name]
    return FileResponse(folder / name, media_type=media_type, headers=FOR_A_DAY)
