"""What developers of other systems read is true: accepted by its official tools, and its examples fit."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.bus import catalogue
from services.bus.codec import Codec, event_types
from services.bus.contract import Schema, load
from services.bus.contract.identifiers import identifier_paths
from services.bus.outside import event_from_json
from services.bus.settings import Settings
from services.partner_gateway.door.app import ROUTERS
from services.partner_gateway.door.cloudevents import Bounds, event_of, structured
from services.partner_gateway.door.disclosures import of_ours
from services.partner_gateway.partners import registry
from services.partner_gateway.reference import operations
from services.partner_gateway.reference.asyncapi import asyncapi, example_headers
from services.partner_gateway.reference.data_schemas import json_schemas
from services.partner_gateway.reference.examples import avro_example, example
from services.partner_gateway.reference.kinds import EventType, EventTypes
from services.partner_gateway.reference.objects import cloud_event
from services.partner_gateway.reference.openapi import openapi
from services.partner_gateway.reference.pages import events_page, fields_of
from tests.docs.copy import ROOT

OFFICIAL = Path(__file__).parent / "data" / "asyncapi-3.0.0.json"
CATALOGUE = catalogue.load(ROOT / "topics.yaml")
TYPES = EventTypes(CATALOGUE)
AT = Settings(gateway_url="https://gateway.example", jwt_token_url="https://issuer.example/token")
each = pytest.mark.parametrize("kind", TYPES.all, ids=lambda kind: kind.name)


def _app() -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for router in ROUTERS:
        app.include_router(router)
    return app


@cache
def http_document() -> Any:
    return json.loads(json.dumps(openapi(_app().routes, CATALOGUE, AT)))


@cache
def event_document() -> Any:
    return json.loads(json.dumps(asyncapi(CATALOGUE, AT)))


def faults(schema: Any, instance: Any, document: Any) -> list[str]:
    """What a schema within a document has against an instance."""
    whole = {"components": document["components"], **schema}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(instance)]


def contents(node: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every media type object of an OpenAPI document that has an example."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield at, node
        for name, part in node.items():
            yield from contents(part, f"{at}/{name}")
    elif isinstance(node, list):
        for index, part in enumerate(node):
            yield from contents(part, f"{at}/{index}")


# --- examples ---------------------------------------------------------------------------------------------------------


@each
def test_an_example_fits_its_json_schema_its_avro_schema_and_the_model(kind: EventType) -> None:
    """One made-up event, in all three: and identifiers are well formed."""
    made = example(kind.schema.definition)
    schemas = json_schemas(kind.schema.definition)
    assert faults({"$ref": f"#/components/schemas/{kind.record}"}, made, {"components": {"schemas": schemas}}) == []
    avro = avro_example(kind.schema.definition)
    assert fastavro.validate(avro, kind.schema.parsed, strict=True)
    event = event_from_json(kind.name, json.dumps(made).encode())
    written = event_types()[kind.name].model_validate(event.model_dump())
    assert written == event
    assert example(kind.schema.definition) == made


@each
def test_an_examples_two_forms_say_the_same(kind: EventType) -> None:
    """What Avro's own types have is, read as a reader of the topic does, what the JSON has."""
    out = BytesIO()
    fastavro.schemaless_writer(out, kind.schema.parsed, avro_example(kind.schema.definition))
    out.seek(0)
    read = fastavro.schemaless_reader(out, kind.schema.parsed, None)
    assert event_types()[kind.name].model_validate(read) == event_from_json(
        kind.name, json.dumps(example(kind.schema.definition)).encode()
    )


@each
def test_an_example_is_about_nobody(kind: EventType) -> None:
    """NHS numbers of the range for tests; a school's and an authority's numbers that nobody has."""
    text = json.dumps(example(kind.schema.definition))
    assert all(number.startswith("999") for number in re.findall(r'"nhs_number": "(\d+)"', text))
    assert all(number[1:7] == "999901" for number in re.findall(r'"upn": "(\w+)"', text))
    assert set(re.findall(r"(?:school|la|mash|practice|police|health):[\w-]+", text)) <= {
        "school:999901", "la:999", "mash:999", "practice:X99901", "police:example",
    }  # fmt: skip


