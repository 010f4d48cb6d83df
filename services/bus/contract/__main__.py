"""`python -m services.bus.contract` writes services/bus/events.py; `--check` says whether it is current."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from services.bus.contract.generate import models
from services.bus.errors import CatalogueInvalid
from services.bus.settings import HERE, settings

EVENTS = HERE / "bus" / "events.py"


def main(arguments: Sequence[str] | None = None, *, events: Path = EVENTS) -> int:
    """Exit code 0; 1 when a check finds a difference; 2 when the schemas are wrong."""
    parser = argparse.ArgumentParser(prog="python -m services.bus.contract", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when events.py is not current")
    options = parser.parse_args(arguments)
    try:
        text = models(settings().schemas)
    except CatalogueInvalid as mistake:
        print(mistake, file=sys.stderr)  # noqa: T201
        return mistake.exit_code
    current = events.read_text("utf-8") if events.exists() else ""
    if options.check and text != current:
        print("services/bus/events.py differs from schemas/: run `make events` and commit it", file=sys.stderr)  # noqa: T201
        return 1
    if text != current:
        events.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
