"""The catalogue applied to a real broker and a real registry."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from services.bus import contract
from services.bus.catalogue import Catalogue, load
from services.bus.catalogue import apply as applying
from services.bus.catalogue import plan as planning
from services.bus.catalogue.acls import Acl
from services.bus.catalogue.changes import Plan, RegisterSchema, RemoveAcl, RenewPassword, SetCompatibility, SetConfig
from services.bus.catalogue.cluster import Cluster
from services.bus.catalogue.subjects import Subjects
from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.secrets import load_secrets
from services.bus.settings import HERE
from tests.catalogue.places import CATALOGUE, SCHEMAS, lay_out
from tests.embedded.broker import Broker

ROOT = HERE.parent
NAMES = ("child.seen.v1", "child.told.v1", "child.known.v1", "lost.v1")
PRINCIPALS = ("teller", "council", "reader", "operator")


_silent = logging.getLogger("tests.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass
class Place:
    """A catalogue whose topics and principals are this test's own, on the session's broker and registry."""

    folder: Path
    kafka: Broker
    registry: str
    mark: str

    def __post_init__(self) -> None:
        self.write(CATALOGUE)

    def own(self, text: str) -> str:
        """The small catalogue's names → this test's."""
        for name in (*NAMES, "gone.v1"):
            text = text.replace(name, f"{self.mark}.{name}")
        for name in PRINCIPALS:
            text = text.replace(f"{name}: {{", f"{name}-{self.mark}: {{")
            text = text.replace(f"[{name}]", f"[{name}-{self.mark}]")
        return text

    def write(self, catalogue: str, schemas: dict[str, str] | None = None) -> None:
        """Lay out the catalogue and its schemas anew."""
        bodies = {file: json.dumps(body) for file, body in SCHEMAS.items()} | (schemas or {})
        config = lay_out(self.folder, self.own(catalogue), {file: self.own(text) for file, text in bodies.items()})
        self.catalogue: Catalogue = load(config.catalogue)
        self.schemas = contract.load(config.schemas)

    def config(self, principal: str | None = None) -> dict[str, Any]:
        """confluent-kafka's, by default the administrator's; silent, since clients outlive the test's interest."""
        return self.kafka.confluent(principal) | {"logger": _silent}

    def plan(self, *, cluster_id: str | None = None) -> Plan:
        return planning.plan(self.catalogue, self.config(), self.registry, schemas=self.schemas, cluster_id=cluster_id)

    def apply(self, *, cluster_id: str | None = None, allow_delete: bool = False, rotate: tuple[str, ...] = ()) -> Plan:
        return applying.apply(
            self.catalogue,
            self.config(),
            self.registry,
            schemas=self.schemas,
            cluster_id=cluster_id,
            allow_delete=allow_delete,
            rotate=rotate,
            secrets_path=self.kafka.secrets_path,
        )

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster(self.config())

    def setting(self, topic: str, key: str) -> str | None:
        return self.cluster.topics([topic])[topic].config[key]

    def set_by_hand(self, topic: str, **settings: str) -> None:
        entries = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in settings.items()
        ]
        asked = self.kafka.admin.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)]
        )
        for answer in asked.values():
            answer.result(30)


@pytest.fixture
def place(tmp_path: Path, kafka: Broker, registry: str) -> Iterator[Place]:
    """Takes its users' rights away again, so that no test sees another's."""
    here = Place(tmp_path, kafka, registry, f"t{uuid4().hex[:8]}")
    yield here
    left = [acl for acl in here.cluster.acls() if acl.principal.endswith(here.mark)]
    if left:
        here.cluster.remove_acls(left)


