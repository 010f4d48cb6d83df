"""Runs our Prometheus rules over the input series of a rule test, in promtool's own file format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import nan
from pathlib import Path
from typing import Any

import promql_parser as ast
import yaml

from services.bus.settings import ROOT
from tests.operating.promql import NAME, Labels, Series, evaluate, unnamed

FOLDER = ROOT / "docker" / "prometheus"
RULES = tuple(sorted((FOLDER / "rules").glob("*.yml"), key=lambda file: file.stem != "recording"))
"""The recording rules first, as the tests' group_eval_order has it."""
TESTS = tuple(sorted((FOLDER / "tests").glob("*.yml")))

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Rule:
    """One rule; its name is the alert's or the recorded metric's."""

    name: str
    expr: str
    group: str
    alert: bool
    wait: float
    """Seconds for which it must hold."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def parsed(self) -> Any:
        return parsed(self.expr)


@cache
def parsed(query: str) -> Any:
    """The query's tree, by Prometheus's grammar.

    Raises:
        ValueError: it is none.
    """
    return ast.parse(query)


def rules() -> list[Rule]:
    """Every rule of every file, in order of evaluation."""
    groups = chain.from_iterable(yaml.safe_load(file.read_text("utf-8"))["groups"] for file in RULES)
    return [_rule(group["name"], one) for group in groups for one in group["rules"]]


def _rule(group: str, one: Mapping[str, Any]) -> Rule:
    return Rule(
        one.get("alert") or one["record"], one["expr"], group, "alert" in one, seconds(one.get("for", "0s")),
        one.get("labels", {}), one.get("annotations", {}),
    )  # fmt: skip


def seconds(text: str) -> float:
    """1h30m"""
    parts = re.findall(r"(\d+)(ms|[smhdw])", str(text))
    assert "".join(map("".join, parts)) == str(text), text
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


def selectors(node: Any) -> Iterator[Any]:
    """Every vector selector of a parsed expression."""
    kind = type(node).__name__
    if kind == "VectorSelector":
        yield node
    elif kind == "MatrixSelector":
        yield node.vector_selector
    elif kind == "Call":
        for each in node.args:
            yield from selectors(each)
    elif kind == "BinaryExpr":
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif kind in ("AggregateExpr", "ParenExpr", "UnaryExpr", "SubqueryExpr"):
        yield from selectors(node.expr)
        yield from selectors(node.param) if getattr(node, "param", None) is not None else ()
    else:
        assert kind in ("NumberLiteral", "StringLiteral"), kind


def needed(asked: Iterable[str], known: Sequence[Rule]) -> list[Rule]:
    """Those rules that these queries lead to, in their order."""
    wanted: set[str] = set()
    todo = list(asked)
    while todo:
        for selector in selectors(parsed(todo.pop())):
            names = {m.value for m in selector.matchers.matchers if m.name == "alertname"} or {selector.name}
            for rule in known:
                if rule.name in names and rule.name not in wanted:
                    wanted.add(rule.name)
                    todo.append(rule.expr)
    return [rule for rule in known if rule.name in wanted]


def labels_of(text: str) -> Labels:
    """`up{job="safebus"}`, as a selector is written."""
    selector = parsed(text)
    pairs = [(one.name, one.value) for one in selector.matchers.matchers]
    return frozenset([*pairs, *([(NAME, selector.name)] if selector.name else [])])


def values_of(text: str) -> Iterator[float | None]:
    """promtool's notation: `1 2`, `0+10x5`, `3x4`, `_x3`, `stale`."""
    for word in text.split():
        if found := re.fullmatch(r"_(?:x(\d+))?", word):
            yield from [None] * int(found[1] or 1)
        elif found := re.fullmatch(r"(-?[\d.]+)(?:([+-][\d.]+))?x(\d+)", word):
            start, step, times = float(found[1]), float(found[2] or 0), int(found[3])
            yield from (start + step * n for n in range(times + 1))
        else:
            yield nan if word == "stale" else float(word)


class Run:
    """One test of a file: its input, and what the rules make of it, minute by minute."""

    def __init__(self, test: Mapping[str, Any], every: float, known: Sequence[Rule]) -> None:
        self._every = every
        self._rules = needed((one["expr"] for one in test["promql_expr_test"]), known)
        self.series = Series()
        interval = seconds(test["interval"])
        for one in test["input_series"]:
            labels = labels_of(one["series"])
            for n, value in enumerate(values_of(str(one["values"]))):
                if value is not None:
                    self.series.add(labels, n * interval, value)
        self._since: dict[tuple[str, Labels], float] = {}
        self._held: dict[str, set[Labels]] = {}

    def until(self, end: float) -> None:
        """Evaluate every rule at each step from the beginning on."""
        for step in range(int(end / self._every) + 1):
            for rule in self._rules:
                self._take(rule, step * self._every)

    def _take(self, rule: Rule, at: float) -> None:
        found = evaluate(rule.parsed, self.series, at)
        assert isinstance(found, dict), f"{rule.name} is no vector"
        now: dict[Labels, float] = {}
        for labels, value in found.items():
            said = {**dict(unnamed(labels)), **rule.labels}
            if rule.alert:
                since = self._since.setdefault((rule.name, labels), at)
                state = "firing" if at - since >= rule.wait else "pending"
                said |= {NAME: "ALERTS", "alertname": rule.name, "alertstate": state}
            now[frozenset({**said, **({} if rule.alert else {NAME: rule.name})}.items())] = 1.0 if rule.alert else value
        for name, labels in list(self._since):
            if name == rule.name and labels not in found:
                del self._since[name, labels]
        for gone in self._held.get(rule.name, set()) - set(now):
            self.series.add(gone, at, nan)
        for labels, value in now.items():
            self.series.add(labels, at, value)
        self._held[rule.name] = set(now)


def cases() -> Iterator[tuple[str, Mapping[str, Any], float]]:
    """Name, test and evaluation interval of every rule test."""
    for file in TESTS:
        told = yaml.safe_load(file.read_text("utf-8"))
        for one in told["tests"]:
            yield f"{file.stem}: {one['name']}", one, seconds(told["evaluation_interval"])


def dashboards() -> list[Path]:
    return sorted((ROOT / "docker" / "grafana" / "dashboards").glob("*.json"))
