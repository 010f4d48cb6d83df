"""Three Kafka nodes on this machine that are one cluster: what one of them acknowledged stands on two at least."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, ClassVar

from services.bus.errors import UserMistake
from services.embedded.download import artifacts
from services.embedded.java import say_nothing
from services.embedded.kafka import EmbeddedKafka, new_cluster_id
from services.embedded.ports import LOOPBACK, refuse_if_taken

BROKERS = 3
"""Of which one may be lost: two acknowledge, and two of three controllers are a majority."""


class KafkaNode(EmbeddedKafka):
    """One of them, broker and controller. It answers only once another one runs."""

    setting: ClassVar[str] = (
        "SAFEBUS_BOOTSTRAP_SERVERS, the first of six ports in a row, as in SAFEBUS_BOOTSTRAP_SERVERS=127.0.0.1:19192"
    )

    def __init__(self, cluster: KafkaCluster, number: int, home: Path, secrets_path: Path, **more: Any) -> None:
        super().__init__(home, cluster.ports[number - 1], secrets_path, **more)
        self.number, self._cluster = number, cluster

    async def _prepare(self) -> None:
        self._class_path = ":".join(map(str, (await artifacts()).kafka))
        for port in (self.port, self._cluster.controller_ports[self.number - 1]):
            refuse_if_taken(port, self.name, self.setting)
        self._configure([f"{LOOPBACK}:{port}" for port in self._cluster.controller_ports], self._cluster.password)
        await asyncio.to_thread(self._format)

    def _cluster_to_be(self) -> str:
        return self._cluster.id


class KafkaCluster:
    """The three. Each is started, watched and started again by itself; `nodes` has them by name."""

    def __init__(
        self,
        home: Path,
        ports: Sequence[int],
        secrets_path: Path,
        *,
        say: Callable[[str], object] = say_nothing,
        **timeouts: float,
    ) -> None:
        """
        Args:
            home: each has its folder `kafka-<number>` in it.
            ports: where clients are served, all six in all: the first ones, and those after the last that is given.
            secrets_path: the file with the passwords; the admin's is made if it is not there.
            timeouts: `start_timeout`, `stop_timeout`, seconds.
        """
        after = max(ports) + 1
        beyond = [*range(after, after + 2 * BROKERS)]
        self.ports = [*ports, *beyond][:BROKERS]
        # A port of each node's own that every start finds again. The system gives out higher ones to connections, one
        # of which could sit on a dead node's port as it is to start.
        self.controller_ports = [port for port in beyond if port not in self.ports][:BROKERS]
        self.password = token_urlsafe(32)
        """Among the controllers. A node that starts again is told the same; all start anew with another one."""
        self._new_id = new_cluster_id()
        self.nodes: dict[str, KafkaNode] = {}
        for number in range(1, BROKERS + 1):
            name = f"kafka-{number}"
            self.nodes[name] = KafkaNode(self, number, home / name, secrets_path, say=say, **timeouts)

    @property
    def id(self) -> str:
        """What the storage of any of them says, so that one that is new or was lost joins; else a new one."""
        return next((known for node in self.nodes.values() if (known := node.cluster_id)), self._new_id)

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{LOOPBACK}:{port}" for port in self.ports)

    async def start(self) -> None:
        """Start all at once and wait until all answer; if one cannot, none runs afterwards.

        Raises:
            UserMistake, Surroundings: as each of them.
        """
        try:
            async with asyncio.TaskGroup() as starting:
                for node in self.nodes.values():
                    starting.create_task(node.start())
        except BaseExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """End all, within their stop timeout. Harmless if they do not run."""
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))


def refuse_another_number(home: Path, brokers: int) -> None:
    """Make sure that the data in this folder was made with so many brokers, if there is any.

    Raises:
        UserMistake: with another number. What one has is on no other, so neither start would find it all.
    """
    made = {1: ["kafka"], BROKERS: [f"kafka-{number}" for number in range(1, BROKERS + 1)]}
    for number, folders in made.items():
        if number != brokers and any((home / name / "data" / "meta.properties").exists() for name in folders):
            raise UserMistake(
                f"the data in {home} was made with {_so_many(number)} and cannot be opened with {_so_many(brokers)}; "
                f"start with `--brokers {number}`, or choose another SAFEBUS_DATA_DIR"
            )


def _so_many(brokers: int) -> str:
    return "one broker" if brokers == 1 else f"{brokers} brokers"
