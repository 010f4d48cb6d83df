"""What this room says no to. Each becomes a dead letter before a person; ids only."""

from __future__ import annotations

from services.bus.errors import Refusal


class ReferencesNotUnique(Refusal):
    """Two children of one incident have one reference, so no answer could tell them apart."""

    code = "references_not_unique"

    def __init__(self, incident_id: str) -> None:
        super().__init__("two children of this incident have the same reference", field="/children")
        self.incident_id = incident_id


class IncidentAboutNobody(Refusal):
    """It names no child, so nobody would be told of it: a force that had meant one must hear of that."""

    code = "incident_about_nobody"

    def __init__(self, incident_id: str) -> None:
        super().__init__("an incident names at least one child", field="/children")
        self.incident_id = incident_id


class WrongAnswer(Refusal):
    """A person's answer that cannot be acted on."""

    def __init__(self, incident_id: str, child_reference: str, field: str, why: str) -> None:
        super().__init__(why, field=field)
        self.incident_id = incident_id
        self.child_reference = child_reference


class NoSuchChild(WrongAnswer):
    """The incident has no child with that reference."""

    code = "no_such_child"

    def __init__(self, incident_id: str, child_reference: str) -> None:
        super().__init__(
            incident_id, child_reference, "/child_reference", "the incident has no child of this reference"
        )


class NotInDirectory(WrongAnswer):
    """The answer names a child whom the directory does not hold, or no longer holds open (H1)."""

    code = "not_in_directory"

    def __init__(self, incident_id: str, child_reference: str) -> None:
        super().__init__(incident_id, child_reference, "/child_id", "the directory has no open record of this child")


class AnsweredOtherwise(WrongAnswer):
    """The answer contradicts an earlier one or a certain match: only a recall may change who was told of whom (H16)."""

    code = "answered_otherwise"

    def __init__(self, incident_id: str, child_reference: str) -> None:
        super().__init__(
            incident_id, child_reference, "/child_id", "this contradicts an earlier answer or a certain match"
        )
