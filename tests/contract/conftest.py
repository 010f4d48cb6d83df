"""A copy of the schemas that a test may break."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from services.bus.settings import ROOT

SCHEMAS = ROOT / "schemas"

Change: TypeAlias = Callable[[dict[str, Any]], None]
Edit: TypeAlias = Callable[[str, Change], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of schemas/ without its history."""
    return Path(shutil.copytree(SCHEMAS, tmp_path / "schemas", ignore=shutil.ignore_patterns("history")))


@pytest.fixture
def edit(folder: Path) -> Edit:
    """Change one file of the copy: `edit("gp/HealthUpdated.avsc", lambda record: record.pop("doc"))`."""

    def change(file: str, how: Change) -> None:
        path = folder / file
        body = json.loads(path.read_text("utf-8"))
        how(body)
        path.write_text(json.dumps(body), "utf-8")

    return change
