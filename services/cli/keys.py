"""A new key as commands show it: once, or saved for the owner only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Save = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write the key there, for the owner only, and do not show it.", show_default=False
    ),
]
Days = Annotated[float, typer.Option(min=0.01, max=3660, help="The key expires after so many days.")]


def kept(key: str, save: Path | None) -> str:
    """Within the transaction: a key that could not be saved was never made.

    Raises:
        UserMistake: the file cannot be written.
    """
    if save is not None:
        from services.cli.writing import written

        written(save, f"{key}\n", "; no key was made")
    return key


def tell_key(told: dict[str, Any], lines: list[str], key: str, save: Path | None, as_json: bool) -> None:
    """What was done, and the key or where it is."""
    if save is not None:
        tell(told | {"key_file": str(save)}, [*lines, f"its key is in {save}, which only you can read"], as_json)
    else:
        tell(told | {"key": key}, [*lines, "its key, shown now and never again:", key], as_json)


def tell(told: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """What was done."""
    typer.echo(json.dumps(told, indent=2) if as_json else "\n".join(lines))
