"""`await figures(settings, months)`: the figures, from the process of this data folder that has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from http import HTTPStatus

import httpx
import psutil

from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.settings import Settings
from services.performance_data.answering import AS_JSON, proof
from services.performance_data.hearing import NAME
from services.performance_data.measures import Figures

PATIENCE = 60.0
"""Seconds: years of facts are counted anew for each question."""


async def figures(at: Settings, months: Sequence[date], *, outside: bool = True) -> Figures:
    """All measures of these London months, each given by its first day.

    Args:
        outside: suppress small numbers, so that it may leave the partnership.

    Raises:
        UserMistake: the room does not run here, or the months are none.
        NotPermitted: every number was asked for without the room's secret.
        Surroundings: it has not read everything yet.
    """
    query = {"months": ",".join(f"{month:%Y-%m}" for month in months)}
    headers = {}
    if not outside:
        query["numbers"] = "all"
        headers["Authorization"] = f"Bearer {proof(at)}"
    try:
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
            answered = await http.get(f"{_address(at)}/figures", params=query, headers=headers)
    except httpx.HTTPError as error:
        raise Surroundings(f"{NAME} does not answer ({type(error).__name__}); see `safebus status`") from error
    if answered.status_code == HTTPStatus.OK:
        return AS_JSON.validate_json(answered.content)
    said = str(answered.json().get("detail", "")) if "json" in answered.headers.get("content-type", "") else ""
    if answered.status_code == HTTPStatus.FORBIDDEN:
        raise NotPermitted(said)
    if answered.status_code == HTTPStatus.BAD_REQUEST:
        raise UserMistake(said)
    raise Surroundings(said or f"{NAME} answered {answered.status_code}; see its log")


def _address(at: Settings) -> str:
    """Where the process shows its health (services/bus/run.py)."""
    try:
        told = json.loads((at.data_dir / "run" / f"{NAME}.json").read_text("utf-8"))
        pid, port = int(told["pid"]), int(told["port"])
    except (OSError, ValueError, KeyError, TypeError):
        pid = port = 0
    if not port or not psutil.pid_exists(pid):
        raise UserMistake(f"{NAME} does not run on {at.data_dir}; start it with `safebus up`, or `safebus run {NAME}`")
    host = at.http_host if at.http_host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - asked, not listened on
    return f"http://{host}:{port}"
