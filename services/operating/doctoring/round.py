"""The doctor's round: every check once, what depends on another only if that one is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from services.bus.settings import Settings
from services.operating.doctoring import machine, servers
from services.operating.doctoring.finding import Finding, State, note
from services.supervisor.status import running


def examine(at: Settings, doing: Callable[[str], object] = lambda _: None) -> Iterator[Finding]:
    """Each finding as it is made; `doing` is told what is looked at next. Changes nothing anywhere."""
    up = running(at)
    doing("looking at this machine")
    yield machine.python()
    yield machine.java(at)
    yield machine.downloads(at)
    yield machine.memory(at, up)
    yield from machine.disks(at)
    yield machine.open_files()
    yield from machine.data_dir(at)
    yield from machine.ports(at, up)
    yield from servers.certificates(at)
    yield from servers.tracing(at)
    yield servers.running(up)
    found, catalogue = servers.contract(at)
    yield found
    doing("asking Kafka")
    kafka = servers.broker(at, up)
    yield kafka
    doing("asking the schema registry")
    registry = servers.registry(at, up)
    yield registry
    if catalogue is None:
        return
    doing("comparing topics and schemas with the catalogue")
    if kafka.state is registry.state is State.OK:
        yield servers.drift(at, catalogue)
    else:
        yield note("topics and schemas", "not looked at: Kafka and the registry must answer first")
    doing("opening the databases")
    yield from servers.databases(at, catalogue)
    if kafka.state is State.OK:
        yield servers.clock(at, catalogue)
