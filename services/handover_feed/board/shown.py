"""A card as the API and the streams show it."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from services.bus.events import MatterChanged
from services.handover_feed.board.reading import Change

WITHHELD = "declare-no-conflict"

OPEN_TO_ALL = {
    "matter_id", "version", "changed_at", "state", "team", "handed_on_at", "taken_at", "waiting_since", "escalated_at",
    "interrupts", "declare_no_conflict", "location_confidential",
}  # fmt: skip
"""What is shown of a card that a named person must open: that it waits, since when and how urgently; nothing about
anybody (H3)."""


def as_json(card: MatterChanged) -> dict[str, Any]:
    """The card, whole as handover.board.v1 has it, unless its reader must declare first that there is no conflict: a
    screen cannot declare, so such a card is opened on the board's own page.

    Who an unmatched child may be is asked of a named person there, too: a screen cannot answer, and most of those whom
    the index offers have nothing to do with it.
    """
    if not card.declare_no_conflict:
        whole = card.model_dump(mode="json", by_alias=True)
        for candidate in (whole["question"] or {}).get("candidates", ()):
            del candidate["child_id"], candidate["about"]
        return whole
    shown = card.model_dump(mode="json", by_alias=True, include=OPEN_TO_ALL)
    reasons = [{"criterion": one.criterion.value, "rank": one.rank, "lowered": one.lowered} for one in card.risk]
    return shown | {"risk": reasons, "withheld": WITHHELD}


def screen(change: Change, epoch: str) -> bytes:
    """A change as a Server-Sent Event. JSON has no line breaks of its own, so that one data line holds it."""
    return _event(change, epoch, as_json(change.card))


def hint(change: Change, epoch: str) -> bytes:
    """The same for a page, which asks for the card itself: ids only."""
    card = change.card
    said = {"no": change.no, "matter_id": card.matter_id, "version": card.version, "interrupts": card.interrupts}
    return _event(change, epoch, said)


def _event(change: Change, epoch: str, data: dict[str, Any]) -> bytes:
    return b"id: %s.%d\nevent: change\ndata: %b\n\n" % (epoch.encode(), change.no, to_json(data))
