"""Why a disclosure falls into no inbox."""

from __future__ import annotations

from services.bus.errors import Refusal


class DisclosureIdReused(Refusal):
    """Its id stands for another disclosure. One receipt cannot be for two, and whose it is could not be told.

    The door refuses such an id (door/disclosures.py); this is what came another way, or at the same moment.
    """

    code = "disclosure_id_reused"

    def __init__(self, event_id: str, other: str) -> None:
        super().__init__("its disclosure's id stands for another disclosure already", field="/disclosure/id")
        self.event_id = event_id
        self.other = other
