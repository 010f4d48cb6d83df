"""The passwords of principals: made once, kept in a file that only its owner can read, never in the repository."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable
from pathlib import Path
from secrets import token_urlsafe

from services.bus.errors import UserMistake
from services.bus.settings import settings
from services.embedded.files import locked, write_private


def secrets_for(principals: Iterable[str], path: Path | None = None) -> dict[str, str]:
    """A password for each principal: the one that the file holds, or a new one of 256 random bits, which it then holds.

    Processes that ask at once get the same answers. The file is JSON, `{principal: password}`, mode 0600.

    Args:
        path: the secrets file; default `SAFEBUS_SECRETS_FILE`, else secrets.json in the data directory.

    Raises:
        UserMistake: the file is not such JSON, or may not be read or written.
    """
    path = path or settings().secrets_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(path.with_name(f".{path.name}.lock")):
            known = read_secrets(path)
            wanted = {name: known.get(name) or token_urlsafe(32) for name in principals}
            if wanted.items() - known.items():
                write_private(path, json.dumps(known | wanted, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise UserMistake(f"the secrets file {path} cannot be used: {error.strerror}") from error
    return wanted


def read_secrets(path: Path) -> dict[str, str]:
    """What the file holds; nothing if there is none. A file that others could read is closed to them.

    Raises:
        UserMistake: it is not a JSON object of texts.
    """
    if not path.exists():
        return {}
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        known = None
    if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
        # Never the content: it may hold a password with a comma missing behind it.
        raise UserMistake(
            f"the secrets file {path} is not a JSON object of principals and passwords; mend or remove it"
        )
    return known
