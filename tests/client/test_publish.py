"""What is published takes effect once, however often it must be sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.client import (
    BadAnswer,
    Client,
    ClientError,
    IdReused,
    Invalid,
    NotAllowed,
    NotFound,
    NotIdentified,
    Outgoing,
    Patience,
    Refused,
    TryAgain,
)
from services.client.retrying import retry_after
from tests.client.stand_in import StandIn, accepts, dies, problem, says, standing_in

HASTY = Patience(total=20.0, first=0.01, longest=0.05)
SOURCE = "urn:safebus:school:110394"
KIND = "mash.contacts.v1"


def client(here: StandIn, patience: Patience = HASTY) -> Client:
    return Client(here.url, "sbk_1_secret", source=SOURCE, patience=patience)


def sent(here: StandIn) -> list[Any]:
    return [json.loads(request.content) for request in here.asked]


async def test_an_event_is_sent_as_a_cloud_event_with_the_key() -> None:
    """CloudEvents structured mode, and the key as a bearer token."""
    async with standing_in(accepts) as here, client(here) as mine:
        time = datetime(2026, 11, 20, 16, 5, tzinfo=UTC)
        done = await mine.publish(KIND, {"grading": "AMBER"}, id="a-1", time=time)
    assert (done.id, done.source, done.state, done.location) == ("a-1", SOURCE, "accepted", "/v1/x")
    assert here.asked[0].url.path == "/v1/events/mash.contacts.v1"
    assert here.asked[0].headers["content-type"] == "application/cloudevents+json"
    assert here.asked[0].headers["authorization"] == "Bearer sbk_1_secret"
    assert sent(here)[0] == {
        "specversion": "1.0", "id": "a-1", "source": SOURCE, "type": KIND, "time": "2026-11-20T16:05:00+00:00",
        "datacontenttype": "application/json", "data": {"grading": "AMBER"},
    }  # fmt: skip


async def test_no_answer_then_503_then_429_then_202_is_one_event() -> None:
    """Every try carries the same id, also where the client has chosen it."""
    answers = (dies, problem(503, "try-again", retry_after="0"), problem(429, "too-many"), accepts)
    async with standing_in(*answers) as here, client(here) as mine:
        done = await mine.publish(KIND, {})
    assert len(here.asked) == 4
    assert {event["id"] for event in sent(here)} == {done.id}
    assert len({json.dumps(event) for event in sent(here)}) == 1


async def test_patience_ends_and_says_with_which_id_to_go_on() -> None:
    """Unknown is neither accepted nor refused."""
    async with standing_in(dies) as here, client(here, Patience(total=0.2, first=0.01, longest=0.02)) as mine:
        with pytest.raises(TryAgain) as caught:
            await mine.publish(KIND, {}, id="a-7")
    assert caught.value.id == "a-7"
    assert "a-7" in str(caught.value)
    assert len(here.asked) > 1


async def test_a_server_that_asks_for_more_patience_than_there_is_is_not_waited_for() -> None:
    """Retry-After is honoured, and bounded by the caller's patience, not by the server's word."""
    async with standing_in(problem(429, "too-many", retry_after="999999999")) as here, client(here) as mine:
        with pytest.raises(TryAgain) as caught:
            await mine.publish(KIND, {})
    assert caught.value.retry_after == 999999999
    assert len(here.asked) == 1


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("3", 3, 3), ("-4", 0, 0), ("Mon, 01 Jan 2001 00:00:00 GMT", 0, 0), ("Fri, 01 Jan 2100 00:00:00 GMT", 1e9, 9e9),
     ("inf", float("inf"), float("inf"))],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(said: str, least: float, most: float) -> None:
    """RFC 9110 §10.2.3."""
    found = retry_after(httpx.Response(503, headers={"retry-after": said}))
    assert found is not None
    assert least <= found <= most


@pytest.mark.parametrize("said", ["", "soon", "nan"])
def test_a_retry_after_that_is_none_asks_for_nothing(said: str) -> None:
    """The client's own pauses hold then."""
    assert retry_after(httpx.Response(503, headers={"retry-after": said})) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Invalid), (401, NotIdentified), (403, NotAllowed), (404, NotFound), (409, Refused), (413, Invalid),
     (415, Invalid), (418, Refused), (422, Invalid)],
)  # fmt: skip
async def test_a_refusal_is_an_error_of_its_kind_and_not_tried_again(status: int, kind: type[Refused]) -> None:
    """With the problem's code and detail."""
    async with standing_in(problem(status, "some-code")) as here, client(here) as mine:
        with pytest.raises(Refused) as caught:
            await mine.publish(KIND, {})
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code, caught.value.detail) == (status, "some-code", "a sentence")
    assert len(here.asked) == 1


