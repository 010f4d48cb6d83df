"""Everything that /docs serves, made once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pydantic_core import to_json
from starlette.routing import BaseRoute

from services.bus.catalogue import Catalogue
from services.bus.settings import Settings
from services.partner_gateway.reference.asyncapi import asyncapi
from services.partner_gateway.reference.kinds import EventTypes
from services.partner_gateway.reference.openapi import openapi
from services.partner_gateway.reference.pages import docs_page, events_page


@dataclass(frozen=True, slots=True)
class Reference:
    """The documents and pages, as they are sent."""

    openapi: bytes
    asyncapi: bytes
    page: bytes
    events_page: bytes

    @classmethod
    def of(cls, routes: Iterable[BaseRoute], catalogue: Catalogue, at: Settings) -> Self:
        """For an application with these routes."""
        by_kafka = asyncapi(catalogue, at)
        return cls(
            openapi=to_json(openapi(routes, catalogue, at)),
            asyncapi=to_json(by_kafka),
            page=docs_page().encode(),
            events_page=events_page(EventTypes(catalogue), by_kafka).encode(),
        )
