"""What each route of the API answers: what FastAPI cannot know, as the routes make their answers themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ALWAYS = (401, 403, 408, 429, 503)
"""Problems that every operation may answer."""

PROBLEMS: Mapping[int, str] = {
    400: "malformed-json, broken-off: the body is not what it should be.",
    401: "not-identified: no key or token, or one that is unknown, expired or revoked.",
    403: "not-allowed, wrong-source: the key lacks the scope, or the source is not yours.",
    404: "not-found, unknown-type: it is not there, or it is another organisation's, which is the same.",
    408: "too-slow: the body did not arrive in time.",
    409: "id-reused, disclosure-id-reused, declare-no-conflict, …: something that stands is against it.",
    410: "epoch-changed: the cursor is of before a recovery; document-changed: it is no longer what was uploaded.",
    413: "too-large: too many bytes, or too many events in a batch.",
    415: "unsupported-media-type, unsupported-type.",
    422: "invalid-event, invalid-request, …: every wrong field by JSON pointer, never its value.",
    429: "too-many-requests, too-many-streams: wait as long as Retry-After says.",
    503: "try-again: unknown whether it was taken; make the same request again, an event with the same id.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One route."""

    id: str
    summary: str
    tag: str
    status: int
    answer: str | None
    """Name of the answer's schema; None: see `media_type`."""
    problems: tuple[int, ...] = ()
    """Besides ALWAYS."""
    media_type: str = "application/json"
    says: str = "As it stands."
    takes: str | None = None
    """Name of the body's schema, where FastAPI does not know the body."""


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("get", "/v1/events/{topic}/{event_id}"): Operation(
        "getSentEvent", "What became of an event", "Sent", 200, "SentEvent", (404, 422)
    ),
    ("get", "/v1/sent"): Operation("listSent", "Your own events", "Sent", 200, "SentPage", (422,)),
    ("get", "/v1/inbox"): Operation(
        "readInbox", "A page of the inbox, or a long poll", "Inbox", 200, "InboxPage", (410, 422)
    ),
    ("get", "/v1/inbox/proof"): Operation("proveInbox", "Count, first and last number", "Inbox", 200, "Proof"),
    ("get", "/v1/inbox/{number}"): Operation("readEntry", "One entry", "Inbox", 200, "InboxEntry", (404, 422)),
    ("get", "/v1/inbox/stream"): Operation(
        "streamInbox", "The inbox as Server-Sent Events", "Inbox", 200, None, (422,), "text/event-stream",
        "Messages `disclosure` with an entry each, `epoch` when numbers begin anew, `goodbye` with a reason; a comment "
        "at least every 15 s. See the AsyncAPI document. One organisation may have so many open as the partnership "
        "has set: 429 too-many-streams.",
    ),
    ("post", "/v1/receipts"): Operation(
        "giveReceipt", "A named practitioner has read a disclosure, or acted on it", "Inbox", 202, "ReceiptGiven",
        (404, 409, 422), says="Durable; saying it again changes nothing. Where your organisation has named "
        "people, `practitioner` is the id, the sign-in or the exact name of one of them.",
    ),
    ("get", "/v1/webhooks"): Operation("listWebhooks", "Your webhooks", "Webhooks", 200, "Webhooks"),
    ("post", "/v1/webhooks"): Operation(
        "makeWebhook", "A new webhook", "Webhooks", 201, "WebhookMade", (409, 422), says="Made."
    ),
    ("get", "/v1/webhooks/{webhook_id}"): Operation(
        "readWebhook", "One webhook", "Webhooks", 200, "Webhook", (404,)
    ),
    ("delete", "/v1/webhooks/{webhook_id}"): Operation(
        "deleteWebhook", "Delete a webhook", "Webhooks", 204, None, (404,), "", "Nothing more is sent there."
    ),
    ("get", "/v1/webhooks/{webhook_id}/deliveries"): Operation(
        "listDeliveries", "What was sent, with its attempts", "Webhooks", 200, "Deliveries", (404, 422)
    ),
    ("post", "/v1/webhooks/{webhook_id}/deliveries/{notice}/resend"): Operation(
        "resendNotice", "Send one notice again", "Webhooks", 202, "Delivery", (404, 409, 422), says="It is sent."
    ),
    ("post", "/v1/webhooks/{webhook_id}/rotate-secret"): Operation(
        "rotateWebhookSecret", "A new secret for a webhook", "Webhooks", 201, "WebhookRotated", (404, 409),
        says="Notices are signed with it from now on, and with the former one as well until `former_until`.",
    ),
    ("post", "/v1/webhooks/{webhook_id}/recover"): Operation(
        "recoverWebhook", "Send notices of all entries after a cursor", "Webhooks", 202, "Recovered",
        (404, 409, 410, 422), says="They are sent, in order.",
    ),
    ("post", "/v1/documents"): Operation(
        "uploadDocument", "Upload a document", "Documents", 201, "Stored", (400, 413, 415, 422),
        says="Stored; the same bytes are the same document.", takes="bytes",
    ),
    ("get", "/v1/documents/{sha256}"): Operation(
        "downloadDocument", "Download a document that you may have at this moment", "Documents", 200, None,
        (404, 410), "application/octet-stream", "The document, to be saved, in the media type of its upload.",
    ),
    ("post", "/v1/sandbox/event"): Operation(
        "rehearse", "Have a made-up disclosure sent to you", "Sandbox", 202, "Rehearsed", says="It is on its way."
    ),
}  # fmt: skip

POST = ("post", "/v1/events/{topic}")
"""Stands in the document once for each event type."""

TAGS: Mapping[str, str] = {
    "Post": "Say something: one CloudEvent, or a batch. 202 means that it is durable and takes effect once.",
    "Sent": "What became of what you said: roles and states, never who was told.",
    "Inbox": "What your organisation is told, numbered without gaps. A cursor is EPOCH.NUMBER.",
    "Webhooks": "Be called when something waits (Standard Webhooks). A call holds no child's data: read the inbox.",
    "Documents": "What is too large for an event travels by claim check.",
    "Sandbox": "Try your connection.",
}
