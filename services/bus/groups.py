"""What consumer groups have committed, by aiokafka's admin client.

Not by confluent-kafka's: 2.16's ended the process (a segmentation fault, seen on Kafka 4.4) when the broker answered
that it does not coordinate the group, as it does while it loads what it coordinates.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.commit import OffsetFetchRequest

from services.bus.broker import Partition
from services.bus.kafka import ANSWER_WITHIN, KafkaBroker
from services.bus.translating import translated


async def committed(broker: KafkaBroker, groups: Iterable[str]) -> dict[str, dict[Partition, int]]:
    """By group, every offset that stands for it; none for a group that nobody has heard of.

    Raises:
        NotPermitted: this principal may not see it.
        Surroundings: the broker is away, or has only just begun.
    """
    admin = Groups(**broker.aiokafka())
    async with translated(broker.principal, "asking how far groups have read", ANSWER_WITHIN):
        try:
            await admin.start()
            return {group: await admin.offsets_of(group) for group in groups}
        finally:
            await admin.close()


class Groups(AIOKafkaAdminClient):  # type: ignore[misc]
    """Asks about groups; to be started and closed."""

    async def offsets_of(self, group: str) -> dict[Partition, int]:
        """Every offset that stands for the group. aiokafka's own method takes a refusal for a group without any."""
        coordinator = await self.find_coordinator(group)
        answer = await self._send_request(OffsetFetchRequest(group, None), coordinator)
        codes = [answer.error_code, *(code for _, parts in answer.topics for *_, code in parts)]
        for code in filter(None, codes):
            raise kafka_errors.for_code(code)(f"Unable to get offsets of {group}")
        return {
            (topic, number): offset for topic, parts in answer.topics for number, offset, *_ in parts if offset >= 0
        }
