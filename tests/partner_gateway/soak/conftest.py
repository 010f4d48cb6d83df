"""One Keycloak for the long tests of the door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from services.embedded.ports import free_port
from tests.keycloak import EmbeddedKeycloak
from tests.partner_gateway.soak.browser import GATEWAY
from tests.partner_gateway.soak.realm import Account, realm

NAMES = ("ines", "guesses", "tampers", "password", "stranger", "again", "replays", "pkce", "both", "left", "rotates")
ACCOUNTS = {name: Account.new(name) for name in NAMES}
"""Each test has one of its own, as a code works once."""

WITHOUT = Account.new("without", otp=False)


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKeycloak]:
    """It takes a minute or two until it answers; tests share it."""
    made = realm(f"{GATEWAY}/sign-in/callback", [*ACCOUNTS.values(), WITHOUT])
    server = EmbeddedKeycloak(tmp_path_factory.mktemp("keycloak"), free_port(), made)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())
