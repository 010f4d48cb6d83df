"""Documents go up once, whole and checked; an event refers only to what its sender has uploaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from fsspec.core import url_to_fs

from services.bus import events as e
from services.bus.claims import Claims
from services.bus.errors import Surroundings
from services.partner_gateway.documents.references import NOT_YOURS, OTHER, carriers, check_references, mentions
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.who import INBOX
from services.partner_gateway.tables import document
from tests.partner_gateway.papers import (
    COUNCIL,
    MINUTES,
    NAME,
    PDF,
    SCHOOL,
    acting,
    half_stored,
    minutes_with,
    once,
    stored,
    uploaded,
)

# --- up


async def test_the_answer_is_a_claim_check_and_says_nothing_of_where_it_is_kept(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    """What is answered fits the contract as it is; the store's address stays in the house."""
    answer = await uploaded(client)
    claim = e.ClaimCheck.model_validate(answer)
    assert claim == e.ClaimCheck(
        sha256=NAME, size=len(MINUTES), media_type="application/pdf", location=f"/v1/documents/{NAME}"
    )
    [path] = stored(gateway)
    assert path.read_bytes() == MINUTES


async def test_the_same_bytes_are_one_document_and_nobody_learns_of_the_others(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    """Uploaded again, by the same or by another organisation: the same answer, one file, a row for each of the two."""
    answers = [
        await acting(client, who).post("/v1/documents", content=MINUTES, headers=PDF)
        for who in (COUNCIL, COUNCIL, SCHOOL)
    ]
    assert len({(a.status_code, a.text, tuple(sorted(a.headers.items()))) for a in answers}) == 1
    assert len(stored(gateway)) == 1
    rows = await gateway.access.read(lambda c: c.execute(sa.select(document.c.organisation)).scalars().all())
    assert sorted(rows) == [COUNCIL, SCHOOL]


async def test_what_was_stored_already_is_written_again(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """The same work, whoever has uploaded it before: how long it takes tells nothing, and damage is healed."""
    await uploaded(client)
    [path] = stored(gateway)
    path.write_bytes(b"damaged")
    await uploaded(client, by=SCHOOL)
    assert [p.read_bytes() for p in stored(gateway)] == [MINUTES]


async def _endless(chunk: bytes) -> AsyncIterator[bytes]:
    while True:
        yield chunk


async def test_too_large_is_refused_whether_or_not_it_says_so(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """413 at once by its Content-Length, else as soon as it is too much; nothing is left behind."""
    gateway.settings.gateway_max_document = 100_000
    acting(client, COUNCIL)
    said = await client.post("/v1/documents", content=b"", headers=PDF | {"Content-Length": "100001"})
    unsaid = await client.post("/v1/documents", content=_endless(b"%PDF-1.7\n" * 5000), headers=PDF)
    for answer in (said, unsaid):
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:safebus:problem:too-large")
        assert answer.headers["connection"] == "close"
    assert stored(gateway) == []


async def test_an_upload_that_breaks_off_leaves_nothing(gateway: Gateway) -> None:
    """Cancelled in the middle, or ended by its sender: no half document, and none under its name."""
    came = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        came.set()
        await asyncio.Event().wait()

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        raise ConnectionResetError

    task = asyncio.create_task(gateway.claims.put_stream(slowly(), "text/plain", lambda _whole: None))
    await came.wait()
    assert len(stored(gateway)) == 1, "it is streamed to the store as it comes"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionResetError):
        await gateway.claims.put_stream(broken(), "text/plain", lambda _whole: None)
    assert stored(gateway) == []


async def test_what_a_killed_process_left_is_swept(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Nothing could clear up behind a kill -9, so a later upload does; one that is under way is left alone."""
    left, under_way = "1000000000-abc", f"{int(datetime.now(UTC).timestamp())}-def"
    half_stored(gateway, left, under_way)
    await uploaded(client)
    names = {path.name for path in stored(gateway)}
    assert left not in names
    assert under_way in names


async def test_any_store_will_do() -> None:
    """Behind fsspec: whole or not at all, verified, and nothing half left, where there is no disk to rename on."""
    claims, refusing = Claims(f"memory://{uuid4().hex}"), ValueError("no")

    def refuse(_whole: object) -> None:
        raise refusing

    body = b"a" * 700_000
    for _ in range(2):
        claim = await claims.put_stream(once(body), "text/plain", lambda _whole: None)
    with pytest.raises(ValueError, match="no"):
        await claims.put_stream(once(b"b"), "text/plain", refuse)
    assert (claim.sha256, claim.size, await claims.verify(claim.sha256)) == (sha256(body).hexdigest(), 700_000, 700_000)
    assert b"".join([chunk async for chunk in claims.stream(claim.sha256)]) == body
    filesystem, path = url_to_fs(claims._url)
    assert [name.rpartition("/")[2] for name in filesystem.find(path)] == [claim.sha256]


async def test_a_store_that_is_away_is_503(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """The upload may be tried again; so may the download."""
    await uploaded(client)
    gateway.claims._url = "file:///proc/nowhere"
    up = await acting(client, COUNCIL).post("/v1/documents", content=MINUTES, headers=PDF)
    assert (up.status_code, up.json()["type"]) == (503, "urn:safebus:problem:try-again")
    gateway.claims._url = "no-such-store://x"
    with pytest.raises(Surroundings):
        await gateway.claims.verify(NAME)


async def test_only_who_may_post_what_refers_to_documents_may_upload(client: httpx.AsyncClient) -> None:
    """A school's key is not one to fill the disk with."""
    answer = await acting(client, SCHOOL, INBOX, "mash.contacts.v1").post("/v1/documents", content=MINUTES, headers=PDF)
    assert answer.status_code == 403
    assert "strategy.minutes.v1" in answer.json()["detail"]


# --- references


async def test_an_event_may_refer_only_to_what_its_sender_uploaded(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Unknown and foreign are one and the same; and by the claim check that was answered, word for word: a location
    of the sender's own choosing would be opened by whoever trusts it."""
    claim = await uploaded(client)
    refer = minutes_with
    assert await check_references(gateway, COUNCIL, refer(claim)) == []
    assert await check_references(gateway, COUNCIL, refer(None)) == []
    foreign = await check_references(gateway, SCHOOL, refer(claim))
    unknown = await check_references(gateway, COUNCIL, refer(claim | {"sha256": "0" * 64}))
    assert foreign == unknown == [("/document/sha256", NOT_YOURS)]
    elsewhere = claim | {"location": "file:///etc/passwd", "size": 1, "media_type": "text/html"}
    assert await check_references(gateway, COUNCIL, refer(elsewhere)) == [
        ("/document/size", OTHER), ("/document/media_type", OTHER), ("/document/location", OTHER),
    ]  # fmt: skip


async def test_the_door_asks_of_each_event_whether_its_documents_are_the_senders(client: httpx.AsyncClient) -> None:
    """Alone or in a batch, the answer points at what is wrong; the rest of the batch goes on."""
    claim = await uploaded(client)
    good, bad = posted_with(claim), posted_with(claim | {"sha256": "0" * 64})
    wrong = {"pointer": "#/data/document/sha256", "detail": NOT_YOURS}
    acting(client, COUNCIL)
    alone = await post(client, bad, "cloudevents")
    assert (alone.status_code, alone.json()["type"]) == (422, "urn:safebus:problem:unknown-document")
    assert alone.json()["errors"] == [wrong]
    first, second = (await post(client, [good, bad], "cloudevents-batch")).json()["results"]
    assert first["status"] == 202
    assert (second["status"], second["problem"]["errors"]) == (422, [wrong])


def posted_with(claim: dict[str, Any]) -> dict[str, Any]:
    data = minutes_with(claim).model_dump(mode="json", by_alias=True)
    source = f"urn:safebus:{COUNCIL}"
    return {"specversion": "1.0", "id": str(uuid4()), "source": source, "type": e.MinutesApproved.topic, "data": data}


async def post(client: httpx.AsyncClient, body: object, mode: str) -> httpx.Response:
    kind = {"Content-Type": f"application/{mode}+json"}
    return await client.post(f"/v1/events/{e.MinutesApproved.topic}", content=json.dumps(body), headers=kind)


def test_the_events_that_carry_documents_are_known(gateway: Gateway) -> None:
    """Whoever gives another event a claim check has to say here who is entitled to it (entitled.py)."""
    carrying = {kind.topic for kind in e.BY_TOPIC.values() if mentions(kind)}
    assert carrying == {"strategy.minutes.v1", "strategy.distributions.v1", "dead-letters.v1"}
    assert carriers(gateway.catalogue) == {"strategy.minutes.v1"}
