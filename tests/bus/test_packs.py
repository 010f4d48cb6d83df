"""What is put into the outbox comes out of it: the same outputs, the same bytes, in the same order, by each place."""

from __future__ import annotations

from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from services.bus import packs
from services.bus.broker import Sending
from services.bus.packs import Output, output, packed, unpacked

NAMES = st.text(max_size=8)
SENDINGS = st.builds(
    Sending,
    st.binary(max_size=20),
    st.none() | st.binary(max_size=40),
    st.lists(st.tuples(NAMES, st.binary(max_size=8)), max_size=4),
)
PLACE = attrgetter("topic", "partition", "offset", "ordinal")
PLACES = st.tuples(st.sampled_from(["a.v1", "b.v1"]), st.integers(0, 2))


@st.composite
def outputs(draw: st.DrawFn) -> list[Output]:
    """As a batch yields them: by partition, in the order of their offsets."""
    found = []
    for place in draw(st.lists(PLACES, unique=True, max_size=3)):
        for offset in sorted(draw(st.sets(st.integers(0, 2**40), max_size=4))):
            for ordinal, sending in enumerate(draw(st.lists(SENDINGS, max_size=3))):
                found.append(output(place, offset, ordinal - 2**62, "out.v1", sending))
    return found


@given(outputs(), st.integers(1, 3), st.integers(0, 60))
def test_the_same_comes_out(said: list[Output], most: int, largest: int) -> None:
    """Whatever bytes a header has, without a value, in rows however small; each row is known by its last output."""
    before = packs.MOST, packs.LARGEST
    packs.MOST, packs.LARGEST = most, largest
    try:
        rows = list(packed(said))
    finally:
        packs.MOST, packs.LARGEST = before
    found = [list(unpacked(row[0], row[1], row[5])) for row in rows]
    assert [one for lot in found for one in lot] == said
    assert [row[:5] for row in rows] == [(*PLACE(lot[-1]), len(lot)) for lot in found]
    assert all(len(lot) <= most for lot in found)
    assert all(sum(len(one.stored) for one in lot[:-1]) <= largest for lot in found)
