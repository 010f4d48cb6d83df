"""Whether the catalogue agrees with itself and with the schemas: every fault at once, each with its line. Offline."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from services.bus import contract
from services.bus.catalogue.document import Document, shown
from services.bus.catalogue.model import EVERY_SERVICE, GATEWAY, Catalogue, Topic
from services.bus.catalogue.reading import read
from services.bus.contract.schemas import TOPIC
from services.bus.errors import CatalogueInvalid
from services.bus.settings import Settings, settings

DISCLOSURE: Final = "safebus.common.Disclosure"
READER: Final = "reader"
"""Besides services and rooms, this principal reads disclosures, since it hands each recipient its own; and so does
whoever is of kind operator, whose tools mask what they show and write down what they reveal (services/operating). In
code and not in the file, so that letting another one in takes a reviewed change of this rule (DESIGN.md §3)."""
READ_DISCLOSURES: Final = ("service", "room", "operator")

_TOPIC_NAME: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_VERSIONED: Final = re.compile(r".+\.v[1-9][0-9]*")
_PRINCIPAL_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""No dots: `<principal>.` begins the names of its consumer groups."""
_RESERVED: Final = (EVERY_SERVICE, "admin")


def validate(config: Settings | None = None) -> Catalogue:
    """The catalogue, once nothing is wrong with it.

    Raises:
        CatalogueInvalid: every finding, as `topics.yaml:LINE: sentence` in the order of the lines; then the schemas'.
        UserMistake: there is no catalogue.
    """
    config = config or settings()
    catalogue, document = read(config.catalogue, config.replication_factor)
    if not document.readable:
        raise CatalogueInvalid(document.located())
    _Check(catalogue, document, config).all()
    findings = document.located()
    findings += [f"{shown(config.schemas)}/{finding}" for finding in _of_the_schemas(catalogue, config)]
    if findings:
        raise CatalogueInvalid(findings)
    return catalogue


def _of_the_schemas(catalogue: Catalogue, config: Settings) -> list[str]:
    try:
        schemas = contract.load(config.schemas)
    except CatalogueInvalid as broken:
        return broken.findings
    return [
        f"{schema.file}: its topic {topic} is not in {shown(config.catalogue)}"
        for topic, schema in schemas.items()
        if topic not in catalogue.topics
    ]


