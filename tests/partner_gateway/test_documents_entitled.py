"""Documents come down only to those who may have them at that moment (H4), as something to save, and unchanged."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.partner_gateway.door.context import Gateway
from services.partner_gateway.tables import conflict, opening, partner, person
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.papers import (
    COUNCIL,
    MINUTES,
    NAME,
    OTHER_SCHOOL,
    SCHOOL,
    distributed,
    fetched,
    meeting,
    minutes_with,
    once,
    stored,
    uploaded,
)


async def test_a_document_is_saved_and_never_shown(client: httpx.AsyncClient) -> None:
    """An attachment under a name of ours, of its own kind, in which nothing runs."""
    await uploaded(client)
    answer = await fetched(client, COUNCIL)
    assert answer.content == MINUTES
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="document-{NAME[:12]}.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == str(len(MINUTES))


async def test_foreign_unknown_and_nonsense_are_the_same(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """H4: nobody learns that a document exists which is not theirs."""
    claim = await uploaded(client)
    await tell(gateway, distributed(SCHOOL, claim))
    foreign = await fetched(client, OTHER_SCHOOL)
    unknown = await fetched(client, OTHER_SCHOOL, "0" * 64)
    nonsense = [await fetched(client, OTHER_SCHOOL, name) for name in ("x", NAME.upper(), "..%2F..%2Fsecrets.json")]
    assert foreign.status_code == 404
    assert {a.text for a in (foreign, unknown, *nonsense)} == {foreign.text}
    assert dict(foreign.headers) == dict(unknown.headers)


async def test_whoever_the_chair_gave_it_has_it_atonce(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """H4: by the entry in its own inbox, with release FULL, and by no other release."""
    claim = await uploaded(client)
    assert (await fetched(client, SCHOOL)).status_code == 404
    await tell(gateway, distributed(SCHOOL, claim))
    assert (await fetched(client, SCHOOL)).content == MINUTES
    for release in ("EXTRACT", "ACTIONS_ONLY", "NOTHING", "UNKNOWN"):
        await tell(gateway, distributed(OTHER_SCHOOL, claim, release, meeting_id=f"meeting of {release}"))
    assert (await fetched(client, OTHER_SCHOOL)).status_code == 404


@pytest.mark.parametrize("release", ["EXTRACT", "ACTIONS_ONLY", "NOTHING", "FULL"])
async def test_entitlement_is_checked_again_at_every_fetch(
    client: httpx.AsyncClient, gateway: Gateway, release: str
) -> None:
    """H4: what a later distribution of the meeting takes back, or replaces, that one cannot have any more."""
    claim = await uploaded(client)
    other = await uploaded(client, MINUTES + b"%%EOF\n")
    await tell(gateway, distributed(SCHOOL, claim), distributed(OTHER_SCHOOL, claim))
    assert (await fetched(client, SCHOOL)).status_code == 200
    await tell(gateway, distributed(SCHOOL, other if release == "FULL" else None, release))
    assert (await fetched(client, SCHOOL)).status_code == 404
    assert (await fetched(client, OTHER_SCHOOL)).status_code == 200
    assert (await fetched(client, COUNCIL)).status_code == 200, "it uploaded it"
    await tell(gateway, distributed(SCHOOL, claim))
    assert (await fetched(client, SCHOOL)).status_code == 200, "and it was given back"


async def test_what_the_chair_takes_back_is_withdrawn_atonce(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """H4: by the record of the meeting as it stands, while a person has yet to recall what was distributed (H16)."""
    claim = await uploaded(client)
    await tell(gateway, meeting(1, SCHOOL, OTHER_SCHOOL), distributed(SCHOOL, claim), distributed(OTHER_SCHOOL, claim))
    assert (await fetched(client, SCHOOL)).status_code == 200
    await tell(gateway, meeting(3, OTHER_SCHOOL))
    assert (await fetched(client, SCHOOL)).status_code == 404, "it is no longer invited to all"
    assert (await fetched(client, OTHER_SCHOOL)).status_code == 200
    await tell(gateway, meeting(2, SCHOOL, OTHER_SCHOOL))
    assert (await fetched(client, SCHOOL)).status_code == 404, "an older record changes nothing"
    await tell(gateway, meeting(4, SCHOOL, OTHER_SCHOOL, SCHOOL, less=(SCHOOL,)))
    assert (await fetched(client, SCHOOL)).status_code == 404, "invited twice, it may have the less of the two"
    await tell(gateway, meeting(5, SCHOOL, OTHER_SCHOOL, lado=True))
    assert (await fetched(client, OTHER_SCHOOL)).status_code == 404, "allegations against professionals are separate"
    await tell(gateway, meeting(6, SCHOOL))
    assert [(await fetched(client, who)).status_code for who in (SCHOOL, OTHER_SCHOOL)] == [200, 404]


async def test_an_embargo_withdraws_at_once_and_until_it_is_lifted(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """H4: the police may hold minutes back that were handed out already. Older minutes lift nothing."""
    claim = await uploaded(client)
    seen = []
    for day, embargo in ((20, False), (21, True), (19, False), (22, False)):
        if day == 20:
            await tell(gateway, distributed(SCHOOL, claim))
        await tell(gateway, minutes_with(claim, day=day, embargo=embargo))
        seen.append((await fetched(client, SCHOOL)).status_code)
    assert seen == [200, 404, 404, 200]


async def test_what_is_superseded_is_withdrawn_whatever_the_meeting(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    """H4: a disclosure that replaces another ends what the other gave; a distribution of another meeting does not."""
    claim, first = await uploaded(client), uuid4()
    await tell(gateway, distributed(SCHOOL, claim, id=first), distributed(SCHOOL, None, "NOTHING", meeting_id="other"))
    assert (await fetched(client, SCHOOL)).status_code == 200
    await tell(gateway, distributed(SCHOOL, None, "NOTHING", meeting_id="other", supersedes=first))
    assert (await fetched(client, SCHOOL)).status_code == 404


async def test_what_is_withheld_is_withheld_with_its_document(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """H3: until somebody has declared that there is no conflict, and, for a person, until that person has."""
    claim, disclosure = await uploaded(client), uuid4()
    await tell(gateway, distributed(SCHOOL, claim, id=disclosure, declare_no_conflict=True))
    assert (await fetched(client, SCHOOL)).status_code == 404
    await gateway.access.write(lambda c: _declare(c, disclosure, "p1"))
    assert (await fetched(client, SCHOOL)).status_code == 200
    assert (await fetched(client, SCHOOL, person_id="p1")).status_code == 200
    assert (await fetched(client, SCHOOL, person_id="p2")).status_code == 404
    against = {"disclosure_id": str(disclosure), "person_id": "p1", "declared_us": 1}
    await gateway.access.write(lambda c: c.execute(conflict.insert(), against))
    assert (await fetched(client, SCHOOL, person_id="p1")).status_code == 404


def _declare(connection: sa.Connection, disclosure: UUID, person_id: str) -> None:
    us = 1_760_000_000_000_000
    connection.execute(partner.insert().values(organisation=SCHOOL, acts_as="agency", sandbox=False, created_us=us))
    who = {"person_id": person_id, "organisation": SCHOOL, "name": "A. Person", "post": "lead"}
    connection.execute(person.insert(), who)
    declared = {"disclosure_id": str(disclosure), "person_id": person_id, "no_conflict_us": us}
    connection.execute(opening.insert(), declared)


async def test_a_document_that_has_changed_is_said_to_have(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Not a byte of it goes out; the log says which by the beginning of its hash, and nothing else."""
    await uploaded(client)
    [path] = stored(gateway)
    for content in (MINUTES[:-1] + b"x", None):
        path.write_bytes(content) if content else path.unlink()
        with capture_logs() as said:
            answer = await fetched(client, COUNCIL)
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:safebus:problem:document-changed")
        assert [line["document"] for line in said if line["event"] == "document_changed"] == [NAME[:12]]
        assert NAME not in str(said)


async def test_a_document_that_changes_while_it_is_sent_never_arrives_whole(gateway: Gateway) -> None:
    """Its last chunk is kept back until the hash has proved right."""
    body = b"a" * 600_000
    claim = await gateway.claims.put_stream(once(body), "text/plain", lambda _whole: None)
    [path] = stored(gateway)
    came: list[bytes] = []

    async def fetch() -> None:
        async for chunk in gateway.claims.stream(claim.sha256):
            came.append(chunk)
            path.write_bytes(body[:-1] + b"b")

    with pytest.raises(ValueError, match="has changed"):
        await fetch()
    assert 0 < sum(map(len, came)) < len(body)
