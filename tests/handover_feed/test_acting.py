"""What a worker does at the board is on Kafka once, with its first moment, before anybody is told that it is."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.envelope import Event
from services.bus.errors import UserMistake
from services.bus.events import HandoverAct, HandoverActed, HandoverSeen, RiskCriterion, SeenWhat, Team
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.handover_feed.acting import acts
from services.handover_feed.acting.ids import event_id
from services.handover_feed.acting.letters import Letters, NotRecorded, SaidOtherwise
from services.handover_feed.acting.tables import letter, outgoing
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for
from services.handover_feed.tables import metadata
from tests.handover_feed.cards import EVENING, NIGHT_WORKER, act, card
from tests.handover_feed.conftest import tell
from tests.handover_feed.log import events, on_kafka

STAFF = NIGHT_WORKER


def taken(at: datetime = EVENING, reason: str | None = None) -> HandoverActed:
    return HandoverActed(
        act_id="act-1", matter_id="child-1", child_id="child-1", act=HandoverAct.TAKEN, by=STAFF, acted_at=at,
        reason=reason, addresses=["fact-1"], no_longer=[],
    )  # fmt: skip


async def decoded(at: Settings, topic: str, ids: Sequence[str]) -> list[Event]:
    return await events(at, await on_kafka(at, topic, ids))


@asynccontextmanager
async def opened(at: Settings) -> AsyncIterator[Letters]:
    """Letters of a process of their own."""
    access = Access(at, "handover-feed")
    await access.write(metadata.create_all)
    try:
        async with Letters(at, access, Clock.of(at), codec_for(at)) as letters:
            yield letters
    finally:
        access.close()


async def rows(letters: Letters, table: sa.Table) -> list[sa.Row[tuple[object, ...]]]:
    return list(await letters._access.read(lambda connection: connection.execute(table.select()).all()))


ACTS = HandoverActed.topic


async def test_what_is_said_is_on_kafka_and_its_content_nowhere_else(at: Settings) -> None:
    """Under the matter's key and as `board-door`; once Kafka has it, only its id and digest stay in the database."""
    own_id = str(uuid4())
    async with opened(at) as letters:
        await letters.say((taken(), own_id))
        [kept] = await rows(letters, letter)
    [record] = await on_kafka(at, ACTS, [own_id])
    [event] = await decoded(at, ACTS, [own_id])
    assert (record.key, dict(event)) == (b"child-1", dict(taken()))
    assert event.envelope.source == "urn:safebus:board-door"
    assert kept.content is None


async def test_a_form_that_is_sent_twice_is_one_act_with_one_moment(at: Settings) -> None:
    """Whoever died before the acknowledgement was marked sends the same bytes again, whatever the time is then."""
    own_id = str(uuid4())
    async with opened(at) as letters:
        await letters.say((taken(at=EVENING), own_id))
        await letters.say((taken(at=EVENING + timedelta(minutes=1)), own_id))
        assert len(await on_kafka(at, ACTS, [own_id])) == 1
    one = str(uuid4())
    async with opened(at) as letters:
        letters._mark = _die  # type: ignore[method-assign, assignment]
        with pytest.raises(ZeroDivisionError):
            await letters.say((taken(at=EVENING), one))
    async with opened(at) as letters:
        await letters.say((taken(at=EVENING + timedelta(minutes=7)), one))
    first, second = await on_kafka(at, ACTS, [one])
    assert (first.key, first.value, first.headers) == (second.key, second.value, second.headers)
    assert (await decoded(at, ACTS, [one]))[0].acted_at == EVENING  # type: ignore[attr-defined]


async def _die(_event_id: str) -> None:
    raise ZeroDivisionError


