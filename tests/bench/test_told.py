"""What `make bench` says while it measures, with every measurement made up: minutes must not pass in silence."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from services.bus.settings import settings
from services.cli.screen import Screen
from tests.bench import __main__ as bench
from tests.bench import board, gateway_post, gateway_streams

SIDES = ("bare", "batched", "whole", "empty", "short", "long", "bare kB", "whole kB")
OF_SIZES = ("in batches of", "whole, best of sizes", "bare, best of sizes")
CUTS = ("bare p50", "bare p99", "whole p50", "whole p99", "empty first", "full first", "empty update", "full update")


@asynccontextmanager
async def nothing(*_: Any, **__: Any) -> AsyncIterator[SimpleNamespace]:
    """In place of Kafka and the registry."""
    yield SimpleNamespace(bootstrap_servers="kafka.invalid:9092", registry_url="http://registry.invalid")


def says(figures: dict[str, float]) -> Callable[..., Awaitable[dict[str, float]]]:
    """A measurement that gives these at once."""

    async def measured(*_: Any, **__: Any) -> dict[str, float]:
        return figures

    return measured


async def test_each_part_is_told_when_it_begins_and_its_figures_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, in the order of the work; standard output is left to the table."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(bench, "embedded_stack", nothing)
    monkeypatch.setattr(bench, "apply_catalogue", lambda _: None)
    figures = dict.fromkeys((*SIDES, *CUTS, *OF_SIZES), 12.5)
    for owner, name in (
        (bench, "publish"), (bench, "path"), (bench, "throughput"), (bench, "latency"),
        (gateway_post, "posts"), (gateway_streams, "streams"), (gateway_streams, "pages"),
        (board, "board"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, says(figures))
    monkeypatch.setattr(bench, "idle", says({"deadlines, idle": 99.0}))
    monkeypatch.setattr(bench, "screen", Screen())
    try:
        found = await bench.bench(1, 1)
    finally:
        settings.cache_clear()
    said = capsys.readouterr()
    assert said.out == ""
    assert all(f"part {n} of {len(found)}" in said.err for n in range(1, len(found) + 1))
    assert said.err.index("part 2 of") < said.err.index("deadlines, idle, MiB: 99.0, wanted ≤ 150")
    assert said.err.index("deadlines, idle, MiB") < said.err.index("part 3 of")
    bench.show(found)
    assert "ratio" in capsys.readouterr().out
    for part, measured in found.items():
        for row in bench.rows(part, measured):
            assert row[0] in said.err
