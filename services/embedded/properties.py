"""What an embedded Kafka is told: as strict as a production cluster, as small as one machine allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"

STRICT = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin",
    "allow.everyone.if.no.acl.found": "false",
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    # An acknowledged event is on this one disk, DESIGN.md §1 rule 5; so kill -9 of the broker loses none.
    "log.flush.interval.messages": "1",
    "log.message.timestamp.type": "LogAppendTime",
}
SMALL = {
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After a kill the controller takes the former broker for alive for so long (stock 9 s): a new one waits, and what
    # the former one led has no leader.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # A test that pauses a worker past its session need not wait six seconds for it.
    "group.min.session.timeout.ms": "1000",
    # A machine that was off for a fortnight still knows how far its services had read.
    "offsets.retention.minutes": "525600",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    # Stock 128 MiB are held from the start; 8 MiB compact some 300,000 keys at a time.
    "log.cleaner.dedupe.buffer.size": "8388608",
}


def server(
    *,
    data: Path,
    listen: str,
    advertised: str,
    controllers: Sequence[str],
    admin_password: str,
    controller_password: str,
    node: int = 1,
) -> str:
    """server.properties of one node, which is broker and controller.

    Clients come by SCRAM-SHA-512. The controller's listener cannot check SCRAM before the metadata that holds the
    credentials is there, so it takes PLAIN, with a password of its own that nobody else is told.

    Args:
        listen: host:port on which clients are served.
        advertised: host:port by which clients find it again.
        controllers: host:port of each node's controller, the first node's first; as many nodes there are.
        node: which of them this is, counted from 1.
    """
    voters = ",".join(f"{number}@{address}" for number, address in enumerate(controllers, 1))
    return render(
        STRICT
        | SMALL
        | copies(len(controllers))
        | {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "log.dirs": str(data),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENT",
            "listeners": f"CLIENT://{listen},CONTROLLER://{controllers[node - 1]}",
            "advertised.listeners": f"CLIENT://{advertised}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.client.scram-sha-512.sasl.jaas.config": _login(
                SCRAM, username="admin", password=admin_password
            ),
            "listener.name.controller.plain.sasl.jaas.config": _login(
                PLAIN, username="admin", password=controller_password, user_admin=controller_password
            ),
        }
    )


def copies(brokers: int) -> dict[str, str]:
    """On how many brokers everything stands, and on how many before it is acknowledged (DESIGN.md §1 rule 5)."""
    everywhere, acknowledged = str(brokers), str(brokers // 2 + 1)
    return {
        "default.replication.factor": everywhere,
        "min.insync.replicas": acknowledged,
        "offsets.topic.replication.factor": everywhere,
        "transaction.state.log.replication.factor": everywhere,
        "transaction.state.log.min.isr": acknowledged,
        "share.coordinator.state.topic.replication.factor": everywhere,
        "share.coordinator.state.topic.min.isr": acknowledged,
    }


def log4j2() -> str:
    """Warnings, and what the authorizer refuses, to standard output. No record's content is ever logged."""
    return render(
        {
            "status": "warn",
            "appender.out.type": "Console",
            "appender.out.name": "out",
            "appender.out.layout.type": "PatternLayout",
            "appender.out.layout.pattern": "%d{ISO8601} %p %c{1} %m%n",
            "rootLogger.level": "warn",
            "rootLogger.appenderRef.out.ref": "out",
            "logger.authorizer.name": "kafka.authorizer.logger",
            "logger.authorizer.level": "info",
        }
    )


def render(properties: Mapping[str, str]) -> str:
    """Java's properties format: a backslash escapes, anything beyond ASCII is written as UTF-16 code units."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def _escaped(value: str) -> str:
    units = value.replace("\\", "\\\\").replace("\n", "\\n").encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)


def _login(module: str, **options: str) -> str:
    """A JAAS entry: each value in quotes, in which a backslash escapes."""
    quoted = (
        f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in options.items()
    )
    return f"{module} required {' '.join(quoted)};"
