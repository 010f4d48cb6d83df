"""Claim checks: what is too large for an event is stored once, by its SHA-256, and the event says where."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from typing import Any
from uuid import uuid4

import fsspec

from services.bus.errors import Surroundings
from services.bus.events import ClaimCheck


class Claims:
    """Documents behind an fsspec URL. The same bytes are the same document."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def put(self, body: bytes, media_type: str) -> ClaimCheck:
        """Store and return the claim check; on a local disk the bytes are on it before this returns.

        Raises:
            Surroundings: they cannot be stored now.
        """
        name = sha256(body).hexdigest()
        location = f"{self._url}/{name[:2]}/{name}"
        filesystem, path = fsspec.core.url_to_fs(location)
        try:
            if not (filesystem.exists(path) and filesystem.size(path) == len(body)):
                self._write(filesystem, path, body)
        except Exception as error:  # each store has errors of its own
            raise Surroundings(f"large documents cannot be stored ({type(error).__name__})") from error
        return ClaimCheck(sha256=name, size=len(body), media_type=media_type, location=location)

    @staticmethod
    def _write(filesystem: Any, path: str, body: bytes) -> None:
        """Whole or not at all: a process that dies here leaves nothing that looks like the document."""
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
        half = f"{path}.{uuid4().hex}"
        with filesystem.open(half, "wb") as out:
            out.write(body)
            out.flush()
            with suppress(AttributeError, OSError):  # a remote store has no descriptor; its close is its promise
                os.fsync(out.fileno())
        filesystem.mv(half, path)

    def get(self, claim: ClaimCheck) -> bytes:
        """The document.

        Raises:
            ValueError: what stands there is not what was stored.
        """
        with fsspec.open(claim.location, "rb") as source:
            body: bytes = source.read()
        if sha256(body).hexdigest() != claim.sha256:
            raise ValueError(f"the document {claim.sha256[:12]} has changed since it was stored")
        return body
