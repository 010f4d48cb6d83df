"""`safebus dead-letters` on a real broker, from the first look to what became of a retry."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from services.bus.broker import Record
from services.bus.events import OperatorActed, PoliceNotified
from services.bus.heard import RETRY_HEADER, hear
from services.bus.run import broker_for
from services.bus.settings import ROOT
from services.operating import acts
from services.operating.letters import State
from tests.dead_letters.conftest import Desk, begin_anew
from tests.dead_letters.samples import MARK, NOTIFICATIONS, PLACES, maya, reported, whose


async def records(desk: Desk, topic: str, principal: str = "operator") -> list[Record]:
    return [record async for record in broker_for(desk.at, principal).scan([topic])]


async def told(desk: Desk) -> list[str]:
    """Whose notifications about Maya went out, one entry for each that stands in the topic."""
    codec, found = desk.codec(), []
    for record in await records(desk, PoliceNotified.topic):
        await codec.learn([record])
        event = hear(record, codec, "test").event
        if isinstance(event, PoliceNotified) and event.child_id == f"maya-{desk.tag}":
            found.append(event.incident_id)
    return sorted(found)


async def acts_of(desk: Desk, letter_id: str) -> list[OperatorActed]:
    (one,) = [letter for letter in await desk.letters() if letter.id == letter_id]
    return one.acts


@asynccontextmanager
async def troubles(desk: Desk) -> AsyncIterator[None]:
    """A room that runs, three incidents, answers about two of them that name a child whom nobody knows, and one about
    no child of the third."""
    begin_anew(desk, [NOTIFICATIONS])
    await desk.publish("local-authority", *PLACES)
    await desk.publish("police", *(reported(desk.tag, number) for number in (1, 2, 3)))
    async with desk.running(NOTIFICATIONS):
        await desk.quiet(NOTIFICATIONS)
        await desk.publish("local-authority", whose(desk.tag, 1), whose(desk.tag, 2), whose(desk.tag, 3, "nobody"))
        await desk.quiet(NOTIFICATIONS)
        yield


async def test_from_the_first_look_to_what_became_of_it(desk: Desk, tmp_path: Path) -> None:
    """Seen masked, revealed only once that is logged, retried once at most, discarded with a reason, exported."""
    async with troubles(desk):
        found = {one.code: one for one in await desk.letters()}
        unknown, wrong = found["not_in_directory"], found["no_such_child"]

        listed = await desk.safebus("dead-letters", "list", "--reason", "not_in_directory", "--json")
        assert unknown.id in {one["id"] for one in listed.json["dead_letters"]}
        assert MARK not in listed.text
        misspelt = await desk.safebus("dead-letters", "list", "--service", "mash-outcome")
        assert (misspelt.code, "there is no service mash-outcome; there are " in misspelt.text) == (2, True)
        shown = await desk.safebus("dead-letters", "show", unknown.id)
        assert "names a child whom the directory did not hold" in shown.text
        assert MARK not in shown.text
        await _reveal_is_logged_first(desk, unknown.id)

        dry = await desk.safebus("dead-letters", "retry", unknown.id, "--dry-run")
        assert "1 original would be sent, 0 refused; nothing was sent" in dry.text
        assert await told(desk) == []
        await desk.publish("local-authority", maya(desk.tag))
        done = await desk.safebus("dead-letters", "retry", unknown.id)
        assert (done.code, "done" in done.text) == (0, True), done.text
        assert len(await told(desk)) == 1
        await _is_its_original(desk, unknown.id)
        again = await desk.safebus("dead-letters", "retry", unknown.id)
        assert (again.code, "it was retried" in again.text) == (2, True)

        died = await desk.safebus("dead-letters", "retry", wrong.id, "--json")
        assert died.code == 3
        assert died.json["retried"][0]["became"] == "dead"
        (second,) = [one for one in await desk.letters() if one.is_retry]
        last = await desk.safebus("dead-letters", "retry", second.id)
        assert "died when it was retried" in last.text

        bare = await desk.safebus("dead-letters", "discard", second.id)
        assert (bare.code, "--reason" in bare.text) == (2, True)
        for _ in range(2):  # the second time there is nothing left to do
            gone = await desk.safebus("dead-letters", "discard", second.id, "--reason", "answered by telephone")
            assert gone.code == 0
        assert [act.act.value for act in await acts_of(desk, second.id)] == ["DISCARDED"]

        file = tmp_path / "review.jsonl"
        taken = await desk.safebus("dead-letters", "export", str(file), "--state", "any")
        assert taken.code == 0
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert {one.id for one in await desk.letters()} <= {line["id"] for line in lines}
        assert MARK not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0


async def _is_its_original(desk: Desk, letter_id: str) -> None:
    """The same key, body, id, source and partition; one header more."""
    (letter,) = [one for one in await desk.letters() if one.id == letter_id]
    said = letter.said
    copies = [
        record
        for record in await records(desk, said.origin_topic)
        if (RETRY_HEADER, letter_id.encode()) in [tuple(pair) for pair in record.headers]
    ]
    (copy,) = copies
    original = [(header.name, header.value) for header in said.headers]
    assert (copy.key, copy.value, copy.partition) == (said.key, said.body, said.origin_partition)
    assert [tuple(pair) for pair in copy.headers] == [*original, (RETRY_HEADER, letter_id.encode())]


async def _reveal_is_logged_first(desk: Desk, letter_id: str) -> None:
    """Without a reason nothing; where it cannot be logged nothing; else all, and the log says who, what and why."""
    reveal = ("dead-letters", "show", letter_id, "--reveal")
    refused = await desk.safebus(*reveal)
    assert refused.code == 2
    assert MARK not in refused.text
    with denied(desk):
        unlogged = await desk.safebus(*reveal, "--reason", "asked by the front door")
    assert unlogged.code != 0
    assert MARK not in unlogged.text
    assert await acts_of(desk, letter_id) == []
    revealed = await desk.safebus(*reveal, "--reason", "asked by the front door")
    assert MARK in revealed.text
    (act,) = await acts_of(desk, letter_id)
    assert (act.act.value, act.by, act.reason) == ("REVEALED", "o.perator", "asked by the front door")


class denied:  # noqa: N801 - reads as a sentence
    """While the block runs, the operator may not write its log."""

    def __init__(self, desk: Desk) -> None:
        self._admin = AdminClient(desk.kafka.admin_settings)
        self._what = ResourceType.TOPIC, OperatorActed.topic, ResourcePatternType.LITERAL, "User:operator", "*"

    def __enter__(self) -> None:
        deny = AclBinding(*self._what, AclOperation.WRITE, AclPermissionType.DENY)
        for future in self._admin.create_acls([deny]).values():
            future.result(10)

    def __exit__(self, *_: object) -> None:
        deny = AclBindingFilter(*self._what, AclOperation.WRITE, AclPermissionType.DENY)
        for future in self._admin.delete_acls([deny]).values():
            future.result(10)


KILLED = """
import os, runpy, signal, sys
from services.operating.retrying import Retrying
setattr(Retrying, sys.argv.pop(1), lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
runpy.run_module("services.cli", run_name="__main__")
"""
"""`safebus`, killed as `kill -9` does once it comes to that step of a retry."""


async def test_killed_in_the_middle_and_run_again_nothing_has_an_effect_twice(desk: Desk) -> None:
    """By SIGKILL, before it is sent, and after. What is begun stands in the log; the second run sends again what may
    have been sent, and it has one effect."""
    async with troubles(desk):
        one, two = (letter for letter in await desk.letters() if letter.code == "not_in_directory")
        await desk.publish("local-authority", maya(desk.tag))

        for letter, step in ((one, "_send"), (two, "_note")):
            words = ("-c", KILLED, step, "dead-letters", "retry", letter.id)
            process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=PIPE, stderr=PIPE)
            _, said = await process.communicate()
            assert process.returncode == -signal.SIGKILL, said.decode()
            assert [act.act.value for act in await acts_of(desk, letter.id)] == ["RETRYING"]
        dry = await desk.safebus("dead-letters", "retry", one.id, two.id, "--dry-run")
        assert dry.text.count("begun before") == 2
        done = await desk.safebus("dead-letters", "retry", one.id, two.id)
        assert done.code == 0, done.text
        await desk.quiet(NOTIFICATIONS)
        assert len(await told(desk)) == 2
        now = [letter for letter in await desk.letters() if letter.id in (one.id, two.id)]
        assert [(letter.state, letter.became) for letter in now] == [(State.RETRIED, "repeated")] * 2


async def test_a_service_that_is_down_is_not_waited_for(desk: Desk) -> None:
    """It is sent, and that is said; the same command, once the service runs, sends nothing and tells what became."""
    async with troubles(desk):
        letter = next(one for one in await desk.letters() if one.code == "not_in_directory")
        await desk.publish("local-authority", maya(desk.tag))
        await desk.quiet(NOTIFICATIONS)
    away = await desk.safebus("dead-letters", "retry", letter.id, "--wait", "0")
    assert away.code == 3
    assert "does it run?" in away.text
    before = len(await records(desk, letter.said.origin_topic))
    async with desk.running(NOTIFICATIONS):
        done = await desk.safebus("dead-letters", "retry", letter.id)
    assert (done.code, "done" in done.text) == (0, True), done.text
    assert len(await records(desk, letter.said.origin_topic)) == before


async def test_nothing_is_logged_without_a_reason_that_can_be_kept(desk: Desk) -> None:
    """One that is too long is refused before anything is shown."""
    told = await desk.safebus("dead-letters", "show", "0", "--reveal", "--reason", "x" * (acts.LONGEST_REASON + 1))
    assert (told.code, "at most 500 characters" in told.text) == (2, True)
