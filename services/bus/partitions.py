"""Which partitions this worker owns, of which incarnation of their topics, and how far each was decided.

aiokafka knows no topic ids, and a topic that was made anew under a running consumer goes on at the old offset:
measured. So the ids are asked for, and compared at each assignment, before each commit and every few seconds
(DESIGN.md §1, rule 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services.bus.broker import Partition, Registrar
from services.bus.errors import MustStop, Surroundings
from services.bus.positions import Known, where_to_start
from services.bus.work import Guard, Place, Work

RING = 2**20
"""More outputs than one ring has."""


class Partitions:
    """What one worker of a service owns. Empty until it has claimed."""

    def __init__(self, service: str, topics: Sequence[str], registrar: Registrar) -> None:
        self._service, self._topics, self._registrar = service, topics, registrar
        self.cluster = ""
        self.topic_ids: dict[str, str] = {}
        self.known: dict[Partition, int] = {}
        """By partition, what its guard says is decided next."""
        self._rings: dict[Partition, int] = {}

    async def learn_cluster(self) -> None:
        self.cluster = await self._registrar.cluster_id()

    async def learn_topics(self) -> None:
        """Every topic's id, once and for all.

        Raises:
            Surroundings: one is not there yet.
        """
        found = await self._registrar.topic_ids(self._topics)
        missing = [topic for topic in self._topics if topic not in found]
        if missing:
            raise Surroundings(f"topic {missing[0]} is not there; has `safebus topics apply` been run?")
        self.topic_ids = found

    async def check_topics(self) -> None:
        """That each topic is still the one that it was.

        Raises:
            MustStop: one was deleted meanwhile.
        """
        found = await self._registrar.topic_ids(self._topics)
        for topic, known in self.topic_ids.items():
            if found.get(topic) != known:
                raise MustStop(
                    f"{topic} was deleted{' and made again' if topic in found else ''} under {self._service}; "
                    f"stop every {self._service} and run `safebus recover {self._service}`"
                )

    def place(self, p: Partition) -> Place:
        return Place(*p, self.topic_ids[p[0]])

    # Claiming

    def let_go(self) -> None:
        self.known, self._rings = {}, {}

    def starts(
        self,
        committed: Mapping[Partition, int | None],
        begins: Mapping[Partition, int],
        ends: Mapping[Partition, int],
        guards: Mapping[Place, Guard],
        *,
        recovering: bool,
    ) -> dict[Partition, int]:
        """Where to go on in each of these partitions.

        Raises:
            MustStop: the database or a topic is not the one that it was.
        """
        found = {}
        for p, offset in committed.items():
            place = self.place(p)
            guard = guards[place].next_offset if place in guards else None
            other = any((g.topic, g.partition) == p and g.topic_id != place.topic_id for g in guards)
            known = Known(*p, None if recovering else offset, begins[p], guard, other, ends[p])
            found[p] = where_to_start(known, self._service)
        return found

    def guard_new(self, work: Work, positions: Mapping[Partition, int], guards: Mapping[Place, Guard]) -> None:
        """Guard those that are not guarded yet."""
        for p, offset in positions.items():
            if self.place(p) not in guards:
                work.begin_at(self.cluster, self.place(p), offset)

    def own(self, positions: Mapping[Partition, int], guards: Mapping[Place, Guard]) -> None:
        """From now on, these."""
        self.known = dict(positions)
        self._rings = {p: guards.get(self.place(p), Guard(0)).rings for p in positions}

    # Going on

    def advance(self, work: Work, to: Mapping[Partition, int]) -> None:
        """Move these guards, in one order, as two workers may want to.

        Raises:
            Overtaken: another worker has moved one.
        """
        for p in sorted(to):
            known = Guard(self.known[p], self._rings[p])
            work.advance(self.cluster, self.place(p), known, Guard(to[p], known.rings))

    def moved(self, to: Mapping[Partition, int]) -> None:
        """The transaction that moved these guards stands."""
        self.known |= to

    def ring(self, work: Work, ringing: Iterable[Partition]) -> dict[Partition, int]:
        """Count one more ring of each, fenced as any batch: or whoever has the partition by now would take the outputs
        for its own, and delete them unsent. The first ordinal for the outputs of each.

        Rings come before the record at the guard's offset, below zero, each after the last one of the partition,
        whoever let that ring and whatever the clocks say: else its acknowledgement would delete this one's.

        Raises:
            Overtaken: another worker has the partition.
        """
        ordinals = {}
        for p in sorted(ringing):
            known = Guard(self.known[p], self._rings[p])
            work.advance(self.cluster, self.place(p), known, Guard(known.next_offset, known.rings + 1))
            ordinals[p] = (known.rings + 1) * RING - 2**62
        return ordinals

    def rung(self, ringing: Iterable[Partition]) -> None:
        """The transaction that counted stands."""
        self._rings |= {p: self._rings[p] + 1 for p in ringing}
