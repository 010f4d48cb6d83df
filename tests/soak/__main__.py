"""`make soak`: the county on an installation of its own, for minutes, and what came of it.

Exit codes: 0 all came out even; 3 something did not; the data of that run are then kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.bus.settings import Settings, settings
from services.embedded.ports import free_ports
from services.supervisor.keeper import Backoff
from services.supervisor.supervisor import Supervisor
from tests.soak.report import as_object, tables, wrong
from tests.soak.run import Plan, Result, Soak

NOT_EVEN = 3
FULL = 13
"""Ports in a row: brokers and controllers (6), the registry (from the 9th on), and the pages, the gateway first."""


def soak(
    minutes: Annotated[float, typer.Option(help="How long the county plays; what follows is waited for.")] = 10.0,
    rate: Annotated[float, typer.Option(help="So many times the county's own rate, and its time.")] = 100.0,
    every: Annotated[float, typer.Option(help="Seconds between two faults, on average; 0: none.")] = 4.0,
    brokers: Annotated[int, typer.Option(help="Kafka's nodes, 1 or 3.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed makes the same county, arrivals and faults.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as one JSON object.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where its data go; default a folder that is removed.")] = None,
) -> None:
    """Play the county with faults all the while, and reconcile what was sent with what arrived."""
    folder = data_dir or Path(tempfile.mkdtemp(prefix="safebus-soak-"))
    plan = Plan(seconds=minutes * 60, rate=rate, every=every, seed=seed)
    screen = Console(stderr=True, highlight=False)
    for name in ("aiokafka", "asyncio"):  # they say a line for each try at a broker that is away, and for each end
        logging.getLogger(name).setLevel(logging.CRITICAL)
    result = asyncio.run(_run(_settings(folder), plan, brokers, screen))
    if as_json:
        print(json.dumps(as_object(result), indent=2))
    else:
        Console(highlight=False).print(tables(result))
    if wrong(result):
        screen.print(f"its data, with all logs: {folder}")
        raise typer.Exit(NOT_EVEN)
    if data_dir is None:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path) -> Settings:
    """An installation that meets no other, whatever the environment says of another one."""
    for name in [name for name in os.environ if name.startswith("SAFEBUS_") and name != "SAFEBUS_CACHE_DIR"]:
        del os.environ[name]
    first = free_ports(FULL)
    chosen = {
        "DATA_DIR": str(folder),
        "CLOCK_FILE": str(folder / "clock"),
        "BOOTSTRAP_SERVERS": f"127.0.0.1:{first}",
        "REGISTRY_URL": f"http://127.0.0.1:{first + 8}/apis/ccompat/v7",
        "GATEWAY_PORT": str(first + 9),
        "BOARD_PORT": str(first + 10),
        "PERFORMANCE_PORT": str(first + 11),
        "OPS_PORT": str(first + 12),
        "LOG_LEVEL": "WARNING",
    }
    os.environ |= {f"SAFEBUS_{name}": value for name, value in chosen.items()}
    settings.cache_clear()
    return settings()


async def _run(at: Settings, plan: Plan, brokers: int, screen: Console) -> Result:
    backoff = lambda: Backoff(first=0.2, most=2.0)  # noqa: E731 - a kill is not the process's fault
    async with Supervisor(at, brokers=brokers, backoff=backoff, say=lambda _: None) as up:
        screen.print("starting everything")
        await up.ready(300)
        return await Soak(at, up.status, plan, screen.print).run()


if __name__ == "__main__":
    typer.run(soak)
