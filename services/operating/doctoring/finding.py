"""What one look found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """`note`: nothing is wrong, but somebody may want to know, such as that nothing runs yet."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. Neither sentence holds a password or anybody's data."""

    name: str
    state: State
    says: str
    mend: str = ""
    """What a person does about it; empty when nothing is to be done."""

    def as_object(self) -> dict[str, Any]:
        """For a program."""
        return {"check": self.name, "state": self.state.value, "says": self.says, "mend": self.mend or None}


def ok(name: str, says: str) -> Finding:
    return Finding(name, State.OK, says)


def note(name: str, says: str, mend: str = "") -> Finding:
    return Finding(name, State.NOTE, says, mend)


def wrong(name: str, says: str, mend: str) -> Finding:
    return Finding(name, State.WRONG, says, mend)
