"""Why a deadline cannot be kept."""

from __future__ import annotations

from uuid import UUID

from services.bus.errors import Refusal


class NobodyToEscalateTo(Refusal):
    """It names nobody who is told when it is missed, so missing it would be silent."""

    code = "nobody_to_escalate_to"

    def __init__(self, deadline_id: UUID) -> None:
        super().__init__("a deadline names the one to whom it escalates", field="/escalate_to")
        self.deadline_id = deadline_id


class DisclosureHasADeadline(Refusal):
    """Another deadline waits for the receipt of the same disclosure; one receipt cannot end two."""

    code = "disclosure_has_a_deadline"

    def __init__(self, deadline_id: UUID, other: UUID) -> None:
        super().__init__("a disclosure has one deadline, and this one has another", field="/disclosure_id")
        self.deadline_id = deadline_id
        self.other = other
