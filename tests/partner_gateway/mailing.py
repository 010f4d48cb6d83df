"""A gateway that e-mails in a test: its mail server, its named people, and time that the test lets pass."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from services.bus.clock import Clock
from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.notices import postman
from services.partner_gateway.notices.postman import Postman
from services.partner_gateway.partners import registry
from tests.partner_gateway.mail_server import MailBox, mail_server
from tests.partner_gateway.people import NOW, SCHOOL

INES, JO = "ines.okafor@school.test", "jo@school.test"
INBOX = "https://inbox.safebus.test/inbox"
ROUNDS: Counter[Postman] = Counter()
"""How often each has looked."""

MAIL = {"mail_from": "no-reply@safebus.test", "gateway_url": "https://inbox.safebus.test/"}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway looks more often: what is not to come does not come sooner either."""
    monkeypatch.setattr(postman, "POLL", 0.05)
    monkeypatch.setattr(postman, "GATHER", 0.2)
    monkeypatch.setattr(postman, "BETWEEN", 0.05)
    monkeypatch.setattr(postman, "GOODBYE", 0.5)
    monkeypatch.setattr(postman, "AWAY", 0.2)
    monkeypatch.setattr(postman, "LONGEST_AWAY", 0.5)
    monkeypatch.setattr(Postman, "_round", _counted(Postman._round))


def _counted(look: Callable[[Postman], Awaitable[bool]]) -> Callable[[Postman], Awaitable[bool]]:
    async def counted(one: Postman) -> bool:
        try:
            return await look(one)
        finally:
            ROUNDS[one] += 1

    return counted


@pytest.fixture
async def box() -> AsyncIterator[MailBox]:
    """A mail server on this machine."""
    async with mail_server(MailBox()) as made:
        yield made


@pytest.fixture
def at(at: Settings, box: MailBox, tmp_path: Path) -> Settings:
    """With that mail server, and a clock that the test steps."""
    more = {"clock_file": tmp_path / "clock", "smtp_url": SecretStr(box.url), **MAIL}
    made = at.model_copy(update=more)
    Clock.of(made).step(NOW)
    return made


async def person(gateway: Gateway, email: str = INES, organisation: str = SCHOOL, name: str = "Ines Okafor") -> str:
    """A named person with an e-mail address."""

    def add(connection: sa.Connection) -> str:
        if all(row.organisation != organisation for row in registry.partners(connection)):
            registry.add_partner(connection, organisation, "agency", now_us=gateway.now_us)
        return registry.add_person(connection, organisation, name, "Safeguarding lead", email=email)

    return await gateway.access.write(add)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def quiet() -> None:
    """Until each gateway has looked twice from beginning to end, after the look that may be under way."""
    owners = (getattr(bell, "__self__", None) for bell in INBOXES.listeners)
    looking = [one for one in owners if isinstance(one, Postman)]
    assert looking
    enough = {one: ROUNDS[one] + 3 for one in looking}
    await until(lambda: all(ROUNDS[one] >= rounds for one, rounds in enough.items()))


async def step(gateway: Gateway, **by: float) -> None:
    gateway.clock.step(gateway.clock.now() + timedelta(**by))
    await quiet()


def text_of(box: MailBox, index: int = -1) -> str:
    body = box.mails[index].get_content()
    assert isinstance(body, str)
    return body.replace("\r\n", "\n")
