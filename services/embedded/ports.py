"""Ports on the loopback interface, the only one that an embedded server listens on."""

from __future__ import annotations

import socket
from contextlib import suppress

import psutil

from services.bus.errors import UserMistake

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_if_taken(port: int, server: str, setting: str) -> None:
    """Make sure that `server` can listen on `port`.

    Args:
        setting: the environment variable, with an example, by which a person chooses another port.

    Raises:
        UserMistake: somebody else listens there.
    """
    with socket.socket() as probe:
        # Connections that have just ended would otherwise count as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise UserMistake(
                f"port {port}, where {server} would listen, cannot be had ({_owner(port) or error.strerror}); "
                f"end what uses it, or choose another port with {setting}"
            ) from error


def _owner(port: int) -> str | None:
    # Only root sees other people's sockets; then the sentence does without.
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"process {connection.pid}, {psutil.Process(connection.pid).name()}, has it"
    return None
