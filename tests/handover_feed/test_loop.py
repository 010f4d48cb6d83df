"""The wired service on a bus: it hears what it said itself, dies of no dead letter, and recovers the same board."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.bus.broker import Partition
from services.bus.catalogue import load
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.envelope import Envelope, Event
from services.bus.events import (
    ChildRecorded,
    DeadLetter,
    EscalationState,
    FactKind,
    HandoverAct,
    HandoverActed,
    HandoverEscalated,
    MatterChanged,
    MatterCued,
    MatterState,
    PoliceNotified,
    RecordStatus,
)
from services.bus.memory import MemoryBroker
from services.bus.service import Service
from services.bus.settings import settings
from services.handover_feed.board import tables
from services.handover_feed.board.reading import card as shown
from services.handover_feed.shifts import team_on_duty
from tests.bus.plain import Bus, until
from tests.handover_feed.samples import (
    CHILD,
    NIA,
    SERVICE,
    UNMATCHED,
    accepted,
    act,
    alerted,
    contact,
    danger,
    hear,
    letter,
    matched,
    note,
    notified,
    read,
    shared,
    unmatched,
)
from tests.handover_feed.test_meetings import meeting
from tests.police_notifications.samples import identity, record

BOARD, ESCALATIONS, LETTERS = MatterChanged.topic, HandoverEscalated.topic, DeadLetter.topic


class BoardsBus(Bus):
    """A bus in memory that has every topic of the catalogue."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self._catalogue = load(settings().catalogue)
        super().__init__(folder, MemoryBroker(dict.fromkeys(self._catalogue.topics, 2)), **more)

    def codec(self) -> Codec:
        return Codec(self.registry, {name: topic.key for name, topic in self._catalogue.topics.items() if topic.key})

    async def committed(self, service: Service = SERVICE, topic: str = "") -> dict[Partition, int | None]:
        return {(topic, n): self.memory.committed.get((service.name, (topic, n))) for n in range(2)}

    async def all_quiet(self) -> None:
        """Wait until all that the board hears, its own words too, has been decided and sent."""
        for topic in (*SERVICE.hears, BOARD):
            await self.quiet(SERVICE, topic)

    async def hears(self, *events: Event) -> None:
        """Let a running board hear these, one after the other."""
        for event in events:
            await self.publish(event)
        await self.all_quiet()

    def card(self, matter_id: str = CHILD) -> MatterChanged | None:
        """The card as people see it."""
        with self.engine(SERVICE).begin() as connection:
            return shown(connection, matter_id)


@pytest.fixture
def bus(tmp_path: Path) -> BoardsBus:
    return BoardsBus(tmp_path)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def fresh(*events: Event) -> Sequence[Event]:
    """These, as someone else said them just now."""
    at = now()
    for number, event in enumerate(events):
        said = event.envelope
        moment = at + timedelta(microseconds=number)
        event.enveloped(Envelope(f"{said.id} {id(event)}", "urn:test", event.topic, moment))
    return events


async def test_a_card_is_on_the_topic_and_on_the_board_the_same(bus: BoardsBus) -> None:
    """One idea: the log decides, and page, API, stream and a team's own screen show exactly what it says."""
    async with bus.running(SERVICE):
        await bus.hears(*fresh(danger(at=now()), alerted(at=now()), shared(at=now()), read("alert", at=now())))
    said = sorted(await bus.said(BOARD), key=lambda one: one.version)
    assert [one.version for one in said] == [*range(1, len(said) + 1)]
    assert bus.card() == said[-1]
    assert {fact.settled for fact in said[-1].facts} == {True, False}
    assert await bus.said(LETTERS) == []


