"""The broker and the registry in containers, where an engine answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from services.embedded import ADMIN, secrets_for
from services.embedded.kafka import format_arguments, new_cluster_id
from services.embedded.ports import LOOPBACK, free_port
from services.embedded.properties import server
from services.embedded.registry import API, lists_subjects
from tests.embedded.broker import SECONDS, Broker

KAFKA_IMAGE = "apache/kafka:4.4.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.3.3"
INSIDE = "/tmp/safebus"
START = (
    f"/opt/kafka/bin/kafka-storage.sh @{INSIDE}/format.arguments >/dev/null"
    f" && exec /opt/kafka/bin/kafka-server-start.sh {INSIDE}/server.properties"
)


def engine_answers() -> bool:
    """Docker, or what speaks its protocol, is there and answers."""
    try:
        return bool(DockerClient(timeout=3).client.ping())
    except Exception:  # none installed, none running, not permitted: its library has an error for each
        return False


@contextmanager
def kafka_container(folder: Path) -> Iterator[Broker]:
    """The embedded Kafka's configuration, run by the official image."""
    secrets_path = folder / "secrets.json"
    admin_password = secrets_for([ADMIN], secrets_path)[ADMIN]
    port = free_port()  # the same inside and outside, so that what the broker advertises holds on both sides
    properties = server(
        data=Path(INSIDE, "data"),
        listen=f"0.0.0.0:{port}",
        advertised=f"{LOOPBACK}:{port}",
        controllers=[f"{LOOPBACK}:{free_port()}"],
        admin_password=admin_password,
        controller_password=token_urlsafe(32),
    )
    arguments = "\n".join(format_arguments(f"{INSIDE}/server.properties", admin_password, new_cluster_id()))
    container = (
        DockerContainer(KAFKA_IMAGE)
        .with_bind_ports(port, port)
        .with_copy_into_container(properties.encode(), f"{INSIDE}/server.properties")
        .with_copy_into_container(arguments.encode(), f"{INSIDE}/format.arguments")
        .with_command(["sh", "-c", START])
    )
    with container:
        broker = Broker(f"{LOOPBACK}:{port}", secrets_path)
        broker.admin.describe_cluster(request_timeout=SECONDS).result()
        yield broker


@contextmanager
def registry_container() -> Iterator[str]:
    """Its Confluent-compatible URL."""
    with DockerContainer(REGISTRY_IMAGE).with_exposed_ports(8080) as container:
        host, port = container.get_container_host_ip(), int(container.get_exposed_port(8080))
        deadline = time.monotonic() + SECONDS
        while not lists_subjects(host, port):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{REGISTRY_IMAGE} did not answer within {SECONDS:.0f} seconds")
            time.sleep(0.1)
        yield f"http://{host}:{port}{API}"
