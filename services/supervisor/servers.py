"""Kafka and the schema registry, where this machine runs them itself, and the catalogue in them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from services.bus import contract
from services.bus.catalogue.apply import apply
from services.bus.catalogue.plan import admin_config_of
from services.bus.catalogue.validate import validate
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka, EmbeddedRegistry
from services.embedded.java import JavaServer

ALONE = {"SAFEBUS_REPLICATION_FACTOR": "1"}
"""What a service is told of an embedded Kafka: it is one broker."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def servers(at: Settings, say: Callable[[str], object]) -> dict[str, JavaServer]:
    """Those of the two whose addresses in the settings are of this machine: `kafka`, `registry`. Not started."""
    found: dict[str, JavaServer] = {}
    kafka, registry = urlsplit(f"//{at.bootstrap_servers.split(',')[0]}"), urlsplit(at.registry_url)
    if kafka.hostname in _LOOPBACK:
        found["kafka"] = EmbeddedKafka(at.data_dir / "kafka", kafka.port or 9092, at.secrets_path, say=say)
    if registry.hostname in _LOOPBACK:
        found["registry"] = EmbeddedRegistry(at.data_dir / "registry", registry.port or 80, say=say)
    return found


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