class _Check:
    """One run over a catalogue that could be read, perhaps with gaps; a gap has its finding already."""

    def __init__(self, catalogue: Catalogue, document: Document, config: Settings) -> None:
        self.catalogue = catalogue
        self.document = document
        self.config = config

    def all(self) -> None:
        if not self.catalogue.topics:
            self._fault(("topics",), "the catalogue lists no topic")
        for topic in self.catalogue.topics.values():
            self._name(topic)
            self._people(topic)
            self._lifetime(topic)
            self._schema(topic)
        self._inboxes()
        self._internal()
        self._twins()
        self._partitions()
        self._deleted()
        self._principals()

    def _fault(self, place: tuple[str, ...], sentence: str) -> None:
        self.document.fault(self.document.line(*place), sentence)

    def _topic_fault(self, topic: Topic, key: str, sentence: str) -> None:
        self._fault(("topics", topic.name, *key.split("/")), f"{topic.name}: {sentence}")

    def _name(self, topic: Topic) -> None:
        if not _TOPIC_NAME.fullmatch(topic.name):
            self._topic_fault(
                topic, "", "Kafka allows at most 249 letters, digits, dots, underscores and hyphens in a name"
            )
        elif not _VERSIONED.fullmatch(topic.name):
            self._topic_fault(topic, "", "a topic's name ends in its version, such as .v1")

    def _twins(self) -> None:
        """Kafka's metrics write both as underscores, so it refuses the second one."""
        seen: dict[str, str] = {}
        for name, topic in self.catalogue.logs.items():
            twin = seen.setdefault(name.replace(".", "_"), name)
            if twin != name:
                self._topic_fault(topic, "", f"to Kafka the same name as {twin}: dots and underscores collide")

    def _people(self, topic: Topic) -> None:
        known = self.catalogue.principals
        for key, names, verb in (("written_by", topic.written_by, "writes"), ("read_by", topic.read_by, "reads")):
            if not names:
                self._topic_fault(topic, key, f"nobody {verb} it; `{key}` names at least one principal")
            for name in names:
                if name not in known:
                    self._topic_fault(topic, f"{key}/{name}", f"`{key}` names {name}, which `principals` does not list")
        if topic.discloses and GATEWAY in known and GATEWAY not in topic.read_by:
            self._topic_fault(topic, "read_by", f"`read_by` lacks {GATEWAY}: what it tells would be in nobody's inbox")
        if topic.discloses:
            for name in topic.read_by:
                if name in known and known[name].kind not in READ_DISCLOSURES and name != READER:
                    self._topic_fault(
                        topic,
                        f"read_by/{name}",
                        f"{name} may not read a topic that discloses; it has an inbox of its own, and only services, "
                        f"operators and {READER} read such a topic",
                    )

    def _inboxes(self) -> None:
        """One organisation's inbox is read by one principal, which reads no other's and is no service of the bus."""
        known, whose = self.catalogue.principals, dict[str, str]()
        for organisation, inbox in self.catalogue.inboxes.items():
            place = ("inboxes", organisation)
            if GATEWAY not in known:
                self._fault(place, f"{organisation}: {GATEWAY} writes inboxes, and `principals` does not list it")
            if not _TOPIC_NAME.fullmatch(inbox.name):
                self._fault(place, f"{organisation}: its id has a character that no topic's name may have")
            if len(inbox.read_by) != 1:
                self._fault((*place, "read_by"), f"{organisation}: exactly one principal reads an inbox: its own")
            for name in inbox.read_by:
                if name not in known or known[name].kind != "agency":
                    self._fault((*place, "read_by", name), f"{organisation}: {name} is no principal of kind agency")
                elif (other := whose.setdefault(name, organisation)) != organisation:
                    self._fault((*place, "read_by", name), f"{organisation}: {name} reads the inbox of {other} already")

    def _internal(self) -> None:
        for name, topic in self.catalogue.internal.items():
            if not _TOPIC_NAME.fullmatch(name):
                self._fault(("internal", name), f"{name}: it has a character that no topic's name may have")
            for room in topic.written_by:
                known = self.catalogue.principals.get(room)
                if known is None or known.kind not in ("service", "room"):
                    self._fault(("internal", name, "room"), f"{name}: {room} is no principal of kind service or room")
            if name in self.catalogue.topics:
                self._fault(("internal", name), f"{name}: stands under `topics` too")

    def _lifetime(self, topic: Topic) -> None:
        if topic.retention_days is not None and topic.retention_days >= self.config.keep_ids_days:
            self._topic_fault(
                topic,
                "retention",
                f"kept for {topic.retention_days:g} days, but ids only for {self.config.keep_ids_days:g} "
                "(SAFEBUS_KEEP_IDS_DAYS): a repeat would be taken for a new event",
            )

    def _partitions(self) -> None:
        """One child's events fall into the same partition of every topic only if all have as many."""
        by_key: dict[str, list[Topic]] = defaultdict(list)
        for topic in self.catalogue.topics.values():
            if topic.key:
                by_key[topic.key].append(topic)
        for key, topics in by_key.items():
            for topic in topics[1:]:
                if topic.partitions != topics[0].partitions:
                    self._topic_fault(
                        topic,
                        "partitions",
                        f"{topic.partitions} partitions, but {topics[0].name} has {topics[0].partitions}; topics with "
                        f"the key {key} have the same number",
                    )

    def _schema(self, topic: Topic) -> None:
        path = self.config.schemas / topic.schema
        if not topic.schema:
            return
        if not path.is_file() or path.suffix != ".avsc":
            self._topic_fault(topic, "schema", f"there is no schema {shown(path)}")
            return
        try:
            body = json.loads(path.read_text("utf-8"))
        except ValueError:
            return  # the contract's own check says so, with the file
        if not isinstance(body, dict) or body.get("type") != "record":
            self._topic_fault(topic, "schema", f"{shown(path)} is not a record")
            return
        self._body(topic, body)

    def _body(self, topic: Topic, body: dict[str, Any]) -> None:
        fields = {str(field.get("name")): field.get("type") for field in body.get("fields", [])}
        named = body.get(TOPIC)
        if named != topic.name:
            said = f"says that its topic is {named}" if named else f"does not say `{TOPIC}`"
            self._topic_fault(topic, "schema", f"{topic.schema} {said}")
        if topic.key and fields.get(topic.key) != "string":
            wrong = "is not a string" if topic.key in fields else "is no field"
            self._topic_fault(topic, "key", f"{topic.key} {wrong} of {topic.record}, so it cannot be the key")
        carries = DISCLOSURE in _types(fields.values())
        if topic.discloses and not carries:
            self._topic_fault(topic, "discloses", f"it discloses, but {topic.record} carries no Disclosure")
        if carries and not topic.discloses:
            self._topic_fault(topic, "discloses", f"{topic.record} carries a Disclosure: say `discloses: true`")

    def _deleted(self) -> None:
        for name in sorted(self.catalogue.deleted & self.catalogue.logs.keys()):
            self._fault(("deleted", name), f"deleted: {name} stands under `topics` too")

    def _principals(self) -> None:
        for name in self.catalogue.principals:
            if name in _RESERVED:
                self._fault(("principals", name), f"{name}: this name is taken; no principal may have it")
            elif not _PRINCIPAL_NAME.fullmatch(name):
                self._fault(("principals", name), f"{name}: a principal's name is small letters, digits and hyphens")


def _types(node: Any) -> Iterator[str]:
    """Every type that a field mentions, however deep in unions and arrays."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from _types([node.get("type"), node.get("items")])
    elif node is not None:
        for inner in node:
            yield from _types(inner)
