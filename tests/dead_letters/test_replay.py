"""`safebus replay` on a real broker: proved to change nothing that was right, and to see what was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from services.bus.events import DeadlineKind, DeadlineMet, DeadlineSet, OperatorActed, PoliceNotified, Role
from services.bus.run import broker_for
from services.bus.service import Service
from services.bus.tables import metadata, state
from services.deadlines.wiring import SERVICE as DEADLINES
from services.encompass_alerts.wiring import SERVICE as ALERTS
from services.operating.acts import OPERATOR
from services.partner_gateway.inbox.tables import entry
from services.partner_gateway.wiring import SERVICE as GATEWAY
from tests.dead_letters.conftest import Desk, begin_anew
from tests.dead_letters.samples import NOTIFICATIONS, PLACES, maya, reported, whose

ROOMS: Sequence[Service] = (NOTIFICATIONS, ALERTS, GATEWAY)


def kept(desk: Desk, service: Service) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but the guards, which follow the log: byte for byte."""
    tables = [*metadata.sorted_tables, *(service.projection.tables.sorted_tables if service.projection else [])]
    with engine(desk, service).begin() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables
            if table.name != "guard"
        }


def engine(desk: Desk, service: Service) -> sa.Engine:
    return sa.create_engine(desk.at.store_for(service.name), poolclass=sa.NullPool)


async def number(desk: Desk, topic: str) -> int:
    return len([record async for record in broker_for(desk.at, OPERATOR).scan([topic])])


async def test_a_replay_and_a_copy_change_nothing_that_was_right(desk: Desk) -> None:
    """Three rooms have decided, told and died. Replayed beside themselves while they run, each is found the same. The
    outputs of the first, sent again, are known to whoever heard them: no view, no inbox number, no output changes.
    What was changed by hand is found."""
    begin_anew(desk, ROOMS)
    await desk.publish("local-authority", *PLACES, maya(desk.tag))
    await desk.publish("police", *(reported(desk.tag, number) for number in (1, 2, 3)))
    async with desk.running(*ROOMS):
        await desk.quiet(NOTIFICATIONS)
        await desk.publish("local-authority", whose(desk.tag, 1), whose(desk.tag, 2), whose(desk.tag, 3, "nobody"))
        await desk.quiet(*ROOMS)
        before = [kept(desk, room) for room in ROOMS]
        assert before[2]["inbox_entry"]
        for room in ROOMS:
            found = await desk.safebus("replay", room.name, "--json")
            assert (found.code, found.json["same"], found.json["differences"]) == (0, True, []), found.text
            assert found.json["events"] > 0
        assert [kept(desk, room) for room in ROOMS] == before

        alerts, notified = await number(desk, "encompass.alerts.v1"), await number(desk, PoliceNotified.topic)
        dry = await desk.safebus(
            "replay", NOTIFICATIONS.name, "--outputs", "--topic", PoliceNotified.topic, "--dry-run"
        )
        assert "nothing was" in dry.text
        sent = await desk.safebus("replay", NOTIFICATIONS.name, "--outputs", "--topic", PoliceNotified.topic)
        assert (sent.code, "sent again" in sent.text) == (0, True)
        await desk.quiet(*ROOMS)
        assert await number(desk, PoliceNotified.topic) > notified
        assert await number(desk, "encompass.alerts.v1") == alerts
        assert [kept(desk, room) for room in ROOMS] == before

    _change_by_hand(desk)
    for room, table in ((NOTIFICATIONS, "state"), (GATEWAY, "inbox_entry")):
        found = await desk.safebus("replay", room.name)
        assert found.code == 3
        assert "is not what the log says" in found.text
        assert table in found.text
    assert await _logged(desk) >= 6


def _change_by_hand(desk: Desk) -> None:
    with engine(desk, NOTIFICATIONS).begin() as connection:
        connection.execute(state.delete().where(state.c.key == f"incident-{desk.tag}-1"))
    with engine(desk, GATEWAY).begin() as connection:
        connection.execute(entry.update().values(content=b"{}"))


async def _logged(desk: Desk) -> int:
    """How many replays the operators' log tells of."""
    return await number(desk, OperatorActed.topic)


async def test_a_moment_rings_in_a_replay_where_it_rang(desk: Desk) -> None:
    """A deadline is missed and then met: so it is in a replay, though by then both stand in the log."""
    begin_anew(desk, [DEADLINES])
    await desk.publish("local-authority", *PLACES)
    owed = {"deadline_id": uuid4(), "child_id": f"maya-{desk.tag}", "kind": DeadlineKind.MATCH_BY_PERSON}
    due = datetime.now(UTC) + timedelta(seconds=0.5)
    owing = {"owed_role": Role.MASH, "escalate_to": "mash:825", "location_confidential": False}
    await desk.publish(
        "police-notifications", DeadlineSet(**owed, **owing, due_by=due, needs_hidden_confirmation=False)
    )
    async with desk.running(DEADLINES):
        await desk.quiet(DEADLINES)
        while '"missed":true' not in str(kept(desk, DEADLINES)["state"]):
            await asyncio.sleep(0.1)
        met = datetime.now(UTC)
        await desk.publish("police-notifications", DeadlineMet(**owed, due_by=due, met_at=met, late=True))
        await desk.quiet(DEADLINES)
        assert '"met_at"' in str(kept(desk, DEADLINES)["state"])
        found = await desk.safebus("replay", DEADLINES.name, "--json")
    assert (found.code, found.json["differences"]) == (0, []), found.text


async def test_what_was_due_while_its_service_was_down_rings_in_no_replay(desk: Desk) -> None:
    """It was done before the service came back, so it was never missed, whatever the clock said meanwhile."""
    begin_anew(desk, [DEADLINES])
    await desk.publish("local-authority", *PLACES)
    owed = {"deadline_id": uuid4(), "child_id": f"theo-{desk.tag}", "kind": DeadlineKind.MATCH_BY_PERSON}
    due = datetime.now(UTC) + timedelta(seconds=0.3)
    owing = {"owed_role": Role.MASH, "escalate_to": "mash:825", "location_confidential": False}
    await desk.publish(
        "police-notifications", DeadlineSet(**owed, **owing, due_by=due, needs_hidden_confirmation=False)
    )
    await asyncio.sleep(1.3)  # longer than one batch of a replay spans
    await desk.publish("police-notifications", DeadlineMet(**owed, due_by=due, met_at=due, late=False))
    async with desk.running(DEADLINES):
        await desk.quiet(DEADLINES)
        assert '"missed"' not in str(kept(desk, DEADLINES)["state"])
        found = await desk.safebus("replay", DEADLINES.name, "--json")
    assert (found.code, found.json["differences"]) == (0, []), found.text


async def test_a_mistake_is_told_in_a_sentence(desk: Desk) -> None:
    """No such service, no database of it here, a topic that it does not say."""
    for words, sentence in (
        (("nobody",), "there is no service nobody"),
        (("deadlines",), "deadlines has no database at"),
        (("deadlines", "--outputs", "--topic", "police.incidents.v1"), "does not say police.incidents.v1"),
        (("deadlines", "--dry-run"), "--outputs"),
    ):
        told = await desk.safebus("replay", *words)
        assert (told.code, sentence in told.text) == (2, True), told.text
