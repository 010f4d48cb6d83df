"""`python -m tests.faults.victim [recover]`: a small service as a process, which ends or stops where it is told to.

It goes through `services.bus.run` as every service does; only the schemas come from the checkout, not a registry.
SAFEBUS_VICTIM names the service, SAFEBUS_FAULT when it is struck and by what,
as in `committed 3 SIGKILL`: the third time it comes to that point; several are parted by commas.
SAFEBUS_PATIENCE is for how many seconds the broker may owe it an answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from services.bus import kafka, run
from services.bus.broker import Partition, Sending
from services.bus.codec import Codec
from services.bus.envelope import Alarm, Event
from services.bus.errors import SafebusError
from services.bus.events import ChildMatched, DeadlineKind, DeadlineMet
from services.bus.loop import Loop
from services.bus.service import Service, View
from services.bus.settings import settings
from tests.bus.plain import KEYS, MemoryRegistry

HALF_SENT = "half_sent"
"""A round's batch for one output partition is acknowledged, and that for the next was not begun."""

HELD_BACK = "held_back"
"""A round is committed while the one before it is on its way."""


class Tally(View):
    """How many answers a child has had, whichever incidents, and so partitions, they came by."""

    answers: int = 0

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.child_id if isinstance(event, ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"answers": self.answers + 1})


def count(match: ChildMatched, tally: Tally) -> Iterator[Event]:
    """Says which answer of its child this is, under the child's key."""
    yield DeadlineMet.because(
        match,
        subject=match.child_reference,
        deadline_id=uuid5(NAMESPACE_URL, match.child_reference),
        child_id=match.child_id,
        kind=DeadlineKind.MATCH_BY_PERSON,
        due_by=match.at,
        met_at=datetime.fromtimestamp(tally.answers, UTC),
        late=False,
    )


class Impatient(Tally):
    """Wants to be asked at once what is missing."""

    heard_at: datetime | None = None

    @property
    def alarm(self) -> datetime | None:
        return self.heard_at

    def evolve(self, event: Event) -> Self:
        return super().evolve(event).model_copy(update={"heard_at": event.at})

    def rung(self, alarm: Alarm) -> Self:
        return self.model_copy(update={"heard_at": None})


def count_impatiently(match: ChildMatched, tally: Impatient) -> Iterator[Event]:
    """The same; a decision names the view that it is given."""
    yield from count(match, tally)


def remind(alarm: Alarm, tally: Impatient) -> Iterator[Event]:
    """Says how many answers there were when the alarm rang, under the child's key."""
    child = alarm.envelope.id.split()[1]
    yield DeadlineMet.because(
        alarm,
        subject=f"reminder {child} {tally.answers}",
        deadline_id=uuid5(NAMESPACE_URL, child),
        child_id=child,
        kind=DeadlineKind.MATCH_BY_PERSON,
        due_by=alarm.at,
        met_at=alarm.at,
        late=True,
    )


def service(name: str) -> Service:
    """`counter-…` says what it counts; `reminder-…` also says, when nothing comes, how many there were."""
    if name.startswith("counter"):
        return Service(name, {ChildMatched: count}, (DeadlineMet,), view=Tally)
    return Service(name, {ChildMatched: count_impatiently}, (DeadlineMet,), view=Impatient, on_alarm=remind)


def probe(fault: str) -> Callable[[str], None]:
    """Strikes this process by the signal that `fault` names, when it comes to that point for that time."""
    faults = {(where, int(time)): signal.Signals[name] for where, time, name in map(str.split, fault.split(","))}
    passed: Counter[str] = Counter()

    def strike(point: str) -> None:
        passed[point] += 1
        if number := faults.get((point, passed[point])):
            signal.raise_signal(number)  # to this very thread, so that it does nothing more

    return strike


def send_in_turn(strike: Callable[[str], None]) -> None:
    """Let a round's batches leave one after another, so that there is a moment between two of them."""
    send, turn, begun = kafka.KafkaWriter.send, asyncio.Lock(), Counter[str]()

    async def in_turn(self: kafka.KafkaWriter, partition: Partition, records: Sequence[Sending]) -> None:
        begun["open"] += 1
        async with turn:
            await send(self, partition, records)
            begun["open"] -= 1
            if begun["open"]:
                strike(HALF_SENT)

    kafka.KafkaWriter.send = in_turn  # type: ignore[method-assign]


def hold_back(fault: str) -> Callable[[str], None]:
    """That round's outputs, and all later ones, do not leave; the process is struck when the next is committed."""
    send, (_, time, name), rounds = kafka.KafkaWriter.send, fault.split(), Counter[str]()

    async def held(self: kafka.KafkaWriter, partition: Partition, records: Sequence[Sending]) -> None:
        if rounds["before_send"] >= int(time):
            await asyncio.Event().wait()
        await send(self, partition, records)

    def strike(point: str) -> None:
        rounds[point] += 1
        if point == "committed" and rounds["before_send"] >= int(time):
            signal.raise_signal(signal.Signals[name])

    kafka.KafkaWriter.send = held  # type: ignore[method-assign]
    return strike


def main(arguments: Sequence[str]) -> None:
    """Run, or recover; both as the command line would."""
    victim = service(os.environ["SAFEBUS_VICTIM"])
    run.codec_for = lambda at: Codec(MemoryRegistry(), KEYS)
    kafka.ANSWER_WITHIN = float(os.environ.get("SAFEBUS_PATIENCE", kafka.ANSWER_WITHIN))
    more: dict[str, Any] = {}
    if fault := os.environ.get("SAFEBUS_FAULT"):
        more["probe"] = strike = hold_back(fault) if fault.startswith(HELD_BACK) else probe(fault)
        if fault.startswith(HALF_SENT):
            send_in_turn(strike)
    vars(run)["Loop"] = partial(Loop, **more)
    if "recover" not in arguments:
        run.run(victim)
    try:
        recovery = asyncio.run(run.recover(victim, settings()))
    except SafebusError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    print(json.dumps({"replayed": recovery.replayed, "reused": recovery.reused}), flush=True)


def begin(environment: Mapping[str, str], arguments: Sequence[str], said: Path) -> None:
    """The same in a process that was forked: its own environment, and its own file for what it says."""
    os.environ.clear()
    os.environ.update(environment)
    with said.open("ab") as out:
        os.dup2(out.fileno(), sys.stdout.fileno())
        os.dup2(out.fileno(), sys.stderr.fileno())
    main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
