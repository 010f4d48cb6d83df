"""The operators' handbook is true: its commands and options are the command line's, its links and settings exist.

That each alert has its heading there, and leads to it, is tests/operating/test_rules.py's.
"""

from __future__ import annotations

import re
import shlex

import pytest
from typer.testing import CliRunner

from services.bus.settings import Settings
from services.cli.app import app
from tests.docs.copy import ROOT

PAGE = (ROOT / "docs" / "operating.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TYPED = [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
PROSE = re.sub(r"^```\n.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
COMMANDS = sorted({said for said in (*re.findall(r"`([^`\n]+)`", PROSE), *TYPED) if re.match(r"safebus [a-z]", said)})

GROUPS = dict.fromkeys(("topics", "directory", "partner", "board", "dead-letters", "performance"), 2)


def _resolved(command: str) -> tuple[list[str], list[str]]:
    """The words that name the subcommand, and the options given to it."""
    words = shlex.split(command)[1:]
    deep = GROUPS.get(words[0], 1) + (words[:2] == ["board", "key"]) + (words[:2] == ["board", "person"])
    return words[:deep], [word for word in words[deep:] if word.startswith("--")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_the_handbook_gives_is_there(command: str) -> None:
    """At three in the morning nobody guesses: it answers --help, and knows every option that stands beside it."""
    named, options = _resolved(command)
    answered = CliRunner().invoke(app, [*named, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert answered.exit_code == 0, answered.output
    for option in options:
        assert re.search(rf"{option}\b", answered.output), option


def test_what_an_operator_needs_is_shown() -> None:
    """With what it prints, not only by name."""
    shown = {" ".join(_resolved(command)[0]) for command in TYPED}
    assert shown >= {
        "status", "lag", "doctor", "trace", "recover", "replay", "restart", "backup", "topics plan", "topics apply",
        "dead-letters list", "dead-letters show", "dead-letters retry", "dead-letters discard", "partner rotate-key",
    }  # fmt: skip


def test_every_setting_is_one() -> None:
    """No SAFEBUS_ name is misspelt."""
    known = {f"SAFEBUS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"SAFEBUS_[A-Z_]+", PAGE)) <= known


def test_every_heading_that_is_linked_to_is_there() -> None:
    """Within the page, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_it_stays_readable_at_night() -> None:
    """One page that a person finds things in."""
    assert len(PAGE.splitlines()) <= 360
