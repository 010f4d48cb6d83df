"""Documents go up once, whole and checked, and down only to those who may have them at that moment (H4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from fsspec.core import url_to_fs
from structlog.testing import capture_logs

from services.bus import events as e
from services.bus.claims import Claims
from services.bus.envelope import Envelope
from services.bus.errors import Surroundings
from services.partner_gateway.documents.references import NOT_YOURS, OTHER, carriers, check_references, mentions
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.who import INBOX, Caller, caller
from services.partner_gateway.tables import conflict, document, opening, partner, person
from tests.partner_gateway.conftest import tell

COUNCIL, SCHOOL, OTHER_SCHOOL = "la:825", "school:110394", "school:110395"
MINUTES = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"
NAME = sha256(MINUTES).hexdigest()
PDF = {"Content-Type": "application/pdf"}


def acting(
    client: httpx.AsyncClient, organisation: str, *scopes: str, person_id: str | None = None
) -> httpx.AsyncClient:
    """The client as that organisation, with these scopes, by default those of the documents."""
    who = Caller(organisation, frozenset(scopes or ("strategy.minutes.v1", INBOX)), "key test", person_id=person_id)
    client._transport.app.dependency_overrides[caller] = lambda: who  # type: ignore[attr-defined]
    return client


async def uploaded(client: httpx.AsyncClient, body: bytes = MINUTES, by: str = COUNCIL) -> dict[str, Any]:
    answer = await acting(client, by).post("/v1/documents", content=body, headers=PDF)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def distributed(to: str, document: dict[str, Any] | None, release: str = "FULL", **more: Any) -> e.MinutesDistributed:
    """Minutes of meeting-1, unless `more` says another, to `to`."""
    told = {"supersedes": None, "declare_no_conflict": False} | more
    return e.MinutesDistributed.model_validate(
        {
            "disclosure": {
                "id": told.get("id", uuid4()), "recipient": to, "recipient_role": "SCHOOL",
                "purpose": "STRATEGY_MINUTES", "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": None,
                "supersedes": told["supersedes"], "declare_no_conflict": told["declare_no_conflict"],
            },
            "meeting_id": told.get("meeting_id", "meeting-1"), "minutes_id": "minutes-1", "child_ids": ["child-1"],
            "held_at": datetime(2026, 11, 20, 10, tzinfo=UTC), "release": release, "document": document,
            "own_actions": [], "was_absent": False,
        }
    )  # fmt: skip


async def fetched(client: httpx.AsyncClient, by: str, name: str = NAME, **who: Any) -> httpx.Response:
    return await acting(client, by, **who).get(f"/v1/documents/{name}")


def stored(gateway: Gateway) -> list[Path]:
    """Every file in the store, the half ones, too."""
    return [path for path in Path(gateway.settings.data_dir, "claims").rglob("*") if path.is_file()]


def half_stored(gateway: Gateway, *names: str) -> None:
    incoming = Path(gateway.settings.data_dir, "claims", "incoming")
    incoming.mkdir(parents=True)
    for name in names:
        (incoming / name).write_bytes(b"half")


# --- up ---------------------------------------------------------------------------------------------------------------


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
        claim = await claims.put_stream(_once(body), "text/plain", lambda _whole: None)
    with pytest.raises(ValueError, match="no"):
        await claims.put_stream(_once(b"b"), "text/plain", refuse)
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


# --- down -------------------------------------------------------------------------------------------------------------


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


async def test_whoever_the_chair_gave_it_has_it_at_once(client: httpx.AsyncClient, gateway: Gateway) -> None:
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


async def test_what_the_chair_takes_back_is_withdrawn_at_once(client: httpx.AsyncClient, gateway: Gateway) -> None:
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


def meeting(version: int, *full: str, less: tuple[str, ...] = (), lado: bool = False) -> e.MeetingRecorded:
    """Of meeting-1, to which these are invited: to have the minutes in full, or less."""
    given = [(name, "FULL") for name in full] + [(name, "ACTIONS_ONLY") for name in less]
    made = e.MeetingRecorded.model_validate(
        {
            "meeting_id": "meeting-1", "version": version, "enquiry_id": "enquiry-1", "child_ids": ["child-1"],
            "held_at": datetime(2026, 11, 20, 10, tzinfo=UTC), "chair": "team manager", "location_confidential": False,
            "invitees": [
                {"organisation_id": name, "role": "SCHOOL", "post": "lead", "attended": "YES", "release": release}
                for name, release in given
            ],
            "adults_of_concern": [], "lado": lado,
        }
    )  # fmt: skip
    return made.enveloped(Envelope(str(version), "urn:safebus:la:825", made.topic, datetime(2026, 11, 20, tzinfo=UTC)))


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
    claim = await gateway.claims.put_stream(_once(body), "text/plain", lambda _whole: None)
    [path] = stored(gateway)
    came: list[bytes] = []

    async def fetch() -> None:
        async for chunk in gateway.claims.stream(claim.sha256):
            came.append(chunk)
            path.write_bytes(body[:-1] + b"b")

    with pytest.raises(ValueError, match="has changed"):
        await fetch()
    assert 0 < sum(map(len, came)) < len(body)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


# --- references -------------------------------------------------------------------------------------------------------


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


def minutes_with(claim: dict[str, Any] | None, *, day: int = 20, embargo: bool = False) -> e.MinutesApproved:
    at = datetime(2026, 11, day, tzinfo=UTC)
    made = e.MinutesApproved.model_validate(
        {
            "minutes_id": "minutes-1", "meeting_id": "meeting-1", "approved_at": at, "approved_by": "chair",
            "full_text": "", "actions": [], "document": claim,
            "embargo": {"owner": "police:43", "review_date": date(2026, 12, 1)} if embargo else None,
        }
    )  # fmt: skip
    return made.enveloped(Envelope(str(day), "urn:safebus:la:825", made.topic, at))


def test_the_events_that_carry_documents_are_known(gateway: Gateway) -> None:
    """Whoever gives another event a claim check has to say here who is entitled to it (entitled.py)."""
    carrying = {kind.topic for kind in e.BY_TOPIC.values() if mentions(kind)}
    assert carrying == {"strategy.minutes.v1", "strategy.distributions.v1", "dead-letters.v1"}
    assert carriers(gateway.catalogue) == {"strategy.minutes.v1"}
