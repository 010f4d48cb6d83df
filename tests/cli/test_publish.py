"""`safebus publish` checks an event to the last field before it sends anything, and never repeats a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from services.bus.codec import validated
from services.bus.contract import load
from services.bus.errors import UserMistake
from services.bus.events import DisclosureRead
from services.cli.app import app
from services.cli.publish import check_size, read_event, topic_of
from tests.contract.strategies import contents

RECEIPT = {
    "receipt_id": "r-1",
    "disclosure_id": "5afeb05e-0000-5000-8000-000000000001",
    "child_id": "c-1",
    "role": "SCHOOL",
    "state": "READ",
    "happened_at": "2026-11-20T20:00:00+00:00",
}


def faults(topic: str, body: object) -> dict[str, str]:
    """What is said against a body, by pointer."""
    with pytest.raises(UserMistake) as said:
        read_event(topic, json.dumps(body).encode())
    head, *lines = str(said.value).splitlines()
    assert head.startswith("not sent, since ")
    return dict(line.strip().split(" ", 1) for line in lines)


@pytest.mark.parametrize("name", ["receipts.v1", "receipts", "DisclosureRead", "safebus.receipts.DisclosureRead"])
def test_a_type_has_several_names(name: str) -> None:
    """Its topic, with or without the version, or its record."""
    assert topic_of(name) == "receipts.v1"


def test_an_unknown_type_is_told_with_what_is_near() -> None:
    """A slip of the hand gets the name that was meant; a stranger gets the list."""
    with pytest.raises(UserMistake, match="did you mean IncidentReported"):
        topic_of("IncidentReport")
    with pytest.raises(UserMistake, match=r"there are .*receipts\.v1"):
        topic_of("xyzzy")


def test_a_right_body_becomes_its_event() -> None:
    """ISO times and UUIDs as text; the type's own event comes out."""
    event = read_event("receipts.v1", json.dumps(RECEIPT).encode())
    assert isinstance(event, DisclosureRead)
    assert event.model_dump(mode="json", exclude_defaults=True) | {"happened_at": RECEIPT["happened_at"]} == RECEIPT


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_the_contract_can_say_can_be_said_in_json(data: st.DataObject) -> None:
    """An event of any type, written as JSON and read again, is the same event."""
    schema = data.draw(st.sampled_from(sorted(load().values(), key=lambda one: one.topic)))
    event = validated(schema.topic, data.draw(contents(schema)))
    assert read_event(schema.topic, event.model_dump_json().encode()) == event


def test_every_wrong_field_is_named_at_once() -> None:
    """By JSON pointer, each with what it should be, and no value: it may say who a child is."""
    secret = "Wren Ashdown"
    body: dict[str, Any] = RECEIPT | {
        "disclosure_id": secret,
        "role": secret,
        "happened_at": "2026-11-20T20:00:00",
        "practitioner": 7,
        "hidden_from_online_access": secret,
        "a/b": secret,
    }
    del body["child_id"]
    said = faults("receipts.v1", body)
    assert said["/disclosure_id"] == "must be a UUID"
    assert said["/role"].startswith("must be 'UNKNOWN', ")
    assert said["/happened_at"].startswith("lacks its offset from UTC")
    assert said["/practitioner"] == "must be a text"
    assert said["/hidden_from_online_access"] == "must be true or false"
    assert said["/child_id"] == "is missing"
    assert said["/a~1b"] == "is not a field"
    assert len(said) == 7
    assert secret not in str(said.values())


def test_identifiers_are_named_beside_the_rest() -> None:
    """A wrong NHS number is told in the same breath as a missing field, not on the next try."""
    body = {"children": [{"identity": {"nhs_number": "9990000000"}}, "not even an object"]}
    said = faults("police.incidents.v1", body)
    assert said["/children/0/identity/nhs_number"] == "is not an NHS number: its check digit is wrong"
    assert said["/children/1"] == "must be an object"
    assert said["/narrative"] == "is missing"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b'"x"', b"\x00", b"[" * 9999 + b"]" * 9999])
def test_what_is_no_event_at_all(text: bytes) -> None:
    """One sentence, whatever the file holds."""
    with pytest.raises(UserMistake, match="the file"):
        read_event("receipts.v1", text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"", "it is empty"),
        (b'{\n  "a": x}', "see its line 2, column 8"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
    ],
)
def test_where_a_file_stops_being_json_is_told(text: bytes, place: str) -> None:
    """A sentence of its own: no field is at fault."""
    with pytest.raises(UserMistake) as told:
        read_event("receipts.v1", text)
    assert str(told.value) == f"not sent, since the file is not JSON: {place}"


def test_too_large_names_the_largest_field() -> None:
    """Above SAFEBUS_MAX_EVENT_BYTES nothing is sent; the field that makes it so is named."""
    check_size(read_event("receipts.v1", json.dumps(RECEIPT).encode()), 1_000_000)
    event = read_event("receipts.v1", json.dumps(RECEIPT | {"practitioner": "x" * 1_000_000}).encode())
    with pytest.raises(UserMistake, match="at most 1000000 are taken; /practitioner is the largest"):
        check_size(event, 1_000_000)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A file that no event can be is refused by its size, standard input too."""
    file = tmp_path / "huge.json"
    file.write_bytes(b" " * 8_000_001)
    for arguments, text in (([str(file)], None), (["-"], file.read_bytes())):
        said = CliRunner().invoke(app, ["publish", "receipts", *arguments, "--as", "reader"], input=text)
        assert isinstance(said.exception, UserMistake)
        assert "more than 8000000 bytes" in str(said.exception)


def test_an_empty_id_is_refused(tmp_path: Path) -> None:
    """An event without an id would be a dead letter."""
    said = CliRunner().invoke(app, ["publish", "receipts", str(tmp_path), "--as", "reader", "--id", " "])
    assert isinstance(said.exception, UserMistake)
    assert "--id" in str(said.exception)
