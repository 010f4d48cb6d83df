"""CloudEvents come as their HTTP binding has them, and one that is refused hears of every fault at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.partner_gateway.door.cloudevents import Bounds, Said, binary, event_of, json_of, structured
from services.web.problems import Problem
from tests.partner_gateway.samples import CONTACTS, DECISIONS, OTHER, REQUESTS, SCHOOL, contact, event, request, text

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOUNDS = Bounds(SCHOOL, NOW, NOW - timedelta(days=400))

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=256).filter(
    lambda name: name not in (".", "..")
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def taken(said: Said, topic: str = CONTACTS) -> Any:
    return event_of(said, topic, BOUNDS)


def refused(said: Said, topic: str = CONTACTS) -> Problem:
    with pytest.raises(Problem) as caught:
        taken(said, topic)
    return caught.value


def answer(doing: Callable[[Any], object], given: Any) -> Problem | None:
    """The problem, if it led to one; it can be sent."""
    try:
        doing(given)
    except Problem as problem:
        problem.response()
        return problem
    return None


def pointers(problem: Problem) -> list[str]:
    return [pointer for pointer, _ in problem.errors]


@given(event_id=names, subject=st.none() | names)
def test_both_modes_say_the_same(event_id: str, subject: str | None) -> None:
    """CloudEvents 1.0, HTTP binding: the same event, whether its attributes come in the body or as headers."""
    whole = event(id=event_id, time="2026-11-23T10:00:00+01:00", subject=subject)
    headers = [(f"ce-{name}".encode(), quote(whole[name]).encode()) for name in whole if name != "data" and whole[name]]
    one, other = taken(structured(json_of(text(whole)))), taken(binary(headers, text(whole["data"])))
    assert one == other
    assert one.envelope == other.envelope
    assert one.envelope.id == event_id
    assert one.envelope.subject == subject
    assert one.envelope.time == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert one.envelope.correlation_id == f"{whole['source']} {event_id}"


def test_every_wrong_field_is_named_at_once_and_never_its_value() -> None:
    """A developer mends all of it in one go, and what was sent stands in no answer."""
    wrong = event(
        id="",
        time="2026-11-23T10:00:00",
        specversion="0.3",
        data=contact(grading="SECRET", received_at=5, concern=None, more="SECRET", referrer={"role": "SCHOOL"})
        | {"adults_of_concern": [{"links": 7}]},
    )
    del wrong["data"]["child_id"]
    problem = refused(structured(wrong))
    assert problem.status == 422
    assert {
        "/id", "/time", "/specversion", "/data/grading", "/data/received_at", "/data/concern", "/data/more",
        "/data/referrer/professional", "/data/adults_of_concern/0/links", "/data/child_id",
    } <= set(pointers(problem))  # fmt: skip
    assert "SECRET" not in json.dumps(problem.body())


def test_an_identifier_is_checked_beside_what_else_is_wrong() -> None:
    """A number that nobody can have is refused, also in an event that is wrong elsewhere."""
    asked = request(threshold=7)
    asked["data"]["about"]["nhs_number"] = "9990000001"
    problem = refused(structured(asked), REQUESTS)
    assert {"/data/threshold", "/data/about/nhs_number"} <= set(pointers(problem))
    assert "9990000001" not in json.dumps(problem.body())


@given(value=values)
def test_whatever_comes_is_an_event_or_an_answer(value: Any) -> None:
    """No value of JSON, as event or as content, leads to anything but a problem of the caller's."""
    for item in (value, event(data=value), event() | (value if isinstance(value, dict) else {"time": value})):
        said = structured(json_of(text(item)))
        problem = answer(taken, said)
        assert problem is None or problem.status in (403, 422)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_json_or_a_problem(raw: bytes) -> None:
    """No body makes the door fail."""
    problem = answer(json_of, raw)
    assert problem is None or problem.status == 400


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id": "a", "id": "b"}', b'{"data": {"x": 1, "x": 2}}', b"[NaN]", b"[-Infinity]", b"\xff", b"\xef\xbb\xbf{}",
        '{"é": 1}'.encode("utf-16"), b"", b"[" * 100_000, b"9" * 5000,
    ],
)  # fmt: skip
def test_json_that_two_readers_could_read_in_two_ways_is_refused(raw: bytes) -> None:
    """RFC 8259 §4 leaves a member that comes twice to each reader; a smuggler chooses his."""
    with pytest.raises(Problem) as caught:
        json_of(raw)
    assert caught.value.code == "malformed-json"


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"id": "a" * 257}, "/id"), ({"id": " a"}, "/id"), ({"id": "a\nb"}, "/id"), ({"id": "a\0"}, "/id"),
        ({"id": "\ud800"}, "/id"), ({"id": ".."}, "/id"), ({"id": 7}, "/id"), ({"id": None}, "/id"),
        ({"id": "a\u202eb"}, "/id"), ({"type": DECISIONS}, "/type"), ({"source": "urn:safe bus"}, "/source"),
        ({"time": "yesterday"}, "/time"), ({"time": "2026-11-24T12:00:01Z"}, "/time"),
        ({"time": "2025-10-01T12:00:00Z"}, "/time"), ({"time": "9999-12-31T23:59:59-12:00"}, "/time"),
        ({"datacontenttype": "application/xml"}, "/datacontenttype"), ({"data_base64": "e30="}, "/data_base64"),
        ({"traceparent": "00-1"}, "/traceparent"), ({"Ünarten": "x"}, "/Ünarten"), ({"data": None}, "/data"),
        ({"data": contact(child_id="a\0b")}, "/data/child_id"), ({"data": contact(voice="\ud800")}, "/data"),
    ],
)  # fmt: skip
def test_an_attribute_that_is_none_is_refused(changed: dict[str, Any], pointer: str) -> None:
    """Ids stand in headers, addresses and tables; times are decided by."""
    assert pointers(refused(structured(json_of(text(event(**changed)))))) == [pointer]


