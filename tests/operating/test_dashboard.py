"""The Grafana dashboard: each of its queries can be asked, of metrics and labels that are really there."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from services.bus.settings import ROOT
from tests.operating.exposed import EXPOSED
from tests.operating.ruling import dashboards, parsed, rules, selectors
from tests.operating.test_rules import OF_THE_TARGET, labels_told

GRAFANA = ROOT / "docker" / "grafana"
DASHBOARDS = {file.stem: json.loads(file.read_text("utf-8")) for file in dashboards()}
OF_AN_ALERT = {"alertname", "alertstate", "severity", *OF_THE_TARGET, "service", "consumergroup", "verdict"}
OF_THE_CLIENT = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""What prometheus_client tells of every process."""


def panels() -> list[tuple[str, dict[str, Any]]]:
    return [(name, panel) for name, board in DASHBOARDS.items() for panel in board["panels"]]


def queries() -> list[tuple[str, str, str]]:
    """Where it stands, the query as Prometheus would get it, and how its lines are named."""
    return [
        (f"{name}: {panel['title']}", asked(target["expr"]), target["legendFormat"])
        for name, panel in panels()
        for target in panel.get("targets", ())
    ]


def asked(expr: str) -> str:
    """With Grafana's variables put in."""
    return expr.replace("$__rate_interval", "5m").replace("$service", ".*")


def labels_of_metric(name: str) -> set[str]:
    if name == "ALERTS":
        return OF_AN_ALERT
    return OF_THE_TARGET if name in OF_THE_CLIENT else labels_told(name)


def labels_of_result(query: str) -> set[str]:
    """Labels that its lines can have."""
    outer = re.match(r"(?:topk\(\d+, )?(?:histogram_quantile\([\d.]+, )?(?:sum|max|min)(?: by \(([^)]*)\))? ?\(", query)
    if outer:
        return {label.strip() for label in (outer[1] or "").split(",")} - {""}
    return set[str]().union(*(labels_of_metric(selector.name) for selector in selectors(parsed(query))))


def test_there_is_one() -> None:
    """A dashboard is there, with more than a few panels, in rows."""
    assert len(panels()) > 30
    assert len(queries()) > 30


@pytest.mark.parametrize(("where", "query", "legend"), queries(), ids=[where for where, *_ in queries()])
def test_each_query_asks_for_what_is_there(where: str, query: str, legend: str) -> None:
    """It parses; every metric is exposed or recorded, every label is one of that metric's, as in its legend."""
    for selector in selectors(parsed(query)):
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= labels_of_metric(selector.name), f"{where}: {selector.name}"
    for by in re.findall(r"by \(([^)]*)\)", query):
        told = set[str]().union(*(labels_of_metric(selector.name) for selector in selectors(parsed(query))))
        assert {label.strip() for label in by.split(",")} <= told, where
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels_of_result(query), where


def test_what_matters_is_on_it() -> None:
    """Lag, rates, latencies, dead letters, deadlines, outbox, doors, streams, webhooks, pages, disk, the probe."""
    shown = " ".join(query for _, query, _ in queries())
    recorded = {rule.name: rule.expr for rule in rules() if not rule.alert}
    shown += " ".join(expr for name, expr in recorded.items() if name in shown)
    for name in EXPOSED:
        if name.startswith(("safebus_alarms", "safebus_outbox_oldest", "safebus_dead", "safebus_probe_", "http_server",
                            "safebus_streams", "safebus_webhooks", "safebus_board_escal", "safebus_data_disk",
                            "safebus_latency", "safebus_heard", "safebus_lag_verdict", "safebus_batch")):  # fmt: skip
            assert name in shown, name


@pytest.mark.parametrize("name", list(DASHBOARDS))
def test_a_dashboard_can_be_provisioned(name: str) -> None:
    """Ids are given once, panels do not overlap, each says what it shows, and its data source is provisioned."""
    board = DASHBOARDS[name]
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8"))
    (uid,) = (one["uid"] for one in source["datasources"])
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'"uid": "([^"]*)"', json.dumps(board))) == {uid, board["uid"]}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["description"].endswith(".")
    for one, other in combinations((panel["gridPos"] for panel in board["panels"]), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


def test_variables_ask_for_what_is_there() -> None:
    """The list of services comes from a metric that has that label."""
    for board in DASHBOARDS.values():
        for variable in board["templating"]["list"]:
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert found is not None
            assert found[2] in labels_told(found[1])
            assert variable["query"]["query"] == variable["definition"]
        for annotation in board["annotations"]["list"]:
            for selector in selectors(parsed(annotation["expr"])):
                assert {m.name for m in selector.matchers.matchers} <= labels_of_metric(selector.name)


def test_no_panel_names_anybody() -> None:
    """A dashboard may hang on a wall: no organisation, person or child is a label of anything on it."""
    for _, query, legend in queries():
        assert not re.search(r"organisation|recipient=|child|person|name=~?\"(?!Safebus)", query + legend), query
