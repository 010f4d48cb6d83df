"""The generated events say what the schemas say, and survive the wire."""

from __future__ import annotations

import copy
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.bus.contract import load
from services.bus.envelope import Event, Model
from services.bus.events import BY_TOPIC, AdultOfConcern, ChildMatched, DisclosureRead, Role, YesNoUnknown
from tests.contract.strategies import contents

TOPICS = sorted(load())


def through_the_wire(event: Event) -> Any:
    """The event's content after it was written and read."""
    parsed = load()[event.topic].parsed
    wire = BytesIO()
    schemaless_writer(wire, parsed, event.model_dump(by_alias=True))
    wire.seek(0)
    return schemaless_reader(wire, parsed, None)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_event_survives_the_wire(topic: str) -> None:
    """Whatever a schema allows is read back equal, and its identifiers are well formed."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def survives(data: st.DataObject) -> None:
        event = BY_TOPIC[topic].model_validate(data.draw(contents(load()[topic])))
        assert BY_TOPIC[topic].model_validate(through_the_wire(event)) == event
        assert load()[topic].faults(event) == []

    survives()


@pytest.mark.parametrize(
    "text", ["", "\x00", "👩‍👧", "ליאור כהן", "a" * 100_000], ids=["empty", "NUL", "emoji", "rtl", "long"]
)
def test_any_text_survives_the_wire(text: str) -> None:
    """A name in any script, an emoji and a NUL are text like any other."""
    matched = ChildMatched(incident_id="i", child_reference="r", child_id="c", decided_by="post", reason=text)
    assert through_the_wire(matched)["reason"] == text


def test_every_topic_has_one_event() -> None:
    """BY_TOPIC and the schemas name the same topics, and each class knows its own."""
    assert sorted(BY_TOPIC) == TOPICS
    assert {kind.topic: kind for kind in BY_TOPIC.values()} == BY_TOPIC
    assert {load()[topic].record.rpartition(".")[2] for topic in TOPICS} == {
        kind.__name__ for kind in BY_TOPIC.values()
    }


@pytest.mark.parametrize("topic", TOPICS)
def test_events_are_frozen_and_know_no_other_fields(topic: str) -> None:
    """Events and what they hold are immutable, refuse unknown fields, and use the schemas' own field names."""
    kind = BY_TOPIC[topic]
    assert kind.__pydantic_complete__
    assert kind.model_config.get("frozen")
    assert kind.model_config.get("extra") == "forbid"
    assert not any(field.alias for field in kind.model_fields.values())
    assert list(kind.model_fields) == [field["name"] for field in load()[topic].definition["fields"]]


def test_an_unknown_field_is_refused_wherever_it_stands() -> None:
    """A record inside an event is as strict as the event."""
    with pytest.raises(ValidationError, match="name"):
        AdultOfConcern.model_validate({"reference": "a1", "links": [], "name": "not here"})
    assert issubclass(AdultOfConcern, Model)
    assert not issubclass(AdultOfConcern, Event)


def test_a_moment_without_a_zone_is_refused() -> None:
    """Times in events are UTC; a naive one could be anything."""
    content = {
        "receipt_id": "r",
        "disclosure_id": "00000000-0000-0000-0000-000000000001",
        "child_id": "c",
        "role": "MASH",
    }
    with pytest.raises(ValidationError, match="timezone"):
        DisclosureRead.model_validate({**content, "state": "READ", "happened_at": "2026-11-20T19:40:00"})
    assert DisclosureRead.model_validate({**content, "state": "READ", "happened_at": "2026-11-20T19:40:00Z"})


def test_a_symbol_of_a_later_version_is_read_as_unknown() -> None:
    """An enum can grow: who does not know the new symbol yet reads UNKNOWN instead of failing (DESIGN.md §3)."""
    schema = load()["deadlines.met.v1"]
    later = copy.deepcopy(schema.definition)
    enum = next(field["type"] for field in later["fields"] if field["name"] == "kind")
    enum["symbols"].append("SOMETHING_NEW")
    event = {
        "deadline_id": "00000000-0000-0000-0000-000000000001",
        "child_id": "c",
        "kind": "SOMETHING_NEW",
        "late": False,
    }
    wire = BytesIO()
    schemaless_writer(wire, parse_schema(later), {**event, "due_by": 0, "met_at": 0})
    wire.seek(0)
    read = schemaless_reader(wire, parse_schema(copy.deepcopy(later)), schema.parsed)
    assert BY_TOPIC["deadlines.met.v1"].model_validate(read).model_dump()["kind"] == "UNKNOWN"


def test_enums_are_their_symbols() -> None:
    """A member's name and value are the symbol, so it is written as it stands in the schema."""
    assert Role.GP_PRACTICE == "GP_PRACTICE"
    assert (
        [member.name for member in YesNoUnknown]
        == [member.value for member in YesNoUnknown]
        == ["UNKNOWN", "YES", "NO"]
    )
