"""An inbox as a topic: every number is there, as a copy, or as a mark that something waits for a person (H3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.partner_gateway.inbox.tables import entry, epoch
from services.partner_gateway.wiring import SERVICE
from tests.partner_gateway import people
from tests.partner_gateway.on_a_bus import GatewaysBus

FORCE, TOPIC = "police:thames-valley", "inbox.police.thames-valley"
SECRETS = ("child-maya", "Maya", "mash-outcomes-cause")


@pytest.fixture(params=["sqlite", "postgres"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> GatewaysBus:
    return GatewaysBus(
        tmp_path, **({"store_url": request.getfixturevalue("postgres")} if request.param == "postgres" else {})
    )


async def records(bus: GatewaysBus) -> list[Any]:
    """Those of the force's topic, by their number, each once."""
    found = {dict(record.headers)["safebus_cursor"] or b"": record for record in await bus.records(TOPIC)}
    return [found[cursor] for cursor in sorted(found)]


@pytest.mark.parametrize("point", ["", "before_send"])
async def test_what_is_withheld_leaves_a_mark_and_no_gap(bus: GatewaysBus, point: str) -> None:
    """Numbers without a gap, by which a loss would be seen; the mark has neither the content nor the child. Also when
    the process dies before it is sent, and the stored mark is sent by the next."""
    told = [people.missed(FORCE), people.missed(FORCE, declare_no_conflict=True), people.missed(FORCE)]
    await bus.publish(*told, principal="deadlines")
    if point:
        await bus.dies(point, service=SERVICE)
    async with bus.running(SERVICE):
        await bus.all_quiet()
    now = bus.rows(epoch, SERVICE)[0].epoch.encode()
    found = await records(bus)
    assert [dict(one.headers)["safebus_cursor"] for one in found] == [b"%b.%d" % (now, n) for n in (1, 2, 3)]
    stood = {row.number: row for row in bus.rows(entry, SERVICE)}
    [mark] = [one for one in found if one.value is None]
    held = dict(mark.headers)
    row = stood[int(held["safebus_cursor"].rpartition(b".")[2])]
    assert (mark.key.decode(), held["safebus_withheld"]) == (row.disclosure_id, b"declare-no-conflict")
    assert row.declare_no_conflict
    assert (held["ce_id"].decode(), held["ce_type"].decode()) == (row.event_id, row.type)
    assert "ce_subject" not in held
    assert not {name for name in held if name.startswith(("ce_cause", "ce_corr"))} - {"ce_causestep"}
    assert not any(secret in repr((mark.key, mark.headers)) for secret in SECRETS)
    for one in found:
        if one is not mark:
            assert one.value
            assert "safebus_withheld" not in dict(one.headers)


async def test_a_copy_does_not_say_who_raised_the_concern(bus: GatewaysBus) -> None:
    """As the door does not: neither the first event of the chain nor the one before."""
    chain = {"ce_correlationid": b"urn:safebus:school:110394 c-1", "ce_causeid": b"d-1", "ce_causesource": b"urn:x"}
    for hidden in (False, True):
        await bus.say(people.missed(FORCE, declare_no_conflict=hidden), **chain, traceparent=b"00-1-2-01")
    async with bus.running(SERVICE):
        await bus.all_quiet()
    found = await records(bus)
    assert len(found) == 2
    assert not any({*dict(one.headers)} & {*chain, "traceparent"} for one in found)
    assert {row.correlation for row in bus.rows(entry, SERVICE)} == {"urn:safebus:school:110394 c-1"}


async def test_a_recovery_marks_it_again_under_its_new_number(bus: GatewaysBus) -> None:
    """What stands in the topic is not said twice."""
    await bus.publish(people.missed(FORCE, declare_no_conflict=True), principal="deadlines")
    async with bus.running(SERVICE):
        await bus.all_quiet()
    before = await bus.records(TOPIC)
    await bus.recover(SERVICE)
    assert [(one.key, one.value) for one in await bus.records(TOPIC)] == [(one.key, one.value) for one in before]
