"""An event that refers to a document: only to one that its sender has uploaded, and by the claim check it was given."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from services.bus.catalogue import Catalogue
from services.bus.codec import event_types
from services.bus.envelope import Event
from services.bus.events import ClaimCheck
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners.registry import DOOR
from services.partner_gateway.tables import document
from services.web.problems import Problem

NOT_YOURS = "refers to a document that your organisation has not uploaded; POST it to /v1/documents first"
OTHER = "is not what the upload answered"


def location_of(sha256: str) -> str:
    """Where a partner fetches the document: nothing of where it is kept leaves the house."""
    return f"/v1/documents/{sha256}"


def carriers(catalogue: Catalogue) -> frozenset[str]:
    """Every event type that partners may post and that can refer to a document."""
    return frozenset(name for name in catalogue.topics_written_by(DOOR) if mentions(event_types()[name]))


async def only_own_documents(gateway: Gateway, organisation: str, event: Event) -> None:
    """Nothing, if the event may be taken.

    Raises:
        Problem: 422, it refers to a document that this organisation has not uploaded.
    """
    if wrong := await check_references(gateway, organisation, event):
        errors = [(f"/data{pointer}", reason) for pointer, reason in wrong]
        raise Problem(422, "unknown-document", "the event refers to a document that is not yours", errors=errors)


async def check_references(gateway: Gateway, organisation: str, event: Event) -> list[tuple[str, str]]:
    """What is wrong with the documents that `event` refers to: JSON pointers into its body, each with the reason.

    A document that nobody uploaded and one that another organisation uploaded are one and the same: not yours.
    """
    found = list(_claims(event, "")) if mentions(type(event)) else []
    if not found:
        return []
    wanted = {claim.sha256 for _, claim in found}
    query = sa.select(document).where(document.c.organisation == organisation, document.c.sha256.in_(wanted))
    uploaded = {row.sha256: row for row in await gateway.access.read(lambda c: c.execute(query).all())}
    return [wrong for pointer, claim in found for wrong in _wrong(pointer, claim, uploaded.get(claim.sha256))]


def _wrong(pointer: str, claim: ClaimCheck, row: Any) -> Iterator[tuple[str, str]]:
    if row is None:
        yield f"{pointer}/sha256", NOT_YOURS
        return
    given = {"size": row.size, "media_type": row.media_type, "location": location_of(row.sha256)}
    yield from ((f"{pointer}/{name}", OTHER) for name, value in given.items() if getattr(claim, name) != value)


def _claims(value: object, pointer: str) -> Iterator[tuple[str, ClaimCheck]]:
    if isinstance(value, ClaimCheck):
        yield pointer, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _claims(getattr(value, name), f"{pointer}/{field.alias or name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _claims(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _claims(item, f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")


@cache
def mentions(kind: type[BaseModel]) -> bool:
    """Whether its schema has a claim check anywhere in it."""
    return "ClaimCheck" in kind.model_json_schema().get("$defs", {})
