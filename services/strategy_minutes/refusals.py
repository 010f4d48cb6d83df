"""Why a meeting cannot be recorded."""

from __future__ import annotations

from services.bus.errors import Refusal


class MeetingAboutNobody(Refusal):
    """It names no child, so there is neither a purpose for sharing its minutes nor a child to be answerable for."""

    code = "meeting_about_nobody"

    def __init__(self, meeting_id: str) -> None:
        super().__init__("a strategy meeting names at least one child", field="/child_ids")
        self.meeting_id = meeting_id
