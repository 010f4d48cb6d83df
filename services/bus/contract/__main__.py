"""Write services/bus/events.py from schemas/, check both, or freeze what the schemas promise."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from services.bus.contract.generate import models
from services.bus.contract.history import broken_promises, freeze
from services.bus.contract.rules import findings
from services.bus.errors import UserMistake
from services.bus.settings import HERE, settings

EVENTS = HERE / "bus" / "events.py"


def main(arguments: Sequence[str] | None = None, *, folder: Path | None = None, events: Path = EVENTS) -> int:
    """Exit code 0; 1 when events.py is not current; 2 when the schemas break a rule or a promise."""
    parser = argparse.ArgumentParser(prog="python -m services.bus.contract", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when events.py is not current")
    parser.add_argument("--freeze", action="store_true", help="write what changed to schemas/history/ as a new version")
    parser.add_argument(
        "--in-place", action="store_true", help="with --freeze, before 1.0: begin a broken history anew"
    )
    options = parser.parse_args(arguments)
    if options.in_place and not options.freeze:
        parser.error("--in-place goes with --freeze")
    try:
        return _run(options, folder or settings().schemas, events)
    except UserMistake as mistake:
        _tell(str(mistake))
        return mistake.exit_code


def _run(options: argparse.Namespace, folder: Path, events: Path) -> int:
    if found := findings(folder):
        raise UserMistake("\n".join(found))
    if options.freeze:
        if options.in_place and not version("safebus").startswith("0."):
            raise UserMistake("since safebus 1.0 a frozen schema cannot change in place: make a new topic, .v2")
        for file in freeze(folder, in_place=options.in_place):
            _tell(f"froze {file}")
        return 0
    text = models(folder)
    current = events.read_text("utf-8") if events.exists() else ""
    if not options.check:
        if text != current:
            events.write_text(text, "utf-8")
        return 0
    if text != current:
        _tell(f"{events.name} differs from schemas/: run `make events` and commit it")
        return 1
    if broken := broken_promises(folder):
        raise UserMistake(
            "\n".join([*broken, "before 1.0 `--freeze --in-place` begins the history of these topics anew"])
        )
    return 0


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
