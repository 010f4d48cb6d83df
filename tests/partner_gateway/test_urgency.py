"""A list of what waits shows the most urgent first, however long the inbox: its order is kept, never worked out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import chain, permutations
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.bus.envelope import Envelope
from services.partner_gateway import decide
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import projection, urgency
from services.partner_gateway.inbox.tables import counter, entry
from services.partner_gateway.person import listing
from services.partner_gateway.person.listing import DUE, IN_DANGER, INFORMATION, LATE, READ
from services.partner_gateway.wiring import SERVICE
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.on_a_bus import GatewaysBus
from tests.partner_gateway.test_numbers import plan_of

HOUR = timedelta(hours=1)
NOW = int(people.NOW.timestamp() * 1_000_000)
MINE = people.SCHOOL


async def listed(gateway: Gateway, page: int = 1) -> tuple[list[tuple[int, int]], int]:
    """Number and rank of each on a page, and how many wait."""
    found, count = await gateway.access.read(lambda c: listing.waiting(c, MINE, NOW, page=page))
    return [(one.number, one.rank) for one in found], count


async def finished(gateway: Gateway) -> list[int]:
    found, _ = await gateway.access.read(lambda c: listing.finished(c, MINE))
    return [one.number for one in found]


async def test_the_most_urgent_is_first_and_what_is_finished_is_apart(gateway: Gateway) -> None:
    """Danger, then late and escalated, due soonest, information; then what is read and due for more; H7."""
    told: list[Any] = [
        people.outcome(MINE, None),  # information
        people.outcome(MINE, 3 * HOUR),
        people.alert(MINE, HOUR),
        people.outcome(MINE, -2 * HOUR),  # late
        people.notified(MINE, danger="UNKNOWN"),
        people.outcome(MINE, 2 * HOUR),  # read
        people.record(MINE, 4 * HOUR),  # read: owed until it is hidden (H11)
        people.alert(MINE, HOUR),  # acted
        people.outcome(MINE, None),  # read, and there is nothing more to do
        people.notified(MINE, danger="NO"),
        people.missed(MINE),
    ]
    for event in told:
        event.enveloped(Envelope(str(event.disclosure.id), "urn:test", event.topic, people.NOW - HOUR))
    await tell(gateway, *told)
    read, kept, acted, done = told[5], told[6], told[7], told[8]
    await tell(gateway, people.done(read), people.done(kept), people.done(acted, "ACTED"), people.done(done))
    assert await listed(gateway) == (
        [
            (5, IN_DANGER), (4, LATE), (11, LATE), (10, DUE), (3, DUE), (2, DUE), (7, DUE), (1, INFORMATION), (6, READ),
        ],
        9,
    )  # fmt: skip
    assert await finished(gateway) == [9, 8]
    assert await gateway.access.read(lambda c: listing.in_danger(c, MINE)) == [5]


@pytest.mark.parametrize("order", list(permutations(("told", "read", "acted"))))
@pytest.mark.parametrize("at_once", [True, False])
async def test_receipts_and_their_disclosure_come_in_any_order(
    gateway: Gateway, order: Sequence[str], at_once: bool
) -> None:
    """A receipt waits for its disclosure (DESIGN.md §1, rule 6); what was acted on is finished, and counted once."""
    event = people.notified(MINE)
    said = {"told": event, "read": people.done(event), "acted": people.done(event, "ACTED")}
    batches = [[said[name] for name in order]] if at_once else [[said[name]] for name in order]
    for batch in batches:
        await tell(gateway, *batch)
    assert await listed(gateway) == ([], 0)
    assert await finished(gateway) == [1]


async def test_the_count_is_what_a_count_would_find(gateway: Gateway) -> None:
    """Kept beside the entries, for each organisation, through repeats and receipts."""
    told = [people.outcome(to, due) for to in (MINE, people.OTHER_SCHOOL) for due in (None, HOUR, -HOUR)]
    for events in (told, told, [people.done(told[0])], [people.done(one) for one in told]):
        await tell(gateway, *events)
        counts = await gateway.access.read(lambda c: c.execute(sa.select(counter)).all())
        unfinished = sa.func.sum(sa.case((entry.c.urgency < 4, 1), else_=0))
        query = sa.select(entry.c.organisation, sa.func.count(), unfinished).group_by(entry.c.organisation)
        found = await gateway.access.read(lambda c, asked=query: c.execute(asked).all())  # type: ignore[misc]
        assert sorted(map(tuple, counts)) == sorted(map(tuple, found))


@pytest.mark.parametrize(
    "look",
    [
        partial(listing.waiting, organisation=MINE, now_us=NOW),
        partial(listing.waiting, organisation=MINE, now_us=NOW, page=7),
        partial(listing.finished, organisation=MINE),
        partial(listing.finished, organisation=MINE, before=70),
        partial(listing.in_danger, organisation=MINE),
    ],
)
async def test_a_list_is_read_by_its_index_alone(gateway: Gateway, look: Any) -> None:
    """An inbox of a million lists as fast as one of a thousand: in SQLite's plan nothing is scanned or sorted."""
    plan = await gateway.access.read(lambda connection: plan_of(connection, look))
    assert any("inbox_entry_by_urgency (organisation=? AND urgency" in step for step in plan), plan
    assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], plan


