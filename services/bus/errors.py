"""The one tree of errors. Each carries ids and field names, never the content of an event.

SafebusError
├── UserMistake            a person asked for something impossible; one sentence, exit code 2
│   ├── CatalogueInvalid   topics.yaml or a schema is wrong; holds every finding
│   └── NotPermitted       the broker or the registry refused a principal
├── Unfit                  one event cannot be processed: it becomes a dead letter, the next goes on
│   └── Refusal            a room's decision says no; rooms subclass it in their refusals.py
├── Surroundings           broker, database or registry is away: waited out with backoff, never a dead letter
└── MustStop               going on could lose or repeat an event: the process stops loudly, exit code 70
    └── Unacknowledged     a send timed out or was refused; unknown is not "not taken"; exit code 75, started again
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_MISTAKE = 2
EXIT_DRIFT = 3
EXIT_MUST_STOP = 70
EXIT_TRY_AGAIN = 75


class SafebusError(Exception):
    """Anything that safebus itself raises."""

    exit_code = 1


class UserMistake(SafebusError):
    """A person's mistake, told in one sentence that says what to do."""

    exit_code = EXIT_MISTAKE


class CatalogueInvalid(UserMistake):
    """The catalogue contradicts itself. `findings` holds one line for each fault, with file and line number."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = list(findings)


class NotPermitted(UserMistake):
    """Wrong password, or a principal that may not do what it tried."""


class Unfit(SafebusError):
    """One event cannot be processed. `code` is the dead letter's reason; `field` a JSON pointer, never a value."""

    code = "unfit"

    def __init__(self, message: str = "", *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message or (code or self.code).replace("_", " "))
        self.code = code or self.code
        self.field = field


class Refusal(Unfit):
    """A decision's no. Subclasses name the rule in `code` and carry ids as attributes."""

    code = "refused"


class Surroundings(SafebusError):
    """Broker, database or registry is away. Wait and try again."""

    exit_code = EXIT_TRY_AGAIN


class MustStop(SafebusError):
    """Going on could lose or repeat an event. The message says what a person has to do."""

    exit_code = EXIT_MUST_STOP


class Unacknowledged(MustStop):
    """A send timed out or was refused by the broker. The process ends and a new one sends the stored bytes again."""

    exit_code = EXIT_TRY_AGAIN
