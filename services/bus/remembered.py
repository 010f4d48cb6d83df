"""Views that this process wrote last, kept so that the next batch need not read and parse them again.

Only for a database that no other process writes (SQLite, which is locked to one): a view that another worker has
changed meanwhile could refuse an event that should be decided, and a refusal is not fenced by the view's version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

from msgspec import Struct

from services.bus.service import View

LARGEST = 1 << 20
"""Bytes of stored bodies in each of the two halves; as objects they take some ten times that."""

COUNTED_AS = 128
"""Bytes that a view counts beside its body."""

_SIZE = attrgetter("size")


class Known(Struct, frozen=True):
    """A view as it stands in the database."""

    version: int
    view: View
    size: int
    """Of its body there, bytes."""


class Remembered:
    """By key. What is wrong here is found by the version when it is written, and undone (work.py)."""

    def __init__(self, *, alone: bool) -> None:
        """
        Args:
            alone: no other process writes this database; else nothing is kept.
        """
        self._alone = alone
        self.forget()

    def forget(self) -> None:
        """What stands in the database is not known any more."""
        self._newer: dict[str, Known] = {}
        self._older: dict[str, Known] = {}
        self._size = 0

    def among(self, keys: Iterable[str]) -> dict[str, Known]:
        """Those of these that are known."""
        newer, older = self._newer, self._older
        return {key: known for key in keys if (known := newer.get(key) or older.get(key))}

    def keep(self, written: Mapping[str, Known]) -> None:
        """These are committed."""
        if not self._alone:
            return
        size = sum(map(_SIZE, written.values())) + COUNTED_AS * len(written)
        if self._size + size <= LARGEST:
            self._newer |= written
            self._size += size
            return
        for key, known in written.items():
            self._newer[key] = known
            self._size += known.size + COUNTED_AS
            if self._size > LARGEST:
                self._newer, self._older, self._size = {}, self._newer, 0
