"""Kafka and the schema registry together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from services.bus.secrets import load_secrets
from services.bus.settings import settings
from services.embedded.download import artifacts
from services.embedded.java import say_nothing
from services.embedded.kafka import EmbeddedKafka
from services.embedded.ports import free_port
from services.embedded.registry import EmbeddedRegistry


class EmbeddedStack:
    """Both servers, started at once and stopped at once. A supervisor watches `kafka` and `registry` one by one."""

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        kafka_port: int | None = None,
        registry_port: int | None = None,
        secrets_path: Path | None = None,
        say: Callable[[str], object] = say_nothing,
        **timeouts: float,
    ) -> None:
        """
        Args:
            data_dir: what they keep goes to `kafka` and `registry` in it; default `SAFEBUS_DATA_DIR`.
            kafka_port: 0 means any free one; default the port of `SAFEBUS_BOOTSTRAP_SERVERS`.
            registry_port: 0 means any free one; default the port of `SAFEBUS_REGISTRY_URL`.
            secrets_path: default secrets.json in `data_dir`; without `data_dir`, as `SAFEBUS_SECRETS_FILE` says.
            say: told in a sentence what is being waited for.
            timeouts: `start_timeout`, `stop_timeout`, seconds, of each.
        """
        home = data_dir or settings().data_dir
        self.secrets_path = secrets_path or (data_dir / "secrets.json" if data_dir else settings().secrets_path)
        if kafka_port is None:
            kafka_port = urlsplit(f"//{settings().bootstrap_servers.split(',')[0]}").port
        if registry_port is None:
            registry_port = urlsplit(settings().registry_url).port
        self.kafka = EmbeddedKafka(home / "kafka", kafka_port or free_port(), self.secrets_path, say=say, **timeouts)
        self.registry = EmbeddedRegistry(home / "registry", registry_port or free_port(), say=say, **timeouts)

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    @property
    def registry_url(self) -> str:
        """Of the Confluent-compatible API."""
        return self.registry.url

    @property
    def admin_password(self) -> str:
        return self.kafka.admin_password

    @property
    def secrets(self) -> dict[str, str]:
        """Every password that the secrets file holds now, by principal."""
        return load_secrets(self.secrets_path)

    @property
    def is_alive(self) -> bool:
        return self.kafka.is_alive and self.registry.is_alive

    async def start(self) -> None:
        """Start both and wait until both answer. If one cannot, neither runs afterwards.

        Raises:
            UserMistake, Surroundings: as each of them, and as the download.
        """
        await artifacts()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self.kafka.start())
                both.create_task(self.registry.start())
        except BaseExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from None
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End both, within their stop timeout. Harmless if they do not run."""
        await asyncio.gather(self.kafka.stop(), self.registry.stop())


@asynccontextmanager
async def embedded_stack(
    data_dir: Path | None = None,
    *,
    kafka_port: int | None = None,
    registry_port: int | None = None,
    secrets_path: Path | None = None,
    say: Callable[[str], object] = say_nothing,
    **timeouts: float,
) -> AsyncIterator[EmbeddedStack]:
    """Both servers, answering, for the block. The arguments are EmbeddedStack's."""
    stack = EmbeddedStack(
        data_dir,
        kafka_port=kafka_port,
        registry_port=registry_port,
        secrets_path=secrets_path,
        say=say,
        **timeouts,
    )
    await stack.start()
    try:
        yield stack
    finally:
        await stack.stop()
