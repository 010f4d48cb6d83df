"""Prometheus's rules: each fires when it must and not when it must not, on metrics that our processes really tell."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from math import isclose
from typing import Any

import pytest
import yaml

from services.bus.settings import ROOT
from tests.operating.exposed import CATALOGUE, EXPOSED
from tests.operating.promql import evaluate
from tests.operating.ruling import FOLDER, RULES, TESTS, Rule, Run, cases, labels_of, parsed, rules, seconds, selectors

KNOWN = rules()
ALERTS = [rule for rule in KNOWN if rule.alert]
RECORDED = {rule.name: rule for rule in KNOWN if not rule.alert}
CASES = list(cases())
OF_THE_TARGET = {"job", "instance", "process"}
"""Labels that Prometheus gives whatever it scrapes (docker/prometheus/prometheus.yml)."""


@pytest.mark.parametrize(
    ("test", "every"), [(test, every) for _, test, every in CASES], ids=[name for name, *_ in CASES]
)
def test_rules_say_what_their_tests_expect(test: Mapping[str, Any], every: float) -> None:
    """The same files as promtool's, evaluated here: they are tested where there is no Prometheus, too."""
    for asked in test["promql_expr_test"]:
        run = Run(test, every, KNOWN)
        at = seconds(asked["eval_time"])
        run.until(at)
        found = evaluate(parsed(asked["expr"]), run.series, at)
        expected = {labels_of(sample["labels"]): float(sample["value"]) for sample in asked["exp_samples"]}
        assert isinstance(found, dict)
        assert found.keys() == expected.keys()
        assert all(isclose(found[labels], value, rel_tol=1e-9) for labels, value in expected.items()), found


def test_promtool_agrees() -> None:
    """Where Debian's `prometheus` is installed, Prometheus itself checks the rules and runs the same tests."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool here (`apt-get install prometheus`); the same tests ran without it, above")
    for command in (["check", "rules", *RULES], ["test", "rules", *TESTS], ["check", "config", FOLDER / "native.yml"]):
        done = subprocess.run([promtool, *map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_test_and_every_alert_one_that_keeps_quiet() -> None:
    """What is not tried in both directions is not trusted at 3 a.m."""
    fires, quiet, recorded = set[str](), set[str](), set[str]()
    for _, test, _ in CASES:
        for asked in test["promql_expr_test"]:
            alert = re.search(r'alertname="(\w+)"', asked["expr"])
            if alert:
                (fires if asked["exp_samples"] else quiet).add(alert[1])
            else:
                recorded.add(asked["expr"])
    names = {rule.name for rule in ALERTS}
    assert fires == names
    assert names - quiet <= {"SafebusStoreAway", "SafebusDiskFilling", "SafebusLossAhead", "SafebusMailFailing"}, (
        "these four have another service in their one test, which is well"
    )
    assert recorded == set(RECORDED)


@pytest.mark.parametrize("rule", KNOWN, ids=[rule.name for rule in KNOWN])
def test_a_rule_asks_for_what_is_told(rule: Rule) -> None:
    """Each metric in it is exposed or recorded, and each label in it is one that the metric has."""
    for selector in selectors(rule.parsed):
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= labels_told(selector.name), f"{rule.name}: {selector.name}"
    for by in re.findall(r"by \(([^)]*)\)", rule.expr):
        told = set[str]().union(*(labels_told(selector.name) for selector in selectors(rule.parsed)))
        assert {label.strip() for label in by.split(",")} <= told, rule.name


def labels_told(name: str) -> set[str]:
    """Labels that a metric has once it is scraped.

    Raises:
        AssertionError: nothing tells it.
    """
    if name == "up":
        return OF_THE_TARGET
    if name in RECORDED:
        expr = RECORDED[name].expr
        by = re.search(r"\bby \(([^)]*)\)", expr)
        if by:
            return {label.strip() for label in by[1].split(",")} - {"le"}
        return set[str]().union(*(labels_told(selector.name) for selector in selectors(parsed(expr))))
    bare = re.sub(r"_(bucket|count|sum)$", "", name)
    metric = EXPOSED.get(name) or EXPOSED.get(bare)
    assert metric is not None, f"nothing tells {name}"
    assert (metric.kind == "histogram") == (name != bare), name
    return set(metric.labels) | OF_THE_TARGET | ({"le"} if name.endswith("_bucket") else set())


@pytest.mark.parametrize("rule", ALERTS, ids=[rule.name for rule in ALERTS])
def test_an_alert_tells_a_person_what_to_do(rule: Rule) -> None:
    """Its severity, a sentence, the runbook, and no label in its words that it does not have."""
    assert rule.name.startswith("Safebus")
    assert rule.labels["severity"] in ("page", "ticket")
    assert set(rule.annotations) == {"summary", "description", "runbook"}
    assert rule.annotations["runbook"] == f"docs/operating.md#{rule.name.lower()}"
    expected = [
        dict(labels_of(sample["labels"]))
        for _, test, _ in CASES
        for asked in test["promql_expr_test"]
        if f'alertname="{rule.name}"' in asked["expr"]
        for sample in asked["exp_samples"]
    ]
    for label in re.findall(r"\$labels\.(\w+)", str(rule.annotations)):
        assert all(label in labels for labels in expected), label


def test_the_runbook_has_each_alert() -> None:
    """Whoever is woken finds what to do under its name, where the alert leads to; no name is left over."""
    runbook = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert "\n## When an alert comes\n" in runbook
    headings = re.findall(r"^#### (Safebus\w+)$", runbook, re.MULTILINE)
    assert sorted(headings) == sorted(rule.name for rule in ALERTS)


def test_every_process_is_scraped() -> None:
    """In containers: each process of the catalogue, under its own name."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    static = config["scrape_configs"][0]["static_configs"]
    named = {one["labels"]["process"]: one["targets"] for one in static}
    assert named == {name: [f"{name}:9100"] for name in CATALOGUE.processes}
    assert config["rule_files"] == ["rules/*.yml"]
