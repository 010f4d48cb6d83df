"""The JSON objects of the API itself: schema and example of each, by name. Events are beside (data_schemas.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.partner_gateway.inbox.reading import WITHHELD
from services.partner_gateway.reference.data_schemas import JsonSchema
from services.partner_gateway.reference.examples import example
from services.partner_gateway.reference.kinds import EventType
from services.partner_gateway.reference.words import DISCLOSURE, SCHOOL, WORDS

REF = "#/components/schemas/"
SOURCE = f"urn:safebus:{SCHOOL}"
EPOCH = "3f9a01c7"
CURSOR = {"type": "string", "pattern": "^[0-9a-f]{8}\\.[0-9]{1,18}$", "description": "EPOCH.NUMBER"}
WHEN = {"type": "string", "format": "date-time"}
MAYBE_WHEN = {"type": ["string", "null"], "format": "date-time"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "integer", "minimum": 1, "description": "1, 2, 3, …: none is left out, none comes twice."}

_AT = "2026-11-20T16:05:00Z"
_WEBHOOK_ID = "wh_5d41402abc4b2a76b9719d91"


def ref(name: str) -> JsonSchema:
    return {"$ref": REF + name}


def listed(name: str) -> JsonSchema:
    return {"type": "array", "items": ref(name)}


def an_object(description: str, required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> JsonSchema:
    return {
        "type": "object",
        "description": description,
        "properties": {**required, **(optional or {})},
        "required": list(required),
    }


def cloud_event(kind: EventType) -> dict[str, Any]:
    """An example of that type as it is posted."""
    return {
        "specversion": "1.0",
        "id": str(WORDS.get(_own_id(kind), "0001")),
        "source": SOURCE,
        "type": kind.name,
        "datacontenttype": "application/json",
        "data": example(kind.schema.definition),
    }


def _own_id(kind: EventType) -> str:
    """The first of its fields, which in every event that is posted is an id."""
    return str(kind.schema.definition["fields"][0]["name"])


def posted_schema(kind: EventType) -> JsonSchema:
    """A CloudEvent of that type, as it is posted."""
    return an_object(
        f"A CloudEvent that carries {kind.record}.",
        {
            "specversion": {"const": "1.0"},
            "id": TEXT | {"maxLength": 256, "description": "Unique within the source; the same again is a repeat."},
            "source": TEXT
            | {
                "format": "uri",
                "maxLength": 256,
                "description": "`urn:safebus:` and your organisation's id; after a slash or a colon, what you like.",
            },
            "type": {"const": kind.name},
            "data": ref(kind.record),
        },
        {
            "time": WHEN | {"description": "When it was said. Without it: now."},
            "subject": TEXT | {"maxLength": 256, "description": "An opaque id; never who a child is."},
            "datacontenttype": {"const": "application/json"},
            "dataschema": TEXT,
            "traceparent": TEXT,
        },
    )


def told_schema(kind: EventType) -> JsonSchema:
    """A CloudEvent of that type, as the inbox has it."""
    required = {
        "specversion": {"const": "1.0"},
        "id": TEXT,
        "source": TEXT,
        "type": {"const": kind.name},
        "time": WHEN,
        "datacontenttype": {"const": "application/json"},
    }
    content = {"data": ref(kind.record) | {"description": "Not there while the entry says that it is withheld."}}
    return an_object(f"A CloudEvent that carries {kind.record}.", required, content)


def entry_example(kind: EventType, number: int = 1) -> dict[str, Any]:
    """An inbox entry of that type."""
    data = example(kind.schema.definition)
    event_id = data["disclosure"]["id"]
    service = kind.topic.written_by[0]
    said = {"id": event_id, "source": f"urn:safebus:{service}", "time": _AT, "data": data}
    return {
        "cursor": f"{EPOCH}.{number}",
        "number": number,
        "disclosure_id": event_id,
        "role": data["disclosure"]["recipient_role"],
        "due_by": data["disclosure"].get("due_by"),
        "state": "unread",
        "late": False,
        "event": cloud_event(kind) | said,
    }


def inbox_schemas(told: Iterable[EventType]) -> dict[str, JsonSchema]:
    """The schemas of inbox entries."""
    kinds = list(told)
    names = {kind.name: f"{kind.record}InInbox" for kind in kinds}
    entry = an_object(
        "Something that your organisation is told.",
        {
            "cursor": CURSOR,
            "number": NUMBER,
            "disclosure_id": TEXT | {"format": "uuid", "description": "The same for ever: file by it."},
            "role": TEXT | {"description": "The role in which your organisation is told."},
            "due_by": MAYBE_WHEN | {"description": "Until when a named person should have read it, if at all."},
            "state": {"enum": ["unread", "read", "acted"]},
            "late": {"type": "boolean"},
            "event": {
                "oneOf": [ref(name) for name in names.values()],
                "discriminator": {"propertyName": "type", "mapping": {k: REF + name for k, name in names.items()}},
            },
        },
        {"withheld": {"const": WITHHELD, "description": "A named person first declares that there is no conflict."}},
    )
    schemas = {names[kind.name]: told_schema(kind) for kind in kinds}
    page = {"epoch": TEXT, "entries": listed("InboxEntry"), "next": CURSOR, "more": {"type": "boolean"}}
    return schemas | {"InboxEntry": entry, "InboxPage": an_object("Entries after a cursor, in order.", page)}


_FAULT = an_object("A wrong field.", {"pointer": TEXT | {"description": "`#` and a JSON pointer"}, "detail": TEXT})
_RECIPIENT = an_object(
    "One that was told because of the event: its role and never who it is.",
    {"role": TEXT, "state": {"enum": ["delivered", "read", "acted", "late"]}, "due_by": MAYBE_WHEN},
)
_POSTED = {"id": TEXT, "source": TEXT, "type": TEXT, "state": {"const": "accepted"}, "location": TEXT}
_SENT = {
    "id": TEXT,
    "source": TEXT,
    "type": TEXT,
    "posted_at": WHEN,
    "state": {"enum": ["accepted", "unknown"], "description": "unknown: post it again, with the same id."},
    "recipients": {"type": "array", "items": _RECIPIENT},
}
_WEBHOOK = {
    "id": TEXT,
    "url": TEXT | {"format": "uri"},
    "state": {"enum": ["open", "resting", "closed"]},
    "why_closed": {"type": ["string", "null"]},
    "resting_until": MAYBE_WHEN,
    "created_at": WHEN,
    "waiting": COUNT,
    "given_up": COUNT,
}
_ATTEMPT = an_object("One attempt.", {"at": WHEN, "status": {"type": ["integer", "null"]}, "what": TEXT})
_NOTICE = an_object(
    "What a webhook says: that something waits. Never a child's data.",
    {
        "type": {"enum": ["inbox.entry", "sent.late"]},
        "timestamp": WHEN,
        "data": {
            "anyOf": [
                an_object("For inbox.entry.", {"cursor": CURSOR, "number": NUMBER, "kind": TEXT}),
                an_object(
                    "For sent.late: your event's id, and the role that has not read it.", {"id": TEXT, "role": TEXT}
                ),
            ]
        },
    },
)
_DELIVERY = {
    "id": TEXT | {"description": "The header webhook-id, the same at every attempt."},
    "type": TEXT,
    "data": {"type": "object"},
    "state": {"enum": ["waiting", "delivered", "given-up", "renumbered"]},
    "made_at": WHEN,
    "next_attempt_at": MAYBE_WHEN,
    "attempts": {"type": "array", "items": _ATTEMPT},
}

SCHEMAS: Mapping[str, JsonSchema] = {
    "Problem": an_object(
        "What went wrong (RFC 9457), never with what was in the request.",
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
        {"errors": {"type": "array", "items": _FAULT}, "epoch": TEXT | {"description": "The new one."}},
    ),
    "Posted": an_object("The event is durable and takes effect once.", _POSTED),
    "BatchPosted": an_object(
        "One result for each event, in their order.",
        {
            "results": {
                "type": "array",
                "items": an_object(
                    "As one event's answer.",
                    {"index": COUNT, "id": {"type": ["string", "null"]}, "status": {"type": "integer"}},
                    {"source": TEXT, "type": TEXT, "state": TEXT, "location": TEXT, "problem": ref("Problem")},
                ),
            }
        },
    ),
    "SentEvent": an_object("What became of an event that you posted.", _SENT),
    "SentPage": an_object(
        "Your events, the newest first.",
        {"events": listed("SentEvent"), "next": {"type": ["string", "null"]}, "more": {"type": "boolean"}},
    ),
    "Proof": an_object(
        "What stands in the inbox, counted: nothing is missing if count = last - first + 1.",
        {"epoch": TEXT, "count": COUNT, "first": {"type": ["integer", "null"]}, "last": {"type": ["integer", "null"]}},
    ),
    "ReceiptGiven": an_object(
        "The receipt as it stands; saying it again gives the same.",
        {"receipt_id": TEXT, "disclosure_id": TEXT, "state": {"enum": ["READ", "ACTED"]}, "happened_at": WHEN,
         "location": TEXT},
    ),
    "Webhook": an_object("A webhook and how it fares.", _WEBHOOK),
    "WebhookMade": an_object("A new webhook. Its secret is shown this once.", _WEBHOOK | {"secret": TEXT}),
    "WebhookRotated": an_object(
        "A webhook's new secret, shown this once, and until when the former one signs beside it.",
        _WEBHOOK | {"secret": TEXT, "former_until": WHEN},
    ),
    "Webhooks": an_object("Your webhooks.", {"webhooks": listed("Webhook")}),
    "Delivery": an_object("One notice and its attempts.", _DELIVERY),
    "Deliveries": an_object("The newest first.", {"deliveries": listed("Delivery")}),
    "Recovered": an_object("How many notices are sent.", {"entries": COUNT}),
    "Notice": _NOTICE,
    "Rehearsed": an_object(
        "A made-up disclosure, about nobody, is on its way into your inbox.",
        {"id": TEXT, "source": TEXT, "type": TEXT, "disclosure_id": TEXT, "state": {"const": "accepted"}},
    ),
    "Stored": an_object(
        "A document's claim check, to be put into an event.",
        {"sha256": TEXT, "size": COUNT, "media_type": TEXT, "location": TEXT},
    ),
}  # fmt: skip

_POSTED_EXAMPLE = {
    "id": "contact-2026-000123",
    "source": SOURCE,
    "type": "mash.contacts.v1",
    "state": "accepted",
    "location": "/v1/events/mash.contacts.v1/contact-2026-000123?source=urn%3Asafebus%3Aschool%3A999901",
}
_PROBLEM_EXAMPLE = {
    "type": "urn:safebus:problem:invalid-event",
    "title": "invalid event",
    "status": 422,
    "detail": "the event is not as its type's schema has it",
    "errors": [{"pointer": "#/data/grading", "detail": "is missing"}],
}
_SENT_EXAMPLE = {
    "id": "contact-2026-000123",
    "source": SOURCE,
    "type": "mash.contacts.v1",
    "posted_at": _AT,
    "state": "accepted",
    "recipients": [{"role": "MASH", "state": "read", "due_by": "2026-11-23T16:05:00Z"}],
}
_WEBHOOK_EXAMPLE = {
    "id": _WEBHOOK_ID,
    "url": "https://school.example/safebus",
    "state": "open",
    "why_closed": None,
    "resting_until": None,
    "created_at": _AT,
    "waiting": 0,
    "given_up": 0,
}
_ENTRY_NOTICE = {"cursor": f"{EPOCH}.7", "number": 7, "kind": "encompass.alerts.v1"}
_DELIVERY_EXAMPLE = {
    "id": f"{EPOCH}.7",
    "type": "inbox.entry",
    "data": _ENTRY_NOTICE,
    "state": "delivered",
    "made_at": _AT,
    "next_attempt_at": None,
    "attempts": [{"at": _AT, "status": 204, "what": "taken"}],
}

EXAMPLES: Mapping[str, Any] = {
    "Problem": _PROBLEM_EXAMPLE,
    "Posted": _POSTED_EXAMPLE,
    "BatchPosted": {
        "results": [
            {"index": 0, "status": 202, **_POSTED_EXAMPLE},
            {"index": 1, "id": "contact-2026-000124", "status": 422, "problem": _PROBLEM_EXAMPLE},
        ]
    },
    "SentEvent": _SENT_EXAMPLE,
    "SentPage": {"events": [_SENT_EXAMPLE], "next": None, "more": False},
    "Proof": {"epoch": EPOCH, "count": 7, "first": 1, "last": 7},
    "ReceiptGiven": {
        "receipt_id": WORDS["receipt_id"],
        "disclosure_id": DISCLOSURE,
        "state": "READ",
        "happened_at": "2026-11-23T08:10:00Z",
        "location": "/v1/inbox/7",
    },
    "Webhook": _WEBHOOK_EXAMPLE,
    "WebhookMade": _WEBHOOK_EXAMPLE | {"secret": "whsec_c2hvd24gaGVyZSBvbmNlLCBhbmQgbmV2ZXIgYWdhaW4="},
    "WebhookRotated": _WEBHOOK_EXAMPLE
    | {"secret": "whsec_YW5vdGhlciBvbmUsIGFuZCBuZXZlciBhZ2FpbiwgdG9vIQ==", "former_until": "2026-11-21T16:05:00Z"},
    "Webhooks": {"webhooks": [_WEBHOOK_EXAMPLE]},
    "Delivery": _DELIVERY_EXAMPLE,
    "Deliveries": {"deliveries": [_DELIVERY_EXAMPLE]},
    "Recovered": {"entries": 7},
    "Notice": {"type": "inbox.entry", "timestamp": _AT, "data": _ENTRY_NOTICE},
    "Rehearsed": {
        "id": DISCLOSURE,
        "source": SOURCE,
        "type": "sandbox.alerts.v1",
        "disclosure_id": DISCLOSURE,
        "state": "accepted",
    },
    "Stored": {name: WORDS[name] for name in ("sha256", "size", "media_type", "location")},
    "ReceiptAsked": {"disclosure_id": DISCLOSURE, "state": "READ", "practitioner": "A. Practitioner"},
    "WebhookAsked": {"url": "https://school.example/safebus"},
    "RecoverAsked": {"after": f"{EPOCH}.3"},
}
