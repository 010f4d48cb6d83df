"""What is known of one disclosure: which event told it. Its id stands for one, whoever chose it."""

from __future__ import annotations

from typing import Self

from services.bus.envelope import Event
from services.bus.events import Disclosure, DisclosureRead
from services.bus.service import View


class Told(View):
    """By its id. Its receipts are heard by it too, so that two workers take one disclosure and its receipts in turn."""

    source: str = ""
    event_id: str = ""
    """Both empty until the disclosure is told."""

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        if isinstance(event, DisclosureRead):
            return str(event.disclosure_id)
        disclosure: Disclosure | None = getattr(event, "disclosure", None)
        return str(disclosure.id) if disclosure else None

    def evolve(self, event: Event) -> Self:
        if self.event_id or isinstance(event, DisclosureRead):
            return self
        return self.model_copy(update={"source": event.envelope.source, "event_id": event.envelope.id})
