"""The gateway's loop on a bus in memory that has every topic of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.bus.broker import Partition
from services.bus.catalogue import load
from services.bus.codec import Codec
from services.bus.memory import MemoryBroker
from services.bus.service import Service
from services.bus.settings import settings
from services.partner_gateway.wiring import SERVICE
from tests.bus.plain import Bus


class GatewaysBus(Bus):
    """What the gateway hears, and the topics of organisations whose system speaks Kafka."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self._catalogue = load(settings().catalogue)
        names = [*self._catalogue.topics, *(inbox.name for inbox in self._catalogue.inboxes.values())]
        super().__init__(folder, MemoryBroker(dict.fromkeys(names, 2)), **more)

    def codec(self) -> Codec:
        return Codec(self.registry, {name: topic.key for name, topic in self._catalogue.topics.items() if topic.key})

    async def committed(self, service: Service = SERVICE, topic: str = "") -> dict[Partition, int | None]:
        return {(topic, n): self.memory.committed.get((service.name, (topic, n))) for n in range(2)}

    async def all_quiet(self) -> None:
        """Wait until all that the gateway hears has been decided and sent."""
        for topic in SERVICE.hears:
            await self.quiet(SERVICE, topic)
