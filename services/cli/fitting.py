"""A table where the terminal has room for it, and lines that can be read where it has not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.padding import Padding

ENDLESS = 10_000


@dataclass(frozen=True, slots=True)
class Fitting:
    """Whichever of the two fits, also once the terminal was made wider or narrower."""

    wide: RenderableType
    narrow: RenderableType
    room: int | None = None
    """Columns that the wide one takes; None: as many as it would have in a terminal without an end."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        room = self.room
        if room is None:
            room = Measurement.get(console, options.update_width(ENDLESS), self.wide).maximum
        yield self.wide if options.max_width >= room else self.narrow


def below(*said: RenderableType) -> Iterator[Padding]:
    """Under what it is about, where there are no columns; what is empty is left out."""
    return (Padding(line, (0, 0, 0, 2)) for line in said if line)
