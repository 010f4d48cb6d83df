"""A webhook is believed only with the secret's own signature, made just now."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from services.client import ForgedWebhook, verify_webhook

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
BODY = json.dumps({"type": "inbox.entry", "data": {"number": 7}})


def signed(body: str = BODY, at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    at = at or datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", at, body)
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": signature,
    }


@pytest.mark.parametrize("body", [BODY, BODY.encode()])
def test_the_gateways_own_is_believed(body: str | bytes) -> None:
    """Whatever the case of the headers' names and the body's type."""
    assert verify_webhook(signed(), body, SECRET)["data"] == {"number": 7}


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (dict, BODY),
        (signed, BODY.replace("7", "8")),
        (lambda: signed(secret="whsec_" + base64.b64encode(b"t" * 24).decode()), BODY),
        (lambda: signed(at=datetime.now(UTC) - timedelta(minutes=6)), BODY),
        (lambda: signed(at=datetime.now(UTC) + timedelta(minutes=6)), BODY),
        (lambda: signed() | {"Webhook-Signature": "v1,nonsense"}, BODY),
        (lambda: signed() | {"Webhook-Signature": "nonsense"}, BODY),
        (lambda: signed() | {"Webhook-Timestamp": "9" * 40}, BODY),
        (signed, b"\xff\xfe"),
        (lambda: signed("[]"), "[]"),
        (lambda: signed("no json"), "no json"),
    ],
    ids=["no headers", "changed", "another secret", "old", "of the future", "no base64", "no version", "no time",
         "no text", "no object", "no JSON"],
)  # fmt: skip
def test_any_other_is_not(sent: Callable[[], dict[str, str]], body: str | bytes) -> None:
    """One error for all of it: do not act on it."""
    headers = sent()  # signed now: it may be minutes since the tests were collected
    with pytest.raises(ForgedWebhook):
        verify_webhook(headers, body, SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_without_a_secret_nothing_is_believed(secret: str) -> None:
    """The caller's own mistake, told as such."""
    with pytest.raises(ValueError, match="secret"):
        verify_webhook(signed(), BODY, secret)
