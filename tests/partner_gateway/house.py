"""Gateways as processes of their own, and what a partner does at their door."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.settings import ROOT, Settings
from services.embedded import EmbeddedKafka
from services.partner_gateway.door.serve import where
from services.partner_gateway.partners.registry import add_key, add_partner, scopes_of
from services.partner_gateway.wiring import SERVICE
from services.supervisor import rooms

SECONDS = 60.0
REQUESTS = "mash.information-requests.v1"
ACTS_AS = {"police": "police", "la": "local-authority"}
"""By the first part of an organisation's name; everybody else acts as `agency`."""

VICTIM = [sys.executable, "-m", "tests.partner_gateway.victim"]


class Process:
    """One of ours, with its log."""

    def __init__(self, at: Settings, command: Sequence[str], **more: object) -> None:
        self.at = at
        told = {f"SAFEBUS_{name.upper()}": str(value) for name, value in more.items()}
        at.data_dir.mkdir(parents=True, exist_ok=True)
        self._log = at.data_dir / f"process-{uuid4().hex[:6]}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=rooms.environment(at, told), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT
            )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """Resident, bytes."""
        found: int = psutil.Process(self.pid).memory_info().rss
        return found

    async def ended(self) -> int:
        await until(lambda: not self.lives, self)
        return self._process.wait()

    def ask_to_end(self) -> None:
        if self.lives:
            self._process.terminate()

    def end(self) -> None:
        """Asked, then told."""
        if self.lives:
            self.ask_to_end()
            try:
                self._process.wait(8)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Door(Process):
    """A gateway."""

    def __init__(self, at: Settings, command: Sequence[str] = VICTIM, **more: object) -> None:
        (at.data_dir / "door.json").unlink(missing_ok=True)
        super().__init__(at, command, gateway_port=0, session_timeout=1, **more)
        self.address = ""
        self._keys: dict[str, str] = {}

    async def opened(self) -> Door:
        await until(lambda: where(self.at), self)
        self.address = where(self.at) or ""
        return self

    async def key(self, organisation: str) -> str:
        """An API key of a partner, with every scope that it can have."""
        acts_as = ACTS_AS.get(organisation.partition(":")[0], "agency")
        scopes, now_us = scopes_of(acts_as, load(self.at.catalogue)), int(time.time() * 1e6)
        access = Access(self.at, SERVICE.name)
        await access.write(lambda c: add_partner(c, organisation, acts_as, now_us=now_us))
        made = await access.write(lambda c: add_key(c, organisation, scopes, now_us=now_us))
        access.close()
        return made

    @asynccontextmanager
    async def partner(self, organisation: str, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A client that speaks for the organisation."""
        headers = {"Authorization": f"Bearer {key or await self.key(organisation)}"}
        verify = ssl.create_default_context(cafile=self.at.gateway_tls_cert)
        async with httpx.AsyncClient(base_url=self.address, headers=headers, verify=verify, timeout=SECONDS) as client:
            yield client


async def until(ask: Any, process: Process) -> None:
    """Until it is so; if it never is, or the process ends first, its log says why."""
    end = time.monotonic() + SECONDS
    while not (found := ask()):
        assert time.monotonic() < end, process.log
        assert process.lives, process.log
        await asyncio.sleep(0.05)
    assert found


def forget_groups(kafka: EmbeddedKafka, *services: str) -> None:
    """A service with a new database begins anew: what one before it has committed is not its own."""
    admin = AdminClient(kafka.admin_settings)
    end = time.monotonic() + SECONDS
    for group in services:
        while not _forgotten(admin, group):
            assert time.monotonic() < end, f"the group {group} has a member still"
            time.sleep(0.1)


def _forgotten(admin: AdminClient, group: str) -> bool:
    try:
        admin.delete_consumer_groups([group])[group].result(10)
    except KafkaException as error:
        return bool(error.args[0].name() == "GROUP_ID_NOT_FOUND")
    return True


def event(topic: str, organisation: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """As a partner posts it."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"urn:safebus:{organisation}",
        "type": topic,
        "data": data,
    }


def request(to: str, by: str = "la:825") -> dict[str, Any]:
    """What discloses as soon as it is posted: `to` is asked about a child."""
    data = {
        "disclosure": {
            "id": str(uuid4()), "recipient": to, "recipient_role": "SCHOOL", "purpose": "MASH_INFORMATION_REQUEST",
            "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": "2099-01-01T09:00:00Z",
        },
        "request_id": str(uuid4()), "enquiry_id": "enquiry-1", "child_id": f"child-{uuid4().hex[:8]}",
        "about": {"forenames": "Maya", "family_name": "Hartley"}, "categories": [], "priority": "AMBER",
        "threshold": "SECTION_47", "family_told": "TOLD",
    }  # fmt: skip
    return event(REQUESTS, by, data)


async def post(client: httpx.AsyncClient, event: Mapping[str, Any]) -> httpx.Response:
    return await client.post(
        f"/v1/events/{event['type']}",
        content=json.dumps(event),
        headers={"Content-Type": "application/cloudevents+json"},
    )


@asynccontextmanager
async def listening(client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
    """The own inbox's stream: cursor and entry of each disclosure."""
    async with client.stream("GET", "/v1/inbox/stream") as answer:
        assert answer.status_code == 200
        yield _disclosures(answer)


async def _disclosures(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    said: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            said[name] = value.strip()
            continue
        if said.get("event") == "disclosure":
            yield said["id"], json.loads(said["data"])
        said = {}


async def next_of(stream: AsyncIterator[Any]) -> Any:
    async with asyncio.timeout(SECONDS):
        return await anext(stream)
