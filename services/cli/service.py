"""`safebus run SERVICE`: one service, in this process."""

from __future__ import annotations

import runpy
from importlib import import_module
from importlib.util import find_spec

from services.bus.errors import UserMistake
from services.bus.probes import probed
from services.bus.service import Service
from services.bus.settings import settings
from services.supervisor.rooms import commands, room_of


def run(name: str) -> None:
    """Run it until a signal. Ends the process.

    Raises:
        UserMistake: there is no such service.
    """
    room = room_of(_known(name))
    runpy.run_module(room, run_name="__main__")  # a room may serve people beside its loop, or have none


def service_of(name: str) -> Service:
    """The service of that name as it runs, so with its answer to probes; the module's name will do.

    Raises:
        UserMistake: there is none.
    """
    room = room_of(_known(name))
    if find_spec(f"{room}.wiring") is None:
        raise UserMistake(f"{name} keeps nothing that the log could be decided into: it has no such database")
    found: Service = import_module(f"{room}.wiring").SERVICE
    return probed(found)


def _known(name: str) -> str:
    known = commands(settings())
    name = name.replace("_", "-")
    if name not in known:
        raise UserMistake(f"there is no service {name}; there are {', '.join(known)}")
    return name
