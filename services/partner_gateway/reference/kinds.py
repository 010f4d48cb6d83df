"""Which event types a partner posts through the door, hears in its inbox, and, if it speaks Kafka, writes and reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.bus.catalogue import Catalogue, Topic
from services.bus.contract import Schema, load
from services.partner_gateway.door.who import RECEIPTS
from services.partner_gateway.partners.registry import DOOR
from services.partner_gateway.wiring import SERVICE


@dataclass(frozen=True, slots=True)
class EventType:
    """One event type, with its schema."""

    topic: Topic
    schema: Schema

    @property
    def name(self) -> str:
        """The CloudEvents type, which is the topic's name."""
        return self.topic.name

    @property
    def record(self) -> str:
        """The record's short name, such as ContactReceived."""
        return self.schema.record.rpartition(".")[2]

    @property
    def doc(self) -> str:
        return str(self.schema.definition["doc"])


class EventTypes:
    """The event types of a catalogue, by what a partner does with them. Each in the catalogue's order."""

    def __init__(self, catalogue: Catalogue, schemas: Mapping[str, Schema] | None = None) -> None:
        schemas = schemas or load()
        self._catalogue = catalogue
        self._types = [EventType(topic, schemas[name]) for name, topic in catalogue.topics.items() if name in schemas]

    @property
    def posted(self) -> list[EventType]:
        """By HTTPS: what the door may write, and a partner with it. Receipts have a route of their own."""
        return [t for t in self._types if DOOR in t.topic.written_by and t.name != RECEIPTS and self.writers(t)]

    @property
    def told(self) -> list[EventType]:
        """What falls into inboxes."""
        return [t for t in self._types if t.topic.discloses and SERVICE.name in t.topic.read_by]

    @property
    def written(self) -> list[EventType]:
        """By agencies' systems that speak Kafka."""
        return [t for t in self._types if self.writers(t)]

    @property
    def read(self) -> list[EventType]:
        """By agencies' systems that speak Kafka, from the topic itself."""
        return [t for t in self._types if self.readers(t)]

    @property
    def all(self) -> list[EventType]:
        """All of these."""
        mine = {t.name for group in (self.posted, self.told, self.written, self.read) for t in group}
        return [t for t in self._types if t.name in mine]

    def writers(self, of: EventType) -> list[str]:
        """The agencies whose systems may write it."""
        return self._agencies(of.topic.written_by)

    def readers(self, of: EventType) -> list[str]:
        """The agencies whose systems may read its topic."""
        return self._agencies(of.topic.read_by)

    def _agencies(self, names: tuple[str, ...]) -> list[str]:
        principals = self._catalogue.principals
        return [n for n in names if n in principals and principals[n].kind == "agency" and n != DOOR]
