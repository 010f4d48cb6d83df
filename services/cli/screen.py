"""What a person sees while something takes time: one moving line at a terminal, plain lines with the time otherwise."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text


class Screen:
    """`with Screen() as screen: screen.doing("waiting for Kafka")`. Writes to standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._moving: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.still()

    def doing(self, sentence: str) -> None:
        """What is being waited for; the next sentence takes its place at a terminal. Empty: nothing is."""
        if not sentence:
            self.still()
        elif not self._console.is_terminal:
            self.news(sentence)
        elif self._moving is None:
            self._moving = self._console.status(Text(sentence))
            self._moving.start()
        else:
            self._moving.update(Text(sentence))

    def news(self, sentence: str, style: str = "") -> None:
        """Something that has happened; it stays."""
        self._console.print(Text(f"{datetime.now().astimezone():%H:%M:%S}  ", "dim"), Text(sentence, style), sep="")

    def still(self) -> None:
        """Nothing is being waited for."""
        if self._moving is not None:
            self._moving.stop()
            self._moving = None
