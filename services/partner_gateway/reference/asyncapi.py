"""The AsyncAPI 3.0 document: what an agency's own system sends and receives, by Kafka, as a stream and by webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from services.bus.catalogue import Catalogue, Topic
from services.bus.codec import DATASCHEMA
from services.bus.settings import Settings
from services.partner_gateway.inbox.projection import CURSOR as CURSOR_HEADER
from services.partner_gateway.inbox.projection import WITHHELD as WITHHELD_HEADER
from services.partner_gateway.inbox.reading import WITHHELD
from services.partner_gateway.reference.data_schemas import json_schemas
from services.partner_gateway.reference.examples import avro_example, example
from services.partner_gateway.reference.kinds import EventType, EventTypes
from services.partner_gateway.reference.objects import (
    EPOCH,
    EXAMPLES,
    SCHEMAS,
    SOURCE,
    entry_example,
    inbox_schemas,
    ref,
)

Document = dict[str, Any]

AVRO = "application/vnd.apache.avro;version=1.9.0"
STREAM, NOTICES = "inboxStream", "notices"

DESCRIPTION = """\
What your system sends to safebus and receives from it. The document speaks from your system's side: `send` is what you
send.

**Kafka.** Each record is Avro in the Confluent wire format (a zero byte, the schema's id in the registry as four bytes,
the body), its CloudEvents attributes in headers. The examples show the body as Avro's own types have it: moments as
microseconds and days as days since 1970-01-01. Partition by murmur2 of the key, as Kafka's Java client does. A source
and id that were sent before are a repeat and take effect once.

