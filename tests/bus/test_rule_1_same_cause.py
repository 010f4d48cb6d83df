"""Rule 1: the same cause gives the same id, whoever decides it however often; and an id means one content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.bus.envelope import same_cause_same_id
from tests.bus.plain import LETTERS, Bus, match

PARTS = st.lists(st.one_of(st.none(), st.text()), min_size=6, max_size=6)


@given(PARTS, PARTS)
def test_an_id_follows_from_every_part_of_its_cause(one: list[str | None], other: list[str | None]) -> None:
    """The same parts give the same id, others another; no parts run into each other."""
    assert (same_cause_same_id(*one) == same_cause_same_id(*other)) == (one == other)


def test_neighbouring_parts_do_not_run_into_each_other() -> None:
    """A quote, a comma or a missing part in an id is not taken for a border between two."""
    different = [("a", "b"), ("ab", ""), ("", "ab"), ('a","b', None), ("a", None), (None, "a"), ("null", "a")]
    assert len({same_cause_same_id(*parts) for parts in different}) == len(different)


async def test_siblings_in_one_incident_are_two_outputs(stored: Bus) -> None:
    """One cause, two subjects: two ids, both said, and both again the same when it is all decided anew."""
    await stored.publish(match("i", "siblings", "say 2"))
    async with stored.running():
        first = await stored.until(2)
        await stored.quiet()
    ids = [event.envelope.id for event in first]
    assert len(set(ids)) == 2
    assert {event.envelope.cause_id for event in first} == {first[0].envelope.cause_id}
    stored.restore({})
    stored.memory.committed.clear()
    async with stored.running():
        again = await stored.until(4)
    assert [event.envelope.id for event in again][2:] == ids


async def test_two_forces_may_use_the_same_event_id(stored: Bus) -> None:
    """The same id from another source is another event: both take effect, with ids of their own."""
    for force in (b"urn:force:a", b"urn:force:b"):
        await stored.say(match("i", "r"), ce_id=b"1", ce_source=force)
    async with stored.running():
        said = await stored.until(2)
        await stored.quiet()
    assert len({event.envelope.id for event in said}) == 2
    assert sorted(event.envelope.cause_source for event in said) == ["urn:force:a", "urn:force:b"]
    assert await stored.said(LETTERS) == []


async def test_source_and_id_do_not_run_into_each_other(bus: Bus) -> None:
    """Source `a b` with id `c`, and source `a` with id `b c`, are two events."""
    await bus.say(match("i", "r"), ce_source=b"a b", ce_id=b"c")
    await bus.say(match("i", "s"), ce_source=b"a", ce_id=b"b c")
    async with bus.running():
        await bus.quiet()
    assert sorted(filter(None, await bus.subjects())) == ["r.0", "s.0"]


async def test_a_repeat_takes_no_effect(every: Bus) -> None:
    """A producer that heard no acknowledgement sends again: in the same batch, in a later one, to another partition,
    with other headers. One effect."""
    await every.say(match("i", "r"), ce_id=b"1")
    await every.say(match("i", "r"), ce_id=b"1")
    async with every.running():
        await every.quiet()
        await every.say(match("i", "r"), ce_id=b"1", traceparent=b"00-1-2-01")
        await every.quiet()
        key, value, headers = await every.encoded(match("i", "r"), ce_id=b"1")
        for other in (b"a", b"b", b"c", b"d"):
            await every.send("police.matches.v1", other, value, headers)
        await every.quiet()
    assert key not in (b"a", b"b", b"c", b"d")
    assert await every.subjects() == ["r.0"]
    assert await every.said(LETTERS) == []


async def test_a_known_id_with_other_content_is_a_dead_letter(every: Bus) -> None:
    """What came first stands; the other is before a person, in the same batch and in a later one."""
    await every.say(match("i", "first"), ce_id=b"1")
    await every.say(match("i", "second"), ce_id=b"1")
    async with every.running():
        await every.quiet()
        await every.say(match("i", "third"), ce_id=b"1")
        await every.quiet()
        letters = await every.until(2, LETTERS)
    assert await every.subjects() == ["first.0"]
    assert [letter.reason_code for letter in letters] == ["id_reused", "id_reused"]
    assert {letter.event_id for letter in letters} == {"1"}


async def test_an_output_id_twice_is_refused_whole(bus: Bus) -> None:
    """A decision that yields one id twice says nothing at all: neither of the two is known to be meant."""
    await bus.publish(match("i", "r", "same"))
    async with bus.running():
        (letter,) = await bus.until(1, LETTERS)
        await bus.quiet()
    assert letter.reason_code == "same_id_twice"
    assert await bus.said() == []
