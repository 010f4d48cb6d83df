"""A run's figures: tables for a person, an object for a program."""

from __future__ import annotations

from collections import Counter
from statistics import quantiles
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tests.soak.reconcile import counts, findings
from tests.soak.run import Result


def as_object(result: Result) -> dict[str, Any]:
    """Everything, the findings first."""
    ledger, faults = result.ledger, Counter[str]()
    for (what, _), times in result.faults.done.items():
        faults[what] += times
    return {
        "ok": not wrong(result),
        "findings": wrong(result),
        "seconds": round(result.plan.seconds, 1),
        "rate": result.plan.rate,
        "seed": result.plan.seed,
        "took": round(result.took, 1),
        "drained": round(result.drained, 1),
        "sent": dict(sorted(ledger.sent.items())) | {"malformed": len(ledger.malformed)},
        "by door": dict(ledger.by_door),
        "tries": ledger.tries,
        "faults": dict(faults),
        "struck": {f"{name} {what}": times for (what, name), times in sorted(result.faults.done.items())},
        "counts": counts(result.seen),
        "latency": _latency(ledger.latencies),
        "memory": [
            {
                "process": one.name,
                "mean_mib": round(one.mean_mib),
                "most_mib": round(one.most_mib),
                "slope_mib_per_hour": None if one.slope is None else round(one.slope, 1),
                "grows": one.grows,
            }
            for one in result.memory.trends()
        ],
    }


def wrong(result: Result) -> list[str]:
    """What did not come out even; empty if all did."""
    found = [f"not ready again: {one}" for one in result.late]
    found += [] if result.settled else ["not everything was read and answered in time"]
    found += findings(result.seen)
    return found + [
        f"{one.name} grew, to {one.most_mib:.0f} MiB at most" for one in result.memory.trends() if one.grows
    ]


def tables(result: Result) -> Group:
    """What was sent, what came of it, what was done to it, and the memory of each process."""
    said = as_object(result)
    sent, came, faults = _table("sent", ""), _table("what came of it", ""), _table("faults", "killed", "paused")
    for topic, times in said["sent"].items():
        sent.add_row(topic, str(times))
    for door, times in said["by door"].items():
        sent.add_row(Text(door, "dim"), str(times))
    for what, times in said["counts"].items():
        came.add_row(what, f"{times:,}")
    for what, seconds in said["latency"].items():
        came.add_row(f"incident to inbox, {what}", f"{seconds:g} s")
    done = result.faults.done
    for name in sorted({name for _, name in done}):
        faults.add_row(name, str(done["killed", name] or ""), str(done["paused", name] or ""))
    memory = _table("memory", "mean MiB", "most MiB", "MiB an hour")
    for one in result.memory.trends():
        slope = "" if one.slope is None else f"{one.slope:+.1f}"
        memory.add_row(one.name, f"{one.mean_mib:.0f}", f"{one.most_mib:.0f}", Text(slope, "red" if one.grows else ""))
    plan = result.plan
    head = f"{plan.seconds:g} s at {plan.rate:g} times the county's rate, seed {plan.seed}"
    head += f"; all was settled {said['drained']:g} s after the last event"
    end = [Text(f"✗ {finding}", "red") for finding in said["findings"]] or [
        Text("✓ nothing lost, nothing twice, every inbox gapless and in order", "green")
    ]
    return Group(Text(head, "bold"), sent, came, faults, memory, *end)


def _latency(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cut = quantiles(seconds, n=100, method="inclusive")
    return {"median": round(cut[49], 2), "p95": round(cut[94], 2), "longest": round(max(seconds), 2)}


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
