"""The house stands as DESIGN.md §2 draws it: rooms alike, decisions pure, files small, every rule of harm tested."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from services.bus.catalogue import load
from services.bus.codec import event_types
from services.bus.service import Service
from services.bus.settings import HERE, ROOT
from tests.catalogue.test_wiring import ROOMS

WIRES = {"__main__.py", "wiring.py"}
ALWAYS = WIRES | {"__init__.py", "decide.py"}

MORE = {
    "police_notifications": {
        "match.py": "who a child is, for certain or not (H12), is a matter of its own, tested by itself",
        "front_door.py": "who takes an incident and by when, which both of its decisions ask",
    },
    "mash_outcomes": {
        "recipients.py": "who must know, with which reason (H5)",
        "tell.py": "how one recipient is told, whether of a decision or of a late contact",
        "checks.py": "information requests are another conversation than outcomes",
    },
}
"""Pure modules besides those that every room has, and why they are files of their own."""

DOORS = {
    "partner_gateway": {"decide.py"},
    "handover_feed": {
        "acts.py", "alarms.py", "card.py", "decide.py", "enquiries.py", "facts.py", "following.py", "hearing.py",
        "held.py", "known.py", "meetings.py", "risk.py", "room.py", "sentences.py", "shifts.py", "state.py", "view.py",
    },
}  # fmt: skip
"""Rooms that people and other systems come in by: besides what every room has, they serve what they keep. With the
files of each that are as pure as any room's."""

LONG = {
    "bus/batch.py": "one transaction, of events and of alarms: both stand on all that it has read and written",
    "bus/events.py": "generated from the schemas",
    "bus/loop.py": "the one loop: apart, its steps could not be read in the order in which they must happen",
}
"""Files of more than 400 lines, and why."""

IN_FORCE = {"H2", "H4", "H5", "H9", "H12"}
"""Rules of DOMAIN.md §4 that hold in full; of the others, what would need them is held."""

PURE = {
    "__future__", "collections", "collections.abc", "dataclasses", "datetime", "enum", "functools", "typing",
    "unicodedata", "uuid", "holidays", "pydantic", "rapidfuzz", "services.bus.calendar", "services.bus.disclosing",
    "services.bus.envelope", "services.bus.errors", "services.bus.events",
    "zoneinfo",  # reads the rules of daylight saving, which are the same for everyone
}  # fmt: skip
"""What a decision may import whole. Whatever reads a clock, a file, chance or the network is not among it."""

PURE_PARTS = {"services.bus.directory": {"Directory"}, "services.bus.service": {"View"}}
"""What it may import of modules that also do other things: what a view is, and what a directory may be asked."""

IMPURE_NAMES = {
    "now",
    "utcnow",
    "today",
    "uuid1",
    "uuid4",
    "open",
    "print",
    "input",
    "hash",
    "eval",
    "exec",
    "__import__",
}
"""What reads a clock, a file or chance without an import; `hash` differs from process to process."""


def room(name: str) -> Path:
    return HERE / name


def service_of(name: str) -> Service:
    service: Service = import_module(f"services.{name}.wiring").SERVICE
    return service


def pure_files() -> list[Path]:
    """Every room's decisions and views, whatever they import of their room, and what rooms share."""
    rooms = [
        file
        for name in ROOMS
        for file in room(name).glob("*.py")
        if (file.name in DOORS[name] if name in DOORS else file.name not in WIRES)
    ]
    return sorted([*rooms, HERE / "bus" / "disclosing.py", HERE / "bus" / "calendar.py"])


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


@pytest.mark.parametrize("name", ROOMS)
def test_a_newcomer_who_knows_one_room_knows_all(name: str) -> None:
    """The same few files; a view only where something is remembered, refusals only where something is refused."""
    files = {file.name for file in room(name).glob("*.py")} - set(MORE.get(name, ()))
    if name in DOORS:
        assert files >= ALWAYS
        return
    remembers = {"view.py"} if service_of(name).view else set()
    refuses = {"refusals.py"} if any(_raises(file) for file in room(name).glob("*.py")) else set()
    assert files == ALWAYS | remembers | refuses
    assert {path.name for path in room(name).iterdir() if path.is_dir()} <= {"__pycache__"}
    assert ast.get_docstring(parsed(room(name) / "__init__.py")), "one sentence: hears, decides, says"


