"""Schemas by id, from the registry and from a cache on disk: a service that has its schemas goes on without it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError

from services.bus.errors import Surroundings

NO_SUCH_SCHEMA = 40403
"""The registry's own code; its HTTP status alone, 404, may be a proxy's."""


class Registry:
    """A Confluent-compatible registry. Reads only: schemas are registered by `safebus topics apply`."""

    def __init__(self, url: str, cache_dir: Path) -> None:
        self._client = AsyncSchemaRegistryClient({"url": url, "timeout": 5, "max.retries": 0})
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
        if fresh:
            await self._client.clear_caches()
        try:
            text = (await self._client.get_schema(schema_id)).schema_str
        except SchemaRegistryError as error:
            if error.error_code == NO_SUCH_SCHEMA:  # another 404 comes from something that is no registry
                return None
            raise Surroundings(f"the schema registry answers {error.http_status_code}") from None
        except Exception as error:  # noqa: BLE001 - its client lets any transport's error through
            raise Surroundings(f"the schema registry is away ({type(error).__name__})") from None
        definition = _record(text or "")
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
            found = await self._client.lookup_schema(
                subject, Schema(json.dumps(schema), "AVRO"), normalize_schemas=True
            )
        except SchemaRegistryError as error:
            if error.http_status_code == 404:
                raise Surroundings(f"{subject} is not registered; has `safebus topics apply` been run?") from None
            if (known := _read(cached)).isdecimal():
                return int(known)
            raise Surroundings(f"the schema registry answers {error.http_status_code}") from None
        except Exception as error:  # noqa: BLE001 - as above
            if (known := _read(cached)).isdecimal():
                return int(known)
            raise Surroundings(f"the schema registry is away ({type(error).__name__})") from None
        self._keep(cached, str(found.schema_id))
        return int(found.schema_id or 0)

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
