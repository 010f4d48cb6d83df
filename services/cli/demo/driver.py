"""Plays the scenario: steps the clock when all is quiet, speaks as each principal, reads as each recipient."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import uuid4

from services.bus.broker import Sending
from services.bus.clock import Clock
from services.bus.envelope import Envelope
from services.bus.events import HealthUpdated, IncidentReported, Role
from services.bus.publish import Publisher
from services.bus.run import broker_for
from services.bus.settings import Settings
from services.cli.demo.door import Door
from services.cli.demo.night import Night, Shown
from services.cli.demo.quiet import Quiet
from services.cli.demo.story import UNREAD, Expected, OnBoard, Step, steps
from services.cli.demo.watch import Told, Watch

PATIENCE = 60.0
"""Seconds in which everyone has to have learnt; the machine may be slow, the latency is shown."""

READERS = {
    Role.SCHOOL: "R. Ashdown, designated safeguarding lead",
    Role.GP_PRACTICE: "Dr M. Okoro, safeguarding lead",
    Role.SCHOOL_NURSING: "J. Whitlock, school nurse",
    Role.OUT_OF_HOURS: "P. Lindqvist, duty social worker",
    Role.POLICE: "DC A. Farrow",
}
"""Made-up people who read."""


@dataclass
class Result:
    """What came of it."""

    missing: list[Expected] = field(default_factory=list)
    waiting_missing: list[str] = field(default_factory=list)
    not_on_board: list[OnBoard] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    receipts: int = 0
    quiet: bool = True

    @property
    def everyone_learnt(self) -> bool:
        """Nothing that had to reach somebody is missing, and no service was still busy at the end."""
        return not (self.missing or self.waiting_missing or self.not_on_board) and self.quiet


class Driver:
    """`async with Driver(at, …) as driver: result = await driver.play()`; the services must be running."""

    def __init__(
        self,
        at: Settings,
        *,
        title: Callable[[Step], None],
        show: Callable[[Told], None],
        show_board: Callable[[Shown], None],
    ) -> None:
        self._at, self._title = at, title
        self.run = uuid4().hex[:8]
        self._clock = Clock.of(at)
        self._watch = Watch(at, self.run, show)
        self._quiet = Quiet(at)
        self._door = Door(at, self._watch.arrived)
        self._night = Night(at, show_board)
        self._publishers: dict[str, Publisher] = {}
        self._stack = AsyncExitStack()
        self._read: set[str] = set()
        self.result = Result(told=self._watch.told, shown=self._night.shown)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._watch)
        await self._stack.enter_async_context(self._door)
        await self._stack.enter_async_context(self._night)
        for principal in ("police", "local-authority"):
            self._publishers[principal] = await self._stack.enter_async_context(Publisher(principal, self._at))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def play(self) -> Result:
        """Every step; then all must be quiet."""
        for step in steps(self.run):
            await self._play(step)
        return self.result

    async def _play(self, step: Step) -> None:
        self.result.quiet &= await self._quiet.wait(PATIENCE)
        self._clock.step(step.at)
        self._watch.stepped()
        self._title(step)
        for principal, event in step.says:
            publisher = self._publishers[principal]
            self._watch.expect(publisher.envelope(event).envelope)
            await publisher.publish([event])
        if step.malformed:
            await self._publish_malformed(step.malformed, step.at)
        for act in step.acts:
            await self._night.act(act)
        on_board = asyncio.create_task(self._night.until_shown(step.on_board, PATIENCE))
        await self._until_learnt(step)
        self.result.not_on_board += await on_board
        await self._write_receipts(step)
        self.result.quiet &= await self._quiet.wait(PATIENCE)

    async def _until_learnt(self, step: Step) -> None:
        before = asyncio.get_running_loop().time()
        while True:
            missing = [expected for expected in step.teaches if not self._learnt(expected)]
            waiting = [topic for topic in step.waits if not any(t.event.topic == topic for t in self._watch.told)]
            if not missing and not waiting:
                return
            if asyncio.get_running_loop().time() - before > PATIENCE:
                self.result.missing += missing
                self.result.waiting_missing += waiting
                return
            await asyncio.sleep(0.02)

    def _learnt(self, expected: Expected) -> bool:
        return any(
            (told.event.topic, told.recipient) == (expected.type, expected.recipient)
            and expected.child_id in (None, getattr(told.event, "child_id", None))
            for told in self._watch.told
        )

    async def _write_receipts(self, step: Step) -> None:
        """Each recipient's named practitioner reads, at once or when the story says so."""
        for told in self._watch.told:
            if told.event.envelope.id in self._read or told.disclosure is None:
                continue
            if (told.event.topic, told.recipient) in UNREAD and told.recipient not in step.reads:
                continue
            self._read.add(told.event.envelope.id)
            who, hidden = _reader(told.disclosure.recipient_role), isinstance(told.event, HealthUpdated)
            await self._door.receipt(told.recipient, told.disclosure.id, who, step.at, hidden=hidden)
            self.result.receipts += 1

    async def _publish_malformed(self, run: str, at: datetime) -> None:
        """Bytes that no schema explains, as a force's broken system might send them."""
        broker = broker_for(self._at, "police")
        writer = broker.writer()
        await writer.start()
        topic, source = IncidentReported.topic, "urn:safebus:police"
        said = Envelope(f"malformed-{run}", source, topic, at)
        said = said.changed(correlation_id=f"{source} {said.id}")
        headers = {"ce_id": said.id, "ce_source": source, "ce_type": topic, "ce_time": at.isoformat(),
                   "ce_specversion": "1.0", "ce_correlationid": said.correlation_id}  # fmt: skip
        await writer.know([topic])
        key = f"malformed-{run}".encode()
        body = Sending(key, b"{not an incident}", [(name, text.encode()) for name, text in headers.items()])
        self._watch.expect(said)
        await writer.send((topic, writer.partition_for(topic, key)), [body])
        await writer.stop()
        await broker.close()


def _reader(role: Role) -> str:
    return READERS.get(role, "duty officer")