def test_attributes_and_content_may_not_be_left_out() -> None:
    """Each is named."""
    assert set(pointers(refused(structured({})))) == {"/id", "/source", "/specversion", "/type", "/data"}
    assert pointers(refused(structured([]))) == ["", "/id", "/source", "/specversion", "/type", "/data"]


def test_the_source_is_the_senders_own() -> None:
    """Two organisations can neither use nor block each other's ids."""
    own = f"urn:safebus:{SCHOOL}"
    for good in (own, f"{own}/case-system", f"{own}:a"):
        assert taken(structured(event(source=good))).envelope.source == good
    for bad in (
        f"urn:safebus:{OTHER}",
        f"{own}9",
        f"{own}.",
        "urn:safebus:police",
        "x",
        f"urn:safebus:{SCHOOL.upper()}",
    ):
        assert refused(structured(event(source=bad))).code == "wrong-source"


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ([(b"ce-id", b"another")], "/id"), ([(b"CE-ID", b"another")], "/id"), ([(b"ce-subject", b"%ff")], "/subject"),
        ([(b"ce-subject", b"\xe9")], "/subject"), ([(b"ce-subject", b"%00")], "/subject"),
        ([(b"ce-subject", b"a%0d%0aSet-Cookie:x")], "/subject"), ([(b"ce-time", b"")], "/time"),
    ],
)  # fmt: skip
def test_header_tricks_are_refused(headers: list[tuple[bytes, bytes]], pointer: str) -> None:
    """A header that is there twice, is not UTF-8 or would break a line is no attribute."""
    plain = [(f"ce-{n}".encode(), str(v).encode()) for n, v in event().items() if n != "data"]
    assert set(pointers(refused(binary([*plain, *headers], text(contact()))))) == {pointer}


def test_a_trace_that_something_on_the_way_garbled_is_left_out() -> None:
    """W3C Trace Context §3.2: who gets a traceparent that it cannot read begins anew."""
    plain = [(f"ce-{n}".encode(), str(v).encode()) for n, v in event().items() if n != "data"]
    good = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert taken(binary([*plain, (b"traceparent", good)], text(contact()))).envelope.traceparent == good.decode()
    assert taken(binary([*plain, (b"traceparent", b"x")], text(contact()))).envelope.traceparent is None


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({}, []),
        ({"threshold": "SECTION_47", "authorised_by": None, "family_told": "UNKNOWN"}, []),
        ({"threshold": "UNKNOWN"}, ["/data/threshold"]),
        ({"family_told": "UNKNOWN", "authorised_by": " "}, ["/data/family_told", "/data/authorised_by"]),
        ({"family_told": "NOT_TOLD_UNSAFE"}, ["/data/family_not_told_reason"]),
    ],
)
def test_h6_a_request_without_its_ground_does_not_pass_the_door(changed: dict[str, Any], missing: list[str]) -> None:
    """H6: it discloses as soon as it is taken, so nobody could refuse it later."""
    said = structured(request(**changed))
    if not missing:
        assert taken(said, REQUESTS)
        return
    problem = refused(said, REQUESTS)
    assert (problem.status, problem.code, pointers(problem)) == (422, "request-without-ground", missing)


def test_n2_a_closure_without_a_rationale_does_not_pass_the_door() -> None:
    """N2 (JTAI 2024): who closes an enquiry hears at once what is missing, and nobody is told half."""
    made = {
        "decision_id": "d-1", "enquiry_id": "e-1", "child_id": "child-1", "decided_at": "2026-11-23T11:00:00Z",
        "decided_by": "MASH manager", "triage": False, "outcome": "NO_FURTHER_ACTION", "closes": True,
        "shareable_reasons": [], "what_happens_next": "nothing", "threshold": "LEVEL_2", "family_told": "TOLD",
        "location_confidential": False, "adults_of_concern": [],
    }  # fmt: skip
    problem = refused(structured(event(DECISIONS, data=made)), DECISIONS)
    assert (problem.status, problem.code) == (422, "closure-without-rationale")
    assert pointers(problem) == ["/data/rationale", "/data/shareable_reasons"]
    reasons = [{"recipient_class": "HEALTH", "reason": "the concern was met"}]
    assert taken(structured(event(DECISIONS, data=made | {"rationale": "r", "shareable_reasons": reasons})), DECISIONS)
    assert taken(structured(event(DECISIONS, data=made | {"closes": False})), DECISIONS)
