"""A running Kafka as tests see it, whoever runs it."""

from __future__ import annotations

import json
import logging
import os
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services.bus.secrets import load_secrets
from services.bus.settings import settings
from services.embedded import ADMIN, EmbeddedKafka, secrets_for
from services.embedded.files import write_private

SECONDS = 30.0
_silent = logging.getLogger("tests.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
OF_ONE_PRINCIPAL = ("SAFEBUS_PRINCIPAL", "SAFEBUS_PASSWORD")


@dataclass(frozen=True)
class Broker:
    """SASL/SCRAM-SHA-512, denying by default. Tests share it, so they name their own topics, users and groups."""

    bootstrap_servers: str
    secrets_path: Path
    """JSON, `{principal: password}`. `secrets_for([...], kafka.secrets_path)` makes more."""
    security_protocol: str = "SASL_PLAINTEXT"
    admin_name: str = ADMIN
    replication: int = 1
    """On how many brokers a topic made here stands."""
    server: EmbeddedKafka | None = None
    """The embedded one, if it is. To stop, kill and start it, take a broker of your own, `lone_kafka`."""

    def password(self, principal: str) -> str:
        """The principal's password, made if it has none; the broker knows it after `user` or `safebus topics apply`."""
        return secrets_for([principal], self.secrets_path)[principal]

    def aiokafka(self, principal: str | None = None) -> dict[str, Any]:
        """Keyword arguments by which an aiokafka client signs in; default as the admin."""
        principal = principal or self.admin_name
        protected = {"ssl_context": ssl.create_default_context()} if self.security_protocol == "SASL_SSL" else {}
        return protected | {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": principal,
            "sasl_plain_password": self.password(principal),
        }

    def confluent(self, principal: str | None = None) -> dict[str, Any]:
        """Configuration by which a confluent-kafka client signs in; default as the admin."""
        principal = principal or self.admin_name
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": principal,
            "sasl.password": self.password(principal),
        }

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the settings by which a service's process finds this broker."""
        inherited = {name: value for name, value in os.environ.items() if name not in OF_ONE_PRINCIPAL}
        return inherited | {
            "SAFEBUS_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "SAFEBUS_SECURITY_PROTOCOL": self.security_protocol,
            "SAFEBUS_SECRETS_FILE": str(self.secrets_path),
        }

    @cached_property
    def admin(self) -> AdminClient:
        """Signed in as the admin."""
        return AdminClient(self.confluent())

    def topic(self, name: str | None = None, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> str:
        """Create a topic, by default with a name of its own, and return its name once every partition has a leader."""
        name = name or f"test.{uuid4().hex[:12]}.v1"
        asked = self.admin.create_topics([NewTopic(name, partitions, self.replication, config=dict(configs or {}))])
        asked[name].result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while not self._led(name, partitions):
            assert time.monotonic() < deadline, f"{name} has no leader"
            time.sleep(0.02)
        return name

    def _led(self, name: str, partitions: int) -> bool:
        found = self.admin.list_topics(name, timeout=SECONDS).topics[name].partitions
        return len(found) == partitions and all(partition.leader >= 0 for partition in found.values())

    def user(self, name: str | None = None) -> str:
        """Make a principal, by default with a name of its own, which may do nothing yet. Its name."""
        name = name or f"user-{uuid4().hex[:12]}"
        credential = UserScramCredentialUpsertion(
            name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), self.password(name).encode()
        )
        self.admin.alter_user_scram_credentials([credential])[name].result(SECONDS)
        self._until_it_may_sign_in(name)
        return name

    def _until_it_may_sign_in(self, name: str) -> None:
        """The broker answers before it knows the password itself: seen on a busy machine."""
        for _ in range(20):
            with suppress(KafkaException):
                AdminClient(self.confluent(name) | {"logger": _silent}).list_topics(timeout=1)
                return

    def allow(
        self, principal: str, *, read: Iterable[str] = (), write: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> None:
        """Let a principal read and write these topics, and read in these consumer groups."""
        wanted = [
            *((ResourceType.TOPIC, name, AclOperation.READ) for name in read),
            *((ResourceType.TOPIC, name, AclOperation.WRITE) for name in write),
            *((ResourceType.GROUP, name, AclOperation.READ) for name in groups),
        ]
        bindings = [
            AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{principal}", "*", may, AclPermissionType.ALLOW)
            for kind, name, may in wanted
        ]
        for answer in self.admin.create_acls(bindings).values():
            answer.result(SECONDS)


def broker_of_environment(folder: Path) -> Broker:
    """The one that SAFEBUS_BOOTSTRAP_SERVERS names. SAFEBUS_PRINCIPAL, by default `admin`, must be a super user there.

    Its password is SAFEBUS_PASSWORD, or in SAFEBUS_SECRETS_FILE; other users' are made in that file, or in `folder`.
    """
    chosen = settings()
    admin = chosen.principal or ADMIN
    secrets_path = chosen.secrets_file or folder / "secrets.json"
    if chosen.password is not None:
        write_private(
            secrets_path, json.dumps(load_secrets(secrets_path) | {admin: chosen.password.get_secret_value()})
        )
    return Broker(chosen.bootstrap_servers, secrets_path, chosen.security_protocol, admin)
