"""`make demo` and `make test` make their virtual environment; when they cannot, a newcomer is told in a sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Makes a virtual environment as Python does, but for what stands in its place.
PYTHON = """#!/bin/sh
[ "$1 $2" = "-m venv" ] || exit 0
mkdir -p "$3/bin"
printf '%s' "$INSIDE" >"$3/bin/python"
chmod +x "$3/bin/python"
[ -z "$WITHOUT_PIP" ] || exit 1
cp "$3/bin/python" "$3/bin/pip"
"""
ONLINE = """#!/bin/sh
case "$0" in *safebus) exit 0 ;; esac
[ -x "${0%python}pip" ] && cp "$0" "${0%python}safebus"
"""
OFFLINE = "#!/bin/sh\necho 'WARNING: Retrying'\necho 'ERROR: no matching distribution' >&2\nexit 1\n"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python of the machine."""
    script = tmp_path / "python3"
    script.write_text(PYTHON)
    script.chmod(0o755)
    return script


def make(python: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """`make demo` with a virtual environment of its own."""
    venv, clean = python.parent / "venv", {name: value for name, value in os.environ.items() if name[:4] != "MAKE"}
    return subprocess.run(
        ["make", "demo", f"VENV={venv}", f"PYTHON={python}"],
        cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_packages_that_cannot_be_fetched_are_told_in_a_sentence(python: Path) -> None:
    """Offline or with a full disk: what pip says of it is in a file, and the file is named."""
    done = make(python, INSIDE=OFFLINE)
    (told, _) = done.stderr.splitlines()
    log = python.parent / "venv" / "install.log"
    assert told.startswith("the packages could not be installed")
    assert told.endswith(str(log))
    assert "ERROR" in log.read_text()
    assert "Retrying" not in done.stdout


def test_an_environment_that_was_made_in_part_is_made_whole(python: Path) -> None:
    """Some systems ship Python without what makes pip; once it is there, the same command goes on."""
    assert make(python, INSIDE=ONLINE, WITHOUT_PIP="1").returncode != 0
    assert make(python, INSIDE=ONLINE).returncode == 0
