"""The cluster's administration: what is there, and one method for each change. confluent-kafka, since aiokafka's
admin client has no access lists and resets the settings that it was not told."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services.bus.catalogue.acls import Acl
from services.bus.catalogue.changes import CreateTopic, SetConfig
from services.bus.catalogue.diff import TopicState
from services.bus.errors import NotPermitted, SafebusError, Surroundings, UserMistake

ITERATIONS: Final = 4096
"""Kafka's least. Our passwords are 256 random bits, so more would only slow each connection."""

_TIMEOUT: Final = 30.0
_ANY_ACL: Final = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
_T = TypeVar("_T")


class Cluster:
    """One administrator's connection. `config` is a confluent-kafka configuration, credentials included."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._errors: set[str] = set()
        errors = self._errors  # the callback must not hold this object, or the client would never be let go
        self._who = str(config.get("sasl.username", "an anonymous client"))
        self._where = str(config["bootstrap.servers"])
        self._client = AdminClient({**config, "error_cb": lambda error: errors.add(error.name())})

    def cluster_id(self) -> str:
        """The cluster's id; asked first, since here a wrong password or an absent broker shows at once.

        Raises:
            NotPermitted: wrong user or password.
            Surroundings: no broker answers.
        """
        asked = self._client.describe_cluster(request_timeout=_TIMEOUT)
        until = time.monotonic() + _TIMEOUT
        while not asked.done() and time.monotonic() < until:
            self._client.poll(0.1)  # serves the error callback: the request itself would try again until its timeout
            if "_AUTHENTICATION" in self._errors:
                raise NotPermitted(f"Kafka at {self._where} refused {self._who}: wrong user or password")
            if "_ALL_BROKERS_DOWN" in self._errors:
                raise Surroundings(f"no Kafka broker answers at {self._where}")
        return str(self._done(asked, "describing the cluster").cluster_id)

    def topics(self, configured: Collection[str]) -> dict[str, TopicState]:
        """Every topic that is not Kafka's own; with its settings if it is one of `configured`."""
        try:
            listed = self._client.list_topics(timeout=_TIMEOUT).topics
        except KafkaException as error:
            raise self._explained(error, "listing topics") from error
        names = [name for name in listed if not name.startswith("__")]
        configs = self._configs([name for name in names if name in configured])
        return {
            name: TopicState(
                partitions=len(listed[name].partitions),
                replication=min((len(part.replicas) for part in listed[name].partitions.values()), default=0),
                config=configs.get(name, {}),
            )
            for name in names
        }

    def _configs(self, names: Iterable[str]) -> dict[str, dict[str, str | None]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        asked = self._client.describe_configs(resources, request_timeout=_TIMEOUT)
        return {
            resource.name: {key: entry.value for key, entry in self._done(future, "reading settings").items()}
            for resource, future in asked.items()
        }

    def acls(self) -> frozenset[Acl]:
        """Every line of the access list."""
        bindings = self._done(self._client.describe_acls(_ANY_ACL, request_timeout=_TIMEOUT), "reading access lists")
        return frozenset(
            Acl(
                principal=binding.principal.removeprefix("User:"),
                resource=binding.restype.name,
                name=binding.name,
                pattern=binding.resource_pattern_type.name,
                operation=binding.operation.name,
                permission=binding.permission_type.name,
                host=binding.host,
            )
            for binding in bindings
        )

    def users(self) -> frozenset[str]:
        """Everyone with a SCRAM-SHA-512 password."""
        described = self._done(
            self._client.describe_user_scram_credentials(request_timeout=_TIMEOUT), "listing SCRAM users"
        )
        return frozenset(
            name
            for name, user in described.items()
            if any(info.mechanism == ScramMechanism.SCRAM_SHA_512 for info in user.scram_credential_infos)
        )

    def create_topics(self, wanted: Collection[CreateTopic]) -> None:
        new = [
            NewTopic(
                one.topic,
                num_partitions=one.partitions,
                replication_factor=one.replication,
                config=dict(one.config),
            )
            for one in wanted
        ]
        for name, future in self._client.create_topics(new, request_timeout=_TIMEOUT).items():
            self._done(future, f"creating topic {name}")

    def delete_topics(self, names: Collection[str]) -> None:
        for name, future in self._client.delete_topics(list(names), request_timeout=_TIMEOUT).items():
            self._done(future, f"deleting topic {name}")

    def set_configs(self, wanted: Iterable[SetConfig]) -> None:
        """Set these keys and leave every other as it is."""
        entries: dict[str, list[ConfigEntry]] = {}
        for one in wanted:
            entry = ConfigEntry(one.key, one.after, incremental_operation=AlterConfigOpType.SET)
            entries.setdefault(one.topic, []).append(entry)
        resources = [
            ConfigResource(ResourceType.TOPIC, name, incremental_configs=settings) for name, settings in entries.items()
        ]
        asked = self._client.incremental_alter_configs(resources, request_timeout=_TIMEOUT)
        for resource, future in asked.items():
            self._done(future, f"setting topic {resource.name}")

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Make these users, or give them these passwords."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        wanted = [UserScramCredentialUpsertion(name, info, word.encode()) for name, word in passwords.items()]
        for name, future in self._client.alter_user_scram_credentials(wanted, request_timeout=_TIMEOUT).items():
            self._done(future, f"setting the password of {name}")

    def add_acls(self, acls: Iterable[Acl]) -> None:
        bindings = [
            AclBinding(
                ResourceType[acl.resource],
                acl.name,
                ResourcePatternType[acl.pattern],
                f"User:{acl.principal}",
                acl.host,
                AclOperation[acl.operation],
                AclPermissionType[acl.permission],
            )
            for acl in acls
        ]
        for binding, future in self._client.create_acls(bindings, request_timeout=_TIMEOUT).items():
            self._done(future, f"giving {binding.principal} access to {binding.name}")

    def remove_acls(self, acls: Iterable[Acl]) -> None:
        filters = [
            AclBindingFilter(
                ResourceType[acl.resource],
                acl.name,
                ResourcePatternType[acl.pattern],
                f"User:{acl.principal}",
                acl.host,
                AclOperation[acl.operation],
                AclPermissionType[acl.permission],
            )
            for acl in acls
        ]
        for binding, future in self._client.delete_acls(filters, request_timeout=_TIMEOUT).items():
            self._done(future, f"taking access to {binding.name} from {binding.principal}")

    def _done(self, future: Future[_T], doing: str) -> _T:
        try:
            return future.result(_TIMEOUT + 5)
        except TimeoutError:
            raise Surroundings(f"Kafka at {self._where} did not answer when {doing}") from None
        except KafkaException as error:
            raise self._explained(error, doing) from error

    def _explained(self, error: KafkaException, doing: str) -> SafebusError:
        """The broker's error as one of our own tree."""
        said = error.args[0]
        if said.name().endswith(("AUTHORIZATION_FAILED", "AUTHENTICATION", "AUTHENTICATION_FAILED")):
            return NotPermitted(f"Kafka does not let {self._who} do this: {doing} ({said.name()})")
        if said.name().startswith("_") or said.retriable():
            return Surroundings(f"Kafka at {self._where} did not answer when {doing} ({said.name()})")
        return UserMistake(f"Kafka refused {doing}: {said.str()}")
