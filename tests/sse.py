"""Server-Sent Events as a client reads them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Told:
    """One Server-Sent Event."""

    kind: str
    id: str
    data: Any

    @property
    def number(self) -> int:
        return int(self.id.partition(".")[2])


async def events(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    """As a browser's EventSource reads them, and comments too."""
    fields: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(":")
        if line and not name:
            yield Told("comment", "", value.strip())
        elif line:
            fields[name] = value.strip()
        else:
            if "data" in fields:
                yield Told(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}
