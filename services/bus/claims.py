"""Claim checks: what is too large for an event is stored once, by its SHA-256, and the event says where."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from threading import Lock
from typing import Any, BinaryIO
from uuid import uuid4

import fsspec

from services.bus.errors import Surroundings
from services.bus.events import ClaimCheck

CHUNK = 1 << 18
"""Bytes of a document in memory at once, while it is stored or handed out."""

ABANDONED = 6 * 3600
"""Seconds after which what a killed process had half stored is swept away."""


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
        location = self._location(name)
        filesystem, path = fsspec.core.url_to_fs(location)
        with _store_away("stored"):
            if not (filesystem.exists(path) and filesystem.size(path) == len(body)):
                self._write(filesystem, path, body)
        return ClaimCheck(sha256=name, size=len(body), media_type=media_type, location=location)

    @staticmethod
    def _write(filesystem: Any, path: str, body: bytes) -> None:
        """Whole or not at all: a process that dies here leaves nothing that looks like the document."""
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
        half = f"{path}.{uuid4().hex}"
        with filesystem.open(half, "wb") as out:
            out.write(body)
            _settle(out)
        filesystem.mv(half, path)

    async def put_stream(
        self, chunks: AsyncIterable[bytes], media_type: str, inspect: Callable[[BinaryIO], object]
    ) -> ClaimCheck:
        """Store what comes, hashed on the way, and never more than `CHUNK` and one of `chunks` in memory.

        `inspect` is given the whole of it, to read in a thread, before it becomes a document. Whatever `chunks` or
        `inspect` raise breaks off, and nothing is left behind. What is stored already is stored again: it takes as
        long, and heals what was damaged.

        Raises:
            Surroundings: it cannot be stored now.
        """
        half = _Half(self._url, inspect)
        try:
            async for chunk in _gathered(chunks):
                await asyncio.to_thread(half.write, chunk)
            name = await asyncio.to_thread(half.finish, self._location)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(half.discard))
            raise
        return ClaimCheck(sha256=name, size=half.size, media_type=media_type, location=self._location(name))

    def get(self, claim: ClaimCheck) -> bytes:
        """The document.

        Raises:
            ValueError: what stands there is not what was stored.
        """
        with fsspec.open(claim.location, "rb") as source:
            body: bytes = source.read()
        if sha256(body).hexdigest() != claim.sha256:
            raise _changed(claim.sha256)
        return body

    async def verify(self, name: str) -> int:
        """Read the document with this SHA-256 once through; its size in bytes.

        Raises:
            ValueError: what stands there is not what was stored, or nothing stands there.
            Surroundings: the store is away.
        """
        size = 0
        async for chunk in self.stream(name):
            size += len(chunk)
        return size

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """The document with this SHA-256, in chunks; the last one only once the whole has proved to be the document.

        Raises:
            ValueError: what stands there is not what was stored, or nothing stands there.
            Surroundings: the store is away.
        """
        digest, held = sha256(), b""
        source = await asyncio.to_thread(_opened, self._location(name))
        try:
            while chunk := await asyncio.to_thread(_read, source):
                digest.update(chunk)
                if held:
                    yield held
                held = chunk
        finally:
            await asyncio.to_thread(source.close)
        if digest.hexdigest() != name:
            raise _changed(name)
        yield held

    def _location(self, name: str) -> str:
        return f"{self._url}/{name[:2]}/{name}"


class _Half:
    """A document that is coming in, under a name like none. For threads, and safe to discard at any moment."""

    def __init__(self, url: str, inspect: Callable[[BinaryIO], object]) -> None:
        self.size = 0
        self._url, self._inspect = url, inspect
        self._digest = sha256()
        self._lock, self._gone = Lock(), False
        self._name = f"{int(time.time())}-{uuid4().hex}"
        self._filesystem: Any = None
        self._path = ""
        self._out: Any = None

    def write(self, chunk: bytes) -> None:
        with self._lock, _store_away("stored"):
            if self._gone:
                return
            self._open()
            self._out.write(chunk)
            self._digest.update(chunk)
            self.size += len(chunk)

    def finish(self, location: Callable[[str], str]) -> str:
        """Its SHA-256, once it is a document."""
        with self._lock:
            with _store_away("stored"):
                self._open()
                _settle(self._out)
                self._out.close()
                whole = self._filesystem.open(self._path, "rb")
            with whole:
                self._inspect(whole)
            name = self._digest.hexdigest()
            with _store_away("stored"):
                _, path = fsspec.core.url_to_fs(location(name))
                self._filesystem.makedirs(self._filesystem._parent(path), exist_ok=True)
                self._filesystem.mv(self._path, path)
            return name

    def discard(self) -> None:
        with self._lock:
            self._gone = True
            if self._out is None:
                return
            with suppress(Exception):  # a store that is away keeps it until it is swept
                self._out.close()
            with suppress(Exception):
                self._filesystem.rm(self._path)

    def _open(self) -> None:
        if self._out is not None:
            return
        self._filesystem, folder = fsspec.core.url_to_fs(f"{self._url}/incoming")
        self._filesystem.makedirs(folder, exist_ok=True)
        _sweep(self._filesystem, folder)
        self._path = f"{folder}/{self._name}"
        self._out = self._filesystem.open(self._path, "wb")


def _sweep(filesystem: Any, folder: str) -> None:
    """Take away what killed processes left; its name says since when."""
    for path in filesystem.ls(folder, detail=False):
        since = str(path).rpartition("/")[2].partition("-")[0]
        if since.isdigit() and int(since) < time.time() - ABANDONED:
            with suppress(FileNotFoundError):  # another process sweeps, too
                filesystem.rm(path)


def _settle(out: Any) -> None:
    """Onto the disk, where there is one."""
    out.flush()
    with suppress(AttributeError, OSError):  # a remote store has no descriptor; its close is its promise
        os.fsync(out.fileno())


async def _gathered(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces, each worth a thread's while."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= CHUNK:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _opened(location: str) -> Any:
    with _store_away("read"):
        filesystem, path = fsspec.core.url_to_fs(location)
        with suppress(FileNotFoundError):
            return filesystem.open(path, "rb")
    raise _changed(location.rpartition("/")[2])


def _read(source: Any) -> bytes:
    with _store_away("read"):
        chunk: bytes = source.read(CHUNK)
        return chunk


@contextmanager
def _store_away(doing: str) -> Iterator[None]:
    """Whatever a store raises means that it is away; each has errors of its own."""
    try:
        yield
    except Exception as error:
        raise Surroundings(f"large documents cannot be {doing} ({type(error).__name__})") from error


def _changed(name: str) -> ValueError:
    return ValueError(f"the document {name[:12]} has changed since it was stored")
