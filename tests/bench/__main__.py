"""`make bench`: what a service costs beside a bare loop, in one run on one machine, as ratios.

A timing alone says more of the machine than of the code, so each figure stands beside its own yardstick.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

import psutil
from rich.console import Console
from rich.table import Table

from services.bus.envelope import Event
from services.bus.publish import Publisher
from services.bus.run import broker_for
from services.bus.settings import Settings, settings
from services.embedded import EmbeddedStack, embedded_stack
from services.supervisor.rooms import commands
from services.supervisor.servers import apply_catalogue
from tests.bench import board, gateway_path, gateway_post, gateway_streams, made_up, plain

BATCHES = (500, 1000, 2000)
ROOMS: dict[str, tuple[str, tuple[str, ...], Callable[[int], Event]]] = {
    "tests.bench.plain": ("police.matches.v1", ("deadlines.met.v1",), plain.matched),
    "services.encompass_alerts.wiring": (
        "police.notifications.v1",
        ("encompass.alerts.v1", "deadlines.set.v1"),
        made_up.notification,
    ),
    "services.gp_updates.wiring": ("gp.cues.v1", ("gp.updates.v1", "deadlines.set.v1"), made_up.cue),
}
console = Console()


async def publish(events: list[Event]) -> None:
    """As the super user, in lots."""
    async with Publisher("admin") as bus:
        for start in range(0, len(events), 5000):
            await bus.publish(events[start : start + 5000])


async def worker(*arguments: str, **env: str) -> float:
    """Seconds that one side took, measured in its own process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.worker", *arguments, env=os.environ | env, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"bench worker {arguments} ended with {process.returncode}")
    return float(json.loads(said.splitlines()[-1])["seconds"])


async def throughput(room: str, count: int, repeats: int) -> dict[str, float]:
    """Events a second of a bare loop, one that builds its own batches, and the whole service; best of batch sizes.

    They take turns, so that what else the machine does meets all three.
    """
    source, targets, make = ROOMS[room]
    await publish([make(n) for n in range(count)])
    best: dict[str, float] = {}
    for turn in range(repeats):
        for batch in BATCHES:
            tag = f"{batch}-{turn}-{os.getpid()}"
            sides = {
                "whole": [room, "--count", str(count * len(targets)), "--tag", tag],
                "bare": [source, *targets, "--count", str(count), "--batch", str(batch)],
                "batched": [source, *targets, "--count", str(count), "--batch", str(batch)],
            }
            for side, arguments in sides.items():
                seconds = await worker(side, *arguments, SAFEBUS_BATCH_SIZE=str(batch))
                if count / seconds > best.get(side, 0):
                    best |= {side: count / seconds, f"{side} in batches of": batch}
    return best


@asynccontextmanager
async def processes(commands: list[list[str]]) -> AsyncIterator[list[psutil.Process]]:
    """Running, ready, and ended with the block."""
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, *command, env=os.environ | {"SAFEBUS_LOG_LEVEL": "ERROR"}, stdout=asyncio.subprocess.PIPE
        )
        for command in commands
    ]
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()


async def two_hops(target: str, events: list[Event], gap: float) -> list[float]:
    """Milliseconds from producing an incident to reading what it led to two services later, one at a time."""
    reader = broker_for(settings(), "admin").reader(f"admin.bench-{time.time_ns()}", [target])
    await reader.start()
    while not reader.assignment():
        await reader.poll(1, 50)
    for partition, end in (await reader.ends(reader.assignment())).items():
        reader.seek(partition, end)
    reader.resume(reader.assignment())
    while any((await reader.poll(1000, 3000)).values()):
        pass  # a backlog is being worked off
    taken = []
    async with Publisher("admin") as bus:
        for event in events:
            started = time.perf_counter()
            await bus.publish([event])
            while not any((await reader.poll(10, 5000)).values()):
                pass
            taken.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(gap)
    await reader.stop()
    return taken


async def latency(count: int) -> dict[str, float]:
    """p50 and p99 of incident → alert through two services, and through two bare loops."""
    found: dict[str, float] = {}
    hops = [["-m", "services.police_notifications"], ["-m", "services.encompass_alerts"]]
    bare = [
        ["-m", "tests.bench.worker", "bare", "police.incidents.v1", "police.notifications.v1"],
        ["-m", "tests.bench.worker", "bare", "police.notifications.v1", "encompass.alerts.v1"],
    ]
    for name, sides in (("whole", hops), ("bare", bare)):
        async with processes(sides):
            await asyncio.sleep(15)
            first = 1_000_000 if name == "whole" else 2_000_000
            await two_hops("encompass.alerts.v1", [made_up.incident(first + n) for n in range(20)], 0.02)
            taken = await two_hops(
                "encompass.alerts.v1", [made_up.incident(first + 100 + n) for n in range(count)], 0.02
            )
            cuts = quantiles(taken, n=100)
            found |= {f"{name} p50": cuts[49], f"{name} p99": cuts[98]}
    return found


async def path(count: int) -> dict[str, float]:
    """p50 and p99 of POST → the school's stream, and of one bare round trip, at 200 a second."""
    services = ("police_notifications", "encompass_alerts", "partner_gateway")
    async with processes([["-m", f"services.{name}"] for name in services]):
        await asyncio.sleep(20)
        found = await gateway_path.whole(count, 200)
    return found | await gateway_path.bare("mash.contacts.v1", count, 200)