def test_no_reason_is_left_of_a_file_that_is_gone() -> None:
    """Every file that stands out of the common plan is there."""
    assert not [file for name, more in MORE.items() for file in more if not (room(name) / file).exists()]


def _raises(file: Path) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(parsed(file)))


@pytest.mark.parametrize("file", pure_files(), ids=lambda file: str(file.relative_to(HERE)))
def test_a_decision_reads_no_clock_no_file_and_no_chance(file: Path) -> None:
    """The same event, the same answer: in a test, at night, and in a recovery years from now (DESIGN.md §1, rule 2)."""
    assert list(_impure(file)) == []


def _impure(file: Path) -> Iterator[str]:
    own = ".".join(("services", *file.relative_to(HERE).parent.parts))
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name not in PURE)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or "."
            its_room = own != "services.bus" and f"{module}.".startswith(f"{own}.")
            parts = PURE_PARTS.get(module, set())
            if module not in PURE and not its_room:
                yield from (f"{module}.{alias.name}" for alias in node.names if alias.name not in parts)
            yield from (alias.name for alias in node.names if alias.name in IMPURE_NAMES)
        elif isinstance(node, ast.Attribute) and node.attr in IMPURE_NAMES:
            yield f".{node.attr} in line {node.lineno}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_NAMES:
            yield f"{node.func.id}() in line {node.lineno}"


@pytest.mark.parametrize(
    "line",
    ["import os", "import time", "import random", "import socket", "import asyncio", "import structlog",
     "from pathlib import Path", "from uuid import uuid4", "from aiokafka import AIOKafkaConsumer",
     "from services.bus.clock import Clock", "from services.bus.directory import DirectoryTable",
     "from services.encompass_alerts.decide import alert_schools",
     "from datetime import datetime\nat = datetime.now()", "from datetime import date\nat = date.today()",
     "open('x')", "x = hash('y')", "import uuid\nid = uuid.uuid4()"],
)  # fmt: skip
def test_what_is_not_pure_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """The search finds what it is there to find."""
    monkeypatch.setattr("tests.test_house.HERE", tmp_path)
    (tmp_path / "gp_updates").mkdir()
    file = tmp_path / "gp_updates" / "decide.py"
    file.write_text(f"from services.gp_updates.view import Known\n{line}\n")
    assert list(_impure(file))


def test_the_contract_and_the_catalogue_name_the_same_events() -> None:
    """Every event of the schemas has its topic and every topic its event; the rooms: tests/catalogue/test_wiring.py."""
    catalogue = load(ROOT / "topics.yaml")
    assert set(event_types()) == set(catalogue.topics)
    said = {kind.topic for name in ROOMS for kind in (*service_of(name).on, *service_of(name).emits)}
    assert said <= set(catalogue.topics)


def test_a_file_is_short_enough_to_be_read() -> None:
    """400 lines at most; what is longer has a reason, and no reason is kept for what is not."""
    lines = {str(file.relative_to(HERE)): len(file.read_text("utf-8").splitlines()) for file in HERE.rglob("*.py")}
    assert {name for name, number in lines.items() if number > 400} == set(LONG)


def test_h2_every_disclosure_says_whether_the_place_is_confidential() -> None:
    """H2: whoever writes its receipt has nothing else to go by, and a room that forgets would say that it is not."""
    said = [
        [key.value for key in keyword.value.keys if isinstance(key, ast.Constant)]
        for file in pure_files()
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "disclosure" and isinstance(keyword.value, ast.Dict)
    ]
    topics = load(ROOT / "topics.yaml").topics.values()
    assert len(said) >= len([topic for topic in topics if topic.discloses and "partner-door" not in topic.written_by])
    assert not [keys for keys in said if "location_confidential" not in keys]


def rules_held() -> set[str]:
    """Rules by which a decision leaves something to a person."""
    called = (node for file in pure_files() for node in ast.walk(parsed(file)) if isinstance(node, ast.Constant))
    return {node.value for node in called if isinstance(node.value, str) and re.fullmatch(r"H\d+", node.value)}


def rules_tested() -> set[str]:
    names = (
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    return {f"H{number}" for name in names for number in re.findall(r"_h(\d+)(?=_)", name)}


def test_every_rule_that_prevents_harm_has_a_test_that_names_it() -> None:
    """Those in force, and those by which something is held: none may be lost in a refactoring (DOMAIN.md §4)."""
    assert rules_held() <= {f"H{number}" for number in range(1, 18)}
    assert (IN_FORCE | rules_held()) - rules_tested() == set()