async def test_two_who_take_it_at_once_are_told_apart_by_the_log(bus: BoardsBus) -> None:
    """Whichever act the log has first; the other stands on the card with who has it."""
    there = NIA.model_copy(update={"team": team_on_duty(now())})  # what comes now would leave a worker who is off duty
    taken = [act(HandoverAct.TAKEN, "danger", at=now(), id=one, by=there) for one in ("one", "two")]
    other = taken[1].model_copy(update={"by": taken[1].by.model_copy(update={"person_id": "p-2", "name": "Olu"})})
    async with bus.running(SERVICE):
        await bus.hears(*fresh(danger(at=now()), taken[0], other.enveloped(taken[1].envelope)))
    seen = bus.card()
    assert seen
    assert seen.state is MatterState.TAKEN
    assert [bool(one.refused) for one in seen.acts] == [False, True]
    with bus.engine(SERVICE).begin() as connection:
        rows = {row.act_id: row.refused for row in connection.execute(sa.select(tables.act))}
    assert rows["one"] is None
    assert "has had it since" in rows["two"]


async def test_what_cannot_be_decoded_ends_in_no_loop_of_letters(bus: BoardsBus) -> None:
    """One dead letter of the broken notification, one card about it, and not a letter about the letter."""
    async with bus.running(SERVICE):
        await bus.publish(*fresh(notified(at=now())))
        [record] = await bus.records(PoliceNotified.topic)
        broken = [(name, b"other" if name == "ce_id" else value) for name, value in record.headers]
        await bus.send(PoliceNotified.topic, record.key, b"\0broken", broken)
        await bus.all_quiet()
        await bus.hears(*fresh(letter(at=now())))
    letters = await bus.said(LETTERS)
    assert [one.service for one in letters].count(SERVICE.name) == 1
    held = [one for one in await bus.said(BOARD) if one.matter_id.startswith("held:")]
    assert len(held) == 2


async def test_danger_that_nobody_takes_is_escalated_by_the_clock(bus: BoardsBus, tmp_path: Path) -> None:
    """H7: on the topic, for whoever pages; and on the card."""
    clock = Clock(tmp_path / "clock")
    clock.step(now())
    async with bus.running(SERVICE, clock=clock):
        await bus.hears(*fresh(danger(at=now())))
        assert await bus.said(ESCALATIONS) == []
        clock.step(clock.now() + timedelta(minutes=11))
        [due] = await bus.until(1, ESCALATIONS)
        assert due.state is EscalationState.DUE
        await until(lambda: bus.said(BOARD), lambda said: len(said) == 2)
        await bus.all_quiet()
    seen = bus.card()
    assert seen
    assert "to be paged" in (seen.escalation or "")
    assert (await bus.said(BOARD))[-1] == seen


async def test_a_lost_database_gives_the_same_board_and_goes_on_above_it(bus: BoardsBus) -> None:
    """A recovery reads the topics in another order than they came. It says nothing again, shows the same cards, and
    what comes next is the latest."""
    events = fresh(
        danger(at=now()), act(HandoverAct.TAKEN, "danger", at=now()), alerted(at=now()), contact(at=now()),
        read("alert", at=now()), shared(at=now()), act(HandoverAct.LET_GO, at=now(), id="go"), letter(at=now()),
    )  # fmt: skip
    async with bus.running(SERVICE):
        await bus.hears(*events)
    before, said = bus.card(), await bus.said(BOARD)
    assert before
    bus.restore({}, SERVICE)
    await bus.recover(SERVICE)
    assert await bus.said(BOARD) == said
    assert bus.card() == before
    async with bus.running(SERVICE):
        await bus.hears(*fresh(notified("next", now())))
    after = bus.card()
    assert after
    assert after.version > before.version
    assert len(after.facts) == len(before.facts) + 1


async def test_a_record_that_changes_is_noted_of_who_is_on_the_board_and_of_nobody_else(bus: BoardsBus) -> None:
    """An import of every child of a county makes no card, and writes down only whose card says something else (H2)."""
    about = identity()

    def row(child_id: str = CHILD, version: int = 1, **changed: Any) -> ChildRecorded:
        known = record(child_id, about, **changed).model_copy(update={"version": version})
        return hear(known, f"{child_id} {version}", now())  # type: ignore[no-any-return]

    async def rows() -> list[tuple[str, int, bool]]:
        with bus.engine(SERVICE).begin() as connection:
            columns = tables.recorded.c
            found = connection.execute(sa.select(columns.child_id, columns.version, columns.cued))
            return [(row.child_id, row.version, row.cued) for row in found]

    async with bus.running(SERVICE):
        await bus.hears(*fresh(row(), danger(at=now())))
        assert await rows() == []
        await bus.hears(*fresh(*(row(f"child-{n}") for n in range(60)), row(version=2, registrations=[])))
        await until(rows, lambda found: found == [(CHILD, 2, True)])  # its card says so already
        secret = row(version=3, location_confidential=True)
        await bus.hears(*fresh(secret))
        await until(rows, lambda found: found == [(CHILD, 3, False)])
        await bus.hears(*fresh(MatterCued(matter_id=CHILD, child_id=CHILD, recorded=3).enveloped(said_of("cue"))))
    seen = bus.card()
    assert seen
    assert seen.location_confidential
    assert {one.organisation for one in seen.told} == {None}
    with bus.engine(SERVICE).begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.card)).scalar() == 1