async def idle(stack: EmbeddedStack) -> dict[str, float]:
    """MiB of every process of the stack once all have started and none has anything to do."""
    found = commands(settings())
    async with processes([command[1:] for command in found.values()]) as running:
        await asyncio.sleep(15)
        sizes = {f"{name}, idle": process for name, process in zip(found, running, strict=True)}
        sizes |= {"kafka": psutil.Process(stack.kafka.pid), "registry": psutil.Process(stack.registry.pid)}
        memory = {name: process.memory_info().rss / 2**20 for name, process in sizes.items()}
    return memory | {"all of it": sum(memory.values())}


async def bench(count: int, repeats: int) -> dict[str, dict[str, float]]:
    folder = Path(tempfile.mkdtemp(prefix="safebus-bench-"))
    os.environ |= {"SAFEBUS_DATA_DIR": str(folder), "SAFEBUS_REPLICATION_FACTOR": "1", "SAFEBUS_LOG_LEVEL": "ERROR"}
    os.environ |= {
        "SAFEBUS_GATEWAY_PORT": "0",
        "SAFEBUS_BOARD_PORT": "0",
        "SAFEBUS_OPS_PORT": "0",
        "SAFEBUS_GATEWAY_RATE": "1e6",
        "SAFEBUS_GATEWAY_BURST": "1000000",
    }
    found: dict[str, dict[str, float]] = {}
    async with embedded_stack(folder, kafka_port=0, registry_port=0):
        pass  # formatted, so that the next start is a warm one
    started = time.perf_counter()
    async with embedded_stack(folder, kafka_port=0, registry_port=0) as stack:
        found["warm start"] = {"seconds": time.perf_counter() - started}
        os.environ |= {"SAFEBUS_BOOTSTRAP_SERVERS": stack.bootstrap_servers, "SAFEBUS_REGISTRY_URL": stack.registry_url}
        settings.cache_clear()
        await asyncio.to_thread(apply_catalogue, Settings())
        found["memory"] = await idle(stack)
        await publish([*made_up.organisations(), *(made_up.child(n) for n in range(made_up.CHILDREN))])
        found["path"] = await path(2000)  # first: what the others publish the gateway would have to read through
        for room in ROOMS:
            found[room] = await throughput(room, count, repeats)
        found["latency"] = await latency(300)
        found["posts"] = await gateway_post.posts()
        found["streams"] = await gateway_streams.streams()
        found["pages"] = await gateway_streams.pages()
        found["board"] = await board.board()
    return found


def show(found: dict[str, dict[str, float]]) -> None:
    table = Table("figure", "bare", "safebus", "ratio", "wanted", title="safebus bench")
    for room in ROOMS:
        f = found[room]
        name = room.removeprefix("services.").removesuffix(".wiring")
        for side, words in (("bare", "a bare loop"), ("batched", "one that builds its batches")):
            ratio = f"{f['whole'] / f[side]:.2f}"
            wanted = "≥ 0.45" if side == "bare" else ""
            table.add_row(f"{name}, events/s ÷ {words}", f"{f[side]:,.0f}", f"{f['whole']:,.0f}", ratio, wanted)
    f = found["latency"]
    for cut in ("p50", "p99"):
        bare, whole = f[f"bare {cut}"], f[f"whole {cut}"]
        table.add_row(f"incident → alert {cut}, ms", f"{bare:.1f}", f"{whole:.1f}", f"{whole / bare:.2f}", "≤ 3")
    f = found["path"]
    for cut in ("p50", "p99"):
        bare, whole = f[f"bare {cut}"], f[f"whole {cut}"]
        wanted = "≤ 5" if cut == "p99" else ""
        table.add_row(
            f"POST → school's stream ÷ a bare round trip, {cut}, ms, at 200/s",
            f"{bare:.1f}", f"{whole:.1f}", f"{whole / bare:.2f}", wanted,
        )  # fmt: skip
    f = found["posts"]
    ratio = f"{f['whole'] / f['empty']:.2f}"
    table.add_row("accepted POSTs/s ÷ an empty handler", f"{f['empty']:,.0f}", f"{f['whole']:,.0f}", ratio, "≥ 0.5")
    f = found["streams"]
    ratio = f"{f['whole'] / f['bare']:.2f}"
    table.add_row("an event to 2,000 streams, ms", f"{f['bare']:.0f}", f"{f['whole']:.0f}", ratio, "≤ 1.5")
    table.add_row("one open stream, kB", f"{f['bare kB']:.0f}", f"{f['whole kB']:.0f}", "", "≤ 60")
    f = found["pages"]
    ratio = f"{f['long'] / f['short']:.2f}"
    table.add_row("a page of 1,000,000 entries ÷ of 1,000, ms", f"{f['short']:.2f}", f"{f['long']:.2f}", ratio, "≈ 1")
    f = found["board"]
    for what, words in (("first", "the board's first card"), ("update", "danger: from the board's commit to paint")):
        bare, whole = f[f"empty {what}"], f[f"full {what}"]
        name = f"{words}, {board.MATTERS} matters and {board.VIEWERS} viewers ÷ empty, ms"
        table.add_row(name, f"{bare:.0f}", f"{whole:.0f}", f"{whole / bare:.2f}", "")
    table.add_row("Kafka and registry, warm start, s", "", f"{found['warm start']['seconds']:.1f}", "", "≤ 15")
    for name, size in found["memory"].items():
        wanted = "≤ 150" if name.endswith("idle") else ""
        table.add_row(f"{name}, MiB", "", f"{size:.0f}", "", wanted)
    console.print(table)


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("--count", type=int, default=20_000)
    given.add_argument("--repeats", type=int, default=2)
    given.add_argument("--json", action="store_true")
    said = given.parse_args()
    measured = asyncio.run(bench(said.count, said.repeats))
    if said.json:
        json.dump(measured, sys.stdout, indent=2)
    else:
        show(measured)