def test_a_school_sees_no_nhs_number_in_any_example_for_it() -> None:
    """Least information, in what developers copy as well."""
    for kind in TYPES.told:
        made = example(kind.schema.definition)
        if made["disclosure"]["recipient_role"] == "SCHOOL":
            assert "nhs_number" not in json.dumps(made)


@pytest.mark.parametrize("kind", TYPES.posted, ids=lambda kind: kind.name)
def test_what_the_reference_says_to_post_the_door_takes(kind: EventType) -> None:
    """Its example is accepted whole, rules that are beyond the schema included."""
    now = datetime.now(UTC)
    bounds = Bounds("school:999901", now, now - timedelta(days=1))
    event = event_of(structured(cloud_event(kind)), kind.name, bounds)
    assert (event.topic, event.envelope.source) == (kind.name, "urn:safebus:school:999901")
    assert of_ours(event) is None


def test_what_may_be_posted_is_what_a_key_can_have_the_scope_for() -> None:
    """Receipts and rehearsals, which the door itself writes, are no posts."""
    agencies = [p.name for p in CATALOGUE.principals.values() if p.kind == "agency" and p.name != registry.DOOR]
    scopes = frozenset().union(*(registry.scopes_of(agency, CATALOGUE) for agency in agencies))
    assert {kind.name for kind in TYPES.posted} == scopes - {"inbox", "receipts.v1"}


def test_an_event_type_that_is_added_has_an_example_at_once() -> None:
    """Without a word of its own."""
    [path] = (ROOT / "docs/example/schemas").rglob("*.avsc")
    named = {kind.schema.definition["namespace"]: kind for kind in TYPES.all}
    assert named
    definition = json.loads(path.read_text("utf-8"))
    common = {p.stem: json.loads(p.read_text("utf-8")) for p in (ROOT / "schemas/common").glob("*.avsc")}

    def whole(node: Any, seen: set[str]) -> Any:
        if isinstance(node, str) and (name := node.rpartition(".")[2]) in common and name not in seen:
            seen.add(name)
            return whole(common[name], seen)
        if isinstance(node, list):
            return [whole(part, seen) for part in node]
        if isinstance(node, dict):
            return {k: whole(v, seen) if k in ("type", "items", "fields") else v for k, v in node.items()}
        return node

    complete = whole(definition, set())
    assert fastavro.validate(avro_example(complete), fastavro.parse_schema(complete), strict=True)


# --- JSON schemas -----------------------------------------------------------------------------------------------------


@each
def test_a_json_schema_has_the_models_fields_and_requires_the_same(kind: EventType) -> None:
    """What the reference promises is what the door checks."""
    model = event_types()[kind.name].model_json_schema(by_alias=True)
    ours = json_schemas(kind.schema.definition)
    theirs = {kind.record: model, **model.get("$defs", {})}
    assert ours.keys() == theirs.keys()
    for name, schema in ours.items():
        assert schema.get("properties", {}).keys() == theirs[name].get("properties", {}).keys()
        assert set(schema.get("required", ())) == set(theirs[name].get("required", ()))
        assert schema.get("enum") == theirs[name].get("enum")
        assert schema["description"]


@each
def test_a_wrong_field_fits_no_json_schema(kind: EventType) -> None:
    """A field too many, one too few, a symbol that is none."""
    made, document = example(kind.schema.definition), {"components": {"schemas": json_schemas(kind.schema.definition)}}
    schema = {"$ref": f"#/components/schemas/{kind.record}"}
    assert faults(schema, made | {"surplus": 1}, document)
    for field in kind.schema.definition["fields"]:
        if "default" not in field:
            assert faults(schema, {name: v for name, v in made.items() if name != field["name"]}, document)
    for field, said in document["components"]["schemas"][kind.record]["properties"].items():
        if "$ref" in said and "enum" in document["components"]["schemas"][said["$ref"].rpartition("/")[2]]:
            assert faults(schema, made | {field: "NO_SUCH"}, document)


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


def test_openapi_is_accepted_by_its_validator() -> None:
    """OpenAPI 3.1."""
    assert [error.message for error in OpenAPIV31SpecValidator(http_document()).iter_errors()] == []