async def test_h12_who_an_unmatched_child_may_be_is_who_the_directory_has_now(bus: BoardsBus) -> None:
    """A record that was closed while the question stood is offered no more (H1); one that is as it was cues nothing."""
    likely = hear(record("c-2", identity(forenames="Maia")), "likely", now())

    def row(**changed: Any) -> ChildRecorded:
        return hear(likely.model_copy(update=changed), f"likely {changed['version']}", now())  # type: ignore[no-any-return]

    async def version() -> int | None:
        with bus.engine(SERVICE).begin() as connection:
            columns = tables.recorded.c
            return connection.execute(sa.select(columns.version).where(columns.child_id == UNMATCHED)).scalar()

    async with bus.running(SERVICE):
        await bus.hears(*fresh(likely))
        await bus.hears(*fresh(unmatched(at=now())))
        before = bus.card(UNMATCHED)
        assert before
        assert before.question
        assert [one.child_id for one in before.question.candidates] == ["c-2"]
        await bus.hears(*fresh(row(version=2, registrations=[])))
        await bus.hears(*fresh(note(at=now())))
        assert await version() is None
        await bus.hears(*fresh(row(version=3, status=RecordStatus.CLOSED)))
        await until(version, bool)
        cue = MatterCued(matter_id=UNMATCHED, child_id=UNMATCHED, recorded=await version())
        await bus.hears(*fresh(cue.enveloped(said_of("cue"))))
    after = bus.card(UNMATCHED)
    assert after
    assert after.question
    assert (after.question.candidates, after.child_id) == ([], None)


def said_of(own_id: str) -> Envelope:
    return Envelope(own_id, "urn:test", MatterCued.topic, now())


async def test_what_follows_an_unmatched_child_stands_again_after_a_recovery(bus: BoardsBus) -> None:
    """The holder takes the child's own matter by an act on the log, a meeting finds it, and nothing is said twice."""
    there = NIA.model_copy(update={"team": team_on_duty(now())})
    took = act(HandoverAct.TAKEN, "asked", at=now(), by=there, matter=UNMATCHED, id="took")
    wrote = note(at=now(), by=there, to=there.team, matter=UNMATCHED)
    async with bus.running(SERVICE):
        await bus.hears(*fresh(unmatched(at=now()), took, wrote))
        [answer] = fresh(matched(at=now()))
        await bus.hears(answer)
        [stands] = fresh(accepted(at=now()))
        await bus.hears(stands.enveloped(stands.envelope.changed(cause_id=answer.envelope.id)))
        await bus.hears(*fresh(meeting(now() + timedelta(hours=2))))
        await bus.all_quiet()
    before, closed = bus.card(), bus.card(UNMATCHED)
    assert before
    assert closed
    assert (before.taken_by, closed.taken_by, closed.state) == (there, None, MatterState.CLOSED)
    assert {fact.kind for fact in before.facts} == {FactKind.NOTE, FactKind.STRATEGY_DISCUSSION}
    said = {topic: await bus.said(topic) for topic in (BOARD, MatterCued.topic, HandoverActed.topic)}
    bus.restore({}, SERVICE)
    await bus.recover(SERVICE)
    assert {topic: await bus.said(topic) for topic in said} == said
    assert (bus.card(), bus.card(UNMATCHED)) == (before, closed)
    assert await bus.said(LETTERS) == []
