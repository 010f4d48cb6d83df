"""What needs a person now, each with what to do; the same matters as Prometheus's rules raise (docker/prometheus)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.lag_monitor.lag import Verdict
from services.lag_monitor.ops import words
from services.lag_monitor.ops.desk import Desk
from services.lag_monitor.ops.shown import letters

OUTBOX_LATE, ALARM_LATE, NOTICE_LATE = 60.0, 120.0, 900.0
"""Seconds."""

DISK_LOW = 0.1

COMMANDS = {
    Verdict.slow: "safebus lag --watch",
    Verdict.stalled: "safebus status",
    Verdict.stopped: "safebus status",
    Verdict.rewound: "safebus status",
    Verdict.at_risk: "safebus lag",
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing."""

    what: str
    why: str
    do: str
    """A command that shows or mends it."""
    where: str
    """The part of the page that tells more."""


def wrong(desk: Desk, now: datetime) -> list[Wrong]:
    """All of it, what may harm first."""
    return [*_people(desk), *_processes(desk), *_lag(desk, now), *_probe(desk, now), *_waiting(desk), *_disk(desk)]


def _people(desk: Desk) -> Iterator[Wrong]:
    board = desk.answers.get("handover-feed")
    if board and (unreached := board.total("safebus_board_escalations_unreached")):
        yield Wrong(
            f"{words.many(unreached, 'escalation', 'escalations')} of immediate danger reached nobody",
            "the on-call manager was not reached: telephone the duty team now",
            "safebus status",
            "#processes",
        )


def _processes(desk: Desk) -> Iterator[Wrong]:
    for name, answer in sorted(desk.answers.items()):
        if not answer.ready:
            yield Wrong(f"{name} is not ready", answer.why, "safebus status", f"#process-{name}")
        elif answer.one("safebus_store_up", service=name) == 0:
            yield Wrong(f"{name} cannot read its database", "", "safebus doctor", f"#process-{name}")
    for one in desk.status.late if desk.status else ():
        if one.name not in desk.answers:
            yield Wrong(f"{one.name} is {one.state}", one.why, "safebus status", f"#process-{one.name}")


def _lag(desk: Desk, now: datetime) -> Iterator[Wrong]:
    latest = desk.lag.latest
    if latest is None:
        return
    if latest.fault:
        yield Wrong("Lag cannot be measured", latest.fault, "safebus doctor", "#lag")
    if latest.recipients_fault:
        yield Wrong("Recipients' inboxes cannot be looked at", latest.recipients_fault, "safebus status", "#recipients")
    for group in sorted(latest.groups, key=lambda group: -group.verdict.weight):
        if group.verdict is not Verdict.ok:
            what = f"{group.group} is {group.verdict.words}, for {words.since(group.since, now)}"
            yield Wrong(what, group.why, COMMANDS[group.verdict], f"#group-{group.group}")
    failing = [one for one in latest.recipients if one.webhook_failing_since]
    if failing:
        what = f"{words.many(len(failing), 'recipient’s webhook fails', 'recipients’ webhooks fail')}"
        yield Wrong(what, "their inboxes lose nothing", "safebus lag", "#recipients")


def _probe(desk: Desk, now: datetime) -> Iterator[Wrong]:
    probes = desk.probes
    if probes is None:
        return
    if probes.fault:
        yield Wrong("No probe can be sent", probes.fault, "safebus doctor", "#probe")
    for name, since in probes.late(now):
        what = f"No probe has come through {name} for {words.since(since, now)}"
        yield Wrong(what, probes.why.get(name, ""), "safebus status", f"#probe-{name}")


def _waiting(desk: Desk) -> Iterator[Wrong]:
    """What was decided and is not sent, is due and did not ring, died lately, or is not taken."""
    for name, answer in sorted(desk.answers.items()):
        unsent = answer.one("safebus_outbox_oldest_seconds", service=name) or 0.0
        if unsent > OUTBOX_LATE:
            many = words.many(answer.total("safebus_outbox_events"), "output", "outputs")
            what = f"{name} has {many} that it decided and has not sent for {words.span(unsent)}"
            yield Wrong(what, "", "safebus status", f"#process-{name}")
        overdue = answer.one("safebus_alarms_overdue_seconds", service=name) or 0.0
        if overdue > ALARM_LATE:
            what = f"{name} has not acted upon what was due {words.span(overdue)} ago"
            yield Wrong(what, "deadlines are not escalated meanwhile", "safebus lag", f"#process-{name}")
    new = letters(desk).new
    if new:
        what = f"{words.many(new, 'dead letter', 'dead letters')} in the last hour"
        yield Wrong(what, "a person decides about each", "safebus dead-letters list", "#letters")


def _disk(desk: Desk) -> Iterator[Wrong]:
    shares = {
        (answer.one("safebus_data_disk_free_bytes") or 0.0, size)
        for answer in desk.answers.values()
        if (size := answer.one("safebus_data_disk_size_bytes"))
    }
    for free, size in sorted(shares)[:1]:
        if free / size < DISK_LOW:
            yield Wrong(
                f"{words.size(free)} are left on the disk of {words.size(size)}", "", "safebus doctor", "#doors"
            )
