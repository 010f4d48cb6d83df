"""The OpenAPI 3.1 document: the app's own routes, with every event type's schema and example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from services.bus.catalogue import Catalogue
from services.bus.settings import Settings
from services.partner_gateway.door.cloudevents import BATCH, BINARY, STRUCTURED
from services.partner_gateway.door.events_in import MOST
from services.partner_gateway.reference.data_schemas import json_schemas
from services.partner_gateway.reference.kinds import EventType, EventTypes
from services.partner_gateway.reference.objects import (
    EPOCH,
    EXAMPLES,
    SCHEMAS,
    cloud_event,
    entry_example,
    inbox_schemas,
    posted_schema,
    ref,
)
from services.partner_gateway.reference.operations import ALWAYS, OPERATIONS, POST, PROBLEMS, TAGS, Operation
from services.web.problems import MEDIA_TYPE

Document = dict[str, Any]

DESCRIPTION = """\
The door of safebus for systems that do not speak Kafka. Send your API key, or an access token, as
`Authorization: Bearer …`. Every error is a problem details object (RFC 9457). After a timeout or 503 nobody knows
whether an event was taken: post it again with the same id, and it takes effect once.

What the inbox's stream and webhooks say is in the AsyncAPI document, `/v1/asyncapi.json`, and on `/docs/events`."""


CHOSEN = """

`disclosure.id` is yours to choose: a random UUID, version 4, for each disclosure. One that stands for another is
refused with 409 disclosure-id-reused, as receipts and deadlines know a disclosure by it alone."""


def openapi(routes: Iterable[BaseRoute], catalogue: Catalogue, at: Settings) -> Document:
    """The document of an application with these routes."""
    made = get_openapi(
        title="safebus partner gateway",
        version="1",
        openapi_version="3.1.0",
        summary="Safeguarding events for agencies by HTTPS.",
        description=DESCRIPTION,
        routes=list(routes),
        tags=[{"name": name, "description": says} for name, says in TAGS.items()],
        servers=[{"url": at.gateway_url or "/"}],
    )
    types = EventTypes(catalogue)
    paths: dict[str, Any] = {}
    for path, item in made["paths"].items():
        if not path.startswith("/v1/"):
            continue  # a person's pages
        for method, found in item.items():
            if (method, path) == POST:
                paths |= {POST[1].replace("{topic}", kind.name): {"post": _post(kind)} for kind in types.posted}
            else:
                known = OPERATIONS.get((method, path))
                paths.setdefault(path, {})[method] = _described(found, known, types.told) if known else found
    made["paths"] = paths
    made["webhooks"] = {"noticeSent": {"post": _webhook()}}
    made["components"] = {
        "schemas": _schemas(types, made.get("components", {}).get("schemas", {})),
        "responses": {f"Problem{status}": _problem(status) for status in PROBLEMS},
        "securitySchemes": _security_schemes(types, at),
    }
    made["security"] = [{name: []} for name in made["components"]["securitySchemes"]]
    return made


