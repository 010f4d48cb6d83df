"""Shows who learnt what, when and why: a live table at a terminal, plain lines elsewhere, or JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from services.bus.events import DeadlineKind, DeadlineMissed, MatterChanged
from services.cli.demo.driver import Result
from services.cli.demo.night import Shown
from services.cli.demo.story import Step
from services.cli.demo.watch import Told

LONDON = ZoneInfo("Europe/London")

WORDS = {
    "police.notifications.v1": "is notified of the incident",
    "encompass.alerts.v1": "is alerted under Operation Encompass",
    "mash.outcomes.v1": "has the outcome and its reason",
    "gp.updates.v1": "has the outcome for the health record",
    "strategy.distributions.v1": "has the minutes it is entitled to",
    "deadlines.missed.v1": "is told that a deadline was missed:",
    "sandbox.alerts.v1": "has a rehearsal, about nobody",
    "police.unmatched.v1": "a child waits for a person to match",
    "dead-letters.v1": "an event that could not be processed waits for a person",
}


MISSED = {
    DeadlineKind.NOTIFICATION_READ: "nobody has read a police notification",
    DeadlineKind.MATCH_BY_PERSON: "nobody has matched a child",
    DeadlineKind.INCIDENT_EXPECTED: "the police have not reported an incident",
    DeadlineKind.SCHOOL_ALERT_READ: "a school has not read its alert",
    DeadlineKind.FRONT_DOOR_DECISION: "nobody has decided",
    DeadlineKind.OUTCOME_READ: "an outcome was not read",
    DeadlineKind.HEALTH_RECORD_FILED: "a health record was not filed and hidden",
    DeadlineKind.MINUTES_READ: "minutes were not read",
    DeadlineKind.INFORMATION_RESPONSE: "a request for information was not answered in full",
    DeadlineKind.MEETING_EXPECTED: "a meeting was not recorded",
    DeadlineKind.UNKNOWN: "something was not done",
}


BOARD = {
    ("OPEN", None): "is open on the board",
    ("TAKEN", "NIGHT"): "is seen to by the out-of-hours team",
    ("OPEN", "DAY"): "waits for the day team",
}


class Timeline(Protocol):
    """What the demo says while it plays."""

    def say(self, text: str) -> None:
        """A line for a person."""
        ...

    def wait(self, text: str) -> None:
        """What is being waited for; empty when it has come."""
        ...

    def title(self, step: Step) -> None:
        """What happens next."""
        ...

    def show(self, told: Told) -> None:
        """What has reached somebody, or waits for a person."""
        ...

    def show_board(self, shown: Shown) -> None:
        """What has changed on the handover board."""
        ...

    def end(self, result: Result, seconds: float) -> None:
        """How it ended, and how long it took."""
        ...


class Lines:
    """For people: one line each, coloured at a terminal."""

    def __init__(self, console: Console, names: Mapping[str, str] | None = None) -> None:
        self._console, self._names = console, names or {}
        self._status: Status | None = None

    def say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False, soft_wrap=True)

    def wait(self, text: str) -> None:
        if not self._console.is_terminal:
            return self.say(text) if text else None
        if self._status is not None and not text:
            self._status.stop()
            self._status = None
        elif self._status is not None:
            self._status.update(text)
        elif text:
            self._status = self._console.status(text)
            self._status.start()
        return None

    def title(self, step: Step) -> None:
        self.wait("")
        self._console.print(f"\n{step.title}", style="bold", highlight=False, soft_wrap=True)

    def show(self, told: Told) -> None:
        who = self._names.get(told.recipient, told.recipient) or "nobody yet"
        what = WORDS.get(told.event.topic, told.event.topic)
        if isinstance(told.event, DeadlineMissed):
            what = f"{what} {MISSED[told.event.kind]}"
        what += f", due {_local(told.due_by)}" if told.due_by else ""
        how = f"{told.purpose or told.cause}  +{told.latency_ms} ms"
        self._line(Text(who, "cyan" if told.recipient else "yellow"), what, how)

    def show_board(self, shown: Shown) -> None:
        what = BOARD.get((shown.wanted.state, shown.wanted.team), shown.wanted.state)
        words = f"{shown.wanted.matter.partition(':')[0]} {what}"
        self._line(Text("Handover board", "magenta"), words, f"+{shown.latency_ms} ms")

    def _line(self, who: Text, what: str, how: str) -> None:
        """At a terminal in two columns, so that a narrow one breaks neither; elsewhere whole, to be searched."""
        said = Text.assemble(what, (f"  {how}", "dim"))
        if not self._console.is_terminal:
            return self._console.print(f"  {who.plain:<34} {said.plain}", highlight=False, soft_wrap=True)
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(width=min(34, self._console.width // 3))
        row.add_column()
        row.add_row(who, said)
        return self._console.print(Padding(row, (0, 0, 0, 2), expand=False))

    def end(self, result: Result, seconds: float) -> None:
        self._console.print()
        for expected in result.missing:
            self._console.print(f"  NOT TOLD: {expected.recipient} by {expected.type}", style="bold red")
        for one in result.not_on_board:
            self._console.print(f"  NOT ON THE BOARD: {one.matter}, {one.state}", style="bold red")
        for topic in result.waiting_missing:
            self._console.print(f"  NOT SHOWN to a person: {topic}", style="bold red")
        reached = [told for told in result.told if told.recipient]
        waits = len(result.told) - len(reached)
        verdict = "Everyone who had to learn did" if result.everyone_learnt else "SOMEBODY WAS NOT TOLD"
        self._console.print(
            f"{verdict}: {len(reached)} disclosures reached their recipients, {waits} wait for a person, "
            f"{result.receipts} receipts, {len(result.shown)} changes on the handover board, in {seconds:.0f} s.",
            style="bold green" if result.everyone_learnt else "bold red",
            highlight=False,
            soft_wrap=True,
        )


class Json:
    """For programs: an object a line, and a summary last. What is said in between goes to stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False, soft_wrap=True)

    def wait(self, text: str) -> None:
        if text:
            self.say(text)

    def title(self, step: Step) -> None:
        self.say(step.title)

    def show(self, told: Told) -> None:
        if told.recipient:
            print(json.dumps(as_json(told)), flush=True)  # noqa: T201 - this is the output

    def show_board(self, shown: Shown) -> None:
        print(json.dumps(board_as_json(shown)), flush=True)  # noqa: T201 - this is the output

    def end(self, result: Result, seconds: float) -> None:
        reached = [told for told in result.told if told.recipient]
        summary = {
            "everyone_learnt": result.everyone_learnt,
            "reached": len(reached),
            "waiting_for_a_person": len(result.told) - len(reached),
            "receipts": result.receipts,
            "on_the_board": len(result.shown),
            "not_on_the_board": [one.matter for one in result.not_on_board],
            "not_told": [{"type": e.type, "recipient": e.recipient} for e in result.missing],
            "not_shown": result.waiting_missing,
            "seconds": round(seconds, 1),
        }
        print(json.dumps({"summary": summary}), flush=True)  # noqa: T201 - this is the output


def as_json(told: Told) -> dict[str, Any]:
    """One event that reached a recipient."""
    return {
        "at": told.at.isoformat(),
        "type": told.event.topic,
        "id": told.event.envelope.id,
        "recipient": told.recipient,
        "purpose": told.purpose,
        "cause": told.cause,
        "latency_ms": told.latency_ms,
        "due_by": told.due_by.isoformat() if told.due_by else None,
    }


def board_as_json(shown: Shown) -> dict[str, Any]:
    """One matter as the out-of-hours team's own screen shows it."""
    return {
        "at": shown.at.isoformat(),
        "type": MatterChanged.topic,
        "id": f"{shown.wanted.matter} {shown.caused_by}",
        "recipient": "handover-board",
        "purpose": " ".join(filter(None, (shown.wanted.state, shown.wanted.team))),
        "cause": shown.caused_by,
        "latency_ms": shown.latency_ms,
        "due_by": None,
    }


def _local(moment: datetime) -> str:
    return moment.astimezone(LONDON).strftime("%a %d %b %H:%M")
