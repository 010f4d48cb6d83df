"""Server-Sent Events from bytes (WHATWG HTML, §9.2.6), with a bound on how much is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.client.errors import BadAnswer


@dataclass(frozen=True, slots=True)
class ServerSent:
    """One event of the stream."""

    event: str
    data: str


class Parser:
    """Feed it the stream's bytes as they come. A heartbeat is a comment and gives nothing."""

    def __init__(self, largest: int = 16_000_000) -> None:
        """`largest`: bytes of one event; more is no inbox entry, whoever sends it."""
        self._largest = largest
        self._rest = bytearray()
        self._event, self._data = "", list[str]()
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[ServerSent]:
        """The events that are complete now.

        Raises:
            BadAnswer: an event is too large, or not UTF-8.
        """
        *lines, rest = chunk.split(b"\n")  # the chunk alone: what came before it is not searched again
        for line in lines:
            self._rest += line
            whole, self._rest = bytes(self._rest), bytearray()
            if (done := self._line(whole.removesuffix(b"\r"))) is not None:
                yield done
        self._rest += rest
        if self._held + len(self._rest) > self._largest:
            raise BadAnswer(f"an event of the stream is above {self._largest} bytes")

    def _line(self, line: bytes) -> ServerSent | None:
        if not line:
            done = ServerSent(self._event or "message", "\n".join(self._data)) if self._data else None
            self._event, self._data, self._held = "", [], 0
            return done
        self._held += len(line)
        if self._held > self._largest:
            raise BadAnswer(f"an event of the stream is above {self._largest} bytes")
        try:
            name, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise BadAnswer("the stream is not UTF-8") from None
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        return None
