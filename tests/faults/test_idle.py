"""What a process costs while nothing happens."""

from __future__ import annotations

from tests.faults.house import House

LIMIT = 200 * 1024 * 1024


async def test_an_idle_service_is_small(house: House) -> None:
    """Below 200 MiB after some work, so that fifteen of them fit on a small machine; `make bench` prints the figure."""
    await house.publish(2000)
    victim = house.victim(batch_size=500)
    await house.kept_the_promise()
    await victim.is_ready()
    print(f"idle: {victim.rss / 1024**2:.0f} MiB")
    assert victim.rss < LIMIT
