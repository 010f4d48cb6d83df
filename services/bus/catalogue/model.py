"""What topics.yaml says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["service", "monitor", "room", "agency", "person", "operator", "retries"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PROCESSES: tuple[Kind, ...] = ("service", "monitor", "room")
"""Those that run as processes of the bus."""

EVERY_SERVICE = "every-service"
"""In `written_by` and `read_by`: each principal of kind service."""

GATEWAY = "partner-gateway"
"""The one that writes inboxes."""

ORIGIN = "origin"
"""As `key`: the key of the record that it is about, so no field of the body."""

COMPATIBILITY = "FULL_TRANSITIVE"
"""Each version of a schema reads what every other wrote, and the other way round."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone who signs in to Kafka."""

    name: str
    kind: Kind
    description: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it should be, its defaults filled in."""

    name: str
    description: str
    schema: str
    """Path below schemas/."""
    key: str | None
    """The body's field that is the Kafka key; None where the key is the origin's."""
    partitions: int
    replication: int
    retention_days: float | None
    """None where the topic is compacted."""
    config: Mapping[str, str]
    """Kafka's topic settings, exactly those that the catalogue names."""
    owner: str
    controller: str
    """The data controller (UK GDPR Art. 4(7); DOMAIN.md H17)."""
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    discloses: bool

    @property
    def record(self) -> str:
        """Full name of the Avro record, by its file's place: safebus.police.IncidentReported."""
        folder, _, file = self.schema.rpartition("/")
        return f"safebus.{folder.replace('/', '.').replace('-', '_')}.{file.removesuffix('.avsc')}"

    @property
    def subject(self) -> str:
        """Its subject in the schema registry."""
        return f"{self.name}-value"

    @property
    def compacted(self) -> bool:
        return self.retention_days is None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every topic and principal, by name and in the file's order."""

    topics: Mapping[str, Topic]
    principals: Mapping[str, Principal]
    deleted: frozenset[str]
    """Topics that were ours and are to go."""
    inboxes: Mapping[str, Topic] = field(default_factory=dict)
    """By organisation id, the topic that holds a copy of what it is told. No schema of its own, as it has several."""
    internal: Mapping[str, Topic] = field(default_factory=dict)
    """By name, what one room keeps for itself, in bytes of its own: it alone writes, reads and empties it."""

    @property
    def logs(self) -> Mapping[str, Topic]:
        """Every topic that Kafka is to have, by name: those of events, inboxes, and what rooms keep for themselves."""
        return {**self.topics, **{inbox.name: inbox for inbox in self.inboxes.values()}, **self.internal}

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the principals that are services."""
        return tuple(name for name, principal in self.principals.items() if principal.kind == "service")

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of the principals that run as processes of the bus: services, what watches them, and rooms."""
        return tuple(name for name, principal in self.principals.items() if principal.kind in PROCESSES)

    @property
    def retried(self) -> tuple[str, ...]:
        """Topics whose events may die in a service, so that a dead letter's original may be sent there again: no
        dead letters, and nothing that operators say of themselves."""
        services, kinds = set(self.services), {name: who.kind for name, who in self.principals.items()}
        return tuple(
            topic.name
            for topic in self.topics.values()
            if topic.key and services & set(topic.read_by)
            if not any(kinds.get(writer) == "operator" for writer in topic.written_by)
        )

    def topics_written_by(self, principal: str) -> tuple[str, ...]:
        """Names of the topics that `principal` may write."""
        return tuple(topic.name for topic in self.logs.values() if principal in topic.written_by)

    def topics_read_by(self, principal: str) -> tuple[str, ...]:
        """Names of the topics that `principal` is to read. A service may read its own outputs besides, to recover."""
        return tuple(topic.name for topic in self.logs.values() if principal in topic.read_by)