def test_apply_makes_everything_and_applying_again_changes_nothing(place: Place) -> None:
    """Topics, settings, schemas with their compatibility, users and rights; then neither plan nor apply finds more."""
    before = place.plan()
    assert {change.kind for change in before.changes} == {
        "create_topic",
        "set_compatibility",
        "register_schema",
        "add_user",
        "add_acl",
    }
    assert place.apply().changes == before.changes
    assert not place.plan().drift
    assert place.apply().changes == ()

    seen = f"{place.mark}.child.seen.v1"
    there = place.cluster.topics([seen])[seen]
    assert (there.partitions, there.replication) == (2, 1)
    assert there.config["message.timestamp.type"] == "LogAppendTime"
    assert there.config["min.insync.replicas"] == "1"
    assert {f"{name}-{place.mark}" for name in PRINCIPALS} <= load_secrets(place.kafka.secrets_path).keys()


def test_our_own_catalogue_can_be_applied_twice(place: Place) -> None:
    """topics.yaml as it is, but for its version and on one replica: Kafka and the registry take all that is in it."""
    own = f".{place.mark}.v1"
    text = (ROOT / "topics.yaml").read_text("utf-8").replace("replication: 3", "replication: 1", 1)
    files = [file for file in (ROOT / "schemas").rglob("*.avsc") if "history" not in file.parts]
    schemas = {str(file.relative_to(ROOT / "schemas")): file.read_text("utf-8").replace(".v1", own) for file in files}
    config = lay_out(place.folder, text.replace(".v1", own), dict.fromkeys(SCHEMAS) | schemas)
    place.catalogue, place.schemas = load(config.catalogue), contract.load(config.schemas)
    assert len(place.apply().changes) > len(place.catalogue.topics)
    assert place.apply().changes == ()


def test_a_setting_that_drifted_is_put_back_and_no_other_is_touched(place: Place) -> None:
    """One key changed by hand is one change; a key that the catalogue does not name keeps its foreign value."""
    place.apply()
    lost = f"{place.mark}.lost.v1"
    place.set_by_hand(lost, retention_ms="1000", segment_ms="777000")
    wanted = SetConfig(lost, "retention.ms", "1000", "43200000")
    assert place.plan().changes == (wanted,)
    assert place.apply().changes == (wanted,)
    assert place.setting(lost, "retention.ms") == "43200000"
    assert place.setting(lost, "segment.ms") == "777000"


def test_a_topic_of_somebody_else_is_reported_and_left_alone(place: Place) -> None:
    """It is no drift, and it is still there after an apply with deletions allowed."""
    theirs = place.kafka.topic(f"{place.mark}.theirs")
    done = place.apply(allow_delete=True)
    assert f"topic {theirs} is not in the catalogue; left alone" in done.notices
    assert not place.plan().drift
    assert theirs in place.cluster.topics([])


def test_another_partition_count_is_refused_and_nothing_is_begun(place: Place) -> None:
    """Not even what could be done beside it."""
    place.apply()
    lost = f"{place.mark}.lost.v1"
    place.set_by_hand(lost, retention_ms="1000")
    place.write(CATALOGUE.replace("partitions: 2", "partitions: 4"))
    assert len(place.plan().refused) == 3
    with pytest.raises(UserMistake, match=r"has 2 partitions and the catalogue says 4(?s:.*)nothing was changed"):
        place.apply()
    assert place.setting(lost, "retention.ms") == "1000"


def test_another_cluster_is_refused(place: Place) -> None:
    """Neither planned nor applied: the catalogue is for one cluster."""
    for refuse in (place.plan, place.apply):
        with pytest.raises(UserMistake, match="not some-other-cluster"):
            refuse(cluster_id="some-other-cluster")
    assert f"{place.mark}.lost.v1" not in place.cluster.topics([])
    place.apply(cluster_id=place.cluster.cluster_id())


def test_a_topic_is_deleted_only_when_listed_and_allowed(place: Place) -> None:
    """A topic taken out of the catalogue is a stranger's; under `deleted` it waits for --allow-delete."""
    place.apply()
    lost = f"{place.mark}.lost.v1"
    entry = CATALOGUE[CATALOGUE.index("  lost.v1:") : CATALOGUE.index("deleted:")]
    without = CATALOGUE.replace(entry, "")
    place.write(without)
    assert f"topic {lost} is not in the catalogue; left alone" in place.plan().notices
    place.write(without.replace("deleted: []", "deleted: [lost.v1]"))
    held = place.apply()
    assert [str(change) for change in held.held] == [f"topic {lost}, with every event in it"]
    assert {type(change) for change in held.changes} == {RemoveAcl}  # nobody may use it any more
    assert lost in place.cluster.topics([])
    place.apply(allow_delete=True)
    assert lost not in place.cluster.topics([])
    assert not place.plan().drift


