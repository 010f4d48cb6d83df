"""`safebus backup FOLDER` and `safebus restore FOLDER`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import typer

from services.bus.settings import settings
from services.cli.screen import Screen
from services.operating.backup import Manifest, back_up, elsewhere, put_back


def backup(folder: Path, as_json: bool) -> None:
    """Make it, and say what is in it and what stands elsewhere.

    Raises:
        UserMistake: `folder` is there already or lies in the data directory, or there is nothing to back up.
        Surroundings: something could not be read or written; then no backup is left.
    """
    at = settings()
    with Screen() as screen:
        made = back_up(at, folder, _once(screen.doing))
    _tell(made, folder, as_json)
    if as_json:
        return
    typer.echo(
        f"{folder} holds {len(made.files)} files of {at.data_dir}. It is as confidential as they are: encrypt it."
    )
    if made.running:
        typer.echo("safebus was up, so Kafka and the registry are not in it; `safebus down` first, and they are.")
    for sentence in elsewhere(at):
        typer.echo(f"Not in it: {sentence}.")


def restore(folder: Path, as_json: bool) -> None:
    """Put it back, and say what comes next.

    Raises:
        UserMistake: `folder` is no whole backup, or the data directory is in use or not empty; nothing was written.
    """
    at = settings()
    with Screen() as screen:
        made = put_back(at, folder, _once(screen.doing))
    _tell(made, folder, as_json)
    if as_json:
        return
    typer.echo(f"{at.data_dir} is as it was at {made.made_at:%Y-%m-%d %H:%M} UTC; `safebus up` starts it.")
    if made.running:
        typer.echo(
            "What Kafka took in since is not in these databases. A service that finds so stops and says it in "
            "`safebus status`; `safebus recover SERVICE` reads it again and tells nobody anything twice."
        )


def _tell(made: Manifest, folder: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "files": len(made.files), "made_at": made.made_at.isoformat()}))


def _once(say: Callable[[str], object]) -> Callable[[str], None]:
    """Of the files of one folder, say it of the first."""
    said = set[str]()

    def of(sentence: str) -> None:
        folder = sentence.partition("/")[0]
        if folder not in said:
            said.add(folder)
            say(folder)

    return of
