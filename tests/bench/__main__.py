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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles

import psutil
from rich.console import Console
from rich.table import Table

from services.bus.envelope import Event
from services.bus.publish import Publisher
from services.bus.run import broker_for
from services.bus.settings import Settings, settings
from services.cli.screen import Screen
from services.embedded import EmbeddedStack, embedded_stack
from services.supervisor.rooms import commands
from services.supervisor.servers import apply_catalogue
from tests.bench import board, gateway_path, gateway_post, gateway_streams, made_up, plain

BATCHES = (500, 1000, 2000, 4000)
SIDES = ("whole", "bare", "batched")
ROOMS: dict[str, tuple[str, tuple[str, ...], Callable[[int], Event]]] = {
    "tests.bench.plain": ("police.matches.v1", ("deadlines.met.v1",), plain.matched),
    "services.encompass_alerts.wiring": (
        "police.notifications.v1",
        ("encompass.alerts.v1", "deadlines.set.v1"),
        made_up.notification,
    ),
    "services.gp_updates.wiring": ("gp.cues.v1", ("gp.updates.v1", "deadlines.set.v1"), made_up.cue),
}
screen = Screen()
"""On standard error, so that the table or the JSON alone is on standard output."""


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
    """Events a second of a bare loop, one that builds its own batches, and the whole service, in batches of one size:
    that at which the service stands best beside the bare loop. Each is the median of its turns.

    They take turns, so that what else the machine does meets all three; the fastest turn alone would tell of that. Each
    one's best size is told too, as the bare loop's may be another.
    """
    source, targets, make = ROOMS[room]
    await publish([make(n) for n in range(count)])
    rates: dict[str, dict[int, list[float]]] = {side: {batch: [] for batch in BATCHES} for side in SIDES}
    for turn in range(repeats):
        for batch in BATCHES:
            tag = f"{batch}-{turn}-{os.getpid()}"
            sides = {
                "whole": [room, "--count", str(count * len(targets)), "--tag", tag],
                "bare": [source, *targets, "--count", str(count), "--batch", str(batch)],
                "batched": [source, *targets, "--count", str(count), "--batch", str(batch)],
            }
            for side, arguments in sides.items():
                screen.doing(f"{room}: {side}, batches of {batch}, turn {turn + 1} of {repeats}")
                seconds = await worker(side, *arguments, SAFEBUS_BATCH_SIZE=str(batch))
                rates[side][batch].append(count / seconds)
    medians = {side: {batch: median(some) for batch, some in by_batch.items()} for side, by_batch in rates.items()}
    size = max(BATCHES, key=lambda batch: medians["whole"][batch] / medians["bare"][batch])
    best = {f"{side}, best of sizes": max(by_batch.values()) for side, by_batch in medians.items()}
    return {"in batches of": float(size)} | {side: by_batch[size] for side, by_batch in medians.items()} | best


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
    """All parts, one after another; each is told when it begins, and its figures as soon as they are there."""
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

    async def part(name: str, words: str, measuring: Awaitable[dict[str, float]]) -> None:
        """It, with what is going on before it and its figures after it."""
        screen.doing(f"{words} (part {len(found) + 1} of {8 + len(ROOMS)})")
        found[name] = await measuring
        for row in rows(name, found[name]):
            figure, bare, whole, ratio, wanted = told(row)
            beside = f" beside {bare}, ratio {ratio}" if bare else ""
            screen.news(f"{figure}: {whole}{beside}{f', wanted {wanted}' if wanted else ''}")

    screen.doing("formatting Kafka, so that its next start is a warm one")
    async with embedded_stack(folder, kafka_port=0, registry_port=0):
        pass
    started = time.perf_counter()
    async with embedded_stack(folder, kafka_port=0, registry_port=0) as stack:
        taken = time.perf_counter() - started
        os.environ |= {"SAFEBUS_BOOTSTRAP_SERVERS": stack.bootstrap_servers, "SAFEBUS_REGISTRY_URL": stack.registry_url}
        settings.cache_clear()
        await asyncio.to_thread(apply_catalogue, Settings())
        await part("warm start", "starting Kafka and the registry again", asyncio.sleep(0, {"seconds": taken}))
        await part("memory", "each process without anything to do", idle(stack))
        screen.doing("filling the directory")
        await publish([*made_up.organisations(), *(made_up.child(n) for n in range(made_up.CHILDREN))])
        # Before the rest: what the others publish the gateway would have to read through.
        await part("path", "from POST to a school's stream", path(2000))
        for room in ROOMS:
            await part(room, f"events a second of {room}, {repeats} turns", throughput(room, count, repeats))
        await part("latency", "from an incident to its alert, one at a time", latency(300))
        await part("posts", "POSTs a second", gateway_post.posts())
        await part("streams", "an event to 2,000 open streams", gateway_streams.streams())
        await part("pages", "pages of an inbox of 1,000,000", gateway_streams.pages())
        await part("board", f"the board with {board.MATTERS} matters", board.board())
    screen.still()
    return found