**The inbox.** What your organisation is told is read by HTTPS, and where the partnership has set it up also from a
topic of your own. Numbers have no gaps in either: where a person must first declare that there is no conflict, the
topic has a mark in the record's place, without a body, and the content is read at the gateway. Post events without
Kafka by `/v1/openapi.json`."""

_TEXT = {"type": "string"}


def asyncapi(catalogue: Catalogue, at: Settings) -> Document:
    """The document of an installation."""
    types = EventTypes(catalogue)
    inboxes = list(catalogue.inboxes.values())
    channels = {kind.name: _topic(kind) for kind in _on_kafka(types)}
    channels |= {inbox.name: _inbox_topic(inbox, types.told) for inbox in inboxes}
    channels |= {STREAM: _stream(types.told), NOTICES: _notices()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:safebus:agency-system",
        "info": {
            "title": "safebus for agencies' systems",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "tags": [{"name": "kafka"}, {"name": "https"}],
        },
        "defaultContentType": "application/json",
        "servers": _servers(at),
        "channels": channels,
        "operations": _operations(types, inboxes),
        "components": {
            "messages": _messages(types),
            "schemas": _schemas(types),
            "securitySchemes": {
                "scram": {"type": "scramSha512", "description": "Your own user: `safebus topics apply` makes it."},
                "apiKey": {"type": "http", "scheme": "bearer", "description": "Your API key, or an access token."},
            },
        },
    }


def _on_kafka(types: EventTypes) -> list[EventType]:
    mine = {kind.name for kind in (*types.written, *types.read)}
    return [kind for kind in types.all if kind.name in mine]


def _servers(at: Settings) -> Document:
    url = urlsplit(
        at.gateway_url or f"{'https' if at.gateway_tls_cert else 'http'}://{at.gateway_host}:{at.gateway_port}"
    )
    return {
        "kafka": {
            "host": at.bootstrap_servers.split(",")[0],
            "protocol": "kafka-secure" if at.security_protocol == "SASL_SSL" else "kafka",
            "description": "For agencies whose systems speak Kafka.",
            "security": [{"$ref": "#/components/securitySchemes/scram"}],
            "bindings": {"kafka": {"schemaRegistryUrl": at.registry_url, "schemaRegistryVendor": "confluent"}},
        },
        "gateway": {
            "host": url.netloc,
            "protocol": url.scheme,
            "description": "For every agency.",
            "security": [{"$ref": "#/components/securitySchemes/apiKey"}],
        },
    }


def _topic(kind: EventType) -> Document:
    return {
        "address": kind.name,
        "title": kind.record,
        "description": f"{kind.topic.description} Owner: {kind.topic.owner}. Controller: {kind.topic.controller}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {kind.record: _message_ref(kind.record)},
        "bindings": _kafka_binding(kind.topic),
    }


def _inbox_topic(inbox: Topic, told: list[EventType]) -> Document:
    return {
        "address": inbox.name,
        "title": "An inbox as a topic",
        "description": (
            f"{inbox.description} A copy of each record, with its number in the header {CURSOR_HEADER}, or a mark in "
            "its place. A number that is missing is a loss: the next one, or GET /v1/inbox/proof, shows it."
        ),
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: _message_ref(name) for name in (*(kind.record for kind in told), "Withheld")},
        "bindings": _kafka_binding(inbox),
    }


def _kafka_binding(topic: Topic) -> Document:
    return {"kafka": {"topic": topic.name, "partitions": topic.partitions, "replicas": topic.replication}}


def _stream(told: list[EventType]) -> Document:
    names = [_entry_name(kind) for kind in told]
    return {
        "address": "/v1/inbox/stream",
        "title": "The inbox as Server-Sent Events",
        "description": (
            "GET with `Accept: text/event-stream`. `Last-Event-ID`, or the parameter `after`, resumes exactly after a "
            "cursor, EPOCH.NUMBER. A comment comes at least every 15 s."
        ),
        "servers": [{"$ref": "#/servers/gateway"}],
        "messages": {name: _message_ref(name) for name in (*names, "EpochBegan", "Goodbye")},
        "bindings": {"http": {}},
    }


def _notices() -> Document:
    return {
        "address": None,
        "title": "Webhooks",
        "description": "Standard Webhooks, to the address that you gave to POST /v1/webhooks.",
        "messages": {"Notice": _message_ref("Notice")},
        "bindings": {"http": {}},
    }


def _operations(types: EventTypes, inboxes: list[Topic]) -> Document:
    found: Document = {}
    for kind in types.written:
        found[f"send{kind.record}"] = _operation("send", kind.name, [kind.record], kind.doc, types.writers(kind))
    for kind in types.read:
        found[f"receive{kind.record}"] = _operation("receive", kind.name, [kind.record], kind.doc, types.readers(kind))
    for number, inbox in enumerate(inboxes, 1):
        records = [*(kind.record for kind in types.told), "Withheld"]
        said = _operation("receive", inbox.name, records, inbox.description, inbox.read_by)
        found[f"receiveInboxTopic{number}"] = said
    streamed = [*map(_entry_name, types.told), "EpochBegan", "Goodbye"]
    found["streamInbox"] = _operation("receive", STREAM, streamed, "Disclosures as they come, in order.") | {
        "bindings": {"http": {"method": "GET", "bindingVersion": "0.3.0"}}
    }
    found["receiveNotice"] = _operation("receive", NOTICES, ["Notice"], "Verify it, answer 2xx, read the inbox.") | {
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    }
    return found


def _operation(
    action: str, channel: str, messages: list[str], summary: str, who: list[str] | tuple[str, ...] = ()
) -> Document:
    place = f"#/channels/{channel}"
    return {
        "action": action,
        "channel": {"$ref": place},
        "summary": summary,
        "tags": [{"name": "kafka" if who else "https"}],
        "messages": [{"$ref": f"{place}/messages/{name}"} for name in messages],
    } | ({"description": f"Who may: {', '.join(who)}."} if who else {})


def _messages(types: EventTypes) -> Document:
    found = {kind.record: _record(kind) for kind in types.all}
    found |= {_entry_name(kind): _entry(kind) for kind in types.told}
    found["EpochBegan"] = {
        "name": "epoch",
        "title": "Numbers begin anew",
        "summary": "After a recovery: everything comes again from number 1, each with its old disclosure_id.",
        "payload": {"type": "object", "required": ["epoch"], "properties": {"epoch": _TEXT}},
        "examples": [{"payload": {"epoch": EPOCH}}],
    }
    found["Goodbye"] = {
        "name": "goodbye",
        "title": "The stream ends",
        "summary": "Connect again with your cursor; nothing is lost.",
        "payload": {"type": "object", "required": ["reason"], "properties": {"reason": _TEXT}},
        "examples": [{"payload": {"reason": "too-slow"}}],
    }
    found["Withheld"] = _withheld()
    found["Notice"] = {
        "name": "notice",
        "title": "Something waits",
        "summary": "A webhook: number and kind, and no child's data.",
        "headers": {
            "type": "object",
            "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
            "properties": dict.fromkeys(("webhook-id", "webhook-timestamp", "webhook-signature"), _TEXT),
        },
        "payload": ref("Notice"),
        "examples": [
            {
                "headers": {
                    "webhook-id": f"{EPOCH}.7",
                    "webhook-timestamp": "1795421100",
                    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
                },
                "payload": EXAMPLES["Notice"],
            }
        ],
    }
    return found


def _withheld() -> Document:
    """The mark in an inbox's own topic (inbox/projection.py)."""
    always = dict.fromkeys(("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", CURSOR_HEADER), _TEXT)
    example = {
        "ce_specversion": "1.0",
        "ce_id": "0b5f7c1e-9a53-5d0e-8c1f-3f2f0c6f0a11",
        "ce_source": "urn:safebus:mash-outcomes",
        "ce_type": "mash.outcomes.v1",
        "ce_time": "2026-11-20T16:05:00+00:00",
        CURSOR_HEADER: f"{EPOCH}.7",
        WITHHELD_HEADER: WITHHELD,
    }
    return {
        "name": "withheld",
        "title": "Withheld until a person declares that there is no conflict",
        "summary": "It waits in your inbox at the gateway: a named person declares there first, and then reads it.",
        "description": (
            "A record without a body (null). Its number is GET /v1/inbox/NUMBER's. No copy follows the declaration."
        ),
        "headers": {
            "type": "object",
            "required": [*always, WITHHELD_HEADER],
            "properties": always | {WITHHELD_HEADER: {"const": WITHHELD}},
        },
        "payload": {"type": "null"},
        "bindings": {"kafka": {"key": _TEXT | {"description": "The disclosure's id, in UTF-8."}}},
        "examples": [{"headers": example, "payload": None}],
    }


