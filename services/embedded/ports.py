"""Ports on the loopback interface, the only one that an embedded server listens on."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import randrange

import psutil

from services.bus.errors import Surroundings, UserMistake

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(number: int) -> int:
    """The first of so many ports in a row that nobody listened on a moment ago, none of which the system gives out."""
    for _ in range(100):
        first = randrange(20_000, 32_000 - number)  # noqa: S311 - nothing to guess
        with suppress(UserMistake):
            for port in range(first, first + number):
                refuse_if_taken(port, "", "")
            return first
    raise Surroundings(f"there are no {number} free ports in a row")


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