async def test_the_lists_of_a_long_inbox_read_a_page(gateway: Gateway) -> None:
    """Of ten times as many entries no more rows are stepped over: what SQLite's own counter of work says."""
    work = []
    for many in (100, 1000):
        await tell(
            gateway, *chain.from_iterable((people.outcome(MINE), people.outcome(MINE, None)) for _ in range(many))
        )
        work.append(await gateway.access.read(steps_of(partial(listing.waiting, organisation=MINE, now_us=NOW))))
    assert abs(work[0] - work[1]) <= 1  # where the counting began between two turns


def steps_of(look: Any) -> Any:
    """A reader that tells how often, every ten instructions, SQLite was at work in `look`."""

    def measured(connection: sa.Connection) -> int:
        turns = 0

        def turn() -> int:
            nonlocal turns
            turns += 1
            return 0

        driver: Any = connection.connection.driver_connection
        look(connection)  # once before: what is prepared only once is not counted
        driver.set_progress_handler(turn, 10)
        look(connection)
        driver.set_progress_handler(None, 0)
        return turns

    return measured


async def test_an_entry_is_made_of_its_event_once(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is then asked of it."""
    made: list[Any] = []

    def counted(told: Any) -> Any:
        made.append(told)
        return decide.entry_of(told)

    monkeypatch.setattr(projection, "entry_of", counted)
    await tell(gateway, *(people.outcome(MINE) for _ in range(5)))
    assert len(made) == 5


async def test_the_page_says_how_many_wait(gateway: Gateway) -> None:
    """Also when they fill more than one page."""
    await tell(gateway, *(people.outcome(MINE) for _ in range(listing.PAGE + 3)))
    first, count = await listed(gateway)
    second, again = await listed(gateway, page=2)
    assert (len(first), len(second), count, again) == (listing.PAGE, 3, listing.PAGE + 3, listing.PAGE + 3)
    assert not {number for number, _ in first} & {number for number, _ in second}


async def test_two_workers_keep_the_order_and_the_count(postgres: str, tmp_path: Path) -> None:
    """Disclosures and their receipts come to two workers at once, as they fall into the partitions of two topics: what
    is read stands as read, and the count is right."""
    bus = GatewaysBus(tmp_path, store_url=postgres)
    told = [people.outcome(MINE, due) for due in (None, HOUR) for _ in range(60)]
    for n, event in enumerate(told):
        told[n] = event.model_copy(update={"child_id": f"child-{n}"})
    async with bus.running(SERVICE), bus.running(SERVICE):
        for some in (told[start : start + 10] for start in range(0, len(told), 10)):
            await bus.publish(*chain.from_iterable((one, people.done(one)) for one in some))
        await bus.all_quiet()
    rows, [count] = bus.rows(entry, SERVICE), bus.rows(counter, SERVICE)
    assert sorted(row.number for row in rows) == list(range(1, len(told) + 1))
    for row in rows:
        assert row.urgency == (urgency.FINISHED if row.due_us is None else urgency.READ)
    assert (count.last, count.unfinished) == (len(told), len(told) // 2)
