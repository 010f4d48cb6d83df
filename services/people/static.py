"""A site's static files: read once, and kept by browsers for as long as they stay the same."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

SHARED = Path(__file__).resolve().parent / "static"
LOCKING = SHARED / "locking"
"""What the pages of a site have besides whose sessions are locked (locking.py)."""

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wav": "audio/wav",
}


class Static:
    """Those that every site has (`look.css`: one look), and those of these folders."""

    def __init__(self, *folders: Path) -> None:
        files = sorted(file for folder in (SHARED, *folders) for file in folder.iterdir())
        self._files = {file.name: file.read_bytes() for file in files if file.suffix in TYPES}

    def version(self, name: str) -> str:
        return sha256(self._files[name]).hexdigest()[:12]

    def address(self, name: str) -> str:
        """As pages name it: another content has another address."""
        return f"/static/{name}?v={self.version(name)}"

    def router(self) -> APIRouter:
        """A route for each; by its version a file is kept for a year."""
        router = APIRouter(include_in_schema=False)
        for name in self._files:
            router.add_api_route(f"/static/{name}", self._route(name), methods=["GET"])
        return router

    def _route(self, name: str):  # type: ignore[no-untyped-def]
        content, version, kind = self._files[name], self.version(name), TYPES[Path(name).suffix]

        async def static(v: str = "") -> Response:
            kept = "public, max-age=31536000, immutable" if v == version else "no-cache"
            return Response(content, media_type=kind, headers={"Cache-Control": kept})

        return static
