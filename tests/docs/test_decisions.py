"""The decisions and the rules' page keep their form, and name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.copy import ROOT

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PARTS = ("**Context.**", "**Decision.**", "**What would change our mind.**")
A_PAGE = 45
CITING = [
    path for folder in ("services", "schemas") for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".avsc")
]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_why_on_one_page(path: Path) -> None:
    """Context, decision and what would change our mind, each once, on a page at most; its title bears its number."""
    text = path.read_text("utf-8")
    assert re.match(rf"# {int(path.name[:4])}\. ", text)
    assert [text.count(part) for part in PARTS] == [1] * len(PARTS)
    assert len(text.splitlines()) <= A_PAGE


def test_decisions_are_numbered_without_a_gap() -> None:
    """So that "decision 5" means one page."""
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_a_decision_that_another_cites_exists() -> None:
    """No page refers to a decision that there is not."""
    for path in (*DECISIONS, ROOT / "docs" / "rules.md", ROOT / "README.md"):
        cited = {int(number) for number in re.findall(r"[Dd]ecisions? (\d+)", path.read_text("utf-8"))}
        assert cited <= set(range(1, len(DECISIONS) + 1)), path.name


def test_every_rule_that_code_cites_is_explained() -> None:
    """Whoever meets H13 or N4 in a comment finds it in docs/rules.md."""
    explained = set(re.findall(r"\b[HN]\d+\b", (ROOT / "docs" / "rules.md").read_text("utf-8")))
    cited = {
        rule for path in CITING for rule in re.findall(r"\b(?:H(?:1[0-7]|[1-9])|N\d{1,2})\b", path.read_text("utf-8"))
    }
    assert cited
    assert cited <= explained
