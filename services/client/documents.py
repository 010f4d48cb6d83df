"""Documents, up and down: streamed, and compared with their SHA-256 at this end as well."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx

from services.client.errors import BadAnswer, refusal
from services.client.retrying import Patience, until_settled
from services.client.values import Document

PLACE = "/v1/documents"
CHUNK = 1 << 16
_SHA256 = re.compile(r"[0-9a-f]{64}")

Given = bytes | os.PathLike[str]
"""A document: its bytes, or the file that it is in."""


async def upload(http: httpx.AsyncClient, document: Given, media_type: str, patience: Patience) -> httpx.Response:
    """See Client.upload. The answer, which is 201 or a refusal."""
    size = len(document) if isinstance(document, bytes) else (await anyio.Path(document).stat()).st_size
    headers = {"content-type": media_type, "content-length": str(size)}

    async def send() -> httpx.Response:
        return await http.post(PLACE, content=_chunks(document), headers=headers)

    return await until_settled(patience, send)


async def of_answer(said: Mapping[str, Any], document: Given) -> Document:
    """The document that the gateway says it has.

    Raises:
        BadAnswer: it is another one.
    """
    found = sha256()
    async for chunk in _chunks(document):
        found.update(chunk)
    try:
        made = Document(str(said["sha256"]), int(said["size"]), str(said["media_type"]), str(said["location"]))
    except (KeyError, TypeError, ValueError):
        made = None
    if made is None or made.sha256 != found.hexdigest():
        raise BadAnswer("what the gateway has is not the document that was sent")
    return made


async def download(
    http: httpx.AsyncClient, document: str | Mapping[str, Any] | Document, to: os.PathLike[str], patience: Patience
) -> None:
    """See Client.download."""
    wanted = _sha256_of(document)
    half = Path(to).with_name(f".{Path(to).name}.{os.getpid()}.half")

    async def fetch() -> httpx.Response:
        async with http.stream("GET", f"{PLACE}/{wanted}") as response:
            if response.status_code == 200:
                await _write(response, half, wanted)
            else:
                await response.aread()
            return response

    try:
        response = await until_settled(patience, fetch)
        if response.status_code != 200:
            raise refusal(response)
        await anyio.Path(half).replace(os.fspath(to))
    finally:
        with suppress(FileNotFoundError):
            half.unlink()


async def _write(response: httpx.Response, to: Path, wanted: str) -> None:
    """A file that its owner alone reads."""
    found = sha256()
    async with await anyio.open_file(to, "wb", opener=_private) as file:
        async for chunk in response.aiter_bytes(CHUNK):
            found.update(chunk)
            await file.write(chunk)
    if found.hexdigest() != wanted:
        raise BadAnswer("what the gateway gave is not the document of that SHA-256")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sha256_of(document: str | Mapping[str, Any] | Document) -> str:
    said = document["sha256"] if isinstance(document, Mapping) else document
    said = said.sha256 if isinstance(said, Document) else said
    if not isinstance(said, str) or not _SHA256.fullmatch(said):
        raise ValueError("a document is named by its SHA-256, 64 digits of 0 to 9 and a to f, or by its claim check")
    return said


async def _chunks(document: Given) -> AsyncGenerator[bytes, None]:
    if isinstance(document, bytes):
        for start in range(0, len(document), CHUNK):
            yield document[start : start + CHUNK]
        return
    async with await anyio.open_file(document, "rb") as file:
        while chunk := await file.read(CHUNK):
            yield chunk