def _record(kind: EventType) -> Document:
    """The message as a Kafka record."""
    return {
        "name": kind.record,
        "title": kind.name,
        "summary": kind.topic.description,
        "description": kind.doc,
        "contentType": "application/avro",
        "headers": _headers(kind),
        "payload": {"schemaFormat": AVRO, "schema": kind.schema.definition},
        "bindings": {
            "kafka": {
                "key": _TEXT | {"description": f"The body's field {kind.topic.key}, in UTF-8."},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicNameStrategy",
            }
        },
        "examples": [{"headers": example_headers(kind), "payload": avro_example(kind.schema.definition)}],
    }


def _headers(kind: EventType) -> Document:
    """CloudEvents 1.0, Kafka binary binding, with the causation extension and W3C trace context."""
    always = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": _TEXT | {"description": "Unique within the source."},
        "ce_source": _TEXT | {"description": "urn:safebus: and your organisation's id."},
        "ce_type": {"type": "string", "const": kind.name},
        "ce_time": _TEXT | {"format": "date-time"},
        "content-type": {"type": "string", "const": "application/avro"},
    }
    optional = {
        "ce_dataschema": _TEXT | {"description": "Which schema wrote it; it is compared with what the id leads to."},
        "ce_subject": _TEXT | {"description": "An opaque id; never who a child is."},
        "ce_correlationid": _TEXT
        | {"description": "Source and id of the first event in the chain. No copy in an inbox's own topic has it."},
        "ce_causeid": _TEXT,
        "ce_causesource": _TEXT,
        "traceparent": _TEXT,
        CURSOR_HEADER: _TEXT | {"description": "In an inbox's own topic: EPOCH.NUMBER."},
    }
    return {"type": "object", "required": list(always), "properties": always | optional}


def example_headers(kind: EventType) -> Mapping[str, str]:
    """The headers of an example."""
    event_id = str(next(iter(example(kind.schema.definition).values())))
    if kind.topic.discloses:
        event_id = example(kind.schema.definition)["disclosure"]["id"]
    return {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": SOURCE,
        "ce_type": kind.name,
        "ce_time": "2026-11-20T16:05:00+00:00",
        "ce_dataschema": DATASCHEMA.format(record=kind.schema.record, fingerprint=kind.schema.fingerprint),
        "content-type": "application/avro",
    }


def _entry(kind: EventType) -> Document:
    """The message as an entry of the inbox's stream."""
    schema = {"allOf": [ref("InboxEntry"), {"properties": {"event": ref(f"{kind.record}InInbox")}}]}
    return {
        "name": "disclosure",
        "title": f"{kind.name} in the inbox",
        "summary": kind.topic.description,
        "payload": schema,
        "examples": [{"payload": entry_example(kind)}],
    }


def _entry_name(kind: EventType) -> str:
    return f"{kind.record}Entry"


def _schemas(types: EventTypes) -> Document:
    found: Document = {"Notice": SCHEMAS["Notice"]}
    for kind in types.told:
        found |= json_schemas(kind.schema.definition)
    inbox = inbox_schemas(types.told)
    del inbox["InboxPage"]
    # AsyncAPI's discriminator is another than OpenAPI's: a name of a property, and no mapping.
    del inbox["InboxEntry"]["properties"]["event"]["discriminator"]
    return dict(sorted((found | inbox).items()))


def _message_ref(name: str) -> Document:
    return {"$ref": f"#/components/messages/{name}"}