Row = tuple[str, float | None, float, str]
"""A figure, its yardstick if it has one, what safebus has, and what is wanted of it or of its ratio."""


def rows(part: str, f: dict[str, float]) -> Iterator[Row]:
    """What one part measured, as figures to be read."""
    if part in ROOMS:
        name = part.removeprefix("services.").removesuffix(".wiring")
        yield f"{name}, events/s ÷ a bare loop, in batches of {f['in batches of']:.0f}", f["bare"], f["whole"], "≥ 0.45"
        sides = f["bare, best of sizes"], f["whole, best of sizes"]
        yield f"{name}, the same, each in batches that suit it best", *sides, ""
        yield f"{name}, events/s ÷ one that builds its batches", f["batched"], f["whole"], ""
    elif part == "latency":
        for cut in ("p50", "p99"):
            yield f"incident → alert {cut}, ms", f[f"bare {cut}"], f[f"whole {cut}"], "≤ 3"
    elif part == "path":
        for cut, wanted in (("p50", ""), ("p99", "≤ 5")):
            name = f"POST → school's stream ÷ a bare round trip, {cut}, ms, at 200/s"
            yield name, f[f"bare {cut}"], f[f"whole {cut}"], wanted
    elif part == "posts":
        yield "accepted POSTs/s ÷ an empty handler", f["empty"], f["whole"], "≥ 0.5"
    elif part == "streams":
        yield "an event to 2,000 streams, ms", f["bare"], f["whole"], "≤ 1.5"
        yield "one open stream, kB", f["bare kB"], f["whole kB"], "≤ 60 kB"
    elif part == "pages":
        yield "a page of 1,000,000 entries ÷ of 1,000, ms", f["short"], f["long"], "≈ 1"
    elif part == "board":
        for what, words in (
            ("first", "the board's first card"),
            ("update", "danger: from the board's commit to paint"),
        ):
            name = f"{words}, {board.MATTERS} matters and {board.VIEWERS} viewers ÷ empty, ms"
            yield name, f[f"empty {what}"], f[f"full {what}"], ""
    elif part == "warm start":
        yield "Kafka and registry, warm start, s", None, f["seconds"], "≤ 15"
    else:
        for name, size in f.items():
            yield f"{name}, MiB", None, size, "≤ 150" if name.endswith("idle") else ""


def told(row: Row) -> tuple[str, str, str, str, str]:
    """A row in the table's words."""
    name, bare, whole, wanted = row
    digits = 0 if whole >= 100 else 1 if whole >= 10 else 2
    return (
        name, "" if bare is None else f"{bare:,.{digits}f}", f"{whole:,.{digits}f}",
        "" if bare is None else f"{whole / bare:.2f}", wanted,
    )  # fmt: skip


def show(found: dict[str, dict[str, float]]) -> None:
    """All of it, as a table."""
    table = Table("figure", "bare", "safebus", "ratio", "wanted", title="safebus bench")
    for part, figures in found.items():
        for row in rows(part, figures):
            table.add_row(*told(row))
    Console().print(table)


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("--count", type=int, default=20_000)
    given.add_argument("--repeats", type=int, default=3)
    given.add_argument("--json", action="store_true")
    said = given.parse_args()
    with screen:
        measured = asyncio.run(bench(said.count, said.repeats))
    if said.json:
        json.dump(measured, sys.stdout, indent=2)
    else:
        show(measured)
