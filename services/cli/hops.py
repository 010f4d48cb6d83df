"""`safebus partner test`: a rehearsal sent the whole way, hop by hop, each with what it found and how long it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from services.bus.errors import SafebusError, UserMistake
from services.bus.events import SandboxAlerted
from services.bus.run import broker_for
from services.cli.partner import Office
from services.partner_gateway.door.who import INBOX
from services.partner_gateway.partners import registry

PATIENCE = 30.0
"""Seconds for what happens behind the door."""
ANSWER = 10.0
"""Seconds for an answer at the door."""
KEY_DAYS = 10 / 1440
_READY = "`safebus status` shows how the services are"


@dataclass(frozen=True, slots=True)
class Hop:
    """One part of the way."""

    name: str
    good: bool
    what: str
    ms: int

    def __str__(self) -> str:
        return f"{self.name:<10}{'ok' if self.good else 'FAILED':<8}{self.what}  ({self.ms} ms)"


class Broken(Exception):
    """The way ends here; the sentence says what to do."""


class Trial:
    """`await Trial(office, address, organisation).run(say)`: `say` is told each hop; whether all were good."""

    def __init__(self, here: Office, address: str, organisation: str) -> None:
        self._here, self._address, self._organisation = here, address, organisation
        self._key = self._cursor = self._disclosure = ""
        self._before: int | None = None
        self._open, self._streamed = asyncio.Event(), asyncio.Queue[str]()

    async def run(self, say: Callable[[Hop], None]) -> bool:
        """
        Raises:
            UserMistake: it is no partner.
        """
        steps: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("catalogue", self._catalogue),
            ("key", self._make_key),
            ("gateway", self._reach),
            ("stream", self._listen),
            ("post", self._post),
            ("Kafka", self._look_in_kafka),
            ("inbox", self._look_in_inbox),
            ("stream", self._hear),
        )
        await self._here.access.read(lambda c: registry.open_partner(c, self._organisation))
        https = self._address.startswith("https://")  # the environment's certificates, and no proxy to this machine
        async with httpx.AsyncClient(base_url=self._address, timeout=ANSWER, trust_env=https) as self._http:
            self._listening: asyncio.Task[None] | None = None
            try:
                for name, step in steps:
                    began = time.monotonic()
                    try:
                        good, what = True, await step()
                    except Broken as broken:
                        good, what = False, str(broken)
                    say(Hop(name, good, what, round((time.monotonic() - began) * 1000)))
                    if not good:
                        return False
                return True
            finally:
                await self._tidy()

    async def _catalogue(self) -> str:
        row = await self._here.access.read(lambda c: registry.open_partner(c, self._organisation))
        try:
            scopes = registry.scopes_of(row.acts_as, self._here.catalogue)
        except UserMistake as error:
            raise Broken(str(error)) from None
        return f"{self._organisation} acts as {row.acts_as} and may use {', '.join(sorted(scopes))}"

    async def _make_key(self) -> str:
        scopes = {INBOX, registry.SANDBOX}
        self._key = await self._here.access.write(
            lambda c: registry.add_key(c, self._organisation, scopes, now_us=self._here.now_us, days=KEY_DAYS)
        )
        self._http.headers["Authorization"] = f"Bearer {self._key}"
        return "made one for this test alone"

    async def _reach(self) -> str:
        proof = await self._ask("GET", "/v1/inbox/proof")
        self._cursor = f"{proof['epoch']}.{proof['last'] or 0}"
        return f"{self._address} answers and takes the key; {proof['count']} entries in the inbox"

    async def _listen(self) -> str:
        self._listening = asyncio.create_task(self._stream())
        opened = asyncio.create_task(self._open.wait())
        await asyncio.wait((self._listening, opened), timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if not self._open.is_set():
            raise Broken(f"the stream does not open; {_READY}")
        return "is open"

    async def _stream(self) -> None:
        with suppress(httpx.HTTPError):
            asked = {"after": self._cursor}
            async with self._http.stream("GET", "/v1/inbox/stream", params=asked, timeout=PATIENCE) as answer:
                if answer.status_code == httpx.codes.OK:
                    self._open.set()
                    async for line in answer.aiter_lines():
                        if line.startswith("data:"):
                            self._streamed.put_nowait(line)

    async def _post(self) -> str:
        self._before = await self._records()
        posted = await self._ask("POST", "/v1/sandbox/event")
        self._disclosure = posted["disclosure_id"]
        return f"a test event was accepted as {posted['id']}"

    async def _look_in_kafka(self) -> str:
        after = await self._records()
        if self._before is None or after is None:
            return "holds it, as the gateway says; not counted, since operator cannot sign in from here"
        if after <= self._before:
            raise Broken(
                f"{SandboxAlerted.topic} has no new record, though the gateway says so; do the settings agree?"
            )
        return f"{SandboxAlerted.topic} has a new record"

    async def _records(self) -> int | None:
        """How many were ever written to the topic, as the operator sees it; None if that cannot be seen."""
        partitions = self._here.catalogue.topics[SandboxAlerted.topic].partitions
        try:
            operator = broker_for(self._here.at, "operator")
            return sum((await operator.ends((SandboxAlerted.topic, n) for n in range(partitions))).values())
        except SafebusError:
            return None

    async def _look_in_inbox(self) -> str:
        end, after = time.monotonic() + PATIENCE, self._cursor
        while (left := end - time.monotonic()) > 0:
            page = await self._ask("GET", "/v1/inbox", {"after": after, "wait": f"{min(left, 5):.1f}"}, ANSWER + 5)
            for entry in page["entries"]:
                if entry["disclosure_id"] == self._disclosure:
                    return f"it is entry {entry['number']}"
            after = page["next"]
        raise Broken(f"it is not there after {PATIENCE:.0f} s, so the gateway does not read Kafka; {_READY}")

    async def _hear(self) -> str:
        try:
            async with asyncio.timeout(ANSWER):
                while self._disclosure not in await self._streamed.get():
                    continue
        except TimeoutError:
            raise Broken("it is in the inbox and did not come by the stream; something between holds it back") from None
        return "it came"

    async def _ask(
        self, method: str, path: str, params: dict[str, str] | None = None, within: float = ANSWER
    ) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, path, params=params, timeout=within)
            said = answer.json()
        except httpx.TimeoutException:
            raise Broken(f"{self._address} does not answer in {within:.0f} s; {_READY}") from None
        except httpx.HTTPError as error:
            kind = "is not trusted by its certificate" if "CERTIFICATE" in str(error) else "does not answer"
            raise Broken(f"{self._address} {kind}; `safebus up` starts the gateway") from None
        except ValueError:
            raise Broken(f"{self._address} is something else than a gateway") from None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise Broken(f"{self._address} does not know the key; SAFEBUS_DATA_DIR or SAFEBUS_STORE_URL is not its own")
        if not answer.is_success or not isinstance(said, dict):
            detail = said.get("detail", "") if isinstance(said, dict) else ""
            raise Broken(f"the gateway answers {answer.status_code}: {detail}")
        return said

    async def _tidy(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        if self._key:
            key_id = self._key.split("_")[1]
            await self._here.access.write(lambda c: registry.revoke(c, key_id, now_us=self._here.now_us))
