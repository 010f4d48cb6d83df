"""Asks the partner gateway how its inboxes stand (services/partner_gateway/recipients.py)."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from pydantic import TypeAdapter, ValidationError

from services.bus.errors import Surroundings
from services.bus.settings import Settings
from services.lag_monitor.lag import RecipientLag

GATEWAY = "partner-gateway"
PATH = "/recipients"
ANSWER_WITHIN = 5.0
MOST = 20_000_000
"""Bytes of an answer: some 100,000 organisations."""

_LIST = TypeAdapter(tuple[RecipientLag, ...])


def client() -> httpx.AsyncClient:
    """To ask by, again and again: each new one reads every certificate that this machine trusts, a megabyte or more.

    Whatever proxy the environment names, it is not between us and our own process.
    """
    return httpx.AsyncClient(timeout=ANSWER_WITHIN, trust_env=False)


async def recipients(at: Settings, by: httpx.AsyncClient) -> tuple[RecipientLag, ...]:
    """Every recipient, by its id.

    Raises:
        Surroundings: the gateway is not there, or does not answer as it should.
    """
    where = at.lag_recipients_url or _here(at)
    if where is None:
        raise Surroundings(f"no partner gateway runs in {at.data_dir}")
    try:
        answer = await by.get(f"{where.rstrip('/')}{PATH}")
        if answer.status_code != httpx.codes.OK or len(answer.content) > MOST:
            raise Surroundings(f"the partner gateway did not say how its inboxes stand ({answer.status_code})")
        return _LIST.validate_python(answer.json()["recipients"])
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        raise Surroundings("the partner gateway does not answer") from None
    except (ValueError, KeyError, TypeError, ValidationError):
        raise Surroundings("what answers in the partner gateway's place is not it") from None


def _here(at: Settings) -> str | None:
    """The address that it left in DATA_DIR/run (services/bus/run.py)."""
    path: Path = at.data_dir / "run" / f"{GATEWAY}.json"
    try:
        return f"http://{at.http_host}:{int(json.loads(path.read_text('utf-8'))['port'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return None