@pytest.mark.parametrize("code", ["id-reused", "disclosure-id-reused"])
async def test_an_id_that_was_used_is_an_error_of_its_own(code: str) -> None:
    """Of all that may stand against something, only that asks for another id."""
    async with standing_in(problem(409, code)) as here, client(here) as mine:
        with pytest.raises(IdReused):
            await mine.publish(KIND, {})


async def test_wrong_fields_are_given_by_pointer() -> None:
    """As RFC 9457 `errors`, and as the gateway writes them."""
    said = {"type": "urn:safebus:problem:invalid-event", "status": 422, "detail": "wrong",
            "errors": [{"pointer": "#/data/grading", "detail": "is missing"}, "nonsense"]}  # fmt: skip
    async with standing_in(says(422, said)) as here, client(here) as mine:
        with pytest.raises(Invalid) as caught:
            await mine.publish(KIND, {})
    assert caught.value.errors == {"/data/grading": "is missing"}


@pytest.mark.parametrize(
    "answer",
    [
        says(202, "<html>Sign in to the guest network</html>", "text/html"),
        says(202, {"id": "another", "source": SOURCE, "state": "accepted"}),
        says(202, ["accepted"]),
        says(200, {"id": "a-1", "source": SOURCE}),
        says(302, "", location="http://elsewhere.example/"),
        says(404, {"detail": "Not Found"}),
        says(400, "[" * 5000),
    ],
    ids=["html", "another id", "a list", "200", "redirect", "no problem details", "broken"],
)
async def test_what_answers_wrongly_is_not_believed(answer: Any) -> None:
    """Neither accepted nor refused by the gateway: something else answered, and no redirect is followed."""
    async with standing_in(answer) as here, client(here) as mine:
        with pytest.raises(BadAnswer):
            await mine.publish(KIND, {}, id="a-1")
    assert len(here.asked) == 1


async def test_bytes_that_are_no_http_are_waited_out() -> None:
    """They may be a broken proxy's; nothing was accepted."""

    async def garbles(_request: httpx.Request, writer: Any) -> None:
        writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")

    async with standing_in(garbles, accepts) as here, client(here) as mine:
        assert (await mine.publish(KIND, {})).state == "accepted"


async def test_in_a_batch_each_has_its_own_result_and_only_the_unsettled_go_again() -> None:
    """One wrong event holds back no other."""
    first = says(207, {"results": [
        {"index": 0, "status": 202, "id": "a-0"},
        {"index": 1, "status": 422, "id": "a-1", "problem": {"type": "urn:safebus:problem:invalid-event"}},
        {"index": 2, "status": 503, "id": "a-2", "problem": {"type": "urn:safebus:problem:try-again", "detail": "x"}},
    ]})  # fmt: skip
    async with standing_in(dies, first, accepts) as here, client(here) as mine:
        done = await mine.publish_many(KIND, [Outgoing({"n": n}, id=f"a-{n}") for n in range(3)])
    assert [(d.id, d.state, type(d.error)) for d in done] == [
        ("a-0", "accepted", type(None)),
        ("a-1", None, Invalid),
        ("a-2", "accepted", type(None)),
    ]
    assert [[event["id"] for event in batch] for batch in sent(here)] == [["a-0", "a-1", "a-2"]] * 2 + [["a-2"]]
    assert here.asked[0].headers["content-type"] == "application/cloudevents-batch+json"


