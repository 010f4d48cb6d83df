"""What an operator is shown of an event: nothing of a person, whatever a sender wrote where."""

from __future__ import annotations

import json
import string
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from services.bus.codec import validated
from services.bus.contract import load
from services.bus.envelope import Event
from services.bus.events import DisclosureRead, ReceiptState, Role
from services.cli.tail import printable
from services.operating.masking import CODES, MASK, masked, masked_by, moment, opaque, organisation, revealed, source

BORN = date(2015, 3, 2)
IDENTIFIERS = {"nhs-number": "943 476 5919", "upn": "Z825990218583", "urn": "110402", "ods-code": "K82007"}
PERSONAL = [
    "Amelia Jones",
    "amelia.jones",
    "Jones",
    "O'Neill-Żółkiewska",
    "amelia.jones2015@example.org",
    "9434765919",
    "943-476-5919",
    "child-9434765919",
    "Z825990218583",
    "2016-04-03",
    "02/03/2015",
    "2.3.15",
    "20150302",
    "07700900123",
    "+447700900123",
    "HP20 1UY",
    "HP201UY",
    "12 Church Lane, Aylesbury",
    "Mum said that he hit her on 2 March",
]
WORDS = st.text(string.ascii_letters + " '-", min_size=4, max_size=30).filter(lambda text: text.strip(" '-") != "")
SAID = st.one_of(st.sampled_from(PERSONAL), WORDS)
MOMENT = datetime(2026, 11, 20, 19, 40, tzinfo=UTC)


class Planting:
    """Content for a schema with what a person said in every field that takes text, and what was planted."""

    def __init__(self, said: list[str], turn: int) -> None:
        self._said, self._turn = said, turn
        self._named: dict[str, Any] = {}
        self.planted: set[str] = set()

    def of(self, schema: Any, record: str = "", field: str = "") -> Any:
        if isinstance(schema, list):
            return self.of(next(branch for branch in schema if branch != "null"), record, field)
        if isinstance(schema, str):
            return self.of(self._named[schema], record, field) if schema in self._named else self.of({"type": schema})
        kind = schema["type"]
        if isinstance(kind, dict | list):
            return self.of(kind, record, field)
        if "name" in schema:
            self._named[schema["name"]] = self._named[f"{schema.get('namespace')}.{schema['name']}"] = schema
        return self._of_type(kind, schema, record, field)

    def _of_type(self, kind: str, schema: Any, record: str, field: str) -> Any:
        if kind == "record":
            return {f["name"]: self._field(f, schema["name"]) for f in schema["fields"]}
        if kind == "array":
            return [self.of(schema["items"], record, field)]
        if kind == "enum":
            return schema["symbols"][self._next() % len(schema["symbols"])]
        if kind == "boolean":
            return self._next() % 2 == 0
        if kind == "bytes":
            return self._plant().encode()
        if schema.get("logicalType") == "date":
            return BORN
        if schema.get("logicalType") == "timestamp-micros":
            return MOMENT
        return 7 if kind in ("int", "long") else self._plant()

    def _field(self, field: Any, record: str) -> Any:
        kind = field["type"]
        plain = next((branch for branch in kind if branch != "null"), kind) if isinstance(kind, list) else kind
        if isinstance(plain, dict) and plain.get("logicalType") == "uuid":
            return UUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8")
        if (record, field["name"]) in CODES:
            return IDENTIFIERS.get({"urn": "urn", "ods_code": "ods-code"}.get(field["name"], ""), "08:30")
        if isinstance(plain, dict) and "safebus.identifier" in plain:
            self.planted.add(IDENTIFIERS[plain["safebus.identifier"]])
            return IDENTIFIERS[plain["safebus.identifier"]]
        return self.of(kind, record, field["name"])

    def _plant(self) -> str:
        value = self._said[self._next() % len(self._said)]
        self.planted.add(value)
        return value

    def _next(self) -> int:
        """A draw for each field would take a hundred times as long."""
        self._turn += 1
        return self._turn


def words_of(schema: Any) -> str:
    """What the schema itself says, which a masked event may repeat."""
    return f"{json.dumps(schema)} true false null"


@pytest.mark.parametrize("topic", sorted(load()))
@examples(max_examples=15)
@given(said=st.lists(SAID, min_size=5, max_size=9), turn=st.integers(0, 99))
def test_nothing_personal_survives_masking(topic: str, said: list[str], turn: int) -> None:
    """In every text of every event of the contract, ids and organisations among them: no name, number, date of birth,
    address or word of what was said is shown, in whole."""
    schema = load()[topic].definition
    planting = Planting(said, turn)
    content = planting.of(schema)
    assume(not any(value in words_of(schema) for value in planting.planted))
    shown = json.dumps(masked(validated(topic, content)), ensure_ascii=False)
    assert not [value for value in planting.planted if value in shown]


def test_a_day_of_birth_and_an_age_are_masked() -> None:
    """A day may be a birthday and a number an age, though times and numbers are shown."""
    schema = load()["directory.children.v1"].definition
    content = {"identity": {"date_of_birth": BORN}, "stated_age": 7, "version": 3, "registrations": []}
    shown = masked_by(schema, content, closed=False)
    assert shown["identity"]["date_of_birth"] == shown["stated_age"] == MASK
    assert shown["version"] == 3


