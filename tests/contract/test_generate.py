"""services/bus/events.py is what the schemas say, and `make events` makes it so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.bus.contract.__main__ import EVENTS, main
from services.bus.contract.generate import models
from tests.contract.conftest import SCHEMAS, Edit


def test_the_generated_file_is_current() -> None:
    """Whoever changes a schema runs `make events` and commits what it writes."""
    assert models(SCHEMAS) == EVENTS.read_text("utf-8"), (
        "services/bus/events.py differs from schemas/: run `make events`"
    )


def test_check_says_so_in_one_sentence(
    folder: Path, edit: Edit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a change `--check` exits 1 with one line and writes nothing; `make events` puts it right."""
    events = tmp_path / "events.py"
    assert main([], folder=folder, events=events) == 0
    assert main(["--check"], folder=folder, events=events) == 0
    before = events.read_text("utf-8")
    edit("gp/HealthUpdated.avsc", lambda body: body.update(doc="Something else is said here."))
    assert main(["--check"], folder=folder, events=events) == 1
    assert capsys.readouterr().err == "events.py differs from schemas/: run `make events` and commit it\n"
    assert events.read_text("utf-8") == before
    assert main([], folder=folder, events=events) == 0
    assert "Something else is said here." in events.read_text("utf-8")


def test_a_schema_that_breaks_a_rule_generates_nothing(
    folder: Path, edit: Edit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a sentence, no traceback and no file."""
    edit("common/Role.avsc", lambda body: body.pop("default"))
    assert main([], folder=folder, events=tmp_path / "events.py") == 2
    assert "common/Role.avsc: Role must begin with UNKNOWN" in capsys.readouterr().err
    assert not (tmp_path / "events.py").exists()


def test_a_service_needs_no_generator() -> None:
    """What a service imports of the contract brings in no tool of the developers: those are not installed with it."""
    tools = "{'datamodel_code_generator', 'avro', 'ruff'}"
    code = f"import sys, services.bus.contract as c; c.load(); sys.exit(bool({tools} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
