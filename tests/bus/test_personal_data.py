"""What an event says about a person stays in its body: no log line, metric, header, key, reason or error tells it."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Self

import pytest
import sqlalchemy as sa
import structlog
from prometheus_client import generate_latest
from sqlalchemy.exc import DBAPIError

from services.bus.envelope import Alarm, Event
from services.bus.errors import SafebusError, Unacknowledged
from services.bus.events import ChildIdentity, ChildMatched, ChildRecorded, DeadlineMet, DeadlineMissed
from services.bus.health import Health
from services.bus.logs import configure
from services.bus.service import Service, View
from services.bus.store import Store
from services.bus.work import StateRow
from tests.bus.plain import LETTERS, MATCHES, MET, MISSED, Bus, child, eventually, match, met, miss

MARKER = "Zyxwvut"
NUMBER = "1234567890"


class Memory(View):
    """Remembers what was said, and rings."""

    reason: str = ""
    due: datetime | None = None

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.incident_id if isinstance(event, ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        assert isinstance(event, ChildMatched)
        return self.model_copy(update={"reason": event.reason, "due": event.at})

    @property
    def alarm(self) -> datetime | None:
        return self.due

    def rung(self, alarm: Alarm) -> Self:
        return self.model_copy(update={"due": None})


def talkative(match: ChildMatched, memory: Memory) -> Iterator[Event]:
    """A room whose faults quote what they were given."""
    if match.child_reference == "fault":
        raise ValueError(f"cannot decide about {match.reason}")
    if match.child_reference == "invalid":
        DeadlineMet.because(match, subject="x", child_id=match.reason, kind=match.reason, late=match.reason)
    yield met(match, match.child_reference, match.incident_id)


def rings(alarm: Alarm, memory: Memory) -> Iterator[DeadlineMissed]:
    if alarm.envelope.id.split()[1] == "fault":
        raise ValueError(memory.reason)
    yield from miss(alarm, memory)  # type: ignore[arg-type, misc]


def heard_row(row: ChildRecorded) -> Iterator[Event]:
    return iter(())


TALKATIVE = Service(
    name="talkative",
    on={ChildMatched: talkative, ChildRecorded: heard_row},
    emits=(DeadlineMet, DeadlineMissed),
    view=Memory,
    on_alarm=rings,
)


class Told(Health):
    """Keeps everything that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def waiting(self, reason: str) -> None:
        self.reasons.append(reason)
        super().waiting(reason)


async def of_every_kind(bus: Bus) -> int:
    """Events with a person in them that are decided, refused, wrong, undecodable and too large; how many die."""
    private = f"{MARKER} {NUMBER}"
    for incident, reference in [("i", "good"), ("i", "fault"), ("i", "invalid"), ("fault", "rings")]:
        await bus.publish(match(incident, reference, private))
    identity = ChildIdentity(forenames=MARKER, family_name=MARKER, nhs_number=NUMBER)
    await bus.publish(child("c1", 1, identity=identity), child("c2", 1, also_known_as=[MARKER]))
    key, value, headers = await bus.encoded(match("i", "bytes", private))
    await bus.send(MATCHES, key, value[:-2], headers)
    await bus.send(MATCHES, key, value + MARKER.encode(), headers)
    await bus.send(MATCHES, key, MARKER.encode(), headers)
    await bus.say(match("i", "reused", private), ce_id=b"1")
    await bus.say(match("i", "reused", private * 2), ce_id=b"1")
    await bus.say(match("i", "fault", private * 20_000))
    return 8


async def test_nothing_of_a_person_is_told_outside_the_body(
    carried: Bus, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of an event: what is printed, logged, counted, shown, and what stands in keys, headers and
    reasons names ids and fields only."""
    caplog.set_level(logging.WARNING)  # as a service's process has it, however talkative it is set
    deaths = await of_every_kind(carried)
    health = Told()
    async with carried.running(TALKATIVE, health=health):
        letters = await carried.until(deaths, LETTERS)
        await carried.until(1, MISSED)
        await carried.quiet(TALKATIVE)
        await carried.quiet(TALKATIVE, "directory.children.v1")
    assert len(letters) == deaths
    told = [*capfd.readouterr(), caplog.text, generate_latest().decode(), *health.reasons]
    for letter in letters:
        told += [letter.explanation, letter.reason_code, str(letter.field), str(letter.subject), str(letter.envelope)]
    for topic in (LETTERS, MET, MISSED):
        told += [f"{record.key!r} {record.headers!r}" for record in await carried.records(topic)]
    assert [text for text in told if MARKER in text or NUMBER in text] == []


@pytest.mark.parametrize("fails", ["refused", "database", "bug"])
async def test_no_error_that_ends_a_process_tells_of_a_person(
    bus: Bus, capfd: pytest.CaptureFixture[str], fails: str
) -> None:
    """Its text, and that of whatever led to it, as a traceback would print them."""

    def probe(point: str) -> None:
        if fails == "database" and point == "before_commit":
            raise DBAPIError("insert", {"body": MARKER}, Exception(MARKER))
        if fails == "bug" and point == "committed":
            raise RuntimeError(point)

    await bus.publish(match("i", "good", MARKER))
    if fails == "refused":
        bus.memory.refuse.add(MET)
    health = Told()
    loop = bus.loop(TALKATIVE, probe=probe, health=health)
    if fails == "database":
        running = asyncio.create_task(loop.run())
        await eventually(lambda: any("database" in reason for reason in health.reasons))
        loop.stop()
        await running
        text = ""
    else:
        with pytest.raises((Unacknowledged, RuntimeError)) as ended:
            await loop.run()
        text = "".join(traceback.format_exception(ended.value))
    assert not [t for t in (text, *health.reasons, *capfd.readouterr()) if MARKER in t]


def test_the_databases_errors_do_not_quote_what_was_written(stored: Bus) -> None:
    """A row that is there already, a value that it cannot take, a statement that it does not understand: our own error
    says what kind it was, and hides the rest."""
    store = Store(stored.at.store_for("errors"), "errors")
    store.open()
    row = StateRow(MARKER, 0, MARKER.encode(), None, "t", 0)
    wrong: list[Callable[[Any], object]] = [
        lambda work: work.save([row, row]),
        lambda work: work.save([StateRow(MARKER, 0, MARKER.encode(), 2**70, "t", 0)]),
        lambda work: work.connection.execute(sa.select(sa.literal(MARKER)).select_from(sa.table("nowhere"))),
    ]
    for use in wrong:
        with pytest.raises((SafebusError, OverflowError)) as error, store.transaction() as work:
            use(work)
        assert MARKER not in "".join(traceback.format_exception(error.value))
    store.close()


def test_no_setting_lets_a_library_tell_what_it_carries(bus: Bus) -> None:
    """aiokafka prints whole records when it is asked to debug, so it is never asked."""
    aiokafka = logging.getLogger("aiokafka")
    before = aiokafka.level
    try:
        configure(bus.at.model_copy(update={"log_level": "DEBUG"}))
        assert aiokafka.getEffectiveLevel() > logging.WARNING
        assert not logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)
    finally:
        aiokafka.setLevel(before)
        structlog.reset_defaults()
