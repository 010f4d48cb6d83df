"""Asks a service how it is, at the address that it left in DATA_DIR/run/<service>.json (services/bus/run.py)."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from services.supervisor.status import State

ANSWER_WITHIN = 2.0
MOST = 4096
"""Bytes of an answer that are read."""


def port_of(service: str, pid: int | None, run_dir: Path) -> int | None:
    """Where this process of the service listens; None while it has not said so."""
    try:
        told = json.loads((run_dir / f"{service}.json").read_text(encoding="utf-8"))
        return int(told["port"]) if told["pid"] == pid else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Answer(NamedTuple):
    """How a service says that it is."""

    state: State
    why: str = ""
    """What it waits for if it waits."""
    alive: bool = True


async def state_of(host: str, port: int) -> Answer:
    """How the service there is."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            code, words = await _get(host, port, "/readyz")
            if code == HTTPStatus.OK:
                return Answer("ready")
            alive, why = await _get(host, port, "/livez")
    except (OSError, TimeoutError, ValueError, IndexError):
        return Answer("waiting", f"it does not answer on port {port}", alive=False)
    if alive == HTTPStatus.OK and words == "starting":
        return Answer("starting")
    return Answer("waiting", words) if alive == HTTPStatus.OK else Answer("waiting", why, alive=False)


async def _get(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and text. Without an HTTP library, since this is all that a supervisor would need it for."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(MOST)).partition(b"\r\n\r\n")
        while more := await reader.read(MOST):
            body += more
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), body.decode("utf-8", "replace").strip()
