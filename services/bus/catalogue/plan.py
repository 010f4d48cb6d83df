"""Looks at a cluster and its registry and says how they differ from the catalogue. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any, Final

from services.bus import contract
from services.bus.catalogue.changes import Plan
from services.bus.catalogue.cluster import Cluster
from services.bus.catalogue.diff import Actual, diff
from services.bus.catalogue.model import Catalogue
from services.bus.catalogue.subjects import Subjects
from services.bus.contract import Schema
from services.bus.errors import UserMistake
from services.bus.kafka import KafkaBroker
from services.bus.secrets import password_of
from services.bus.settings import Settings, settings

ADMINISTRATOR: Final = "admin"
"""Who applies the catalogue, unless SAFEBUS_PRINCIPAL says otherwise: the embedded broker's super user."""


def plan(
    catalogue: Catalogue,
    admin_config: Mapping[str, Any],
    registry_url: str,
    *,
    schemas: Mapping[str, Schema] | None = None,
    cluster_id: str | None = None,
    allow_delete: bool = False,
) -> Plan:
    """How the cluster and its registry differ from the catalogue.

    Args:
        admin_config: confluent-kafka's, of somebody who may administer the cluster; see `admin_config_of`.
        schemas: by topic; the settings' unless given.
        cluster_id: refuse any other cluster.
        allow_delete: show deletions as what would be done.

    Raises:
        UserMistake: it is another cluster.
        NotPermitted: wrong password, or not an administrator.
        Surroundings: broker or registry is away.
    """
    schemas = schemas or contract.load(settings().schemas)
    with closing(Subjects(registry_url)) as subjects:
        actual = observe(catalogue, schemas, Cluster(admin_config), subjects, cluster_id)
    return diff(catalogue, schemas, actual, allow_delete=allow_delete)


def observe(
    catalogue: Catalogue,
    schemas: Mapping[str, Schema],
    cluster: Cluster,
    subjects: Subjects,
    expected: str | None,
) -> Actual:
    """What is there. Raises as `plan`."""
    found = cluster.cluster_id()
    if expected is not None and found != expected:
        raise UserMistake(f"this is the cluster {found}, not {expected} (SAFEBUS_CLUSTER_ID); nothing was changed")
    return Actual(
        cluster_id=found,
        topics=cluster.topics(catalogue.logs.keys()),
        subjects=subjects.states(catalogue, schemas),
        acls=cluster.acls(),
        users=cluster.users(),
    )


def admin_config_of(config: Settings) -> dict[str, Any]:
    """confluent-kafka's configuration for SAFEBUS_PRINCIPAL, or the administrator.

    Raises:
        NotPermitted: there is no password for it.
    """
    principal = config.principal or ADMINISTRATOR
    password = password_of(principal, config) if config.security_protocol.startswith("SASL") else ""
    return KafkaBroker(config, principal, password).confluent()


def check_rotated(catalogue: Catalogue, rotate: Collection[str]) -> None:
    """Only the catalogue's principals get new passwords.

    Raises:
        UserMistake: one of them is not in it.
    """
    for name in rotate:
        if name not in catalogue.principals:
            raise UserMistake(f"{name} is not among the catalogue's principals, so its password is not ours to renew")
