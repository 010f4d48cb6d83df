"""Knocks at the gateway's door as often as a probe is sent: at the address and the certificate that partners come to.

The probe itself does not go in there. The door remembers the id of whatever it takes for over a year, and shows
partners each kind of event that it takes; and were it away, the silence of every service would hide which one is.
"""

from __future__ import annotations

import ssl
from typing import Final

import httpx

from services.bus.settings import Settings
from services.web.serving import where

DOOR: Final = "gateway-door"
"""What stands in a service's place where the door's answers are told."""

FILE: Final = "door.json"
"""Where a gateway in DATA_DIR says its address; as door/serve.py has it, which would bring the whole gateway along."""

PAGE: Final = "/docs"
"""Anybody may see it, and it says nothing of anybody."""

ANSWER_WITHIN: Final = 10.0


def address(at: Settings) -> str | None:
    """Where the door is; None if nobody says."""
    return at.probe_door_url or where(at.data_dir / FILE)


def knocker() -> httpx.AsyncClient:
    """To knock by. Each time it connects anew, for that is what may no longer work, by this machine's certificates."""
    return httpx.AsyncClient(
        timeout=ANSWER_WITHIN,
        trust_env=False,
        verify=ssl.create_default_context(),
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def knock(by: httpx.AsyncClient, door: str) -> str | None:
    """Why it does not answer as it should; None if it does."""
    try:
        answer = await by.get(f"{door.rstrip('/')}{PAGE}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return (
            "its certificate is not trusted" if "CERTIFICATE" in str(error) else f"no answer ({type(error).__name__})"
        )
    return None if answer.status_code == httpx.codes.OK else f"it answers {answer.status_code}"
