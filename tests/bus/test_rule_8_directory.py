"""Rule 8: the directory is a table fed by the same loop, as new as it was when a batch began."""

from __future__ import annotations

from collections import Counter

from services.bus.directory import DirectoryTable
from services.bus.events import ChildIdentity, RecordStatus
from tests.bus.plain import LETTERS, TELLER, Bus, child, eventually, match, organisation


async def test_a_decision_asks_the_directory_as_it_was_when_its_batch_began(every: Bus) -> None:
    """The directory's records and an event that needs them lie in the log: the event is decided by them."""
    await every.publish(match("i", "a", child="c7"))
    await every.publish(*(child(f"c{n}", 1, f"school:{n}") for n in range(20)))
    async with every.running(TELLER):
        await every.until(1)
        await every.quiet(TELLER)
    assert await every.subjects() == ["school:7"]
    assert await every.said(LETTERS) == []


async def test_a_lower_version_is_ignored(stored: Bus) -> None:
    """A record that comes late, after a newer one, changes nothing; nor does the same version again."""
    await stored.publish(child("c1", 5, "school:new"), child("c1", 4, "school:old"), child("c1", 5, "school:again"))
    async with stored.running(TELLER):
        await stored.publish(match("i", "a"))
        await stored.until(1)
        await stored.publish(child("c1", 3, "school:older"), match("i", "b"))
        await stored.until(2)
    assert await stored.subjects() == ["school:new", "school:new"]


async def test_a_closed_record_stays_and_a_null_value_removes_nothing(stored: Bus) -> None:
    """A closed child is still known, as closed. A tombstone is a dead letter, and the child stays."""
    await stored.publish(child("c1", 1, "school:1"), child("c2", 1), child("c2", 2, status=RecordStatus.CLOSED))
    await stored.send("directory.children.v1", b"c1", None, [("ce_id", b"1"), ("ce_source", b"urn:importer")])
    async with stored.running(TELLER):
        await stored.publish(match("i", "a"))
        await stored.until(1)
        await stored.until(1, LETTERS)
    with stored.engine(TELLER).begin() as connection:
        found = DirectoryTable().within(connection).child("c2")
    assert found
    assert found.status is RecordStatus.CLOSED


async def test_a_record_is_found_by_its_present_identifiers_only(stored: Bus) -> None:
    """A child who got another reference is found by that one, and no longer by the former."""
    await stored.publish(child("c1", 1, police_reference="P1"), child("c2", 1, police_reference="P1"))
    async with stored.running(TELLER):
        await stored.quiet(TELLER, "directory.children.v1")
        await stored.publish(child("c1", 2, police_reference="P2"))
        await stored.quiet(TELLER, "directory.children.v1")
    with stored.engine(TELLER).begin() as connection:
        directory = DirectoryTable().within(connection)
        assert [c.child_id for c in directory.children_with("police-reference", "P1")] == ["c2"]
        assert [c.child_id for c in directory.children_with("police-reference", "P2")] == ["c1"]


async def test_a_batch_waits_for_a_directory_that_another_worker_reads(postgres_bus: Bus) -> None:
    """Two workers: whichever has the event's partition decides by what the other has read of the directory."""
    bus = postgres_bus
    async with bus.running(TELLER) as one, bus.running(TELLER) as two:
        await eventually(
            lambda: (
                bool(one.partitions.known)
                and bool(two.partitions.known)
                and len(one.partitions.known) + len(two.partitions.known) == 9
            )
        )
        for n in range(12):
            await bus.publish(child(f"c{n}", 1, f"school:{n}"))
            await bus.publish(match(f"i{n}", f"r{n}", child=f"c{n}"))
            await bus.publish(child(f"c{n}", 2, f"school:{n}b"))
            await bus.publish(match(f"i{n}", f"s{n}", child=f"c{n}"))
        await bus.until(24)
    told = {(e.child_id, e.envelope.subject) for e in await bus.said()}
    # The first answer may be decided by the first or the second record, never by none; the second only by the second.
    for n in range(12):
        assert (f"i{n}", f"school:{n}b") in told
    assert len(await bus.said()) == 24


async def test_what_was_asked_before_is_asked_anew_when_another_worker_has_changed_it(postgres_bus: Bus) -> None:
    """One worker decides about a child again and again; the other reads each new record of it."""
    bus = postgres_bus
    async with bus.running(TELLER) as one, bus.running(TELLER) as two:
        await eventually(
            lambda: (
                bool(one.partitions.known)
                and bool(two.partitions.known)
                and len(one.partitions.known) + len(two.partitions.known) == 9
            )
        )
        for version in range(1, 7):
            await bus.publish(child("c1", version, f"school:{version}"))
            await bus.publish(*(match(f"i{n}", f"r{version}") for n in range(9)))
            await bus.until(9 * version)
    told = Counter(await bus.subjects())
    assert told == {f"school:{version}": 9 for version in range(1, 7)}


