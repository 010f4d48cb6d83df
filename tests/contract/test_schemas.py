"""The schemas are read whole or refused with every finding, and keep our rules."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import avro.schema
import fastavro
import pytest
import yaml

from services.bus.contract import fingerprint_of, load
from services.bus.contract.rules import findings
from services.bus.errors import CatalogueInvalid
from services.bus.settings import ROOT
from tests.contract.conftest import SCHEMAS, Change, Edit

TOPICS = sorted(load())


def test_our_schemas_keep_every_rule() -> None:
    """Docs everywhere, reasons for what is optional, enums that can grow."""
    assert findings(SCHEMAS) == []


def without_doc(body: dict[str, Any]) -> None:
    body["fields"][0].pop("doc")


def with_field(**field: Any) -> Change:
    return lambda body: body["fields"].append({"name": "extra", "doc": "Something more.", **field})


@pytest.mark.parametrize(
    ("file", "change", "finding"),
    [
        ("gp/HealthUpdated.avsc", without_doc, "HealthUpdated.disclosure needs a doc"),
        ("gp/HealthUpdated.avsc", lambda body: body.update(doc=""), "HealthUpdated has no doc"),
        ("gp/HealthUpdated.avsc", with_field(type=["null", "string"], default=None), "Absent when"),
        (
            "gp/HealthUpdated.avsc",
            with_field(type=["null", "string"], doc="Absent when none."),
            "null must be its default",
        ),
        ("gp/HealthUpdated.avsc", with_field(type=["string", "long"]), "is a union"),
        ("gp/HealthUpdated.avsc", with_field(type="Grading"), "none of ours"),
        ("gp/HealthUpdated.avsc", with_field(type={"type": "map", "values": "string"}), "none of ours"),
        (
            "gp/HealthUpdated.avsc",
            with_field(type={"type": "long", "logicalType": "timestamp-millis"}),
            "timestamp-micros",
        ),
        ("gp/HealthUpdated.avsc", with_field(type={"type": "string", "safebus.identifier": "passport"}), "identifier"),
        ("gp/HealthUpdated.avsc", with_field(name="at", type="string"), "would hide"),
        ("gp/HealthUpdated.avsc", with_field(name="Extra", type="string"), "snake_case"),
        ("gp/HealthUpdated.avsc", lambda body: body.update({"safebus.topic": "GP updates"}), "ends with its version"),
        ("common/Role.avsc", lambda body: body["symbols"].remove("UNKNOWN"), "must begin with UNKNOWN"),
        ("common/Role.avsc", lambda body: body.pop("default"), "must begin with UNKNOWN"),
        ("common/Role.avsc", lambda body: body["symbols"].append("Vet"), "capitals"),
        ("common/Role.avsc", lambda body: body.pop("doc"), "Role has no doc"),
        (
            "strategy/MinutesApproved.avsc",
            with_field(type={"type": "record", "name": "Term", "doc": "Another.", "fields": []}),
            "the name Term stands for 2 types",
        ),
    ],
)
def test_each_rule_is_enforced(folder: Path, edit: Edit, file: str, change: Change, finding: str) -> None:
    """A schema that breaks a rule is found, with its name and the reason."""
    edit(file, change)
    assert [found for found in findings(folder) if finding in found]


@pytest.mark.parametrize(
    ("file", "text", "finding"),
    [
        ("gp/Broken.avsc", "{", "gp/Broken.avsc: not a JSON object"),
        ("gp/Broken.avsc", "[]", "gp/Broken.avsc: not a JSON object"),
        (
            "gp/Broken.avsc",
            '{"namespace": "safebus.mash", "name": "Broken"}',
            "in this place it must be safebus.gp.Broken",
        ),
        (
            "gp/Loop.avsc",
            '{"type": "record", "namespace": "safebus.gp", "name": "Loop",'
            ' "fields": [{"name": "again", "type": ["null", "safebus.gp.Loop"]}]}',
            "contains itself",
        ),
        (
            "gp/Second.avsc",
            '{"type": "record", "namespace": "safebus.gp", "name": "Second", "safebus.topic": "gp.updates.v1",'
            ' "fields": []}',
            "one record type a topic",
        ),
        (
            "gp/Second.avsc",
            '{"type": "record", "namespace": "safebus.gp", "name": "Second", "safebus.topic": "gp.second.v1",'
            ' "fields": [{"name": "one", "type": "safebus.gp.Nowhere"}]}',
            "no file defines the type safebus.gp.Nowhere",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(folder: Path, file: str, text: str, finding: str) -> None:
    """A broken schema is a mistake of a person's, told with the file's name."""
    (folder / file).write_text(text, "utf-8")
    with pytest.raises(CatalogueInvalid) as raised:
        load(folder)
    assert finding in str(raised.value)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_definition_stands_alone(topic: str) -> None:
    """What is registered needs no other file: fastavro and Apache's library both accept it by itself."""
    schema = load()[topic]
    assert fastavro.parse_schema(copy.deepcopy(schema.definition))["name"] == schema.record
    assert avro.schema.parse(json.dumps(schema.definition)).fullname == schema.record
    assert schema.record.startswith("safebus.")
    assert (SCHEMAS / schema.file).exists()


def test_a_fingerprint_follows_what_is_read_and_not_the_docs() -> None:
    """16 hexadecimal digits that change with a field and stay with a doc, however often the schema is parsed."""
    schema = load()["receipts.v1"]
    definition = copy.deepcopy(schema.definition)
    definition["doc"] = "Other words."
    assert fingerprint_of(definition) == fingerprint_of(schema.parsed) == schema.fingerprint
    assert len(bytes.fromhex(schema.fingerprint)) == 8
    definition["fields"].pop()
    assert fingerprint_of(definition) != schema.fingerprint


def test_the_settings_schemas_are_read_once() -> None:
    """`load()` is asked for each event, so it must not read files again."""
    assert load() is load()


OPAQUE = {"child_id", "incident_id", "matter_id", "meeting_id", "organisation_id", "person_id", "shift_id"}
OPAQUE |= {"about", "probe_id"}  # a kind with an opaque id; a probe's own, which is about nobody


def test_no_key_is_personal() -> None:
    """Keys are opaque ids: no name, no identifier that people have, no date of birth (H1, DESIGN.md §3)."""
    catalogue = yaml.safe_load((ROOT / "topics.yaml").read_text("utf-8"))["topics"]
    keys = {topic: entry["key"] for topic, entry in catalogue.items() if topic in load()}
    assert sorted(keys) == TOPICS
    assert keys.pop("dead-letters.v1") == "origin"
    for topic, key in keys.items():
        assert key in OPAQUE
        kinds = {field["name"]: field["type"] for field in load()[topic].definition["fields"]}
        assert kinds[key] == "string"
