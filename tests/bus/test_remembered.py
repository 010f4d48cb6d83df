"""Views kept between batches: what was written last, within bounds, and only where nobody else writes."""

from __future__ import annotations

from services.bus import remembered
from services.bus.remembered import Known, Remembered
from services.bus.tables import state
from tests.bus.plain import NOTER, Bus, Count, eventually, match


def known(version: int, size: int = 10) -> Known:
    return Known(version, Count(answers=version), size)


def test_the_latest_is_known_and_the_oldest_goes_first() -> None:
    """However often a key is written; together they take no more than twice the bound."""
    kept = Remembered(alone=True)
    big = remembered.LARGEST // 4
    for number in range(20):
        kept.keep({"often": known(number), f"once {number}": known(1, big)})
        assert kept.among(["often"])["often"].version == number
    found = kept.among(f"once {number}" for number in range(20))
    assert "once 19" in found
    assert len(found) <= 8
    kept.forget()
    assert kept.among(["often", "once 19"]) == {}


def test_of_a_large_batch_the_last_are_kept() -> None:
    """And nothing is known as it was before."""
    kept = Remembered(alone=True)
    kept.keep({"a": known(1), "b": known(1)})
    kept.keep({key: known(2, remembered.LARGEST // 2) for key in "bcdefgh"})
    found = kept.among("abcdefgh")
    assert {"f", "g", "h"} <= found.keys() <= set("cdefgh")
    assert {one.version for one in found.values()} == {2}


def test_where_others_write_nothing_is_kept() -> None:
    """On PostgreSQL another worker may have changed it meanwhile."""
    kept = Remembered(alone=False)
    kept.keep({"a": known(1)})
    assert kept.among(["a"]) == {}


async def test_what_is_kept_and_no_longer_stands_is_read_again(bus: Bus) -> None:
    """Somebody has put a backup in place of the rows: the version says so, nothing is written over, and it goes on
    from what stands."""
    async with bus.running(NOTER) as loop:
        await bus.publish(match("i", "a"))
        await bus.until(1)
        await eventually(lambda: bool(loop._remembered.among(["i"])))
        with bus.engine(NOTER).begin() as connection:
            connection.execute(state.update().values(version=7, body=b'{"answers":40}'))
        await bus.publish(match("i", "b"))
        said = await bus.until(2)
    assert [event.met_at.timestamp() for event in said] == [0, 40]
    (row,) = bus.rows(state, NOTER)
    assert (row.version, bytes(row.body)) == (8, b'{"answers":41}')
