"""The Faust app: one agent over every topic that is heard, and one table of facts, in RocksDB and in its changelog.

Only here is Faust known. What it may lose or hear twice is made good around it (worker.py, positions.py).
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.performance_data.hearing import NAME
from services.performance_data.keeping import TOPICS

try:
    import faust
    import rocksdict
    from yarl import URL
except ImportError:
    raise UserMistake(
        "performance data need Faust, which is not installed; install it with pip install 'safebus[statistics]'"
    ) from None

TABLE = "facts"
CHANGELOG = f"{NAME}-{TABLE}-changelog"
"""Faust names it so; topics.yaml has it, since the broker creates no topic by itself."""

SMALL = {"write_buffer_size": 4 * 2**20, "max_write_buffer_number": 2, "block_cache_size": 8 * 2**20}
"""Of each of the partitions' databases, bytes: with what Faust has by itself six of them may take gigabytes."""

Hear = Callable[[Any], Awaitable[None]]
"""Keeps of one message what is kept, and never raises: Faust would acknowledge the event, and it would be gone."""


def folder(at: Settings) -> Path:
    """Where everything that Faust keeps on disk is."""
    return at.data_dir / "performance"


def app_for(at: Settings, password: str, partitions: int, hear: Hear) -> tuple[faust.App, Any]:
    """The app and its table; nothing is connected yet."""
    app = faust.App(
        NAME,
        broker=[URL(f"kafka://{server}") for server in at.bootstrap_servers.split(",")],
        broker_credentials=_credentials(at, password),
        broker_client_id=NAME,
        # As shipped it polls once a second under backlog: measured.
        broker_max_poll_records=5000,
        broker_session_timeout=at.session_timeout,
        broker_heartbeat_interval=at.session_timeout / 5,
        # A process that was killed is back in its place at once, and a second one puts the first one out.
        consumer_group_instance_id=NAME,
        consumer_auto_offset_reset="earliest",
        datadir=folder(at),
        store="rocksdb://",
        key_serializer="raw",
        value_serializer="raw",
        processing_guarantee="at_least_once",
        producer_acks=-1,
        producer_compression_type="lz4",
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=partitions,
        web_enabled=False,
        autodiscover=False,
    )
    table = app.Table(TABLE, key_type=bytes, value_type=bytes, partitions=partitions, options=dict(SMALL))

    async def keep(stream: Any) -> None:
        async for event in stream.events():
            await hear(event.message)

    app.agent(app.topic(*TOPICS, key_type=bytes, value_type=bytes), name="keep")(keep)
    return app, table


def _credentials(at: Settings, password: str) -> Any:
    """How it signs in, as every other process of the bus does (bus/kafka.py)."""
    encrypted = at.security_protocol.endswith("SSL")
    context = ssl.create_default_context(cafile=str(at.ssl_cafile) if at.ssl_cafile else None) if encrypted else None
    if not at.security_protocol.startswith("SASL"):
        return faust.SSLCredentials(context) if context else None
    return faust.SASLCredentials(username=NAME, password=password, mechanism="SCRAM-SHA-512", ssl_context=context)


def databases(at: Settings) -> list[Path]:
    """The partitions' databases that there are."""
    return sorted(folder(at).glob(f"v*/tables/{TABLE}-*.db"))


def open_database(path: Path) -> Any:
    """One of them, which no running app may have open."""
    options = rocksdict.Options(raw_mode=True)
    return rocksdict.Rdict(str(path), options=options)
