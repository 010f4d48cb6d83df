"""Passwords by principal, in one JSON file that only its owner can read: `settings().secrets_path`.

The file is for whoever applies the catalogue and for processes that start beside it. An agency elsewhere keeps its own
password; it need not stand here. Nothing in this module ever puts a password into a message.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets as randomness
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.bus.errors import NotPermitted, UserMistake
from services.bus.settings import Settings, settings

PASSWORD_BYTES = 32
"""256 random bits: nothing to guess, so SCRAM's iteration count has nothing to slow down."""


def load_secrets(path: Path | None = None) -> dict[str, str]:
    """Every password in the file, by principal; empty if there is no file yet. One that others could read is closed.

    Raises:
        UserMistake: the file is not a JSON object of strings, or may not be read.
    """
    path = path or settings().secrets_path
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserMistake(f"the secrets file {path} cannot be read: {error.strerror}") from None
    try:
        held = json.loads(text)
    except ValueError:
        held = None
    if not isinstance(held, dict) or not all(isinstance(value, str) for value in held.values()):
        raise UserMistake(f"the secrets file {path} is not a JSON object of passwords by principal")
    return held


def secrets_for(principals: Iterable[str], path: Path | None = None) -> dict[str, str]:
    """The passwords of `principals`; those that were missing have been generated and stored.

    Two processes may ask at once: both get the same answer.
    """
    path = path or settings().secrets_path
    wanted = list(principals)
    held = load_secrets(path)
    if not held.keys() >= set(wanted):
        with _alone(path):
            held = load_secrets(path)
            missing = {name: _new_password() for name in wanted if name not in held}
            if missing:
                held |= missing
                _write(path, held)
    return {name: held[name] for name in wanted}


def renew_secret(principal: str, path: Path | None = None) -> str:
    """A new password for `principal`, stored in place of the old one."""
    path = path or settings().secrets_path
    with _alone(path):
        renewed = _new_password()
        _write(path, load_secrets(path) | {principal: renewed})
    return renewed


def password_of(principal: str, config: Settings | None = None) -> str:
    """The password that `principal` signs in with: SAFEBUS_PASSWORD if that is its, else the secrets file's.

    Raises:
        NotPermitted: there is none.
    """
    config = config or settings()
    if config.password is not None and config.principal in (None, principal):
        return config.password.get_secret_value()
    path = config.secrets_path
    password = load_secrets(path).get(principal)
    if password is None and not path.exists():
        raise NotPermitted(
            f"no password for {principal}: nothing was started here yet, for there is no {path}; `safebus up` makes "
            "it, or set SAFEBUS_PASSWORD"
        )
    if password is None:
        raise NotPermitted(
            f"no password for {principal} in {path}: if topics.yaml lists it as a principal, `safebus topics apply` "
            "makes one; otherwise set SAFEBUS_PASSWORD"
        )
    return password


def _new_password() -> str:
    return randomness.token_urlsafe(PASSWORD_BYTES)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other writers of this file out. The lock is on the folder: it leaves nothing behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise UserMistake(f"the secrets folder {path.parent} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, held: Mapping[str, str]) -> None:
    """Replace the file whole, so that a crash leaves the old one or the new one. mkstemp makes it 0600."""
    try:
        handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(sorted(held.items())), file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserMistake(f"the secrets file {path} cannot be written: {error.strerror}") from None
