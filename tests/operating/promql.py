"""As much of PromQL's evaluation as our rules use, so that they are tested where there is no Prometheus as well.

Written after Prometheus's own promql/engine.go and promql/functions.go (2.42); the grammar is that of the package
promql-parser. What is not known here fails loudly: nothing is taken for true because it was not evaluated.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan, nan
from typing import Any

import promql_parser as ast

LOOKBACK = 300.0
"""Seconds for which a sample is the value of its series."""

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
NAME = "__name__"


@dataclass
class Series:
    """Samples by labels, the name among them: seconds and values, in order of time. NaN marks a series' end."""

    samples: dict[Labels, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, labels: Labels, at: float, value: float) -> None:
        self.samples[labels].append((at, value))

    def of(self, selector: Any) -> Iterable[tuple[Labels, list[tuple[float, float]]]]:
        for labels, kept in list(self.samples.items()):
            held = dict(labels)
            if (selector.name is None or held[NAME] == selector.name) and _matches(selector.matchers, held):
                yield labels, kept


def _matches(matchers: Any, held: Mapping[str, str]) -> bool:
    assert not matchers.or_matchers, "not Prometheus's own"
    for one in matchers.matchers:
        value = held.get(one.name, "")
        kind = str(one.op).rpartition(".")[2]
        same = value == one.value if kind in ("Equal", "NotEqual") else re.fullmatch(one.value, value) is not None
        if same is not (kind in ("Equal", "Re")):
            return False
    return True


def evaluate(query: str | Any, series: Series, at: float) -> Vector | float:
    """The value of an expression at one moment, in seconds."""
    return _Evaluation(series, at).value(ast.parse(query) if isinstance(query, str) else query)


def unnamed(labels: Labels) -> Labels:
    return frozenset(pair for pair in labels if pair[0] != NAME)


class _Evaluation:
    def __init__(self, series: Series, at: float) -> None:
        self._series, self._at = series, at

    def value(self, node: Any) -> Vector | float:
        return getattr(self, f"_{type(node).__name__}")(node)  # type: ignore[no-any-return]

    def _vector(self, node: Any) -> Vector:
        found = self.value(node)
        assert isinstance(found, dict), f"{node} is no vector"
        return found

    def _NumberLiteral(self, node: Any) -> float:  # noqa: N802 - the parser's names
        return float(node.val)

    def _ParenExpr(self, node: Any) -> Vector | float:  # noqa: N802
        return self.value(node.expr)

    def _VectorSelector(self, node: Any) -> Vector:  # noqa: N802
        assert node.at is None
        at = self._at - (node.offset.total_seconds() if node.offset else 0.0)
        found: Vector = {}
        for labels, samples in self._series.of(node):
            within = [value for when, value in samples if at - LOOKBACK < when <= at]
            if within and not isnan(within[-1]):
                found[labels] = within[-1]
        return found

    def _windows(self, node: Any) -> Iterable[tuple[Labels, list[tuple[float, float]], float, float]]:
        """Samples of each series within the range, and where that begins and ends."""
        assert type(node).__name__ == "MatrixSelector", f"{node} is no range"
        end = self._at - (node.vector_selector.offset.total_seconds() if node.vector_selector.offset else 0.0)
        begin = end - node.range.total_seconds()
        for labels, samples in self._series.of(node.vector_selector):
            within = [(when, value) for when, value in samples if begin <= when <= end and not isnan(value)]
            yield unnamed(labels), within, begin, end

    def _AggregateExpr(self, node: Any) -> Vector:  # noqa: N802
        assert node.param is None
        kind = "" if node.modifier is None else str(node.modifier.type).rpartition(".")[2]
        assert kind in ("", "By"), kind
        by = set(node.modifier.labels) if node.modifier else set()
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in self._vector(node.expr).items():
            groups[frozenset(pair for pair in labels if pair[0] in by)].append(value)
        how = _AGGREGATE[_word(node.op)]
        return {labels: float(how(values)) for labels, values in groups.items()}

    def _Call(self, node: Any) -> Vector | float:  # noqa: N802
        name, args = node.func.name, node.args
        if name == "time":
            return self._at
        if name in ("rate", "increase"):
            return _each(
                (labels, _extrapolated(samples, begin, end, per_second=name == "rate"))
                for labels, samples, begin, end in self._windows(args[0])
            )
        if name == "predict_linear":
            ahead = self.value(args[1])
            assert isinstance(ahead, float)
            return _each(
                (labels, _predicted(samples, self._at + ahead)) for labels, samples, *_ in self._windows(args[0])
            )
        if name == "histogram_quantile":
            quantile = self.value(args[0])
            assert isinstance(quantile, float)
            return _histogram_quantile(quantile, self._vector(args[1]))
        if name == "absent":
            equal = {m.name: m.value for m in args[0].matchers.matchers if str(m.op).endswith(".Equal")}
            return {} if self._vector(args[0]) else {frozenset(equal.items()): 1.0}
        raise AssertionError(f"{name}() is not evaluated here")

    def _BinaryExpr(self, node: Any) -> Vector | float:  # noqa: N802
        operator = _word(node.op)
        modifier = node.modifier
        assert modifier is None or not (modifier.return_bool or modifier.matching), "not evaluated here"
        if operator in ("and", "or", "unless"):
            return _set(operator, self._vector(node.lhs), self._vector(node.rhs))
        left, right = self.value(node.lhs), self.value(node.rhs)
        if isinstance(left, float) and isinstance(right, float):
            return _computed(operator, left, right)
        return _elementwise(operator, left, right)


