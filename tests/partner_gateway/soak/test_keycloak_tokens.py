"""Partners' systems with access tokens of a real Keycloak: each speaks for its own organisation, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from services.bus.clock import Clock
from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners import jwks, registry
from tests.keycloak import EmbeddedKeycloak
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.people import SCHOOL
from tests.partner_gateway.soak.realm import FOR_SOMETHING_ELSE, OTHER_SYSTEM, SECRET, SYSTEM

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]  # the first run fetches and builds Keycloak


@pytest.fixture
def at(stack: Settings, tmp_path: Path, keycloak: EmbeddedKeycloak) -> Settings:
    certs = f"{keycloak.issuer}/protocol/openid-connect/certs"
    more = {"jwt_issuer": keycloak.issuer, "jwks_url": certs, "clock_file": tmp_path / "clock"}
    return stack.model_copy(update={"data_dir": tmp_path, "gateway_port": 0, **more})


@pytest.fixture(autouse=True)
async def system(gateway: Gateway) -> None:
    """The school's system is known; nobody else's is."""

    def add(connection: object) -> None:
        registry.add_partner(connection, SCHOOL, "agency", now_us=gateway.now_us)  # type: ignore[arg-type]
        for client in (SYSTEM, FOR_SOMETHING_ELSE):
            registry.add_client(connection, client, SCHOOL, {"inbox"})  # type: ignore[arg-type]

    await gateway.access.write(add)


async def token_of(keycloak: EmbeddedKeycloak, client_id: str) -> str:
    """As RFC 6749 §4.4 has it."""
    async with httpx.AsyncClient(timeout=60) as client:
        said = await client.post(
            f"{keycloak.issuer}/protocol/openid-connect/token",
            data={"grant_type": "client_credentials"},
            auth=(client_id, SECRET),
        )
    return str(said.raise_for_status().json()["access_token"])


async def inbox(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/v1/inbox", headers={"Authorization": f"Bearer {token}"})


async def test_a_system_reads_its_own_inbox(
    gateway: Gateway, client: httpx.AsyncClient, keycloak: EmbeddedKeycloak
) -> None:
    """And only what it has the scope for."""
    await tell(gateway, people.alert(), people.alert(people.OTHER_SCHOOL))
    token = await token_of(keycloak, SYSTEM)
    read = await inbox(client, token)
    assert (read.status_code, len(read.json()["entries"])) == (200, 1)
    said = await client.get("/v1/sent", headers={"Authorization": f"Bearer {token}"})
    assert said.status_code == 403


@pytest.mark.parametrize("client_id", [OTHER_SYSTEM, FOR_SOMETHING_ELSE])
async def test_a_token_of_nobody_or_for_something_else_is_refused(
    client: httpx.AsyncClient, keycloak: EmbeddedKeycloak, client_id: str
) -> None:
    """A system that the issuer knows and the gateway does not; and one that both know, with a token for elsewhere."""
    assert (await inbox(client, await token_of(keycloak, client_id))).status_code == 401


async def test_a_token_ends(at: Settings, client: httpx.AsyncClient, keycloak: EmbeddedKeycloak) -> None:
    """By the time that the issuer gave it, also if it was good a moment ago."""
    token = await token_of(keycloak, SYSTEM)
    assert (await inbox(client, token)).status_code == 200
    clock = Clock.of(at)
    clock.step(clock.now() + timedelta(hours=2))
    assert (await inbox(client, token)).status_code == 401


async def test_the_issuer_changes_its_key(
    client: httpx.AsyncClient, keycloak: EmbeddedKeycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens by the new key are good at once; those by the former one, until they end."""
    monkeypatch.setattr(jwks, "PAUSE", 0.0)
    before = await token_of(keycloak, SYSTEM)
    assert (await inbox(client, before)).status_code == 200
    await keycloak.sign_by_another_key()
    after = await token_of(keycloak, SYSTEM)
    assert before.partition(".")[0] != after.partition(".")[0]
    assert [(await inbox(client, token)).status_code for token in (after, before)] == [200, 200]
