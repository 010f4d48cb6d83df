"""Whether every service has read and answered all there is: what Kafka was told equals where the logs end."""

from __future__ import annotations

import asyncio

from services.bus import groups
from services.bus.catalogue import load
from services.bus.errors import Surroundings
from services.bus.run import broker_for
from services.bus.settings import Settings
from services.cli.service import service_of


class Quiet:
    """Asks as the operator. A service's offset moves only after all that follows from the event is acknowledged."""

    def __init__(self, at: Settings) -> None:
        self._broker = broker_for(at, "operator")
        catalogue = load(at.catalogue)
        wired = {name: service_of(name) for name in catalogue.services}
        self._groups = {name: (*service.hears, *service.directory_topics) for name, service in wired.items()}
        self._partitions = {name: topic.partitions for name, topic in catalogue.topics.items()}

    async def wait(self, seconds: float = 60) -> bool:
        """Until all is quiet, or that many seconds have passed; whether it is."""
        end = asyncio.get_running_loop().time() + seconds
        while not await self._is_quiet():
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _is_quiet(self) -> bool:
        try:
            return not any((await self.behind()).values())
        except Surroundings:  # a broker that has only just begun does not say yet how far its groups are
            return False

    async def behind(self) -> dict[str, int]:
        """Events not yet answered, by service."""
        topics = {topic for read in self._groups.values() for topic in read}
        ends = await self._broker.ends((t, n) for t in topics for n in range(self._partitions[t]))
        told = await groups.committed(self._broker, self._groups)
        lag = {}
        for group, read in self._groups.items():
            mine = [(t, n) for t in read for n in range(self._partitions[t])]
            lag[group] = sum(max(0, ends[p] - told[group].get(p, 0)) for p in mine)
        return lag
