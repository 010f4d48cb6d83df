"""What the command promises before it does anything: quick help, one sentence for each error, honest exit codes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.bus.errors import CatalogueInvalid, MustStop, NotPermitted, Surroundings, Unacknowledged, UserMistake
from services.cli import told
from services.cli.app import app

COMMANDS = [
    "up",
    "down",
    "status",
    "demo",
    "topics",
    "directory",
    "config",
    "publish",
    "run",
    "recover",
    "partner",
    "board",
    "backup",
    "restore",
    "restart",
    "lag",
    "dead-letters",
    "trace",
    "tail",
    "doctor",
    "replay",
    "report",
    "performance",
]
SLOW = ("aiokafka", "confluent_kafka", "fastavro", "pydantic", "sqlalchemy")


def safebus(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=os.environ | {"COLUMNS": "120"} | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_slow(argument: str) -> None:
    """Help and version come at once: nothing that takes long to import is imported for them."""
    program = (
        "import sys; from services.cli import main; sys.argv[1:] = [sys.argv[1]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('slow:', [name for name in {SLOW} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, argument], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("slow: []\n")


def test_help_lists_every_command_and_exit_code() -> None:
    """A newcomer sees in one place what there is, and what the exit codes mean."""
    said = CliRunner().invoke(app, ["--help"])
    assert said.exit_code == 0
    assert all(f"│ {command} " in said.stdout for command in COMMANDS)
    codes = [line.split()[0] for line in said.stdout.partition("Exit codes")[2].splitlines() if line.strip(" :")]
    assert codes == ["0", "1", "2", "3", "70", "75", "130"]


@pytest.mark.parametrize("command", ["up", "topics apply", "directory import", "partner test", "board key add"])
def test_help_is_had_by_its_short_name_and_fills_the_width(command: str) -> None:
    """`-h` works everywhere, and a paragraph is not broken where its source was."""
    said = CliRunner().invoke(app, [*command.split(), "-h"], env={"COLUMNS": "400"})
    assert said.exit_code == 0, said.output
    before_the_options = said.stdout.partition("╭")[0]
    lines = [line.strip() for line in before_the_options.splitlines()]
    assert not [line for line in lines if line and not line.endswith((".", "]", "...", "}"))], lines


@pytest.mark.parametrize("command", [*COMMANDS, "topics plan", "directory import"])
def test_each_command_has_help(command: str) -> None:
    """`safebus COMMAND --help` works for those too whose options are read elsewhere."""
    said = CliRunner().invoke(app, [*command.split(), "--help"])
    assert said.exit_code == 0, said.output
    assert f"safebus {command}" in said.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserMistake("say it so"), 2),
        (NotPermitted("not you"), 2),
        (CatalogueInvalid(["one", "two"]), 2),
        (MustStop("recover it"), 70),
        (Unacknowledged("unknown"), 75),
        (Surroundings("away; `safebus up` starts it"), 75),
    ],
)
def test_each_error_is_its_sentence_and_its_code(error: Exception, code: int) -> None:
    """The tree of errors gives the exit code, also where a group of tasks wraps the error."""
    assert told(error) == (str(error), code)
    assert told(ExceptionGroup("tasks", [ExceptionGroup("more", [error])])) == (str(error), code)


def test_who_is_told_that_something_is_away_is_told_how_to_look() -> None:
    """At three in the morning `no broker answers` alone says nothing to do."""
    assert told(Surroundings("no Kafka broker answers at kafka:9092")) == (
        "no Kafka broker answers at kafka:9092; `safebus doctor` looks for what is wrong",
        75,
    )


def test_a_full_disk_is_told() -> None:
    """It is of the surroundings: the same again works once there is room."""
    assert told(OSError(errno.ENOSPC, "No space left on device")) == (
        "the disk is full; free some of it, or choose another SAFEBUS_DATA_DIR",
        75,
    )


def test_an_unexpected_error_is_told_without_its_text() -> None:
    """Its text may hold what an event said, so only its name is told, and how to see the rest."""
    sentence, code = told(ValueError("a child's name"))
    assert code == 1
    assert "ValueError" in sentence
    assert "--debug" in sentence
    assert "a child's name" not in sentence


def test_a_mistake_has_no_traceback(tmp_path: Path) -> None:
    """One sentence on standard error, nothing on standard output, exit code 2; with --debug the traceback too."""
    missing = str(tmp_path / "no.json")
    done = safebus("publish", "IncidentReported", missing, "--as", "police")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{missing} cannot be read: No such file or directory\n"
    assert "Traceback" in safebus("--debug", "publish", "IncidentReported", missing, "--as", "police").stderr


def test_wrong_settings_are_told_by_their_names() -> None:
    """Every wrong setting in a line of its own, by the variable's name, without the value that was given."""
    done = safebus("config", SAFEBUS_BATCH_SIZE="none", SAFEBUS_LOG_LEVEL="loud", SAFEBUS_POLL_MS="0")
    assert done.returncode == 2
    assert sorted(line.partition(":")[0] for line in done.stderr.splitlines()) == [
        "SAFEBUS_BATCH_SIZE",
        "SAFEBUS_LOG_LEVEL",
        "SAFEBUS_POLL_MS",
    ]
    assert "loud" not in done.stderr


@pytest.mark.parametrize("command", ["up", "up --detach", "down", "status", "recover deadlines"])
def test_a_data_directory_that_is_none(tmp_path: Path, command: str) -> None:
    """A file in its place is the person's mistake, told with its name."""
    file = tmp_path / "file"
    file.touch()
    done = safebus(*command.split(), SAFEBUS_DATA_DIR=str(file))
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert "cannot be used: Not a directory" in done.stderr


@pytest.mark.parametrize("command", ["run", "recover"])
def test_a_service_that_there_is_not(command: str) -> None:
    """The sentence lists those that there are."""
    done = safebus(command, "mash")
    assert done.returncode == 2
    assert "there is no service mash; there are police-notifications, " in done.stderr
    assert "Traceback" not in done.stderr
