"""Where the processes of this installation show their health and their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from services.bus.errors import UserMistake
from services.bus.settings import Settings


class Target(NamedTuple):
    """One process."""

    name: str
    """The service's, and the host's besides where one service has several."""
    address: str
    """Such as http://127.0.0.1:40001, without a path."""


def targets(at: Settings) -> list[Target]:
    """Those that the settings name; without any, those that run in the data directory, by name.

    Raises:
        UserMistake: SAFEBUS_OPS_TARGETS cannot be read.
    """
    if at.ops_targets.strip():
        return [_named(one) for one in at.ops_targets.split(",") if one.strip()]
    found = (_running(file, at.http_host) for file in sorted((at.data_dir / "run").glob("*.json")))
    return [one for one in found if one is not None]


def _named(one: str) -> Target:
    name, _, address = (part.strip() for part in one.partition("="))
    parts = urlsplit(address)
    if not name or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserMistake(f"SAFEBUS_OPS_TARGETS has {one.strip()!r}; each of its parts is NAME=http://HOST:PORT")
    return Target(name, f"{parts.scheme}://{parts.netloc}")


def _running(file: Path, host: str) -> Target | None:
    """What services/bus/run.py wrote there, if the process that wrote it lives."""
    try:
        told = json.loads(file.read_text("utf-8"))
        alive = psutil.pid_exists(int(told["pid"]))
        return Target(file.stem, f"http://{host}:{int(told['port'])}") if alive else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
