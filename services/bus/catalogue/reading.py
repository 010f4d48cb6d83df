"""topics.yaml → the catalogue, with findings about its form. What its parts mean together is validate.py's matter."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from services.bus.catalogue.document import Document, Section
from services.bus.catalogue.model import EVERY_SERVICE, GATEWAY, KINDS, ORIGIN, Catalogue, Kind, Principal, Topic

MIN_IN_SYNC: Final = "min.insync.replicas"
_DURATION: Final = re.compile(r"(\d+)([dh])")
_MS: Final = {"d": 86_400_000, "h": 3_600_000}
_DAY_MS: Final = 86_400_000
_OWN_WORDS: Final = {"cleanup.policy": "`compaction: true` or `retention`", "retention.ms": "`retention`"}
"""Kafka's settings that have a word of their own in the catalogue, so that each is said in one way."""


def read(path: Path, replication: int | None = None) -> tuple[Catalogue, Document]:
    """The catalogue as far as it can be read, and the document with its findings and lines.

    Args:
        replication: instead of the catalogue's own, on every topic.

    Raises:
        UserMistake: the file cannot be read.
    """
    document = Document(path)
    root = document.root
    listed = root.section("principals")
    principals = {name: _principal(listed.section(name), name) for name in listed}
    defaults = _defaults(root.section("defaults"), replication)
    reader = _Topics(defaults, tuple(name for name, who in principals.items() if who.kind == "service"))
    entries = root.section("topics")
    topics = {name: reader.topic(entries.section(name), name) for name in entries}
    owned, kept = root.section("inboxes"), root.section("internal")
    catalogue = Catalogue(
        topics=topics,
        principals=principals,
        deleted=frozenset(root.names("deleted")),
        inboxes={organisation: reader.inbox(owned.section(organisation), organisation) for organisation in owned},
        internal={name: reader.internal(kept.section(name), name) for name in kept},
    )
    root.close()
    return catalogue, document


def _principal(entry: Section, name: str) -> Principal:
    kind, description = entry.text("kind"), entry.text("description")
    if kind and kind not in KINDS:
        entry.fault(f"must be one of {', '.join(KINDS)}", "kind")
    entry.close()
    return Principal(name=name, kind=cast("Kind", kind), description=description)


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a topic has unless its entry says otherwise."""

    partitions: int
    replication: int
    replication_overridden: int | None
    retention_ms: int
    config: dict[str, str] = field(default_factory=dict)


def _defaults(entry: Section, override: int | None) -> _Defaults:
    defaults = _Defaults(
        partitions=entry.count("partitions", 1),
        replication=entry.count("replication", 3),
        replication_overridden=override,
        retention_ms=_duration(entry, "retention", 7 * _DAY_MS),
        config=_config(entry),
    )
    entry.close()
    return defaults


@dataclass(frozen=True, slots=True)
class _Topics:
    """Reads topics' entries."""

    defaults: _Defaults
    services: tuple[str, ...]

    def topic(self, entry: Section, name: str) -> Topic:
        compacted = entry.flag("compaction")
        if compacted and "retention" in entry:
            entry.fault("stands beside `compaction`: a topic has one or the other", "retention")
        retention_ms = None if compacted else _duration(entry, "retention", self.defaults.retention_ms)
        own_replication = entry.count("replication", self.defaults.replication)
        replication = self.defaults.replication_overridden or own_replication
        key = entry.text("key")
        topic = Topic(
            name=name,
            description=entry.text("description"),
            schema=entry.text("schema"),
            key=None if key == ORIGIN else key,
            partitions=entry.count("partitions", self.defaults.partitions),
            replication=replication,
            retention_days=None if retention_ms is None else retention_ms / _DAY_MS,
            config=self._settings(_config(entry), retention_ms, replication),
            owner=entry.text("owner"),
            controller=entry.text("controller"),
            written_by=self._spelt_out(entry.names("written_by")),
            read_by=self._spelt_out(entry.names("read_by")),
            discloses=entry.flag("discloses"),
        )
        entry.close()
        return topic

    def inbox(self, entry: Section, organisation: str) -> Topic:
        """An organisation's own topic, kept as long as any other."""
        topic = Topic(
            name=f"inbox.{organisation.replace(':', '.')}",
            description=entry.text("description"),
            schema="",
            key=None,
            partitions=self.defaults.partitions,
            replication=self._replication,
            retention_days=self.defaults.retention_ms / _DAY_MS,
            config=self._settings({}, self.defaults.retention_ms, self._replication),
            owner=entry.text("owner"),
            controller=entry.text("controller"),
            written_by=(GATEWAY,),
            read_by=entry.names("read_by"),
            discloses=True,
        )
        entry.close()
        return topic

    def internal(self, entry: Section, name: str) -> Topic:
        """What a room keeps for itself: the latest of each key, as long as any topic, or until the room empties it.

        Kafka empties no topic that is compacted only, so this one is both.
        """
        room = tuple(filter(None, (entry.text("room"),)))
        kept = self._settings({}, self.defaults.retention_ms, self._replication)
        topic = Topic(
            name=name,
            description=entry.text("description"),
            schema="",
            key=None,
            partitions=entry.count("partitions", self.defaults.partitions),
            replication=self._replication,
            retention_days=self.defaults.retention_ms / _DAY_MS,
            config=kept | {"cleanup.policy": "compact,delete"},
            owner=entry.text("owner"),
            controller=entry.text("controller"),
            written_by=room,
            read_by=room,
            discloses=False,
        )
        entry.close()
        return topic

    @property
    def _replication(self) -> int:
        return self.defaults.replication_overridden or self.defaults.replication

    def _settings(self, own: dict[str, str], retention_ms: int | None, replication: int) -> dict[str, str]:
        """Every Kafka setting of the topic that the catalogue names."""
        kept = {"cleanup.policy": "compact"}
        if retention_ms is not None:
            kept = {"cleanup.policy": "delete", "retention.ms": str(retention_ms)}
        merged = self.defaults.config | own | kept
        if merged.get(MIN_IN_SYNC, "").isdecimal():
            # More replicas in sync than there are would refuse every event.
            merged[MIN_IN_SYNC] = str(min(int(merged[MIN_IN_SYNC]), replication))
        return dict(sorted(merged.items()))

    def _spelt_out(self, names: Iterable[str]) -> tuple[str, ...]:
        spelt: dict[str, None] = {}
        for name in names:
            spelt |= dict.fromkeys(self.services if name == EVERY_SERVICE else (name,))
        return tuple(spelt)


def _config(entry: Section) -> dict[str, str]:
    settings = entry.section("config")
    found = {}
    for key in settings:
        if key in _OWN_WORDS:
            settings.fault(f"is said with {_OWN_WORDS[key]}", key)
        found[key] = settings.scalar(key)
    return found


def _duration(entry: Section, key: str, default: int) -> int:
    """Milliseconds of `365d` or `12h`."""
    if key not in entry:
        return default
    said = _DURATION.fullmatch(entry.text(key))
    if not said or int(said[1]) < 1:
        entry.fault("must be days or hours, such as 365d or 12h", key)
        return default
    return int(said[1]) * _MS[said[2]]
