"""Whether a webhook is the gateway's (Standard Webhooks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from services.client.errors import ForgedWebhook


def verify_webhook(headers: Mapping[str, str], body: bytes | str, secret: str) -> dict[str, Any]:
    """What the webhook says: that something waits, its number and kind, never a child's data. Read the inbox then.

    Args:
        headers: the request's, as your framework gives them.
        body: the request's, byte for byte as it came: parse it afterwards, not before.
        secret: the one that was shown when the webhook was made, `whsec_…`.

    Raises:
        ForgedWebhook: it is not signed with that secret, or its time is more than 5 minutes away. Answer 400.
        ValueError: the secret itself is none.
    """
    try:
        signed = Webhook(secret)
    except EmptyWebhookSecretError as error:
        raise ValueError("a webhook's secret begins with whsec_ and is not empty") from error
    try:
        said = signed.verify(body, {name.lower(): value for name, value in headers.items()})
    except (WebhookVerificationError, ValueError, OverflowError) as error:
        raise ForgedWebhook("this webhook was not signed with the secret given, or not just now") from error
    if not isinstance(said, dict):
        raise ForgedWebhook("this webhook holds no JSON object")
    return said
