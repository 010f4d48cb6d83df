"""`safebus config`: every setting, its value, where that comes from and what it means."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from services.bus.settings import Settings, settings

HIDDEN = "********"
_IN_URL = re.compile(r"(?<=://)([^/@:]*):[^/@]*(?=@)")


def show(as_json: bool) -> None:
    """Print them."""
    rows = list(map(_row, Settings.model_fields.items()))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console(highlight=False)
    for row in rows:
        value = "unset" if row["value"] is None else str(row["value"])
        said = Text.assemble((row["name"], "cyan"), " = ", (value, "bold" if row["source"] == "environment" else ""))
        console.print(said, Text(f"  ({row['source']})", "dim"), sep="", soft_wrap=True)  # a value is never broken
        console.print(Padding(row["description"], (0, 0, 0, 4), expand=False))


def _row(item: tuple[str, FieldInfo]) -> dict[str, Any]:
    name, field = item
    at, variable = settings(), f"SAFEBUS_{name.upper()}"
    given = any(known.upper() == variable for known in os.environ)
    return {
        "name": variable,
        "value": _shown(getattr(at, name)),
        "source": "environment" if given else "default",
        "description": field.description or _choices(field.annotation),
    }


def _shown(value: object) -> object:
    """A value as a program or a person may see it: without passwords, those within a URL included."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Path | str):
        return _IN_URL.sub(rf"\1:{HIDDEN}", str(value))
    return value


def _choices(kind: Any) -> str:
    return "one of " + ", ".join(get_args(kind)) if get_origin(kind) is Literal else ""
