"""The README is true: its commands are there, its paths exist, its figures and outputs are what the code gives."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.bus import catalogue, errors
from services.bus.settings import Settings
from services.cli.app import app
from services.cli.demo.story import steps
from services.cli.demo.timeline import BOARD, WORDS
from services.registers import calendars
from services.supervisor.rooms import commands
from tests.docs.copy import ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
BEGINNING = (ROOT / "docs" / "beginning.md").read_text("utf-8")
SPANS = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README)
TYPED = [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
GUIDED = re.findall(r"(?:^\$ |`)(safebus [a-z][^`\n]*)", BEGINNING, re.MULTILINE)
COMMANDS = [said for said in (*SPANS, *TYPED, *GUIDED) if re.match(r"safebus [a-z]", said)]
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "schemas/README.md", "docker/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))


def _words(command: str) -> list[str]:
    """The subcommand's words, without arguments and options: `topics plan` of `safebus topics plan --json`."""
    words = shlex.split(command)[1:]
    return words[: 2 if words[0] in ("topics", "directory", "partner", "board", "dead-letters", "performance") else 1]


@pytest.mark.parametrize("words", sorted({tuple(_words(command)) for command in COMMANDS}), ids=" ".join)
def test_a_command_that_the_readme_names_is_there(words: tuple[str, ...]) -> None:
    """Its help comes, with exit code 0, and knows every option that the README gives it."""
    answered = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert answered.exit_code == 0, answered.output
    rows = "\n".join(line for line in (README + BEGINNING).splitlines() if f"safebus {' '.join(words)}" in line)
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", rows)):
        assert option in answered.output, option


def test_every_command_stands_in_the_table() -> None:
    """A command that is added is missing here until the README tells of it."""
    groups = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    table = {_words(command)[0] for command in re.findall(r"^\| `(safebus [^`]+)`", README, re.MULTILINE)}
    assert table == groups


def test_exit_codes_are_those_of_the_code() -> None:
    """The table has every code that the code gives."""
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    told = {getattr(errors, name) for name in dir(errors) if name.startswith("EXIT_")}
    assert told | {0, errors.SafebusError.exit_code} <= table


def test_every_make_target_is_there() -> None:
    """And none of the Makefile's is left out."""
    makefile = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert makefile
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=`|$| ARGS|,)", README, re.MULTILINE)) == set(makefile[1].split())


def test_every_path_exists() -> None:
    """What stands in code font and looks like a path is one, here or after the recipe that makes it."""
    made_by_recipe = {"schemas/worker/WorkerAlerted.avsc"}
    folders = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir())
    paths = {word for span in SPANS for word in span.split() if word.startswith(folders)}
    assert len(paths) > 20
    assert sorted(path for path in paths - made_by_recipe if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """Of every page of documentation, as far as it leads within the repository."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_setting_and_module_is_one() -> None:
    """No SAFEBUS_ name and no `python -m` module is misspelt."""
    assert set(re.findall(r"SAFEBUS_[A-Z_]+", README + BEGINNING)) <= {
        f"SAFEBUS_{name.upper()}" for name in Settings.model_fields
    }
    modules = re.findall(r"python -m (services[\w.]+)", README)
    assert modules
    assert all(find_spec(module) for module in modules)


def test_the_services_are_the_catalogues() -> None:
    """The map has a room for each, the picture shows each, and every topic that the picture names exists."""
    ours = catalogue.load(ROOT / "topics.yaml")
    picture = next(block for block in BLOCKS if "──►" in block)
    for service in ours.services:
        room = service.replace("-", "_")
        assert f"`services/{room}/`" in README
        assert room in picture
    topics = set(re.findall(r"\b(?:police|encompass|mash|gp|strategy|deadlines|handover)\.[a-z-]+\b", picture))
    assert {f"{topic}.v1" for topic in topics} <= ours.topics.keys()


def test_the_demos_output_is_such_as_it_prints() -> None:
    """Its headings are the story's and its sentences the timeline's."""
    output = next(block for block in BLOCKS if "Everyone who had to learn did" in block)
    lines = [line for line in output.splitlines() if line]
    headings = {line for line in lines if not line.startswith("  ")} - {lines[-1]}
    assert headings <= {step.title for step in steps("run")}
    for line in lines:
        if line.startswith("  "):
            assert any(words.split(":")[0] in line for words in (*WORDS.values(), *BOARD.values())), line


def test_the_worked_example_is_the_one_that_is_shown() -> None:
    """The wiring and the principals that the README quotes stand in the example and in its test."""
    wiring = " ".join((ROOT / "docs/example/services/worker_alerts/wiring.py").read_text("utf-8").split())
    quoted = re.search(r"`SERVICE = Service\((.+)\)`", README)
    assert quoted
    assert quoted[1].rstrip(",") in wiring.replace("( ", "(").replace(", )", ")")
    assert "`housing: {kind: agency, description: The housing associations' systems.}`" in README


def test_the_catalogue_is_valid_as_the_readme_has_it_checked() -> None:
    """`safebus topics validate` says so, with exit code 0."""
    answered = CliRunner().invoke(app, ["topics", "validate"])
    assert (answered.exit_code, answered.output.split(":")[0]) == (0, "topics.yaml is valid")


def test_what_status_shows_there_is_what_runs() -> None:
    """As many processes as the catalogue has services, with what watches them, Kafka and the registry."""
    shown = re.search(r"safebus is up, (\d+) of (\d+) processes ready", README)
    assert shown
    assert int(shown[1]) == int(shown[2]) == len(commands(Settings())) + 2


def test_the_calendar_that_an_office_is_shown_can_be_read() -> None:
    """As `directory import gias --calendar` reads it."""
    block = next(
        block for block in re.findall(r"^```\n(.*?)^```$", BEGINNING, re.MULTILINE | re.DOTALL) if "hours" in block
    )
    parsed = calendars.parse(block)
    assert [said.id for said in parsed.said] == ["school:990001"]
    assert parsed.bad == []
