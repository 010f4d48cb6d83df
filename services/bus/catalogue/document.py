"""A YAML file as values that know their lines. Whatever does not fit becomes a finding, and reading goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from services.bus.errors import UserMistake

Line = int
Place = tuple[str, ...]
"""Where something stands: ("topics", "receipts.v1", "key")."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault, with the line that a person has to look at."""

    line: Line
    sentence: str


def shown(path: Path) -> str:
    """The path as a person in the current folder would type it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class Document:
    """One file: its root, what was found wrong so far, and where everything stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.findings: list[Finding] = []
        self.lines: dict[Place, Line] = {}
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            self.fault(error.object[: error.start].count(b"\n") + 1, "is not UTF-8 text")
            text = ""
        except OSError as error:
            raise UserMistake(f"the catalogue {path} cannot be read: {error.strerror}") from None
        self.root = Section(self, self._parse(text), ())
        self.readable = not self.findings
        """Whether it is YAML that holds names and values, so that looking further makes sense."""

    def fault(self, line: Line, sentence: str) -> None:
        self.findings.append(Finding(line, sentence))

    def located(self) -> list[str]:
        """The findings in the order of their lines, as an editor can jump to them: `topics.yaml:LINE: sentence`."""
        return [f"{shown(self._path)}:{finding.line}: {finding.sentence}" for finding in sorted(set(self.findings))]

    def line(self, *place: str) -> Line:
        """The line of `place`, or of the nearest thing around it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def _parse(self, text: str) -> yaml.Node | None:
        try:
            node = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            said = " ".join(part for part in (error.context, error.problem) if part)
            self.fault(mark.line + 1 if mark else 1, f"is not YAML: {said}")
        except yaml.YAMLError as error:
            self.fault(1, f"is not YAML: {str(error).splitlines()[0]}")
        else:
            if node is None and not self.findings:
                self.fault(1, "is empty; it needs `topics` and `principals`")
            return node
        return None


class Section:
    """One mapping. Asking for a key also makes it known; `close` reports those that nobody asked for."""

    def __init__(self, document: Document, node: yaml.Node | None, place: Place) -> None:
        self.place = place
        self._document = document
        self._nodes: dict[str, yaml.Node] = {}
        self._asked: dict[str, None] = {}
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._take(str(key.value), key.start_mark.line + 1, value)
        elif node is not None and node.tag != "tag:yaml.org,2002:null":
            self.fault("must hold names and values")

    def _take(self, key: str, line: Line, value: yaml.Node) -> None:
        if key in self._nodes:
            first = self._document.line(*self.place, key)
            self._document.fault(line, f"{self._at(key)} stands twice, first in line {first}")
            return
        self._nodes[key] = value
        self._document.lines[(*self.place, key)] = line

    def __contains__(self, key: str) -> bool:
        self._asked[key] = None
        return key in self._nodes

    def __iter__(self) -> Iterator[str]:
        """Every name in it, for a section whose names are free."""
        self._asked |= dict.fromkeys(self._nodes)
        return iter(self._nodes)

    def fault(self, sentence: str, key: str | None = None) -> None:
        """Something is wrong with this section, or with one key of it."""
        place = self.place if key is None else (*self.place, key)
        self._document.fault(self._document.line(*place), f"{self._at(key)} {sentence}")

    def section(self, key: str) -> Section:
        return Section(self._document, self._nodes[key] if key in self else None, (*self.place, key))

    def text(self, key: str) -> str:
        """A required text; empty after a finding."""
        if key not in self:
            self.fault(f"lacks `{key}`")
            return ""
        node = self._nodes[key]
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str" or not node.value.strip():
            self.fault("must be a text", key)
            return ""
        return str(node.value)

    def scalar(self, key: str) -> str:
        """A text, number or truth value as Kafka spells it."""
        node = self._nodes[key] if key in self else None
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self.fault("must be a text, a number, true or false", key)
            return ""
        return str(node.value).lower() if node.tag == "tag:yaml.org,2002:bool" else str(node.value)

    def count(self, key: str, default: int) -> int:
        """A whole number from 1 up."""
        if key not in self:
            return default
        node = self._nodes[key]
        value = str(node.value)
        if node.tag != "tag:yaml.org,2002:int" or not value.isdecimal() or int(value) < 1:
            self.fault("must be a whole number from 1 up", key)
            return default
        return int(value)

    def flag(self, key: str) -> bool:
        """True or false; false where absent."""
        if key not in self:
            return False
        node = self._nodes[key]
        if node.tag != "tag:yaml.org,2002:bool":
            self.fault("must be true or false", key)
        return str(node.value).lower() in ("true", "yes", "on")

    def names(self, key: str) -> tuple[str, ...]:
        """A list of names, each once."""
        if key not in self:
            return ()
        node = self._nodes[key]
        if not isinstance(node, yaml.SequenceNode):
            self.fault("must be a list of names", key)
            return ()
        found: dict[str, None] = {}
        for item in node.value:
            line = item.start_mark.line + 1
            if not isinstance(item, yaml.ScalarNode):
                self._document.fault(line, f"{self._at(key)} must be a list of names")
            elif item.value in found:
                self._document.fault(line, f"{self._at(key)} names {item.value} twice")
            else:
                found[item.value] = None
                self._document.lines[(*self.place, key, item.value)] = line
        return tuple(found)

    def close(self) -> None:
        """Report every key that means nothing here."""
        for key in self._nodes:
            if key not in self._asked:
                self.fault(f"is unknown; known here: {', '.join(sorted(self._asked))}", key)

    def _at(self, key: str | None = None) -> str:
        """How a sentence calls it: the last name around it, and the key."""
        around = self.place[-1] if self.place else "the file"
        if key is None:
            return around
        return f"{around}: {key}" if self.place else key
