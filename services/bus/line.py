"""A door's line to Kafka: a producer that is there while the broker is, and is made anew once it has failed.

A producer that timed out is never used again: what it still holds could land after what a fresh one sends, and its
`stop()` may hang (DESIGN.md §1, rule 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Self

import structlog

from services.bus.broker import Writer
from services.bus.codec import Codec
from services.bus.errors import NotPermitted, Surroundings
from services.bus.kafka import ANSWER_WITHIN, KafkaBroker
from services.bus.run import broker_for
from services.bus.settings import Settings

ACKNOWLEDGED_WITHIN = 5.0
"""Seconds after which a sender hears that nothing is known of its event, and may send it again."""

LONGEST_PAUSE = 2.0
"""Seconds between two attempts to reach a broker that is away."""

log = structlog.get_logger()


class Line:
    """Reaches for the broker, as one principal, from the beginning of the block to its end."""

    def __init__(self, at: Settings, codec: Codec, principal: str) -> None:
        self.timeout = min(at.send_timeout, ACKNOWLEDGED_WITHIN)
        self._broker: KafkaBroker = broker_for(at.model_copy(update={"send_timeout": self.timeout}), principal)
        self._codec = codec
        self._topics: set[str] = set()
        self._writer: Writer | None = None
        self._why = "the broker is away"
        self._tried, self._spoilt, self._learning = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=1)
        if self._writer:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._writer.stop(), 2)
        await self._broker.close()

    @property
    def writer(self) -> Writer:
        """The present producer.

        Raises:
            Surroundings: there is none.
        """
        if self._writer is None:
            raise Surroundings(self._why)
        return self._writer

    async def ready_for(self, topics: Collection[str]) -> None:
        """Until events of these topics can be encoded and sent.

        Raises:
            Surroundings: the broker or the registry is away.
        """
        if not self._tried.is_set():
            with suppress(TimeoutError):  # not wait_for, which may swallow its own cancellation (Python 3.11)
                async with asyncio.timeout(ANSWER_WITHIN):
                    await self._tried.wait()
        writer = self.writer
        if self._topics.issuperset(topics):
            return
        try:
            async with asyncio.timeout(ANSWER_WITHIN), self._learning:  # of many that need a topic first, one asks
                if new := set(topics) - self._topics:
                    await self._codec.prepare(new)
                    await writer.know(new)
                if writer is not self._writer:  # the one that follows may not know them
                    raise Surroundings(self._why)
                self._topics |= new
        except (TimeoutError, NotPermitted) as error:
            log.warning("topics_not_ready", topics=sorted(topics), reason=str(error) or type(error).__name__)
            raise Surroundings("the broker or the schema registry does not answer for a topic") from error

    def spoilt(self, writer: Writer) -> None:
        """This producer failed: nobody gets it any more."""
        if writer is self._writer:
            self._writer, self._why = None, "the broker did not acknowledge in time"
            self._tried.clear()
            self._spoilt.set()

    async def _keep(self) -> None:
        pause = 0.1
        while True:
            writer = self._broker.writer()
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    await writer.start()
                    await writer.know(self._topics)
            except (Surroundings, NotPermitted, TimeoutError) as error:
                self._why = str(error) or "the broker does not answer"
                log.warning("waiting", reason=self._why)
                self._tried.set()
                self._let_go(writer, after=0)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            except asyncio.CancelledError:
                self._let_go(writer, after=0)
                raise
            pause = 0.1
            self._spoilt.clear()
            self._writer = writer
            self._tried.set()
            await self._spoilt.wait()
            self._let_go(writer, after=self.timeout + 1)

    def _let_go(self, writer: Writer, after: float) -> None:
        """Once whoever still waits for it has given up; in the background, since it may never end."""
        task = asyncio.create_task(_stop(writer, after))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _stop(writer: Writer, after: float) -> None:
    await asyncio.sleep(after)
    try:
        await asyncio.wait_for(writer.stop(), ANSWER_WITHIN)
    except Exception as error:  # noqa: BLE001 - it is gone already; nothing that it says matters
        log.debug("producer_let_go", reason=type(error).__name__)
