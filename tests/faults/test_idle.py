"""What a process costs while nothing happens."""

from __future__ import annotations

import asyncio
import sys

import psutil

from tests.faults.house import House

LIMIT = 200 * 1024 * 1024


async def test_an_idle_service_is_small(house: House) -> None:
    """Below 200 MiB after some work; `make bench` prints the figure, which is to be below 150."""
    await house.publish(2000)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.victim"),
        env=house.environment(batch_size=500),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await house.kept_the_promise()
        resident = psutil.Process(process.pid).memory_info().rss
    finally:
        process.kill()
        await process.wait()
    print(f"idle: {resident / 1024**2:.0f} MiB")
    assert resident < LIMIT
