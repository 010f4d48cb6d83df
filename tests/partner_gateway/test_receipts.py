"""Who has read something is a person whom the organisation has named, where it has named any (H10)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.partner_gateway.door.context import Gateway
from services.partner_gateway.tables import conflict, person
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.test_inbox_out import Recorder, disclosed, give, postbox, speak_for

__all__ = ["postbox"]
SCHOOL = people.SCHOOL
INES, SUBJECT = "Ines Okafor", "idp|4711"


@pytest.fixture(autouse=True)
def _as_the_school(client: httpx.AsyncClient) -> None:
    speak_for(client, SCHOOL)


@pytest.fixture
async def ines(gateway: Gateway) -> str:
    """The school's one named person, by her id; another school has one too."""
    await people.named_person(gateway, people.OTHER_SCHOOL, name="Sam Hill", subject="idp|other")
    return await people.named_person(gateway, SCHOOL, name=INES, subject=SUBJECT)


async def test_a_named_person_is_meant_by_id_sign_in_or_exact_name(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder, ines: str
) -> None:
    """And is one and the same by each: the receipt is the same one, and says the name."""
    await tell(gateway, event := disclosed(SCHOOL))
    answers = [
        await give(client, event.disclosure.id, practitioner=said) for said in (ines, SUBJECT, INES, f" {INES} ")
    ]
    assert [answer.status_code for answer in answers] == [202] * 4
    assert len({answer.json()["receipt_id"] for answer in answers}) == 1
    assert {told.practitioner for told in postbox.receipts} == {INES}


@pytest.mark.parametrize("said", ["ines okafor", "Ines", "Sam Hill", "idp|other", "Designated safeguarding lead"])
async def test_nobody_else_is_taken_for_a_reader(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder, ines: str, said: str
) -> None:
    """Neither a near name, nor a post, nor another organisation's person; the answer says what to do."""
    await tell(gateway, event := disclosed(SCHOOL))
    answer = await give(client, event.disclosure.id, practitioner=said)
    [wrong] = answer.json()["errors"]
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:safebus:problem:invalid-receipt")
    assert wrong["pointer"] == "#/practitioner"
    assert "give the id, the sign-in or the exact name" in wrong["detail"]
    assert said not in answer.text
    assert not postbox.receipts


async def test_two_of_one_name_are_told_apart_by_their_ids(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder, ines: str
) -> None:
    """No guess who of them it was."""
    other = await people.named_person(gateway, SCHOOL, name=INES)
    await tell(gateway, event := disclosed(SCHOOL))
    refused = await give(client, event.disclosure.id)
    assert refused.status_code == 422
    refused = await give(client, event.disclosure.id, practitioner=INES)
    assert "more than one" in refused.json()["errors"][0]["detail"]
    assert (await give(client, event.disclosure.id, practitioner=other)).status_code == 202


async def test_who_has_left_reads_no_more(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder, ines: str
) -> None:
    """And where nobody is named any more, a name is taken as it is said, as before anybody was."""
    await people.named_person(gateway, SCHOOL, name="Ana Reyes")
    await tell(gateway, event := disclosed(SCHOOL))
    left = person.update().where(person.c.person_id == ines).values(closed_us=1)
    await gateway.access.write(lambda c: c.execute(left))
    assert (await give(client, event.disclosure.id, practitioner=INES)).status_code == 422
    await gateway.access.write(lambda c: c.execute(person.update().values(closed_us=1)))
    assert (await give(client, event.disclosure.id, practitioner="Jo Field")).status_code == 202
    assert [told.practitioner for told in postbox.receipts] == ["Jo Field"]


@pytest.mark.parametrize("said", [INES, SUBJECT])
async def test_h3_a_person_who_declared_a_conflict_is_no_reader_by_any_name(
    gateway: Gateway, client: httpx.AsyncClient, postbox: Recorder, ines: str, said: str
) -> None:
    """H3: what she declared in a browser holds for what her school's system says of her."""
    await tell(gateway, event := disclosed(SCHOOL, declare_no_conflict=True))
    row: dict[str, Any] = {"disclosure_id": str(event.disclosure.id), "person_id": ines, "declared_us": 1}
    await gateway.access.write(lambda c: c.execute(conflict.insert(), row))
    refused = await give(client, event.disclosure.id, practitioner=said, no_conflict=True)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:safebus:problem:conflict-declared")
    assert not postbox.receipts


WRONG = {"state": "SEEN", "practitioner": "R. Ashdown", "no_conflict": False, "a/b": "Maya Hartley", "n" * 999: 1}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (WRONG, {"#/disclosure_id", "#/state", "#/no_conflict", "#/a~1b", "#"}),
        (
            {f"{n}": n for n in range(500)},
            {"#/disclosure_id", "#/state", "#/practitioner", *(f"#/{n}" for n in range(97))},
        ),
        ([], {"#"}),
        (None, {"#"}),
    ],
)
async def test_every_wrong_field_by_json_pointer(client: httpx.AsyncClient, body: Any, pointers: set[str]) -> None:
    """RFC 6901, into the body; never a value, nor a name that can be no field of ours; no more than a hundred."""
    answer = await client.post("/v1/receipts", json=body)
    assert answer.status_code == 422
    assert {wrong["pointer"] for wrong in answer.json()["errors"]} == pointers
    for unsaid in ("Maya", "SEEN", "n" * 99):
        assert unsaid not in answer.text