async def test_another_content_under_the_same_id_is_refused_and_never_sent(at: Settings) -> None:
    """A form that is changed and sent again says so, instead of dropping the change silently."""
    own_id = str(uuid4())
    async with opened(at) as letters:
        await letters.say((taken(), own_id))
        with pytest.raises(SaidOtherwise):
            await letters.say((taken(reason="changed"), own_id))
    assert len(await on_kafka(at, ACTS, [own_id])) == 1


async def test_what_no_event_can_hold_is_a_mistake_and_leaves_nothing(at: Settings) -> None:
    """Too long, or half a character: said in a sentence without the text."""
    async with opened(at) as letters:
        for reason in ("x" * 1_000_001, "\ud800"):
            with pytest.raises(UserMistake) as told:
                await letters.say((taken(reason=reason), str(uuid4())))
            assert reason not in str(told.value)
        assert await rows(letters, letter) == []


@pytest.mark.soak
async def test_a_broker_that_stands_still_or_is_away_is_told_and_found_again(
    at: Settings, stack_kafka: EmbeddedKafka
) -> None:
    """Unknown is not done: the worker sends the same form again, which records it once, with its first moment. What
    the board says by itself waits until the broker is back, also over a restart."""
    at = at.model_copy(update={"send_timeout": 2.0})
    assert stack_kafka.pid
    still, away, own = str(uuid4()), str(uuid4()), str(uuid4())
    entry = HandoverSeen(
        seen_id=own, person_id="p", team=Team.NIGHT, what=SeenWhat.BOARD, matter_id=None, happened_at=EVENING
    )
    async with opened(at) as letters:
        await letters.say((taken(), str(uuid4())))
        os.kill(stack_kafka.pid, signal.SIGSTOP)
        try:
            with pytest.raises(NotRecorded):
                await letters.say((taken(), still))
        finally:
            os.kill(stack_kafka.pid, signal.SIGCONT)
        await _said_at_last(letters, taken(at=EVENING + timedelta(minutes=5)), still)
    assert {e.acted_at for e in await decoded(at, ACTS, [still])} == {EVENING}  # type: ignore[attr-defined]

    await stack_kafka.stop()
    try:
        async with opened(at) as letters:
            for _ in range(2):
                with pytest.raises(NotRecorded):
                    await asyncio.wait_for(letters.say((taken(), away)), 15)
            await letters.later({own: entry})
    finally:
        await stack_kafka.start()
    async with opened(at) as letters:
        await _said_at_last(letters, taken(), away)
        async with asyncio.timeout(30):
            while await rows(letters, outgoing):
                await asyncio.sleep(0.05)
    assert len(await on_kafka(at, ACTS, [away])) == 1
    assert len(await on_kafka(at, HandoverSeen.topic, [own])) == 1