def _word(token: Any) -> str:
    return str(token).strip().lower()


def _each(found: Iterable[tuple[Labels, float | None]]) -> Vector:
    return {labels: value for labels, value in found if value is not None}


def _extrapolated(
    samples: Sequence[tuple[float, float]], begin: float, end: float, *, per_second: bool
) -> float | None:
    """functions.go, extrapolatedRate, for a counter."""
    if len(samples) < 2:
        return None
    (first_at, first), (last_at, last) = samples[0], samples[-1]
    grown, before = last - first, first
    for _, value in samples:
        grown += before if value < before else 0.0
        before = value
    to_start, to_end, sampled = first_at - begin, end - last_at, last_at - first_at
    between = sampled / (len(samples) - 1)
    if grown > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / grown))
    threshold, interval = between * 1.1, sampled
    interval += to_start if to_start < threshold else between / 2
    interval += to_end if to_end < threshold else between / 2
    return grown * (interval / sampled) / ((end - begin) if per_second else 1.0)


def _predicted(samples: Sequence[tuple[float, float]], at: float) -> float | None:
    """The least-squares line through the samples, at that moment."""
    if len(samples) < 2:
        return None
    mean_at = sum(when for when, _ in samples) / len(samples)
    mean = sum(value for _, value in samples) / len(samples)
    spread = sum((when - mean_at) ** 2 for when, _ in samples)
    slope = sum((when - mean_at) * (value - mean) for when, value in samples) / spread
    return mean + slope * (at - mean_at)


def _histogram_quantile(quantile: float, buckets: Vector) -> Vector:
    """functions.go, bucketQuantile."""
    histograms: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in buckets.items():
        held = dict(labels)
        bound = float(held.pop("le").replace("+Inf", "inf"))
        held.pop(NAME, None)
        histograms[frozenset(held.items())].append((bound, count))
    return {labels: _quantile(quantile, sorted(found)) for labels, found in histograms.items()}


def _quantile(quantile: float, buckets: Sequence[tuple[float, float]]) -> float:
    if buckets[-1][0] != inf or len(buckets) < 2 or not buckets[-1][1]:
        return nan
    rank = quantile * buckets[-1][1]
    number = next(n for n, (_, upto) in enumerate(buckets) if upto >= rank)
    if number == len(buckets) - 1:
        return buckets[-2][0]
    low, below = buckets[number - 1] if number else (0.0, 0.0)
    high, upto = buckets[number]
    return low + (high - low) * (rank - below) / (upto - below)


def _set(operator: str, left: Vector, right: Vector) -> Vector:
    there = {unnamed(labels) for labels in right}
    if operator == "and":
        return {labels: value for labels, value in left.items() if unnamed(labels) in there}
    if operator == "unless":
        return {labels: value for labels, value in left.items() if unnamed(labels) not in there}
    here = {unnamed(labels) for labels in left}
    return left | {labels: value for labels, value in right.items() if unnamed(labels) not in here}


_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": lambda values: sum(values),
    "max": lambda values: max(values),
    "min": lambda values: min(values),
    "count": lambda values: float(len(values)),
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def _computed(operator: str, left: float, right: float) -> float:
    if operator == "/":
        return left / right if right else (nan if not left or isnan(left) else inf)
    return {"+": left + right, "-": left - right, "*": left * right}[operator]


def _elementwise(operator: str, left: Vector | float, right: Vector | float) -> Vector:
    """One to one, by all labels but the name; a comparison keeps what it holds of."""
    pairs: list[tuple[Labels, float, float]]
    if isinstance(left, float) or isinstance(right, float):
        vector = left if isinstance(left, dict) else right
        assert isinstance(vector, dict)
        pairs = [
            (labels, value, right) if isinstance(right, float) else (labels, left, value)  # type: ignore[misc]
            for labels, value in vector.items()
        ]
    else:
        others = {unnamed(labels): value for labels, value in right.items()}
        assert len(others) == len(right), "many to many"
        pairs = [(labels, value, others[key]) for labels, value in left.items() if (key := unnamed(labels)) in others]
    if operator in _COMPARE:
        right_side = isinstance(left, float)
        return {labels: b if right_side else a for labels, a, b in pairs if _COMPARE[operator](a, b)}
    return {unnamed(labels): _computed(operator, a, b) for labels, a, b in pairs}
