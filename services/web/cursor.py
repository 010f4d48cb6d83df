"""Where a client stands in something numbered: EPOCH.NUMBER, the last that it has."""

from __future__ import annotations

import re
from typing import NamedTuple

from services.web.problems import Problem

_FORM = re.compile(r"([0-9a-f]{8})\.([0-9]{1,18})")


class Cursor(NamedTuple):
    epoch: str
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"


def cursor_of(text: str | None) -> Cursor | None:
    """The cursor that a client gave, None if it gave none.

    Raises:
        Problem: 422, it is not one.
    """
    if not text:
        return None
    found = _FORM.fullmatch(text)
    if found is None:
        raise Problem(
            422, "invalid-cursor", "a cursor is what an entry or a page gave you: EPOCH.NUMBER",
            errors=[("/query/after", "is not a cursor")],
        )  # fmt: skip
    return Cursor(found[1], int(found[2]))
