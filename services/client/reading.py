"""The inbox as an endless sequence of disclosures: what each message means is decided apart from the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import anyio.to_thread
import httpx

from services.client.cursors import CursorStore
from services.client.errors import BadAnswer, EpochChanged, OutOfStep, TryAgain, refusal
from services.client.retrying import UNSETTLED, Patience, Tries, retry_after
from services.client.sse import Parser, ServerSent
from services.client.values import Disclosure, cursor_parts

ASK_AGAIN = 3
"""So often a missing number is asked for before it counts as missing."""


class Place:
    """Where reading stands. Lets through what comes next, and nothing else."""

    def __init__(self, cursor: str | None) -> None:
        self.epoch = ""
        self.number: int | None = None
        if cursor:
            self.epoch, self.number = cursor_parts(cursor)

    @property
    def cursor(self) -> str | None:
        return None if self.number is None else f"{self.epoch}.{self.number}"

    def begin(self, epoch: str) -> bool:
        """Another epoch: its numbers begin at 1. False if it is the present one."""
        if epoch == self.epoch:
            return False
        self.epoch, self.number = epoch, 0
        return True

    def is_next(self, disclosure: Disclosure) -> bool:
        """Whether this one comes next; False for one that was here already.

        Raises:
            OutOfStep: one before it is missing.
        """
        if self.number is None:
            return True
        if disclosure.epoch != self.epoch or disclosure.number > self.number + 1:
            raise OutOfStep(f"after {self.cursor} the inbox gave {disclosure.cursor}: what stands between is missing")
        return disclosure.number > self.number

    def go_to(self, disclosure: Disclosure) -> None:
        self.epoch, self.number = disclosure.epoch, disclosure.number


class _Broken(Exception):
    """The connection ended, and is to be made again."""

    def __init__(self, why: str, asked: float | None = None) -> None:
        super().__init__(why)
        self.why, self.asked = why, asked


async def read_inbox(
    http: httpx.AsyncClient, after: str | None, store: CursorStore | None, patience: Patience, silence: float
) -> AsyncGenerator[Disclosure, None]:
    """See Client.inbox."""
    stored = await anyio.to_thread.run_sync(store.load) if store else None
    place, tries, missing = Place(stored or after), Tries(patience), 0
    while True:
        broken = _Broken("the inbox's stream ended")
        try:
            async with aclosing(_messages(http, place.cursor, silence, tries)) as messages:
                async for message in messages:
                    if epoch := _new_epoch(message):
                        if place.begin(epoch):
                            await _save(store, place)
                    elif (disclosure := _disclosure(message)) and place.is_next(disclosure):
                        missing = 0
                        tries.begin_anew()
                        yield disclosure
                        place.go_to(disclosure)
                        await _save(store, place)
        except _Broken as error:
            broken = error
        except EpochChanged as error:
            if not (error.epoch and place.begin(error.epoch)):
                raise
            await _save(store, place)
            continue
        except OutOfStep:
            missing += 1
            if missing == ASK_AGAIN:
                raise
        try:
            await tries.pause(broken.why, broken.asked)
        except TryAgain as error:
            raise error from broken


async def _save(store: CursorStore | None, place: Place) -> None:
    if store and place.cursor:
        await anyio.to_thread.run_sync(store.save, place.cursor)


async def _messages(
    http: httpx.AsyncClient, cursor: str | None, silence: float, tries: Tries
) -> AsyncGenerator[ServerSent, None]:
    """One connection's messages.

    Raises:
        _Broken: it ended, or fell silent, or the gateway asked for patience.
        Refused, BadAnswer: trying again would not help.
    """
    asked = {"accept": "text/event-stream"} | ({"last-event-id": cursor} if cursor else {})
    timeout = httpx.Timeout(http.timeout.connect, read=silence)
    try:
        async with http.stream("GET", "/v1/inbox/stream", headers=asked, timeout=timeout) as response:
            if response.status_code != 200:
                await response.aread()
                if response.status_code in UNSETTLED:
                    raise _Broken("the gateway asked to try again later", retry_after(response))
                raise refusal(response)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise BadAnswer("what answered is no stream; is this a gateway's address?")
            parser = Parser()
            async for chunk in response.aiter_bytes():
                tries.heard()
                for message in parser.feed(chunk):
                    yield message
                    if message.event == "goodbye":
                        raise _Broken("the gateway ended the inbox's stream")
    except httpx.TransportError as error:
        raise _Broken("the gateway did not answer, or fell silent") from error
    except httpx.HTTPError as error:
        raise BadAnswer("what answered does not speak HTTP as a gateway does") from error


def _new_epoch(message: ServerSent) -> str | None:
    return str(_object(message)["epoch"]) if message.event == "epoch" and "epoch" in _object(message) else None


def _disclosure(message: ServerSent) -> Disclosure | None:
    return Disclosure.of(_object(message)) if message.event == "disclosure" else None


def _object(message: ServerSent) -> dict[str, object]:
    try:
        said = json.loads(message.data)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadAnswer("the stream carries something else than JSON objects")
    return said
