"""A copy of the house, in which a recipe of the README can be carried out to its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "example"
TAKEN = ("topics.yaml", "schemas", "services", "tests/__init__.py", "tests/rooms.py", "tests/encompass_alerts")
TAKEN_TESTS = ("tests/catalogue/__init__.py", "tests/catalogue/test_wiring.py")


class House:
    """What stands at `home` is a copy: whatever is done there leaves the repository alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in (*TAKEN, *TAKEN_TESTS):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, home / name)

    def take_from_example(self, *folders: str) -> None:
        for folder in folders:
            shutil.copytree(EXAMPLE / folder, self.home / folder, dirs_exist_ok=True)

    def edit(self, file: str, before: str, after: str) -> None:
        """Replace a passage that stands in the file once."""
        path = self.home / file
        text = path.read_text("utf-8")
        assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in {file}"
        path.write_text(text.replace(before, after), "utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python` with these arguments in the copy, whose code it then imports."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SAFEBUS_", "PYTEST"))}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.home,
            env=environment | {"COLUMNS": "200", "PYTHONPATH": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
