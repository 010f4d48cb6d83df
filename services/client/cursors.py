"""Where reading of the inbox stands, kept for the next start."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp
from typing import Protocol

from services.client.values import cursor_parts


class CursorStore(Protocol):
    """Keeps one cursor. A store of your own, such as a row beside what you file, may do it in one transaction."""

    def load(self) -> str | None:
        """The cursor saved last; None if there is none."""

    def save(self, cursor: str) -> None:
        """Keep it, durably, before returning."""


class FileCursorStore:
    """A file that holds one line. A crash leaves the former cursor or the new one, never a part of one."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """`path`: a file in a folder that exists. One reader a file."""
        self._path = Path(path)

    def load(self) -> str | None:
        """The cursor saved last; None without a file.

        Raises:
            ValueError: the file holds something else. It is never read as "from the beginning".
        """
        try:
            cursor = self._path.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            cursor = ""
        try:
            cursor_parts(cursor)
        except ValueError:
            raise ValueError(f"{self._path} does not hold a cursor; restore it, or remove it to begin anew") from None
        return cursor

    def save(self, cursor: str) -> None:
        """Replace the file by a new one that is on the disk already."""
        handle, name = mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(f"{cursor}\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        if os.name == "posix":
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