NESTED = {
    "type": "record",
    "name": "Tomorrow",
    "namespace": "safebus.tomorrow",
    "fields": [
        {"name": "notes", "type": {"type": "map", "values": {"type": "array", "items": "string"}}},
        {"name": "either", "type": ["null", "string", "long"]},
        {"name": "picture", "type": "bytes"},
        {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 4}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4}},
        {"name": "opens_at", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "inner", "type": {"type": "record", "name": "Inner", "fields": [{"name": "text", "type": "string"}]}},
        {"name": "again", "type": ["null", "safebus.tomorrow.Inner"]},
        {"name": "also", "type": {"type": "array", "items": "Inner"}},
        {"name": "empty", "type": "string"},
        {"name": "absent", "type": ["null", "string"]},
        {"name": "child_id", "type": "string"},
        {"name": "odd", "type": "a.type.of.tomorrow"},
    ],
}


@given(said=SAID)
def test_maps_unions_bytes_and_what_is_new_are_masked(said: str) -> None:
    """Whatever a schema of tomorrow holds is masked until it is named: keys of maps, unions, bytes, unknown types."""
    inner = {"text": said}
    content = {"notes": {said: [said]}, "either": said, "picture": said.encode(), "code": b"Anna", "amount": said,
               "opens_at": said, "inner": inner, "again": inner, "also": [inner], "empty": "", "absent": None,
               "child_id": "child-7qm2", "odd": said}  # fmt: skip
    shown = masked_by(NESTED, content, closed=False)
    assert shown == {
        "notes": [[MASK]],
        "either": MASK,
        "picture": MASK,
        "code": MASK,
        "amount": MASK,
        "opens_at": MASK,
        "inner": {"text": MASK},
        "again": {"text": MASK},
        "also": [{"text": MASK}],
        "empty": "",
        "absent": None,
        "child_id": "child-7qm2",
        "odd": MASK,
    }


def test_what_an_operator_needs_is_shown() -> None:
    """Ids, enums, times, numbers, yes and no: enough to see what happened, when, and to which event."""
    read = DisclosureRead(
        receipt_id="receipt-17",
        disclosure_id=UUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
        child_id="child-7qm2",
        role=Role.SCHOOL,
        state=ReceiptState.READ,
        happened_at=MOMENT,
        practitioner="R. Ashdown",
        hidden_from_online_access=None,
    )
    assert masked(read) == {
        "receipt_id": "receipt-17",
        "disclosure_id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "child_id": "child-7qm2",
        "role": "SCHOOL",
        "state": "READ",
        "happened_at": "2026-11-20T19:40:00+00:00",
        "practitioner": MASK,
        "hidden_from_online_access": None,
    }
    assert revealed(read)["practitioner"] == "R. Ashdown"


def deadline(confidential: bool) -> Event:
    return validated(
        "deadlines.set.v1",
        {
            "deadline_id": UUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
            "child_id": "child-7qm2",
            "kind": "SCHOOL_ALERT_READ",
            "owed_role": "SCHOOL",
            "owed_by": None,
            "due_by": MOMENT,
            "escalate_to": "la:825",
            "needs_hidden_confirmation": False,
            "location_confidential": confidential,
        },
    )


@pytest.mark.parametrize(
    ("event_says", "known", "shown"),
    [
        (True, None, MASK),
        (True, False, MASK),
        (False, True, MASK),
        (False, None, "la:825"),
        (False, False, "la:825"),
    ],
)
def test_h2_organisations_of_a_child_in_hiding_are_masked(event_says: bool, known: bool | None, shown: str) -> None:
    """H2: who is told can reveal a place. Either says so, the event or what else is known of the child: masked."""
    assert masked(deadline(event_says), confidential=known)["escalate_to"] == shown


def test_h2_a_sender_of_a_child_in_hiding_is_masked() -> None:
    """H2: whom an event came from is an organisation too; a part of the bus is none. Not knowing is no permission."""
    school = "urn:safebus:school:990001"
    assert source(school, confidential=True) == source(school, confidential=None) == MASK
    assert source(school, confidential=False) == "school:990001"
    assert source("urn:safebus:encompass-alerts", confidential=True) == "encompass-alerts"
    assert organisation("Amelia Jones", confidential=False) == MASK


@pytest.mark.parametrize("text", PERSONAL)
def test_an_id_that_could_be_personal_is_no_id(text: str) -> None:
    """A sender's id may be anything, so what could be a person's is not shown."""
    assert opaque(text) == MASK


@pytest.mark.parametrize(
    "text", ["child-7qm2", "incident-2026-11-20-7", "6BA7B810-9dad-41d1-80b4-00c04fd430c8", "44/12"]
)
def test_an_opaque_id_is_shown(text: str) -> None:
    """Ids are what an operator looks things up by."""
    assert opaque(text) == text


def test_what_a_sender_calls_a_header_or_a_time_is_not_shown() -> None:
    """Names of headers are the sender's, and so is `ce_time`."""
    kept = [{"name": "ce_id", "value": b"1"}, {"name": "amelia-jones", "value": b"2"}]
    letter = masked_by(load()["dead-letters.v1"].definition, {"headers": kept}, closed=True)
    assert [header["name"] for header in letter["headers"]] == ["ce_id", MASK]
    assert [moment(said) for said in ("2026-11-20T19:40:00+00:00", "Amelia Jones", None)] == [
        "2026-11-20T19:40:00+00:00", MASK, "",
    ]  # fmt: skip


def test_what_is_revealed_does_not_steer_the_terminal() -> None:
    """A sender may have written anything, escape sequences among it."""
    assert printable("Zoë\x1b[2J\n\x9b1m") == r"Zoë\x1b[2J\n\x9b1m"
