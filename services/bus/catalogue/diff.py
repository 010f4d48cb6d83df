"""What should be and what is → the changes between them. Pure: the edges are cluster.py and subjects.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from services.bus.catalogue.acls import Acl, acls_of, concerns, removable
from services.bus.catalogue.changes import (
    AddAcl,
    AddUser,
    Change,
    CreateTopic,
    DeleteTopic,
    Plan,
    RegisterSchema,
    RemoveAcl,
    RenewPassword,
    SetCompatibility,
    SetConfig,
)
from services.bus.catalogue.model import COMPATIBILITY, Catalogue, Topic
from services.bus.contract import Schema


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka has it."""

    partitions: int
    replication: int
    config: Mapping[str, str | None]
    """Every setting with the value in force, wherever it comes from."""


@dataclass(frozen=True, slots=True)
class SubjectState:
    """A subject as the registry has it, seen with our schema in hand."""

    latest: int | None
    """Its latest version; None when it has none."""
    ours: int | None
    """The version that says what our schema says; None when none does."""
    compatibility: str | None
    """Its own level; None when it has none of its own."""
    readable: bool = True
    """Whether our schema and all its versions read each other. Asked only when our schema is not there yet."""


@dataclass(frozen=True, slots=True)
class Actual:
    """A cluster and its registry as they are."""

    cluster_id: str
    topics: Mapping[str, TopicState] = field(default_factory=dict)
    subjects: Mapping[str, SubjectState] = field(default_factory=dict)
    acls: Collection[Acl] = ()
    users: Collection[str] = ()


def diff(
    catalogue: Catalogue,
    schemas: Mapping[str, Schema],
    actual: Actual,
    *,
    allow_delete: bool = False,
    rotate: Collection[str] = (),
) -> Plan:
    """How `actual` differs from the catalogue.

    Args:
        schemas: the contract of each topic, by topic.
        allow_delete: deletions are changes; otherwise they are held.
        rotate: principals that get a new password.
    """
    deletions = tuple(DeleteTopic(name) for name in sorted(catalogue.deleted & actual.topics.keys()))
    changes: list[Change] = [
        # Rights that go, go first; users and rights that come are there before anybody needs them.
        *(RemoveAcl(acl) for acl in sorted(set(actual.acls) - acls_of(catalogue)) if removable(acl, catalogue)),
        *_topics(catalogue, actual),
        *_subjects(catalogue, schemas, actual),
        *(AddUser(name) for name in catalogue.principals if name not in actual.users and name not in rotate),
        *(RenewPassword(name) for name in sorted(rotate)),
        *(AddAcl(acl) for acl in sorted(acls_of(catalogue) - set(actual.acls))),
        *(deletions if allow_delete else ()),
    ]
    return Plan(
        cluster_id=actual.cluster_id,
        changes=tuple(changes),
        held=() if allow_delete else deletions,
        refused=tuple(chain(_partitions(catalogue, actual), _unreadable(catalogue, actual))),
        notices=tuple(_notices(catalogue, actual)),
    )


def _topics(catalogue: Catalogue, actual: Actual) -> Iterator[Change]:
    for topic in catalogue.logs.values():
        there = actual.topics.get(topic.name)
        if there is None:
            yield CreateTopic(topic.name, topic.partitions, topic.replication, topic.config)
        else:
            for key, value in topic.config.items():
                if there.config.get(key) != value:
                    yield SetConfig(topic.name, key, there.config.get(key), value)


def _subjects(catalogue: Catalogue, schemas: Mapping[str, Schema], actual: Actual) -> Iterator[Change]:
    for topic in catalogue.topics.values():
        there = actual.subjects[topic.subject]
        if there.compatibility != COMPATIBILITY:
            yield SetCompatibility(topic.subject, there.compatibility, COMPATIBILITY)
        if there.ours is None:
            schema = schemas[topic.name]
            evolves = there.latest is not None
            yield RegisterSchema(topic.subject, schema.record, schema.fingerprint, evolves, schema.text)


def _partitions(catalogue: Catalogue, actual: Actual) -> Iterator[str]:
    for topic, there in _standing(catalogue, actual):
        if there.partitions != topic.partitions:
            yield (
                f"topic {topic.name} has {there.partitions} partitions and the catalogue says {topic.partitions}: a "
                "key's partition follows from their number, so a child's later events could overtake its earlier ones; "
                f"put {there.partitions} into the catalogue, or make a topic of the next version and move to it"
            )


def _unreadable(catalogue: Catalogue, actual: Actual) -> Iterator[str]:
    for topic in catalogue.topics.values():
        there = actual.subjects[topic.subject]
        if there.ours is None and not there.readable:
            yield (
                f"schemas/{topic.schema} and a version of subject {topic.subject} cannot read each other "
                f"({COMPATIBILITY}): keep to changes that both sides can read, or make a topic of the next version"
            )


def _notices(catalogue: Catalogue, actual: Actual) -> Iterator[str]:
    ours = catalogue.logs.keys() | catalogue.deleted
    for name in sorted(actual.topics.keys() - ours):
        yield f"topic {name} is not in the catalogue; left alone"
    for topic, there in _standing(catalogue, actual):
        if there.replication != topic.replication:
            yield (
                f"topic {topic.name} has {there.replication} replicas and the catalogue says {topic.replication}; "
                "kafka-reassign-partitions moves replicas, this command does not"
            )
    for topic in catalogue.topics.values():
        subject = actual.subjects[topic.subject]
        if subject.ours is not None and subject.ours != subject.latest:
            yield f"subject {topic.subject} has a version {subject.latest}, ours is its version {subject.ours}"
    for acl in sorted(set(actual.acls) - acls_of(catalogue)):
        if concerns(acl, catalogue) and not removable(acl, catalogue):
            yield f"access beside the catalogue: {acl}; left alone"


def _standing(catalogue: Catalogue, actual: Actual) -> Iterator[tuple[Topic, TopicState]]:
    """Each topic of the catalogue that exists, with its state."""
    return ((topic, actual.topics[name]) for name, topic in catalogue.logs.items() if name in actual.topics)