def test_every_route_of_the_api_is_described_and_no_other() -> None:
    """Posting stands once for each event type; what a person's browser uses stands not at all."""
    here = {(method, path) for path, item in http_document()["paths"].items() for method in item}
    posts = {("post", f"/v1/events/{kind.name}") for kind in TYPES.posted}
    assert here == posts | operations.OPERATIONS.keys()
    ids = [operation["operationId"] for item in http_document()["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_every_example_in_openapi_fits_its_schema() -> None:
    """Requests, answers, problems and webhooks."""
    found = list(contents(http_document()))
    assert len(found) > 60
    for at, node in found:
        examples = [e["value"] for e in node["examples"].values()] if "examples" in node else [node["example"]]
        for made in examples:
            assert faults(node["schema"], made, http_document()) == [], at


def test_every_operation_says_how_it_can_fail() -> None:
    """With problem details, the ones of every operation at least."""
    for path, item in http_document()["paths"].items():
        for method, operation in item.items():
            assert {"401", "403", "429", "503"} <= operation["responses"].keys(), (method, path)
            assert "HTTPValidationError" not in json.dumps(operation)
    for status in operations.PROBLEMS:
        answer = http_document()["components"]["responses"][f"Problem{status}"]
        assert list(answer["content"]) == ["application/problem+json"]


def test_security_is_a_key_or_where_there_is_an_issuer_a_token() -> None:
    """OAuth2 client credentials are offered only where somebody issues tokens."""
    schemes = http_document()["components"]["securitySchemes"]
    assert schemes["apiKey"]["scheme"] == "bearer"
    flow = schemes["clientCredentials"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://issuer.example/token"
    assert {"inbox", "receipts.v1", "mash.contacts.v1"} <= flow["scopes"].keys()
    assert http_document()["security"] == [{"apiKey": []}, {"clientCredentials": []}]
    without = openapi(_app().routes, CATALOGUE, AT.model_copy(update={"jwt_token_url": None}))
    assert list(without["components"]["securitySchemes"]) == ["apiKey"]


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


def test_asyncapi_is_accepted_by_the_official_schema() -> None:
    """AsyncAPI 3.0.0's own, Avro payloads included."""
    official = Draft7Validator(json.loads(OFFICIAL.read_text("utf-8")))
    assert [f"{list(e.path)}: {e.message}" for e in official.iter_errors(event_document())] == []


def test_every_reference_in_asyncapi_leads_somewhere() -> None:
    """The official schema does not look."""
    for pointer in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(event_document()))):
        node = event_document()
        for part in pointer.split("/"):
            node = node[part]


def test_asyncapi_has_what_agencies_write_the_stream_and_webhooks() -> None:
    """Each topic that an agency's principal may write, and who may; the gateway's own principal is none."""
    channels, operations_ = event_document()["channels"], event_document()["operations"]
    agencies = {p.name for p in CATALOGUE.principals.values() if p.kind == "agency"} - {"partner-door"}
    for topic in CATALOGUE.topics.values():
        writers = agencies & set(topic.written_by)
        sends = operations_.get(f"send{topic.record.rpartition('.')[2]}")
        assert bool(sends) == bool(writers), topic.name
        if sends:
            assert channels[topic.name]["address"] == topic.name
            assert set(re.findall(r"[\w-]+", sends["description"].partition(":")[2])) == writers
    assert operations_["streamInbox"]["action"] == operations_["receiveNotice"]["action"] == "receive"
    streamed = set(channels["inboxStream"]["messages"])
    assert streamed == {f"{kind.record}Entry" for kind in TYPES.told} | {"EpochBegan", "Goodbye"}
    for inbox in CATALOGUE.inboxes.values():
        assert channels[inbox.name]["messages"].keys() == {kind.record for kind in TYPES.told} | {"Withheld"}


def test_every_example_in_asyncapi_fits() -> None:
    """Avro payloads by fastavro, the others by their JSON schema, headers as well."""
    by_record = {kind.record: kind for kind in TYPES.all}
    for name, message in event_document()["components"]["messages"].items():
        [made] = message["examples"]
        if "schemaFormat" in message["payload"]:
            parsed = fastavro.parse_schema(json.loads(json.dumps(message["payload"]["schema"])))
            assert fastavro.validate(made["payload"], parsed, strict=True), name
            assert by_record[name]
        else:
            assert faults(message["payload"], made["payload"], event_document()) == [], name
        if "headers" in message:
            assert faults(message["headers"], made["headers"], event_document()) == [], name


async def test_the_headers_in_asyncapi_are_those_that_are_written() -> None:
    """By name, and word for word where they are the same for every event of the type."""

    class Numbers:
        async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
            raise AssertionError

        async def id_of(self, subject: str, schema: Any, fingerprint: str) -> int:
            return 1

    codec = Codec(Numbers(), {})
    await codec.prepare([kind.name for kind in TYPES.posted])
    for kind in TYPES.posted:
        now = datetime.now(UTC)
        event = event_of(structured(cloud_event(kind)), kind.name, Bounds("school:999901", now, now))
        written = {name: value.decode() for name, value in codec.headers(event.envelope)}
        described = event_document()["components"]["messages"][kind.record]["headers"]
        assert written.keys() <= described["properties"].keys()
        assert set(described["required"]) <= written.keys()
        shown = example_headers(kind)
        same = ("ce_specversion", "ce_type", "ce_dataschema", "content-type", "ce_source")
        assert {name: shown[name] for name in same} == {name: written[name] for name in same}


# --- pages ------------------------------------------------------------------------------------------------------------


@each
def test_the_events_page_shows_each_field_and_its_words(kind: EventType) -> None:
    """Every identifier of the schema is on it too, however deep."""
    fields = {field.name: field for field in fields_of(kind)}
    for field in kind.schema.definition["fields"]:
        assert field["name"] in fields or f"{field['name']}[]" in fields
    for pointer, kind_of_id in identifier_paths(kind.schema.definition):
        name = pointer.removeprefix("/").replace("/*", "[]").replace("/", ".")
        assert fields[name].kind == kind_of_id
    page = events_page(TYPES, event_document())
    assert f'id="{kind.name}"' in page
    assert page.count(f"<h3>Example of {kind.name}</h3>") == 1


def test_what_a_schema_says_is_text_on_the_page() -> None:
    """A doc with markup in it is no markup."""
    kind = TYPES.all[0]
    definition = kind.schema.definition | {"doc": "<script>alert(1)</script>"}
    schema = Schema(
        kind.schema.topic, kind.schema.record, kind.schema.file, definition, kind.schema.parsed, "", kind.schema.checks
    )
    page = events_page(EventTypes(CATALOGUE, {**load(), kind.name: schema}), event_document())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_the_reference_is_served_to_anybody_without_anything_from_elsewhere(client: httpx.AsyncClient) -> None:
    """No sign-in, no other host, no inline script or style; each file that a page names is there."""
    for path in ("/v1/openapi.json", "/v1/asyncapi.json"):
        answered = await client.get(path)
        assert (answered.status_code, answered.headers["content-type"]) == (200, "application/json")
    served = json.loads((await client.get("/v1/openapi.json")).content)
    assert served["paths"].keys() == http_document()["paths"].keys()
    for path in ("/docs", "/docs/events"):
        answered = await client.get(path)
        assert answered.status_code == 200
        assert "script-src 'self'" in answered.headers["content-security-policy"]
        assert "unsafe" not in answered.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=|https?://", answered.text)
        for name in re.findall(r'(?:src|href)="(/[^"#]+)"', answered.text):
            found = await client.get(name)
            assert found.status_code == 200, name


@pytest.mark.parametrize("name", ["core.py", "..%2fcore.py", "redoc.standalone.js", "%2e%2e/reference.py", ""])
async def test_no_other_file_is_served(client: httpx.AsyncClient, name: str) -> None:
    """Four files by name, and nothing beside them."""
    answered = await client.get(f"/docs/static/{name}")
    assert answered.status_code == 404


async def test_requests_at_once_get_the_same_document(client: httpx.AsyncClient) -> None:
    """It is made once."""
    answers = await asyncio.gather(*(client.get("/v1/openapi.json") for _ in range(5)))
    assert len({answer.content for answer in answers}) == 1
