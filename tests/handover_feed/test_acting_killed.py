"""Killed at the worst moment, the board does everything once that was asked of it, as soon as it is asked again."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.bus.envelope import Envelope
from services.bus.events import (
    DecisionMade,
    EscalationState,
    HandoverActed,
    HandoverEscalated,
    MatterState,
    PoliceNotified,
)
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.handover_feed.acting.ids import event_id
from services.handover_feed.door.serve import NAME
from tests.handover_feed.cards import NIGHT_WORKER
from tests.handover_feed.house import on_the_topic, publish
from tests.handover_feed.log import on_kafka, said_about
from tests.handover_feed.night import police
from tests.handover_feed.victim import RESULT
from tests.partner_gateway.house import Process, forget_groups, until
from tests.partner_gateway.webhook_endpoint import endpoint as listening

VICTIM = [sys.executable, "-m", "tests.handover_feed.victim"]


@pytest.fixture
def own(stack: Settings, stack_kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Settings]:
    """A data folder and database of its own, for a consumer group that begins anew."""
    forget_groups(stack_kafka, NAME)
    yield stack.model_copy(update={"data_dir": tmp_path, "secrets_file": stack.secrets_path})
    forget_groups(stack_kafka, NAME)


def told_now(matter_id: str, **more: Any) -> PoliceNotified:
    """By the police, of what happened now by the real clock."""
    return police(matter_id, "Ada Example", occurred_at=datetime.now(UTC), aware_at=datetime.now(UTC), **more)


def board(at: Settings, *doing: str, **more: object) -> Process:
    (at.data_dir / RESULT).unlink(missing_ok=True)
    return Process(at, [*VICTIM, *doing], session_timeout=2, **more)


async def done_at_last(at: Settings, *doing: str) -> dict[str, Any]:
    """What becomes of it in a board that nobody kills."""
    lives = board(at, *doing)
    try:
        await until((at.data_dir / RESULT).exists, lives)
        return dict(json.loads((at.data_dir / RESULT).read_text()))
    finally:
        lives.end()


async def test_killed_between_publishing_and_hearing_an_act_is_one_act(own: Settings) -> None:
    """The worker's browser lost its answer, and sends the same form again: one act, with the moment of the first."""
    matter, form = f"child-{uuid4().hex}", str(uuid4())
    await publish(own, told_now(matter))
    dies = board(own, "killed", "take", matter, form)
    assert await dies.ended() == -signal.SIGKILL, dies.log
    first = await on_kafka(own, HandoverActed.topic, [event_id(HandoverActed, form)])
    assert len(first) == 1, "Kafka had it before the kill"
    assert await done_at_last(own, "take", matter, form) == {"accepted": True, "refused": None}
    said = await on_kafka(own, HandoverActed.topic, [event_id(HandoverActed, form)])
    assert {(record.key, record.value) for record in said} == {(first[0].key, first[0].value)}
    cards = await on_the_topic(own, matter)
    latest = cards[max(cards)]
    assert (latest.state, latest.taken_by) == (MatterState.TAKEN, NIGHT_WORKER)
    assert [act.act_id for act in latest.acts] == [form]


@pytest.mark.soak
async def test_killed_between_a_decision_and_its_act_the_same_form_completes_it(own: Settings) -> None:
    """One decision, shared once; then the matter is closed with it."""
    matter, form = f"child-{uuid4().hex}", str(uuid4())
    await publish(own, told_now(matter))
    dies = board(own, "killed", "decide", matter, form)
    assert await dies.ended() == -signal.SIGKILL, dies.log
    assert len(await said_about(own, DecisionMade.topic, matter)) == 1
    assert await said_about(own, HandoverActed.topic, matter) == []
    assert await done_at_last(own, "decide", matter, form) == {"accepted": True, "refused": None}
    made = [one for one in await said_about(own, DecisionMade.topic, matter) if isinstance(one, DecisionMade)]
    assert len({(one.decision_id, one.envelope.id, one.decided_at) for one in made}) == 1
    [acted] = [one for one in await said_about(own, HandoverActed.topic, matter) if isinstance(one, HandoverActed)]
    assert acted.decision_id == made[0].decision_id
    cards = await on_the_topic(own, matter)
    assert cards[max(cards)].state is MatterState.CLOSED
    assert await done_at_last(own, "decide", matter, form) == {"accepted": True, "refused": None}
    assert len(await said_about(own, HandoverActed.topic, matter)) == 1


async def test_killed_between_the_page_and_its_record_the_manager_is_paged_again(own: Settings) -> None:
    """Twice at most, never not at all; what the log says of it stands once, and on the card."""
    matter = f"child-{uuid4().hex}"
    async with listening() as pager:
        more = {"board_take_within_minutes": 1, "board_page_url": pager.url}
        told = told_now(matter, immediate_danger="YES", grading="RED")
        before = datetime.now(UTC) - timedelta(minutes=2)
        await publish(own, told.enveloped(Envelope(str(uuid4()), "urn:safebus:admin", told.topic, before)))
        dies = board(own, "paged", **more)
        assert await dies.ended() == -signal.SIGKILL, dies.log
        assert len(pager.received) == 1
        lives = board(own, **more)
        try:
            await until(lambda: len(pager.received) > 1, lives)
            cards = await on_the_topic(own, matter)
            while not cards[max(cards)].escalated_at:
                assert lives.lives, lives.log
                await asyncio.sleep(0.2)
                cards = await on_the_topic(own, matter)
        finally:
            lives.end()
    assert len(pager.ids) == 2
    assert len(set(pager.ids)) == 1
    said = [one for one in await said_about(own, HandoverEscalated.topic, matter) if isinstance(one, HandoverEscalated)]
    assert [one.state for one in said] == [EscalationState.DUE, EscalationState.PAGED]
