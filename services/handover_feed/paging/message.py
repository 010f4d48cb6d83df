"""What a page says: that immediate danger waits, for how long, and where the board is. Nothing about any child."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import SecretStr
from pydantic_core import to_json
from standardwebhooks import Webhook

from services.bus.settings import Settings

KIND, DEAF_KIND, HEARS_KIND = "board.escalation", "board.deaf", "board.hears"

LEAST_BYTES = 24
"""Of a secret (Standard Webhooks, "Signature scheme")."""

TEXT = (
    "A matter of immediate danger has waited {minutes} minutes at the handover board and nobody has taken it. "
    "Open the board{where}."
)

DEAF = (
    "The handover board has heard nothing from the bus for {minutes} minutes. What it shows is old, and danger that "
    "comes now does not reach it: telephone the police control room, the front door, and who looks after the bus."
)
HEARS = "The handover board hears the bus again, and shows what came meanwhile. Open the board{where}."
PASSED_ON = "A worker at the handover board may not open a matter and has passed it on to you. Open the board{where}."


def signed(
    at: Settings, escalation_id: str, waiting_us: int, now_us: int, *, passed_on: bool = False
) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt, with the escalation's id at every attempt.

    Signed as Standard Webhooks has it, if there is a secret; the header's moment is the real time, also in a demo.
    """
    minutes = max(0, now_us - waiting_us) // 60_000_000
    text = (PASSED_ON if passed_on else TEXT).format(minutes=minutes, where=_where(at))
    return _attempt(at, escalation_id, KIND, now_us, {"escalation_id": escalation_id, "minutes": minutes, "text": text})


def about_hearing(at: Settings, own_id: str, minutes: int, now_us: int, *, deaf: bool) -> tuple[dict[str, str], bytes]:
    """The same of a board that hears nothing of the bus, or hears again."""
    text = DEAF.format(minutes=minutes) if deaf else HEARS.format(where=_where(at))
    kind = DEAF_KIND if deaf else HEARS_KIND
    return _attempt(at, own_id, kind, now_us, {"minutes": minutes, "text": text})


def _where(at: Settings) -> str:
    return f": {at.board_url}" if at.board_url else ""


def _attempt(
    at: Settings, own_id: str, kind: str, now_us: int, data: Mapping[str, object]
) -> tuple[dict[str, str], bytes]:
    now = datetime.now(UTC)
    body = to_json({"type": kind, "timestamp": datetime.fromtimestamp(now_us / 1_000_000, UTC), "data": data})
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "safebus-webhooks/1",
        "webhook-id": own_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if at.board_page_secret is not None:
        headers["webhook-signature"] = _signature(at.board_page_secret, own_id, now, body)
    return headers, body


def is_secret(text: str) -> bool:
    """Whether it can sign: `whsec_` and at least 24 bytes in Base64, as Standard Webhooks has it."""
    try:
        key = b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return text.startswith("whsec_") and len(key) >= LEAST_BYTES


def _signature(secret: SecretStr, own_id: str, now: datetime, body: bytes) -> str:
    signature: str = Webhook(secret.get_secret_value()).sign(own_id, now, body.decode())
    return signature
