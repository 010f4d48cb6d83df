"""Which services there are, and how each is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from services.bus import catalogue
from services.bus.errors import UserMistake
from services.bus.settings import Settings

NOT_PASSED_ON = ("principal", "password", "http_port")
"""Each service signs in as itself, with its own password, and takes a port of its own."""


def room_of(service: str) -> str:
    """The module of a service: `mash-outcomes` is services.mash_outcomes."""
    return f"services.{service.replace('-', '_')}"


EXTRAS = {"performance-data": ("faust", "statistics")}
"""Rooms that need more than every installation has: the module that is missing then, and the extra that brings it."""


def left_out(at: Settings) -> dict[str, str]:
    """Rooms of the catalogue that cannot run here, each with a sentence that says how it could."""
    return {
        name: f"{name} is not run: it needs {EXTRAS[name][0]}; pip install 'safebus[{EXTRAS[name][1]}]' brings it"
        for name in catalogue.load(at.catalogue).processes
        if name in EXTRAS and EXTRAS[name][0] not in sys.modules and find_spec(EXTRAS[name][0]) is None
    }


def commands(at: Settings) -> dict[str, list[str]]:
    """How each of the catalogue's services, monitors and rooms is run, by name, in the catalogue's order.

    Raises:
        UserMistake: the catalogue lists a service that has no room.
    """
    found = {}
    for service in catalogue.load(at.catalogue).processes:
        if find_spec(room_of(service)) is None:
            raise UserMistake(f"{at.catalogue} lists the service {service}, but there is no module {room_of(service)}")
        # -P: the folder it runs in may hold another package of that name.
        found[service] = [sys.executable, "-P", "-m", room_of(service)]
    return found


def environment(at: Settings, extra: Mapping[str, str]) -> dict[str, str]:
    """What a service finds in its environment: ours, and the settings as they are here, whoever set them."""
    given = {name: getattr(at, name) for name in at.model_fields_set | {"data_dir"} if name not in NOT_PASSED_ON}
    said = {_variable(name): _text(value) for name, value in given.items() if value is not None}
    own = {_variable(name) for name in NOT_PASSED_ON}
    return {name: value for name, value in os.environ.items() if name not in own} | said | dict(extra)


def _variable(setting: str) -> str:
    return f"SAFEBUS_{setting.upper()}"


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    # A service runs in another folder, where a relative path would lead elsewhere.
    return str(value.absolute() if isinstance(value, Path) else value)