def test_a_schema_evolves_and_a_breaking_one_is_refused(place: Place) -> None:
    """A new field with a default is a further version; one without is refused before anything is changed."""
    place.apply()
    body = SCHEMAS["lost/Lost.avsc"]
    field = {"name": "why", "type": "string", "doc": "Why."}
    place.write(CATALOGUE, {"lost/Lost.avsc": json.dumps(body | {"fields": [field]})})
    with pytest.raises(
        UserMistake, match=r"schemas/lost/Lost\.avsc and a version of subject .* cannot read each other"
    ):
        place.apply()
    place.write(CATALOGUE, {"lost/Lost.avsc": json.dumps(body | {"fields": [field | {"default": ""}]})})
    [change] = place.apply().changes
    assert isinstance(change, RegisterSchema)
    assert change.evolves
    assert place.apply().changes == ()


def test_a_compatibility_level_that_was_loosened_is_tightened_again(place: Place) -> None:
    """Per subject, whatever the registry's own default is."""
    place.apply()
    loosened = SetCompatibility(f"{place.mark}.lost.v1-value", "FULL_TRANSITIVE", "NONE")
    Subjects(place.registry).set_compatibility([loosened])
    tightened = SetCompatibility(loosened.subject, "NONE", "FULL_TRANSITIVE")
    assert place.apply().changes == (tightened,)
    assert place.apply().changes == ()


def test_rights_that_the_catalogue_does_not_give_are_taken_from_our_principals_only(place: Place) -> None:
    """An extra right of ours goes; a stranger's on our topic and ours on a stranger's topic stay and are reported."""
    place.apply()
    told = f"{place.mark}.child.told.v1"
    extra = Acl(f"council-{place.mark}", "TOPIC", told, "LITERAL", "READ")
    strangers = extra._replace(principal=f"stranger-{place.mark}")
    elsewhere = extra._replace(name=f"{place.mark}.theirs")
    brake = extra._replace(principal=f"reader-{place.mark}", permission="DENY")
    place.cluster.add_acls([extra, strangers, elsewhere, brake])
    done = place.apply()
    assert done.changes == (RemoveAcl(extra),)
    assert {strangers, elsewhere, brake} <= place.cluster.acls()
    for left in (strangers, elsewhere, brake):
        assert f"access beside the catalogue: {left}; left alone" in done.notices


async def written(place: Place, principal: str, topic: str) -> bool:
    """Whether the principal could write an event, as our services do: acks=all, idempotent."""
    who = place.kafka.aiokafka(f"{principal}-{place.mark}")
    producer = AIOKafkaProducer(**who, enable_idempotence=True, acks="all")
    try:
        await producer.start()
        await producer.send_and_wait(f"{place.mark}.{topic}", b"an event", key=b"a child")
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        return False  # the second one, when it may write no topic at all
    else:
        return True
    finally:
        await producer.stop()


