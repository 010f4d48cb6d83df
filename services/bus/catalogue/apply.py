"""Makes a cluster and its registry what the catalogue says. Applying twice changes nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from services.bus import contract
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
from services.bus.catalogue.cluster import Cluster
from services.bus.catalogue.diff import diff
from services.bus.catalogue.model import Catalogue
from services.bus.catalogue.plan import check_rotated, observe
from services.bus.catalogue.subjects import Subjects
from services.bus.contract import Schema
from services.bus.errors import Surroundings, UserMistake
from services.bus.secrets import renew_secret, secrets_for
from services.bus.settings import settings

_VISIBLE_WITHIN: Final = 30.0
_PAUSE: Final = 0.1
_C = TypeVar("_C", bound=Change)


def apply(
    catalogue: Catalogue,
    admin_config: Mapping[str, Any],
    registry_url: str,
    *,
    schemas: Mapping[str, Schema] | None = None,
    cluster_id: str | None = None,
    allow_delete: bool = False,
    rotate: Collection[str] = (),
    secrets_path: Path | None = None,
) -> Plan:
    """Carry out the plan and return it once the cluster shows the result. A plan with a refusal is not begun.

    Args:
        admin_config: confluent-kafka's, of somebody who may administer the cluster.
        schemas: by topic; the settings' unless given.
        cluster_id: refuse any other cluster.
        allow_delete: delete the topics that the catalogue lists under `deleted`.
        rotate: principals that get a new password.
        secrets_path: where passwords stand and new ones are put; the settings' unless given.

    Raises:
        UserMistake: it is another cluster, or the plan holds something that is refused; then nothing was changed.
        NotPermitted: wrong password, or not an administrator.
        Surroundings: broker or registry is away; applying again goes on where this one stopped.
    """
    check_rotated(catalogue, rotate)
    schemas = schemas or contract.load(settings().schemas)
    cluster = Cluster(admin_config)
    with closing(Subjects(registry_url)) as subjects:
        actual = observe(catalogue, schemas, cluster, subjects, cluster_id)
        wanted = diff(catalogue, schemas, actual, allow_delete=allow_delete, rotate=rotate)
        if wanted.refused:
            raise UserMistake("\n".join((*wanted.refused, "nothing was changed")))
        _carry_out(wanted, cluster, subjects, secrets_path)
        until = time.monotonic() + _VISIBLE_WITHIN
        while wanted.changes:
            actual = observe(catalogue, schemas, cluster, subjects, cluster_id)
            left = diff(catalogue, schemas, actual, allow_delete=allow_delete).changes
            if not left:
                break
            if time.monotonic() > until:
                raise Surroundings(f"the cluster took the changes but does not show them all yet: {left[0]}")
            time.sleep(_PAUSE)
    return wanted


def _carry_out(plan: Plan, cluster: Cluster, subjects: Subjects, secrets_path: Path | None) -> None:
    """In the plan's order: first rights that go, last rights that come and topics that go."""
    if revoked := _those(RemoveAcl, plan):
        cluster.remove_acls(change.acl for change in revoked)
    if created := _those(CreateTopic, plan):
        cluster.create_topics(created)
    if drifted := _those(SetConfig, plan):
        cluster.set_configs(drifted)
    subjects.set_compatibility(_those(SetCompatibility, plan))
    subjects.register(_those(RegisterSchema, plan))
    # Each password is stored before it is set: one that nobody kept could only be renewed.
    passwords = secrets_for([user.principal for user in _those(AddUser, plan)], secrets_path)
    for renewal in _those(RenewPassword, plan):
        passwords[renewal.principal] = renew_secret(renewal.principal, secrets_path)
    if passwords:
        cluster.set_passwords(passwords)
    if given := _those(AddAcl, plan):
        cluster.add_acls(change.acl for change in given)
    if deleted := _those(DeleteTopic, plan):
        cluster.delete_topics([change.topic for change in deleted])


def _those(kind: type[_C], plan: Plan) -> list[_C]:
    return [change for change in plan.changes if type(change) is kind]