async def test_a_night_of_events_goes_in_several_batches_in_order() -> None:
    """However many and however large, each within what a gateway takes."""
    events = [{"text": "x" * (400_000 if n == 120 else 10)} for n in range(250)] + [{"text": "y" * 700_000}]
    async with standing_in(accepts) as here, client(here) as mine:
        done = await mine.publish_many(KIND, events)
    assert [d.id for d in done] == [event["id"] for batch in sent(here) for event in batch]
    assert len(done) == 251
    assert all(len(request.content) < 1_100_000 for request in here.asked)
    assert all(len(batch) <= 100 for batch in sent(here))


async def test_what_a_batch_could_not_settle_says_so_event_by_event() -> None:
    """When patience ends the settled results are not lost."""
    half = says(207, {"results": [{"index": 0, "status": 202, "id": "a-0"}, {"index": 1, "status": 503}]})
    patience = Patience(total=0.2, first=0.01, longest=0.02)
    async with standing_in(half, dies) as here, client(here, patience) as mine:
        done = await mine.publish_many(KIND, [Outgoing({}, id="a-0"), Outgoing({}, id="a-1")])
    assert [(d.state, type(d.error)) for d in done] == [("accepted", type(None)), (None, TryAgain)]


@pytest.mark.parametrize(
    "results",
    [[], [{"index": 1, "status": 202, "id": "a-0"}], [{"index": 0, "status": 202, "id": "b"}], ["x"], None],
)
async def test_a_batch_answered_wrongly_is_not_believed(results: object) -> None:
    """A result too few, in another order or about another event is none."""
    async with standing_in(says(207, {"results": results})) as here, client(here) as mine:
        with pytest.raises(BadAnswer):
            await mine.publish_many(KIND, [Outgoing({}, id="a-0")])


async def test_a_callers_own_mistakes_are_told_at_once() -> None:
    """Nothing is sent."""
    async with standing_in(accepts) as here, Client(here.url, "k") as mine:
        with pytest.raises(ValueError, match="say who publishes"):
            await mine.publish(KIND, {})
        with pytest.raises(ValueError, match="event type"):
            await mine.publish("../partners", {}, source=SOURCE)
        with pytest.raises(ValueError, match="UTC"):
            await mine.publish(KIND, {}, source=SOURCE, time=datetime(2026, 1, 1))  # noqa: DTZ001
    assert here.asked == []
    with pytest.raises(ValueError, match="https"):
        Client("gateway.example", "k")


async def test_receipt_and_proof_and_what_became_of() -> None:
    """Each is asked for where the gateway has it, and again where it did not answer."""
    proof = says(200, {"epoch": "aa", "count": 3, "first": 1, "last": 3})
    async with standing_in(dies, says(202, {}), dies, proof) as here, client(here) as mine:
        when = datetime(2026, 11, 23, 8, 10, tzinfo=UTC)
        await mine.receipt(
            "d-1", "A. Lead", "ACTED", happened_at=when, hidden_from_online_access=True, no_conflict=True
        )
        found = await mine.proof()
    assert (found.epoch, found.count, found.first, found.last) == ("aa", 3, 1, 3)
    assert json.loads(here.asked[1].content) == {
        "disclosure_id": "d-1",
        "practitioner": "A. Lead",
        "state": "ACTED",
        "happened_at": "2026-11-23T08:10:00+00:00",
        "hidden_from_online_access": True,
        "no_conflict": True,
    }
    assert here.asked[0].content == here.asked[1].content


def test_every_error_is_in_the_one_tree() -> None:
    """`except ClientError` catches all that the client raises for what it met."""
    assert issubclass(Refused, ClientError)
    assert issubclass(TryAgain, ClientError)
    assert issubclass(BadAnswer, ClientError)