async def test_the_directory_is_read_however_old_its_records_are(bus: Bus) -> None:
    """A compacted topic still holds what was recorded years ago, and that stands."""
    await bus.say(child("c1", 1, "school:1"), ce_time=b"2016-01-01T00:00:00+00:00")
    async with bus.running(TELLER):
        await bus.publish(match("i", "a"))
        await bus.until(1)
    assert await bus.subjects() == ["school:1"]
    assert await bus.said(LETTERS) == []


async def test_a_child_with_nothing_to_be_found_by_is_recorded(stored: Bus) -> None:
    """An unborn child has no name and no identifier yet (H13)."""
    nameless = ChildIdentity(forenames="", family_name="")
    await stored.publish(child("c1", 1, "school:1", identity=nameless))
    async with stored.running(TELLER):
        await stored.publish(match("i", "a"))
        await stored.until(1)
    assert await stored.subjects() == ["school:1"]


async def test_names_with_anything_in_them_pass_through_unharmed(stored: Bus) -> None:
    """A NUL, an emoji, a right-to-left name, and one longer than an index takes: kept, and found by them."""
    names = ["a\0b", "👧🏽", "عائشة", "x" * 5000]
    for number, name in enumerate(names):
        identity = ChildIdentity(forenames=name, family_name=name)
        await stored.publish(child(f"c{name[:500]}", 1, f"school:{number}", identity=identity))
    async with stored.running(TELLER):
        await stored.publish(*(match(f"i{name[:500]}", name, child=f"c{name[:500]}") for name in names))
        said = await stored.until(4)
    assert {(e.child_id, e.envelope.subject) for e in said} == {
        (f"i{n[:500]}", f"school:{x}") for x, n in enumerate(names)
    }
    with stored.engine(TELLER).begin() as connection:
        directory = DirectoryTable().within(connection)
        found = [directory.children_with("family-name", name.casefold()) for name in names]
    assert [[row.identity.forenames for row in rows] for rows in found] == [[name] for name in names]


async def test_a_child_and_a_school_of_one_id_are_two(stored: Bus) -> None:
    """A child recorded under a school's id does not take the school away."""
    await stored.publish(organisation("x", 1), child("x", 7, "school:1"))
    async with stored.running(TELLER):
        await stored.publish(match("i", "a", child="x"))
        await stored.until(1)
    with stored.engine(TELLER).begin() as connection:
        directory = DirectoryTable().within(connection)
        school, pupil = directory.organisation("x"), directory.child("x")
    assert school
    assert pupil
    assert (school.version, pupil.version) == (1, 7)


async def test_an_id_too_long_to_keep_is_a_dead_letter(stored: Bus) -> None:
    """An id of two thousand characters is nobody's; the other rows are recorded."""
    await stored.publish(child("c" * 2000, 1), child("c1", 1, "school:1"))
    async with stored.running(TELLER):
        await stored.publish(match("i", "a"))
        await stored.until(1)
        (letter,) = await stored.until(1, LETTERS)
    assert letter.reason_code == "invalid"


async def test_a_record_that_is_published_twice_changes_nothing(stored: Bus) -> None:
    """The same event, id and all, comes again in the same batch and in a later one."""
    await stored.say(child("c1", 1, "school:1"), ce_id=b"1")
    await stored.say(child("c1", 1, "school:1"), ce_id=b"1")
    async with stored.running(TELLER):
        await stored.quiet(TELLER, "directory.children.v1")
        await stored.say(child("c1", 1, "school:1"), ce_id=b"1")
        await stored.quiet(TELLER, "directory.children.v1")
    assert await stored.said(LETTERS) == []


async def test_a_child_that_was_asked_for_in_vain_is_found_once_it_is_recorded(stored: Bus) -> None:
    """That there is none is remembered only until the directory changes."""
    async with stored.running(TELLER):
        await stored.publish(match("i", "a"))
        await stored.quiet(TELLER)
        await stored.publish(child("c1", 1, "school:1"))
        await stored.quiet(TELLER, "directory.children.v1")
        await stored.publish(match("j", "b"))
        await stored.until(1)
    assert await stored.subjects() == ["school:1"]
