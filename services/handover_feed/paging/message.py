"""What a page says: that immediate danger waits, for how long, and where the board is. Nothing about any child."""

from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime

from pydantic import SecretStr
from pydantic_core import to_json
from standardwebhooks import Webhook

from services.bus.settings import Settings

KIND = "board.escalation"

LEAST_BYTES = 24
"""Of a secret (Standard Webhooks, "Signature scheme")."""

TEXT = (
    "A matter of immediate danger has waited {minutes} minutes at the handover board and nobody has taken it. "
    "Open the board{where}."
)

PASSED_ON = "A worker at the handover board may not open a matter and has passed it on to you. Open the board{where}."


def signed(
    at: Settings, escalation_id: str, waiting_us: int, now_us: int, *, passed_on: bool = False
) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt, with the escalation's id at every attempt.

    Signed as Standard Webhooks has it, if there is a secret; the header's moment is the real time, also in a demo.
    """
    minutes = max(0, now_us - waiting_us) // 60_000_000
    where = f": {at.board_url}" if at.board_url else ""
    text = (PASSED_ON if passed_on else TEXT).format(minutes=minutes, where=where)
    data = {"escalation_id": escalation_id, "minutes": minutes, "text": text}
    now = datetime.now(UTC)
    body = to_json({"type": KIND, "timestamp": datetime.fromtimestamp(now_us / 1_000_000, UTC), "data": data})
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "safebus-webhooks/1",
        "webhook-id": escalation_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if at.board_page_secret is not None:
        headers["webhook-signature"] = _signature(at.board_page_secret, escalation_id, now, body)
    return headers, body


def is_secret(text: str) -> bool:
    """Whether it can sign: `whsec_` and at least 24 bytes in Base64, as Standard Webhooks has it."""
    try:
        key = b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return text.startswith("whsec_") and len(key) >= LEAST_BYTES


def _signature(secret: SecretStr, escalation_id: str, now: datetime, body: bytes) -> str:
    signature: str = Webhook(secret.get_secret_value()).sign(escalation_id, now, body.decode())
    return signature
