"""The whole service on a real broker: an incident becomes a card everywhere, and a kill or a recovery changes none."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from services.bus.events import MatterChanged, OrganisationRecorded, PoliceNotified, Role, YesNoUnknown
from services.bus.run import recover
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.handover_feed.door.serve import NAME
from services.handover_feed.wiring import SERVICE
from tests.handover_feed.house import POLICE, BoardProcess, key_for, on_the_topic, publish, settled
from tests.handover_feed.night import police
from tests.handover_feed.screens import Client, changed
from tests.partner_gateway.house import SECONDS, Process, forget_groups
from tests.police_notifications.samples import PLACES, child, identity, incident, record
from tests.sse import Told


@pytest.fixture
def own(stack: Settings, stack_kafka: EmbeddedKafka, tmp_path: Path) -> Iterator[Settings]:
    """A data folder and databases of its own, for consumer groups that begin anew."""
    forget_groups(stack_kafka, NAME, "police-notifications")
    yield stack.model_copy(update={"data_dir": tmp_path, "secrets_file": stack.secrets_path, "board_burst": 100_000})
    forget_groups(stack_kafka, NAME, "police-notifications")


async def test_an_incident_becomes_the_same_card_everywhere(own: Settings) -> None:
    """Police system → police_notifications → the board: stream, list, card and the Kafka topic show the same."""
    child_id, number = f"child-{uuid4().hex}", "9990000018"
    now = datetime.now(UTC).replace(microsecond=0)
    about = identity(forenames=f"Maya {uuid4().hex[:6]}", nhs_number=number)
    places = [place for place in PLACES if isinstance(place, OrganisationRecorded) and place.kind is not Role.SCHOOL]
    known = [place.model_copy(update={"version": now.toordinal()}) for place in places]
    reported = incident(
        child(about=about, presence="WAS_PRESENT"),
        id=uuid4().hex,
        at=now,
        incident_id=f"incident-{uuid4().hex}",
        immediate_danger=YesNoUnknown.YES,
        address=None,
    )
    board, decider = BoardProcess(own), Process(own, POLICE, session_timeout=2)
    try:
        screen = await (await board.opened()).screen()
        await publish(own, *known, record(child_id, about, registrations=[]))
        async with asyncio.timeout(SECONDS), screen.open() as stream:
            await publish(own, reported)
            async for told in changed(stream):
                if told.data["matter_id"] == child_id:
                    break
        assert told.data["interrupts"]
        assert reported.narrative in str(told.data["facts"])
        shown = (await settled(screen, {child_id: reported.narrative}))[child_id]
        assert (await screen.get(f"/v1/board/{child_id}")).json() == shown
        said = await on_the_topic(own, child_id)
        assert said[told.data["version"]] == MatterChanged.model_validate(told.data)
        assert said[max(said)] == MatterChanged.model_validate(shown)
        secret = record(child_id, about, registrations=[], location_confidential=True)
        await publish(own, secret.model_copy(update={"version": secret.version + 1}))
        async with asyncio.timeout(SECONDS):
            while not (await screen.get(f"/v1/board/{child_id}")).json()["location_confidential"]:
                await asyncio.sleep(0.1)  # the directory alone has changed the card (H2)
    finally:
        board.end()
        decider.end()


def burst(matters: list[str], count: int, chance: random.Random) -> list[PoliceNotified]:
    """So many notifications about these children."""
    return [about(chance.choice(matters), "Something happened.") for _ in range(count)]


def about(matter_id: str, narrative: str) -> PoliceNotified:
    return police(matter_id, "Ada Example", narrative=narrative, incident_id=uuid4().hex)


async def told_last(at: Settings, matters: list[str]) -> dict[str, str]:
    """One more notification about each, and the words by which it is known on its card."""
    words = {matter_id: f"The last, {uuid4().hex}." for matter_id in matters}
    await publish(at, *(about(*one) for one in words.items()))
    return words


async def follow(screen: Client, seen: list[Told], until: int, kill: int | None = None) -> None:
    """Go on reading behind what was `seen`, until there are so many; at that number `kill` is killed, and what is under
    way then still comes until the stream breaks."""
    try:
        async with asyncio.timeout(SECONDS), screen.open(seen[-1].id if seen else None) as told:
            async for one in changed(told):
                seen.append(one)
                if len(seen) == until and kill is None:
                    return
                if len(seen) == until and kill is not None:
                    os.kill(kill, signal.SIGKILL)
    except httpx.TransportError:
        assert kill is not None, "it broke, and nobody was killed"


@pytest.mark.soak
async def test_killed_while_streaming_a_screen_goes_on_where_it_was(own: Settings) -> None:
    """kill -9 while the night comes in: by Last-Event-ID no card is older than before; each ends as Kafka has it."""
    chance, seen, matters = random.Random(3), list[Told](), [f"child-{uuid4().hex}" for _ in range(12)]
    board = await BoardProcess(own).opened()
    key = await key_for(own)
    try:
        for _ in range(2):
            coming = asyncio.create_task(publish(own, *burst(matters, 60, chance), one_by_one=True))
            await follow(await board.screen(key), seen, len(seen) + chance.randint(3, 11), kill=board.pid)
            await coming
            assert await board.ended() == -signal.SIGKILL
            board = await BoardProcess(own).opened()
        screen = await board.screen(key)
        stand = await settled(screen, await told_last(own, matters))
        newest = {one.data["matter_id"]: one for one in seen}
        async with asyncio.timeout(SECONDS), screen.open(seen[-1].id) as told:
            while any(stand[m]["version"] != newest[m].data["version"] if m in newest else True for m in matters):
                one = await anext(changed(told))
                seen.append(one)
                newest[one.data["matter_id"]] = one
    finally:
        board.end()
    numbers = [one.number for one in seen]
    assert numbers == sorted(set(numbers))
    assert len({one.id.partition(".")[0] for one in seen}) == 1
    for matter_id in matters:
        versions = [one.data["version"] for one in seen if one.data["matter_id"] == matter_id]
        assert versions == sorted(set(versions))
        said = await on_the_topic(own, matter_id)
        assert sorted(said) == list(range(1, max(said) + 1))
        assert MatterChanged.model_validate(newest[matter_id].data) == said[max(said)]


@pytest.mark.soak
async def test_a_recovery_rebuilds_the_same_cards_in_a_new_epoch(own: Settings, tmp_path: Path) -> None:
    """A database that was restored: nothing is said again, keys still work, and screens are told of the new numbers."""
    matters = [f"child-{uuid4().hex}" for _ in range(5)]
    stores, saved = own.data_dir / "stores", tmp_path / "saved"
    board = await BoardProcess(own).opened()
    key = await key_for(own)
    try:
        await publish(own, *burst(matters, 10, random.Random(1)))
        await settled(await board.screen(key), await told_last(own, matters))
        board.end()
        shutil.copytree(stores, saved)
        board = await BoardProcess(own).opened()
        await publish(own, *burst(matters, 20, random.Random(2)))
        screen = await board.screen(key)
        words = await told_last(own, matters)
        before = await settled(screen, words)
        cursor = (await screen.get("/v1/board")).json()["next"]
        said = {matter_id: await on_the_topic(own, matter_id) for matter_id in matters}
        board.end()
        shutil.rmtree(stores)
        shutil.copytree(saved, stores)
        stopped = BoardProcess(own)
        assert await stopped.ended() == 70
        assert "safebus recover handover-feed" in stopped.log
        await recover(SERVICE, own)
        board = await BoardProcess(own).opened()
        screen = await board.screen(key)
        assert await settled(screen, words) == before
        assert (await screen.read(1, last=cursor))[0].kind == "epoch"
        assert {matter_id: await on_the_topic(own, matter_id) for matter_id in matters} == said
        later = await settled(screen, await told_last(own, matters))
        assert all(later[one]["version"] > before[one]["version"] for one in matters)
    finally:
        board.end()
