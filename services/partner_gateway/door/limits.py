"""What one partner may cost (services/web/limits.py)."""

from __future__ import annotations

from fastapi import FastAPI

from services.bus.settings import Settings
from services.web.limits import Limits

DOCUMENTS = "/v1/documents"


def install(app: FastAPI, at: Settings) -> None:
    """As the settings say."""

    def most(path: str) -> int:
        return at.gateway_max_document if path.rstrip("/") == DOCUMENTS else at.gateway_max_body

    app.add_middleware(Limits, rate=at.gateway_rate, burst=at.gateway_burst, most=most)
