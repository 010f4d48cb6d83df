"""H10 at the board against a real Keycloak: a named worker with a second factor gets in and back to what they did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from services.bus.events import Team
from services.bus.settings import Settings
from services.embedded.ports import free_port
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.people import staff
from tests.handover_feed import night
from tests.handover_feed.fold import Fold, folded
from tests.handover_feed.test_pages import hidden
from tests.keycloak import EmbeddedKeycloak
from tests.partner_gateway.soak.browser import Browser, _Loopback
from tests.partner_gateway.soak.realm import CLIMBS, PASSWORD_ONLY, SECOND_LEVEL, SECRET, Account, realm

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]  # the first run fetches and builds Keycloak

BOARD = "http://board.test"
NAMES = ("nia", "locked", "password", "stranger", "removed")
ACCOUNTS = {name: Account.new(name) for name in NAMES}
"""Each test has one of its own, as a code works once."""
MATTER = "/board/matters/child-tom"


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKeycloak]:
    """A realm whose clients come back to the board."""
    made = realm(f"{BOARD}/sign-in/callback", [*ACCOUNTS.values()])
    server = EmbeddedKeycloak(tmp_path_factory.mktemp("keycloak"), free_port(), made)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture
async def house(tmp_path: Path, keycloak: EmbeddedKeycloak) -> AsyncIterator[tuple[Board, Fold]]:
    at = Settings(
        data_dir=tmp_path, clock_file=tmp_path / "clock", oidc_issuer=keycloak.issuer, oidc_acr=SECOND_LEVEL,
        board_oidc_client_id=CLIMBS, board_oidc_client_secret=SecretStr(SECRET),
    )  # fmt: skip
    async with folded(at) as made:
        await made[1].hear(night.police("child-tom", "Tom Whitfield"))
        yield made


@pytest.fixture
async def visitor(house: tuple[Board, Fold]) -> AsyncIterator[Browser]:
    here = httpx.ASGITransport(application(house[0]), raise_app_exceptions=False)
    async with httpx.AsyncClient(mounts={BOARD: here}, transport=_Loopback(), timeout=60) as client:
        yield Browser(client)


async def named(board: Board, account: Account) -> str:
    add = (f"Person {account.username}", "out-of-hours social worker", Team.NIGHT, "worker-night")
    return await board.access.write(lambda connection: staff.add(connection, *add, subject=account.subject))


async def sign_in(visitor: Browser, account: Account, entry: str = "", *, windows: int = 0) -> None:
    await visitor.go(f"{BOARD}/sign-in/start{entry}")
    await visitor.fill_in(username=account.username, password=account.password)
    await visitor.fill_in(otp=account.code(windows))


async def is_out(visitor: Browser) -> bool:
    return (await visitor.client.get(f"{BOARD}/board")).status_code == 303


async def test_with_the_second_factor_to_the_matter_that_was_wanted(
    house: tuple[Board, Fold], visitor: Browser
) -> None:
    """By a password alone they are still outside; who it is stands on the page."""
    account = ACCOUNTS["nia"]
    await named(house[0], account)
    await visitor.go(f"{BOARD}/sign-in/start?entry=child-tom")
    await visitor.fill_in(username=account.username, password=account.password)
    assert await is_out(visitor)
    await visitor.fill_in(otp=account.code())
    assert str(visitor.page.url) == f"{BOARD}{MATTER}"
    assert "Person nia" in visitor.page.text


async def test_a_locked_page_opens_to_who_signs_in_again_with_the_code(
    house: tuple[Board, Fold], visitor: Browser
) -> None:
    """The issuer remembers the browser, and asks for the proof all the same; what was held is held."""
    board, account = house[0], ACCOUNTS["locked"]
    person_id = await named(board, account)
    await sign_in(visitor, account, "?entry=child-tom")
    await visitor.client.post(f"{BOARD}{MATTER}/take", data=hidden(visitor.page, f"{MATTER}/take"))
    board.clock.step(board.clock.now() + timedelta(minutes=30))
    await visitor.go(f"{BOARD}{MATTER}")
    assert "Are you still there, Person locked?" in visitor.page.text
    assert "Tom Whitfield" not in visitor.page.text
    await visitor.go(f"{BOARD}/sign-in/start?entry=child-tom")
    while visitor.host != BOARD:
        asked = visitor.fields
        if "otp" in asked:
            await visitor.fill_in(otp=account.code(1))
        else:
            await visitor.fill_in(password=account.password)
    assert "Tom Whitfield" in visitor.page.text
    holder = house[1].matters["child-tom"].standing.holder
    assert holder
    assert holder.person_id == person_id


async def test_a_password_alone_gets_nobody_in(house: tuple[Board, Fold], visitor: Browser) -> None:
    """A mistake in the issuer's set-up shuts the door; it does not open it."""
    board, account = house[0], ACCOUNTS["password"]
    board.settings = board.settings.model_copy(update={"board_oidc_client_id": PASSWORD_ONLY})
    await named(board, account)
    await visitor.go(f"{BOARD}/sign-in/start")
    await visitor.fill_in(username=account.username, password=account.password)
    assert (visitor.page.status_code, "second step" in visitor.page.text) == (403, True)
    assert await is_out(visitor)


@pytest.mark.parametrize("name", ["stranger", "removed"])
async def test_who_is_no_named_person_is_told_so(house: tuple[Board, Fold], visitor: Browser, name: str) -> None:
    """However well they prove who they are."""
    board, account = house[0], ACCOUNTS[name]
    if name == "removed":
        person_id = await named(board, account)
        await board.access.write(lambda connection: staff.remove(connection, person_id, now_us=board.now_us))
    await sign_in(visitor, account)
    assert visitor.page.status_code == 403
    assert "not one of the named people" in visitor.page.text
    assert await is_out(visitor)
