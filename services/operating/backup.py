"""A backup of what this machine alone holds, and putting it back.

Kafka is the memory of the bus, and a service's database can be rebuilt from it (`safebus recover`). What no log holds
is here alone: partners, their keys and webhooks, the people of the board and the gateway, the passwords, the documents.
A backup of a bus that runs has those, with each database as it is at one moment. One of a bus that is down also has the
embedded Kafka and registry, whose files may only be copied while nobody writes them.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings
from services.supervisor.status import running

MANIFEST = "backup.json"
OF_THIS_RUN = ("run", "logs", "door.json", "board.json", "performance.json", "ops.json", "performance")
"""Where processes are and what they said, of no use to another run; and what `performance rebuild` makes anew."""
SERVERS = ("kafka", "registry")
"""The embedded servers' folders begin with these names."""
BESIDE = ("-wal", "-shm", ".lock", ".index", ".timeindex")
"""What SQLite keeps beside a database while it is open, and a service its lock: the copy is whole without them. Kafka's
indexes, 10 MB of nothing each, are made anew from its logs."""

Say = Callable[[str], None]


class Manifest(BaseModel):
    """What a backup holds; written last, so that a folder without it is no backup."""

    model_config = ConfigDict(frozen=True)

    made_at: datetime
    safebus: str
    running: bool
    """The bus ran, so the embedded Kafka and registry are not in it."""
    files: dict[str, str]
    """SHA-256 by path."""


def back_up(at: Settings, to: Path, say: Say) -> Manifest:
    """Copy into the folder `to`, which is there only when the backup is whole.

    Raises:
        UserMistake: `to` is there already, or there is nothing to copy.
        Surroundings: the disk is full, or a file cannot be read.
    """
    home, half = at.data_dir.absolute(), to.with_name(f"{to.name}.part")
    if to.exists():
        raise UserMistake(f"{to} is there already; a backup takes a folder of its own")
    if home in to.absolute().parents:
        raise UserMistake(f"{to} lies in {home}, whose loss it is for; choose a folder on another disk")
    up = running(at) is not None
    found = [path for path in sorted(_kept(home)) if not (up and path.relative_to(home).parts[0].startswith(SERVERS))]
    if not found:
        raise UserMistake(f"there is nothing to back up in {home}")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        # Documents last: whatever a database that was copied before speaks of is there by then.
        for path in sorted(found, key=lambda path: path.relative_to(home).parts[0] == "claims"):
            say(f"copying {path.relative_to(home)}")
            _take(path, half / path.relative_to(home))
        held = {str(path.relative_to(half)): _sha256(path) for path in sorted(half.rglob("*")) if path.is_file()}
        made = Manifest(made_at=datetime.now(UTC), safebus=version("safebus"), running=up, files=held)
        _private(half / MANIFEST)
        (half / MANIFEST).write_text(made.model_dump_json(indent=1))
        _settle(half / MANIFEST)
        half.rename(to)
    except (OSError, sqlite3.Error) as error:
        raise Surroundings(f"the backup is not made: {_why(error)}") from error
    return made


def put_back(at: Settings, source: Path, say: Say) -> Manifest:
    """Make DATA_DIR what the backup holds, all of it or nothing.

    Raises:
        UserMistake: `source` is no backup, or is damaged, or DATA_DIR holds something, or safebus is up.
        Surroundings: the disk is full, or a file cannot be read.
    """
    made, home = _manifest(source), at.data_dir.absolute()
    if running(at) is not None:
        raise UserMistake(f"safebus is up in {home}; run `safebus down` first")
    if home.exists() and any(home.iterdir()):
        raise UserMistake(f"{home} is not empty, and nothing in it is overwritten; move it away first")
    half = home.with_name(f"{home.name}.restoring")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        for name, digest in made.files.items():
            say(f"putting back {name}")
            _copy(source / name, half / name)
            if _sha256(half / name) != digest:
                raise UserMistake(f"{name} in {source} is not what was backed up: its SHA-256 differs")
        if home.exists():
            home.rmdir()
        half.rename(home)
    except FileNotFoundError as error:
        raise UserMistake(f"{error.filename} is missing from the backup") from error
    except OSError as error:
        raise Surroundings(f"nothing is put back: {_why(error)}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return made


def elsewhere(at: Settings) -> list[str]:
    """What a backup cannot hold, in sentences."""
    found = []
    if not at.store_url.startswith("sqlite"):
        found.append("the databases are PostgreSQL's: back them up with `pg_dump`, one schema a service")
    elif "{data_dir}" not in at.store_url:
        found.append("the databases lie outside SAFEBUS_DATA_DIR: copy them with `sqlite3 FILE .backup`")
    if at.claims_url:
        found.append(f"the documents are at {at.claims_url}: they are backed up there")
    if at.secrets_file and at.data_dir not in at.secrets_file.parents:
        found.append("the passwords are in SAFEBUS_SECRETS_FILE: keep a copy where only you can read it")
    return found


def _kept(home: Path) -> Iterator[Path]:
    for path in home.rglob("*") if home.is_dir() else ():
        inside = path.relative_to(home).parts
        if path.is_file() and inside[0] not in OF_THIS_RUN and not path.name.endswith(BESIDE):
            yield path


def _take(path: Path, to: Path) -> None:
    if path.suffix == ".db" and path.parent.name == "stores":
        _private(to)
        # SQLite's own copy of one moment, whoever writes meanwhile.
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        _settle(to)
    else:
        _copy(path, to)


def _copy(path: Path, to: Path) -> None:
    _private(to)
    shutil.copyfile(path, to)
    _settle(to)


def _private(path: Path) -> None:
    """Readable by its owner alone from its first moment."""
    for folder in reversed(path.parents):  # of several that `parents=True` makes, only the last has the mode
        if not folder.exists():
            folder.mkdir(mode=0o700)
    path.touch(mode=0o600)


def _settle(path: Path) -> None:
    """Until it is on the disk."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _manifest(source: Path) -> Manifest:
    try:
        made = Manifest.model_validate_json((source / MANIFEST).read_text())
    except (OSError, ValidationError, json.JSONDecodeError):
        raise UserMistake(f"{source} is no backup: it has no {MANIFEST} that can be read") from None
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in made.files):
        raise UserMistake(f"{source / MANIFEST} names a file outside the backup")
    return made


def _why(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
