"""Schemas by id, from the registry and from a cache on disk: a service that has its schemas goes on without it.

Its two questions are asked by httpx, which is here anyway: the registry client of confluent-kafka, with which
`safebus topics apply` registers, costs each process 19 MiB and half a second for signing in by OAuth (measured).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from services.bus.errors import Surroundings

NO_SUCH_SCHEMA = 40403
"""The registry's own code; its HTTP status alone, 404, may be a proxy's."""

ANSWER_WITHIN = 5.0
"""Seconds."""

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class Away(Surroundings):
    """It did not answer, or something else did in its place."""


class Registry:
    """A Confluent-compatible registry. Reads only: schemas are registered by `safebus topics apply`."""

    def __init__(self, url: str, cache_dir: Path) -> None:
        self._client = httpx.AsyncClient(timeout=ANSWER_WITHIN, headers={"Accept": MEDIA_TYPE})
        self._url = url.rstrip("/")
        # Two registries may number differently, so each has a folder of its own.
        self._cache = cache_dir / "schemas" / sha256(url.encode()).hexdigest()[:12]

    async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
        """The writer's schema of that id; None when the registry says that there is none. Empty when it is no record.

        Raises:
            Surroundings: it is not cached and the registry does not answer.
        """
        cached = self._cache / f"{schema_id}.json"
        if not fresh and (definition := _record(_read(cached))) is not None:
            return definition
        status, said = await self._ask("GET", f"/schemas/ids/{schema_id}")
        if said.get("error_code") == NO_SUCH_SCHEMA:  # another 404 comes from something that is no registry
            return None
        if status != httpx.codes.OK or not isinstance(text := said.get("schema"), str):
            raise Surroundings(f"the schema registry answers {status}")
        definition = _record(text)
        if definition is None:
            return {}  # a JSON or Protobuf schema, or an Avro one that is no record
        self._keep(cached, json.dumps(definition))
        return definition

    async def id_of(self, subject: str, schema: Mapping[str, Any], fingerprint: str) -> int:
        """The id under which that schema was registered.

        Raises:
            Surroundings: not registered yet, or the registry is away and it was never asked before.
        """
        cached = self._cache / f"{subject}.{fingerprint}.json"
        try:
            found = await self._looked_up(subject, {"schema": json.dumps(schema), "schemaType": "AVRO"})
        except Away:
            if (known := _read(cached)).isdecimal():
                return int(known)
            raise
        self._keep(cached, str(found))
        return found

    async def _looked_up(self, subject: str, schema: Mapping[str, str]) -> int:
        status, said = await self._ask("POST", f"/subjects/{quote(subject, safe='')}?normalize=true", schema)
        if status == httpx.codes.NOT_FOUND:
            raise Surroundings(f"{subject} is not registered; has `safebus topics apply` been run?")
        if status != httpx.codes.OK or not isinstance(found := said.get("id"), int):
            raise Away(f"the schema registry answers {status}")
        return found

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Status and what it says; nothing where that is no JSON object."""
        try:
            answer = await self._client.request(method, self._url + path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Away(f"the schema registry is away ({type(error).__name__})") from None
        try:
            said = answer.json()
        except ValueError:
            said = None
        return answer.status_code, said if isinstance(said, dict) else {}

    async def close(self) -> None:
        await self._client.aclose()

    @staticmethod
    def _keep(path: Path, text: str) -> None:
        """Atomically: another process may read it in the same moment."""
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(f".{os.getpid()}")
        half.write_text(text)
        half.replace(path)


def _read(path: Path) -> str:
    """What is cached; nothing if it is not, or was half written when the power failed."""
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _record(text: str) -> dict[str, Any] | None:
    """The Avro record that a schema's text defines."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("type") == "record" else None
