"""A real schema registry (Apicurio), speaking Confluent's protocol, on the loopback interface only."""

from __future__ import annotations

import asyncio
import http.client
from pathlib import Path
from typing import ClassVar

from services.embedded.download import artifacts
from services.embedded.java import JavaServer
from services.embedded.ports import LOOPBACK, free_port, refuse_if_taken

API = "/apis/ccompat/v7"
ANSWER_WITHIN = 10.0


class EmbeddedRegistry(JavaServer):
    """Schemas and their ids are in its folder, and there again after a stop or a kill."""

    name = "the schema registry"
    setting: ClassVar[str] = "SAFEBUS_REGISTRY_URL, as in SAFEBUS_REGISTRY_URL=http://127.0.0.1:19082/apis/ccompat/v7"
    _program: Path

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{API}"

    async def _prepare(self) -> None:
        self._program = (await artifacts()).registry / "quarkus-run.jar"
        refuse_if_taken(self.port, self.name, self.setting)

    def _command(self) -> tuple[list[str], dict[str, str]]:
        # Without WRITE_DELAY=0 a kill within half a second loses a schema whose id was given out, and the next one
        # would get that id.
        database = f"jdbc:h2:file:{self.home}/data/registry;WRITE_DELAY=0"
        variables = {
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            "APICURIO_DATASOURCE_URL": database,
            "APICURIO_DATASOURCE_USERNAME": "sa",
            "APICURIO_DATASOURCE_PASSWORD": "sa",
            "QUARKUS_HTTP_HOST": LOOPBACK,
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
            # Otherwise health and metrics are on port 9000 of every interface.
            "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
            "QUARKUS_MANAGEMENT_PORT": str(free_port()),
        }
        return ["-Xms32m", "-Xmx160m", "-jar", str(self._program)], variables

    async def _answers(self) -> bool:
        """It lists its subjects, which its database must answer."""
        return await asyncio.to_thread(lists_subjects, LOOPBACK, self.port)


def lists_subjects(host: str, port: int) -> bool:
    """One try at listing a registry's subjects."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", f"{API}/subjects")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
