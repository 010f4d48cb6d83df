"""A file that a person asked for, written for its owner alone: whole, or told in one sentence why not."""

from __future__ import annotations

import errno
from pathlib import Path

from services.bus.errors import UserMistake
from services.embedded.files import write_private


def written(path: Path, text: str, otherwise: str = "") -> None:
    """Write `text` there; a file of that name is replaced. `otherwise` says what did not happen if it cannot be.

    Raises:
        UserMistake: it cannot be written, or is no file: a device or a pipe would be replaced by one.
        OSError: the disk is full.
    """
    name = f"{path} cannot be written"
    if path.is_dir():
        raise UserMistake(f"{name}: it is a folder{otherwise}")
    if path.exists() and not path.is_file():
        raise UserMistake(f"{name}: it is no file{otherwise}")
    try:
        write_private(path, text)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserMistake(f"{name}: {error.strerror}{otherwise}") from None
