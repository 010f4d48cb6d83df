"""A desk as it might look one bad night: made-up numbers of made-up services' processes, without any process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.bus.metrics import LATENCY_BOUNDS
from services.bus.settings import Settings
from services.lag_monitor.lag import GroupLag, PartitionLag, RecipientLag, Snapshot, Verdict
from services.lag_monitor.ops.desk import Desk
from services.lag_monitor.ops.scraping import Answer, parse
from services.lag_monitor.probing.kept import Answer as Answered
from services.lag_monitor.probing.kept import Probes
from services.supervisor.status import ProcessStatus, Status

SERVICES = ("deadlines", "encompass-alerts", "handover-feed", "mash-outcomes", "partner-gateway")
GIB = 2**30


@dataclass
class Seen:
    """Snapshots, as the watch keeps them."""

    history: Sequence[Snapshot] = field(default_factory=list)

    @property
    def latest(self) -> Snapshot | None:
        return self.history[-1] if self.history else None


def group(
    name: str, behind: int, seconds: float, verdict: Verdict, why: str, at: datetime, members: int = 1, lost: int = 0
) -> GroupLag:
    one = PartitionLag(
        name, "mash.decisions.v1", 3, 100, 0, 100 + behind, behind, seconds,
        "record" if behind else "nothing unread", lost, None,
    )  # fmt: skip
    empty = PartitionLag(name, "mash.contacts.v1", 0, 7, 0, 7, 0, 0.0, "nothing unread", 0, None)
    since = at - timedelta(minutes=7)
    state = "stable" if members else "empty"
    return GroupLag(name, state, members, (one, empty), behind, seconds, verdict, why, since, None)


def snapshot(at: datetime, behind: int = 0) -> Snapshot:
    """Everything well, but for one group with so many events unread."""
    groups = [group(name, 0, 0.0, Verdict.ok, "", at) for name in SERVICES]
    if behind:
        why = f"{behind} events wait and nothing was committed for 7 min"
        groups[3] = group("mash-outcomes", behind, 425.0, Verdict.stalled, why, at)
    return Snapshot(at, tuple(groups), ())


def exposition(
    name: str, heard: int, *, died: int = 0, slow: int = 0, unsent: float = 0.0, free: float = 80 * GIB
) -> str:
    """What a process would tell at /metrics after so many events."""
    upto = [min(heard, heard * (n + 1) // 6) if n < 6 else heard - slow * (n < 10) for n in range(len(LATENCY_BOUNDS))]
    buckets = zip((*map(str, LATENCY_BOUNDS), "+Inf"), (*upto, heard), strict=True)
    lines = [
        f'safebus_heard_total{{service="{name}",type="mash.contacts.v1",outcome="done"}} {heard}',
        f'safebus_heard_total{{service="{name}",type="mash.contacts.v1",outcome="dead:invalid"}} {died}',
        *(
            f'safebus_latency_seconds_bucket{{service="{name}",type="mash.contacts.v1",le="{le}"}} {many}'
            for le, many in buckets
        ),
        f'safebus_store_up{{service="{name}"}} 1',
        f'safebus_outbox_events{{service="{name}"}} {3 if unsent else 0}',
        f'safebus_outbox_oldest_seconds{{service="{name}"}} {unsent}',
        f'safebus_dead_letters_open{{service="{name}"}} {died}',
        f'safebus_alarms_overdue_seconds{{service="{name}"}} 0',
        f"safebus_data_disk_free_bytes {free}",
        f"safebus_data_disk_size_bytes {200 * GIB}",
        "process_resident_memory_bytes 9.1e7",
        f"process_start_time_seconds {time.time() - 7000}",
    ]
    if name in ("partner-gateway", "handover-feed"):
        door = 'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/v1/inbox",'
        lines += [
            "safebus_streams_open 4",
            f'{door}http_response_status_code="200"}} {heard * 2}',
            f'{door}http_response_status_code="401"}} {heard // 9}',
        ]
    return "\n".join(lines) + "\n"


def answer(ticks: float, text: str, *, ready: bool = True, why: str = "") -> Answer:
    return Answer(ticks, ready, why, parse(text))


def quiet(folder: Path) -> Desk:
    """Nothing was measured yet."""
    return Desk(Settings(data_dir=folder), Seen())


def well(folder: Path) -> Desk:
    """An hour without trouble."""
    desk = _hour(folder, Seen([snapshot(_ago(minutes)) for minutes in range(59, -1, -1)]))
    probes = desk.probes = _probes()
    for name in SERVICES:
        for number in range(30):
            at = _ago(29 - number)
            probes.answered(name, Answered(at, 0.2 + 0.05 * (number % 4)))
    return desk


def ill(folder: Path) -> Desk:
    """One group stalled, one process away, something dead, a webhook that fails, a disk that fills up."""
    seen = Seen([snapshot(_ago(minutes), behind=(60 - minutes) * 40) for minutes in range(59, -1, -1)])
    last = seen.history[-1]
    recipients = (
        RecipientLag("school:110312", 4, 7200.0, _ago(95)),
        *(RecipientLag(f"practice:K82{n:03}", n, 600.0 * n, None) for n in range(1, 20)),
    )
    seen.history = [*seen.history[:-1], Snapshot(last.at, last.groups, recipients)]
    desk = _hour(folder, seen, trouble=True)
    probes = desk.probes = _probes()
    for name in SERVICES:
        for number in range(30):
            probes.answered(name, Answered(_ago((45 if name == "mash-outcomes" else 29) - number), 0.3 + number / 60))
    return desk


def _ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def _probes() -> Probes:
    return Probes(SERVICES, 60.0, _ago(60), sent_at=_ago(0.2))


def _hour(folder: Path, seen: Seen, *, trouble: bool = False) -> Desk:
    desk = Desk(Settings(data_dir=folder), seen)
    for minute in range(61):
        found = {}
        for n, name in enumerate(SERVICES):
            heard = minute * 30 * (n + 1) + (minute % 7) * 20
            ticks = minute * 60.0
            if trouble and name == "mash-outcomes":
                text = exposition(name, 400, died=minute // 20, slow=300, unsent=200.0, free=9 * GIB)
                found[name] = answer(ticks, text, ready=minute < 55, why="the database of mash-outcomes is away")
            elif trouble and name == "encompass-alerts" and minute > 57:
                found[name] = Answer(ticks, False, "it does not answer (ConnectError)")
            else:
                found[name] = answer(ticks, exposition(name, heard, free=(9 if trouble else 80) * GIB))
        desk.take(found, _ago(60 - minute))
    kafka = ProcessStatus(name="kafka", state="ready", pid=1, since=_ago(120), log=folder / "kafka.log")
    restarted = ProcessStatus(
        name="encompass-alerts", state="restarting" if trouble else "ready", restarts=4 if trouble else 0, log=folder,
        why="killed (SIGKILL)" if trouble else "", last_reason="killed (SIGKILL)",
    )  # fmt: skip
    desk.status = Status(
        pid=1, since=_ago(120), state="up", embedded=True, bootstrap_servers="", registry_url="", data_dir=folder,
        processes=(kafka, restarted),
    )  # fmt: skip
    return desk