def _schemas(types: EventTypes, of_routes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in (*types.posted, *types.told):
        found |= json_schemas(kind.schema.definition)
    found |= {f"{kind.record}Event": posted_schema(kind) for kind in types.posted}
    found |= inbox_schemas(types.told) | dict(SCHEMAS)
    # Validation errors are problem details here, not what FastAPI answers of itself.
    found |= {name: s for name, s in of_routes.items() if name not in ("HTTPValidationError", "ValidationError")}
    return dict(sorted(found.items()))


def _described(found: Document, known: Operation, told: list[EventType]) -> Document:
    """FastAPI's operation, with its parameters and docstring, and what its route answers."""
    described = found | {"operationId": known.id, "summary": known.summary, "tags": [known.tag]}
    content: Document = {}
    if known.answer:
        content = {"application/json": {"schema": ref(known.answer), "examples": _examples(known.answer, told)}}
    elif known.media_type:
        kind = {"type": "string"} | ({} if known.media_type.startswith("text/") else {"format": "binary"})
        content = {known.media_type: {"schema": kind}}
    answer: Document = {"description": known.says} | ({"content": content} if content else {})
    described["responses"] = {str(known.status): answer} | _problems(known.problems)
    if known.takes == "bytes":
        taken = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {"required": True, "content": {"application/pdf": taken, "*/*": taken}}
    for body in described.get("requestBody", {}).get("content", {}).values():
        if (name := body["schema"].get("$ref", "").rpartition("/")[2]) in EXAMPLES:
            body["example"] = EXAMPLES[name]
    return described


def _examples(name: str, told: list[EventType]) -> Document:
    if name == "InboxEntry":
        return {kind.record: {"summary": kind.topic.description, "value": entry_example(kind)} for kind in told}
    if name == "InboxPage":
        entries = [entry_example(kind, number) for number, kind in enumerate(told, 1)]
        page = {"epoch": EPOCH, "entries": entries, "next": f"{EPOCH}.{len(entries)}", "more": False}
        return {"page": {"summary": "One of each type", "value": page}}
    return {"example": {"value": EXAMPLES[name]}}


def _post(kind: EventType) -> Document:
    """Posting one event type."""
    event, said = cloud_event(kind), ref(f"{kind.record}Event")
    batch = {"type": "array", "maxItems": MOST, "items": said, "description": "Each item has a result of its own."}
    return {
        "operationId": f"post{kind.record}",
        "tags": ["Post"],
        "summary": kind.topic.description.rstrip("."),
        "description": f"{kind.doc}{CHOSEN if kind.topic.discloses else ''}\n\nScope: `{kind.name}`.",
        "parameters": [
            {
                "name": f"ce-{name}",
                "in": "header",
                "required": False,
                "description": "CloudEvents binary mode, with application/json, alone.",
                "schema": {"type": "string"},
            }
            for name in ("id", "source", "type", "specversion", "time", "subject")
        ],
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": said, "example": event},
                BINARY: {"schema": ref(kind.record), "example": event["data"]},
                BATCH: {"schema": batch, "example": [event]},
            },
        },
        "responses": {
            "202": {
                "description": "Durable. The same source and id again: the same answer, and one effect.",
                "headers": {
                    "Location": {"description": "Where to ask what became of it.", "schema": {"type": "string"}}
                },
                "content": {"application/json": {"schema": ref("Posted"), "example": _posted(event)}},
            },
            "207": {
                "description": "A batch: one result for each event, in their order.",
                "content": {"application/json": {"schema": ref("BatchPosted"), "example": EXAMPLES["BatchPosted"]}},
            },
        }
        | _problems((400, 404, 409, 413, 415, 422)),
    }


def _posted(event: Document) -> Document:
    named = {name: event[name] for name in ("id", "source", "type")}
    source = event["source"].replace(":", "%3A")
    return named | {"state": "accepted", "location": f"/v1/events/{event['type']}/{event['id']}?source={source}"}


def _webhook() -> Document:
    headers = {
        "webhook-id": "The same at every attempt.",
        "webhook-timestamp": "Seconds since 1970: refuse what is more than 5 minutes away.",
        "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body.",
    }
    return {
        "operationId": "receiveNotice",
        "tags": ["Webhooks"],
        "summary": "Something waits",
        "description": "Sent to your webhook's address. Verify it, answer 2xx at once, then read the inbox.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": says, "schema": {"type": "string"}}
            for name, says in headers.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("Notice"), "example": EXAMPLES["Notice"]}},
        },
        "responses": {"204": {"description": "Taken. Any other answer, or none in time, is tried again for days."}},
    }


def _problems(statuses: Iterable[int]) -> Document:
    return {str(s): {"$ref": f"#/components/responses/Problem{s}"} for s in sorted({*statuses, *ALWAYS})}


def _problem(status: int) -> Document:
    code = PROBLEMS[status].split(":")[0].split(",")[0].rstrip(".")
    said = {"type": f"urn:safebus:problem:{code}", "title": code.replace("-", " "), "status": status}
    example: Document = said | {"detail": "one sentence for a person: what is wrong and what to do"}
    if status == 422:
        example = EXAMPLES["Problem"]
    if status == 410:
        example |= {"epoch": EPOCH}
    answer: Document = {
        "description": PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": ref("Problem"), "example": example}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer


def _security_schemes(types: EventTypes, at: Settings) -> Document:
    """The API key, and where an issuer of tokens is set, its client credentials."""
    key = {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sbk_…",
        "description": "An API key. It is shown once, expires, and is rotated with an overlap.",
    }
    schemes: Document = {"apiKey": key}
    if at.jwt_token_url:
        scopes = {kind.name: f"post {kind.name}" for kind in types.posted}
        scopes |= {"inbox": "read the own inbox", "receipts.v1": "give receipts"}
        flow = {"tokenUrl": at.jwt_token_url, "scopes": scopes}
        schemes["clientCredentials"] = {
            "type": "oauth2",
            "description": "An access token (a JWT) of the partnership's own issuer.",
            "flows": {"clientCredentials": flow},
        }
    return schemes
