"""Kafka and the schema registry, where this machine runs them itself, and the catalogue in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from services.bus import contract
from services.bus.catalogue.apply import apply
from services.bus.catalogue.plan import admin_config_of
from services.bus.catalogue.validate import validate
from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka, EmbeddedRegistry
from services.embedded.cluster import BROKERS, KafkaCluster, refuse_another_number
from services.embedded.java import JavaServer

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def servers(at: Settings, say: Callable[[str], object], brokers: int = 1) -> dict[str, JavaServer]:
    """Those whose addresses in the settings are of this machine: `kafka`, or `kafka-1` to `kafka-3`, and `registry`.

    None is started.

    Raises:
        UserMistake: the data there was made with another number of brokers, or there is no such number.
    """
    found: dict[str, JavaServer] = {}
    registry = urlsplit(at.registry_url)
    kafka = [urlsplit(f"//{address}") for address in at.bootstrap_servers.split(",")]
    if kafka[0].hostname in _LOOPBACK:
        if brokers not in (1, BROKERS):
            raise UserMistake(f"safebus starts 1 broker or {BROKERS}, not {brokers}")
        refuse_another_number(at.data_dir, brokers)
        ports = [address.port or 9092 for address in kafka]
        if brokers == 1:
            found["kafka"] = EmbeddedKafka(at.data_dir / "kafka", ports[0], at.secrets_path, say=say)
        else:
            found |= KafkaCluster(at.data_dir, ports, at.secrets_path, say=say).nodes
    if registry.hostname in _LOOPBACK:
        found["registry"] = EmbeddedRegistry(at.data_dir / "registry", registry.port or 80, say=say)
    return found


def brokers_of(found: Mapping[str, JavaServer]) -> list[EmbeddedKafka]:
    """The Kafka nodes among them."""
    return [server for server in found.values() if isinstance(server, EmbeddedKafka)]


def with_its_brokers(at: Settings, found: Mapping[str, JavaServer]) -> Settings:
    """The settings with the addresses of an embedded Kafka's nodes, and on how many of them a topic can stand."""
    nodes = brokers_of(found)
    if not nodes:
        return at
    addresses = ",".join(node.bootstrap_servers for node in nodes)
    replication = min(at.replication_factor or BROKERS, len(nodes))
    return at.model_copy(update={"bootstrap_servers": addresses, "replication_factor": replication})


def apply_catalogue(at: Settings) -> None:
    """Make an embedded Kafka and the registry what the catalogue says, as its super user.

    Raises:
        CatalogueInvalid: with every finding.
        UserMistake: something in it is refused; then nothing was changed.
        Surroundings: Kafka or the registry is away.
    """
    at = at.model_copy(update={"replication_factor": at.replication_factor or 1, "principal": None, "password": None})
    apply(
        validate(at),
        admin_config_of(at),
        at.registry_url,
        schemas=contract.load(at.schemas),
        cluster_id=at.cluster_id,
        secrets_path=at.secrets_path,
    )
