"""Why a cue is refused."""

from __future__ import annotations

from uuid import UUID

from services.bus.errors import Refusal
from services.bus.events import Role


class NotAHealthRole(Refusal):
    """Only a practice, health visiting, school nursing or maternity files a document in a health record (H11)."""

    code = "not_a_health_role"

    def __init__(self, cue_id: UUID, role: Role) -> None:
        super().__init__("a cue names a role that keeps a health record", field="/role")
        self.cue_id = cue_id
        self.role = role


class NothingToFile(Refusal):
    """It closes an enquiry without the reason that was written for health (H5), or says nothing at all."""

    code = "nothing_to_file"

    def __init__(self, cue_id: UUID) -> None:
        super().__init__("a cue carries something to file, and the reason for health if it closes", field="/reason")
        self.cue_id = cue_id