async def read(place: Place, principal: str, topic: str, group: str | None = None) -> bool:
    """Whether the principal could read the topic's one event, in the group of its name."""
    name = f"{principal}-{place.mark}"
    consumer = AIOKafkaConsumer(
        f"{place.mark}.{topic}", **place.kafka.aiokafka(name), group_id=group or name, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        event = await consumer.getone()
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        return False
    else:
        return bool(event.value == b"an event")
    finally:
        await consumer.stop()


async def test_a_principal_can_do_what_the_catalogue_says_and_nothing_else(place: Place) -> None:
    """Tried with the passwords that apply made: who writes, who reads, in whose group."""
    place.apply()
    assert await written(place, "council", "child.seen.v1")
    assert await read(place, "teller", "child.seen.v1")
    assert not await read(place, "council", "child.seen.v1")
    assert not await written(place, "teller", "child.seen.v1")

    assert await written(place, "teller", "child.told.v1")
    assert await read(place, "reader", "child.told.v1")
    assert await read(place, "reader", "child.told.v1", f"reader-{place.mark}.second")
    assert not await read(place, "reader", "child.told.v1", f"teller-{place.mark}")
    assert await read(place, "teller", "child.told.v1")  # its own outputs, to recover
    assert not await read(place, "council", "child.told.v1")
    assert not await written(place, "reader", "child.told.v1")

    assert await written(place, "teller", "lost.v1")
    assert await read(place, "operator", "lost.v1")
    assert not await written(place, "operator", "lost.v1")
    assert not await written(place, "council", "lost.v1")


def test_a_service_learns_the_cluster_and_its_topics_and_no_more(place: Place) -> None:
    """The cluster's id and the ids of its own topics need no right beside READ, WRITE and DESCRIBE."""
    place.apply()
    teller = Cluster(place.config(f"teller-{place.mark}"))
    assert teller.cluster_id() == place.cluster.cluster_id()
    assert {f"{place.mark}.{name}" for name in NAMES} == teller.topics([]).keys()
    council = Cluster(place.config(f"council-{place.mark}"))
    assert council.topics([]).keys() == {f"{place.mark}.child.seen.v1", f"{place.mark}.child.known.v1"}


async def test_a_renewed_password_replaces_the_old_one(place: Place) -> None:
    """`--rotate`: the new one stands in the secrets file and works, the old one no longer does."""
    place.apply()
    name = f"council-{place.mark}"
    old = place.kafka.aiokafka(name)
    assert place.apply(rotate=(name,)).changes == (RenewPassword(name),)
    assert place.kafka.aiokafka(name)["sasl_plain_password"] != old["sasl_plain_password"]
    assert await written(place, "council", "child.seen.v1")
    refused = AIOKafkaProducer(**old)
    with pytest.raises(KafkaError):
        await refused.start()
    await refused.stop()
    assert place.apply().changes == ()


def test_only_our_principals_get_new_passwords(place: Place) -> None:
    """The administrator's own is not the catalogue's to renew."""
    with pytest.raises(UserMistake, match="admin is not among the catalogue's principals"):
        place.apply(rotate=("admin",))


def test_who_is_not_the_administrator_is_told_so(place: Place) -> None:
    """A wrong password, and a principal without rights, are one sentence each."""
    config = place.config()
    with pytest.raises(NotPermitted, match=f"refused {config['sasl.username']}: wrong user or password"):
        planning.plan(place.catalogue, config | {"sasl.password": "wrong"}, place.registry, schemas=place.schemas)
    place.apply()
    config = place.config(f"council-{place.mark}")
    with pytest.raises(NotPermitted, match=f"Kafka does not let council-{place.mark} do this"):
        planning.plan(place.catalogue, config, place.registry, schemas=place.schemas)


def test_what_is_away_is_said_in_a_sentence(place: Place) -> None:
    """Broker or registry: which one, and where it was looked for."""
    nowhere = place.config() | {"bootstrap.servers": "127.0.0.1:1"}
    with pytest.raises(Surroundings, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        planning.plan(place.catalogue, nowhere, place.registry, schemas=place.schemas)
    for url, error, sentence in (
        ("http://127.0.0.1:1", Surroundings, r"no schema registry answers at http://127\.0\.0\.1:1"),
        (f"{place.registry}/nothing", UserMistake, "is no schema registry"),
        ("nonsense", UserMistake, "'nonsense' is not the address of a registry"),
    ):
        with pytest.raises(error, match=sentence):
            planning.plan(place.catalogue, place.config(), url, schemas=place.schemas)


def test_a_setting_that_kafka_does_not_know_is_a_mistake(place: Place) -> None:
    """The broker's own words, with the topic."""
    place.write(CATALOGUE.replace("    min.insync.replicas: 2", "    min.in.sync.replicas: 2"))
    with pytest.raises(UserMistake, match=r"Kafka refused creating topic .*: Unknown topic config name"):
        place.apply()