async def _said_at_last(letters: Letters, event: Event, own_id: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await letters.say((event, own_id))
            except NotRecorded:
                await asyncio.sleep(0.2)


async def test_of_two_boards_on_postgresql_that_say_it_at_once_one_content_stands(at: Settings, postgres: str) -> None:
    """One form in two windows, sent at the same moment to two processes: one act, with one moment."""
    at = at.model_copy(update={"store_url": postgres})
    ids = [str(uuid4()) for _ in range(20)]
    async with board_for(at) as one, board_for(at) as other:
        for own_id in ids:
            both = (
                board.letters.say((taken(EVENING + timedelta(minutes=n)), own_id))
                for n, board in enumerate((one, other))
            )
            await asyncio.gather(*both)
    assert {len({record.value for record in await on_kafka(at, ACTS, [own_id])}) for own_id in ids} == {1}


async def test_ids_are_forgotten_when_the_bus_forgets_them(at: Settings) -> None:
    """A table that only grows would end the board one day."""
    async with opened(at) as letters:
        await letters.say((taken(), "old"))
        await letters.say((taken(), "new"))
        old = int((datetime.now(UTC) - timedelta(days=500)).timestamp() * 1_000_000)
        await letters._access.write(
            lambda c: c.execute(letter.update().values(at_us=old).where(letter.c.event_id == "old"))
        )
    async with opened(at) as letters, asyncio.timeout(20):
        while [row.event_id for row in await rows(letters, letter)] != ["new"]:
            await asyncio.sleep(0.05)


# --- acts -------------------------------------------------------------------------------------------------------------


async def test_an_act_is_told_what_the_log_made_of_it(board: Board, at: Settings) -> None:
    """Whoever was second is told by whom the matter is taken; whoever sends the form again hears the same."""
    one = card()
    await tell(board, one)
    act_id = str(uuid4())
    doing = asyncio.create_task(acts.do(board, STAFF, one.matter_id, HandoverAct.TAKEN, act_id=act_id, addresses=["f"]))
    while not await on_kafka(at, ACTS, [event_id(HandoverActed, act_id)]):
        await asyncio.sleep(0.05)
    refused = act(act_id, refused="Eve Cole has it.")
    await tell(board, one.model_copy(update={"version": 2, "acts": [refused]}))
    result = await doing
    assert (result.accepted, result.refused) == (False, "Eve Cole has it.")
    again = await acts.do(board, STAFF, one.matter_id, HandoverAct.TAKEN, act_id=act_id, addresses=["f"])
    assert again == result
    [event] = await decoded(at, ACTS, [event_id(HandoverActed, act_id)])
    assert isinstance(event, HandoverActed)
    assert (event.matter_id, event.child_id, event.by, event.addresses) == (one.matter_id, one.child_id, STAFF, ["f"])


async def test_an_act_that_the_board_has_not_shown_yet_is_recorded_and_not_done(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is told just that."""
    monkeypatch.setattr(acts, "TOLD_WITHIN", 0.2)
    one = card()
    await tell(board, one)
    result = await acts.do(board, STAFF, one.matter_id, HandoverAct.TAKEN, act_id=str(uuid4()), addresses=[])
    assert (result.unknown, result.recorded, result.accepted) == (True, True, False)
    assert acts.sentence(result) == acts.NOT_YET


async def test_an_act_without_an_acknowledgement_is_not_done(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same form may be sent again, and its worker is told so."""

    async def away(*_: object) -> None:
        raise NotRecorded

    monkeypatch.setattr(board.letters, "say", away)
    one = card()
    await tell(board, one)
    result = await acts.do(board, STAFF, one.matter_id, HandoverAct.TAKEN, act_id=str(uuid4()), addresses=[])
    assert (result.unknown, result.recorded, result.accepted) == (True, False, False)
    assert acts.sentence(result) == acts.NOT_RECORDED


@pytest.mark.parametrize(
    ("does", "reason", "no_longer", "says"),
    [
        (HandoverAct.CLOSED, " ", [], "reason"),
        (HandoverAct.HANDED_TO_DAY, None, [], "reason"),
        (HandoverAct.RISK_CHANGED, "seen well", [], "risk"),
        (HandoverAct.RISK_CHANGED, "", [RiskCriterion.YOUNG], "reason"),
        (HandoverAct.UNKNOWN, "x", [], "Choose"),
    ],
)
async def test_what_no_board_would_accept_is_refused_in_a_sentence(
    board: Board, does: HandoverAct, reason: str | None, no_longer: list[RiskCriterion], says: str
) -> None:
    """Before anything is said."""
    one = card()
    await tell(board, one)
    result = await acts.do(
        board, STAFF, one.matter_id, does, act_id=str(uuid4()), addresses=[], reason=reason, no_longer=no_longer
    )
    assert result.refused
    assert says in result.refused
    assert await rows(board.letters, letter) == []


async def test_nothing_is_done_with_a_matter_that_is_not_there(board: Board) -> None:
    """A made-up address leaves no event behind."""
    result = await acts.do(board, STAFF, "nowhere", HandoverAct.TAKEN, act_id=str(uuid4()), addresses=[])
    assert result.refused == acts.NO_SUCH_MATTER
