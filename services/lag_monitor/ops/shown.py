"""What the page shows of each thing, in words, made of what was seen; nothing here names a child or a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.bus.metrics import LATENCY_BOUNDS
from services.lag_monitor.lag import GroupLag, PartitionLag, RecipientLag, Snapshot, Verdict
from services.lag_monitor.ops import words
from services.lag_monitor.ops.charts import Chart, chart
from services.lag_monitor.ops.desk import Desk
from services.lag_monitor.ops.flows import Flow, History, latency, rate, summed, thinned
from services.lag_monitor.probing.kept import Probes
from services.supervisor.status import ProcessStatus

HOUR, SOON = 3600.0, 300.0
POINTS = 60
"""Of a chart: a minute each."""

RECIPIENTS = 12
"""Shown of those whose inbox waits longest, besides all whose webhook fails."""

TAGS = {"ok": "grey", "ready": "grey", "slow": "orange", "starting": "orange", "waiting": "orange"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what stands against it."""

    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """One group, process, service or recipient."""

    key: str
    name: str
    tag: str
    """A word for its state."""
    colour: str
    why: str
    facts: Sequence[Fact]
    charts: Sequence[tuple[str, Chart]] = ()
    more: Sequence[Sequence[str]] = ()
    """Cells of a table that is opened when somebody wants it, the heading first."""


def colour(state: str) -> str:
    return TAGS.get(state, "red")


# Lag


def groups(desk: Desk, now: datetime) -> list[Row]:
    """Every consumer group, the worst first."""
    latest = desk.lag.latest
    if latest is None:
        return []
    before = [seen for seen in desk.lag.history if (now - seen.at).total_seconds() < HOUR]
    ordered = sorted(latest.groups, key=lambda group: (-group.verdict.weight, group.group))
    return [_group(group, before, now) for group in ordered]


def _group(group: GroupLag, before: Sequence[Snapshot], now: datetime) -> Row:
    facts = [
        Fact("Unread", words.many(group.behind, "event", "events")),
        Fact("Oldest unread", words.span(group.seconds) if group.behind else "nothing unread"),
        Fact("Members", words.number(group.members)),
    ]
    if group.lost:
        facts.append(Fact("Lost", f"{words.many(group.lost, 'event was', 'events were')} removed before being read"))
    if group.passed_by_at:
        facts.append(Fact("Retention", f"may remove unread events from {words.moment(group.passed_by_at, now)}"))
    since = "" if group.verdict is Verdict.ok else f", for {words.since(group.since, now)}"
    return Row(
        f"group-{group.group}",
        group.group,
        group.verdict.words + since,
        colour(group.verdict),
        group.why,
        facts,
        [("Unread", chart(_behind(group.group, before, now), words.number, "the last hour"))],
        _partitions(group.partitions),
    )


def _behind(name: str, before: Sequence[Snapshot], now: datetime) -> list[float | None]:
    """The most in each minute."""
    steps: list[float | None] = [None] * POINTS
    for seen in before:
        step = POINTS - 1 - int((now - seen.at).total_seconds() / HOUR * POINTS)
        for group in seen.groups:
            if group.group == name and 0 <= step < POINTS:
                steps[step] = max(steps[step] or 0.0, group.behind)
    return steps


def _partitions(found: Sequence[PartitionLag]) -> list[list[str]]:
    """Those with something unread, something lost or a fault."""
    rows = [
        [
            one.topic,
            str(one.partition),
            one.fault or words.number(one.behind),
            "" if one.fault else words.span(one.seconds) + (" (estimated)" if one.how == "interpolated" else ""),
            words.number(one.lost),
        ]
        for one in found
        if one.behind or one.lost or one.fault
    ]
    return [["Topic", "Partition", "Unread", "Oldest unread", "Lost"], *rows] if rows else []


# Processes


def processes(desk: Desk, now: datetime) -> list[Row]:
    """Kafka and the registry where the supervisor runs them, then every service."""
    kept = {one.name: one for one in desk.status.processes} if desk.status else {}
    servers = [_server(one, now) for one in kept.values() if one.name not in desk.answers]
    return servers + [_process(desk, name, kept.get(name), now) for name in sorted(desk.answers)]


def _server(one: ProcessStatus, now: datetime) -> Row:
    facts = [Fact("Up for", words.since(one.since, now) if one.since else "not up"), *_restarts(one)]
    return Row(f"process-{one.name}", one.name, one.state, colour(one.state), one.why, facts)


def _restarts(one: ProcessStatus | None) -> Iterator[Fact]:
    if one and one.restarts:
        yield Fact("Started again", f"{words.many(one.restarts, 'time', 'times')}, last: {one.last_reason}")


def _process(desk: Desk, name: str, kept: ProcessStatus | None, now: datetime) -> Row:
    answer, flows = desk.answers[name], desk.histories.get(name, History())
    state, why = ("ready", "") if answer.ready else ("waiting", answer.why)
    if kept and kept.state in ("stopped", "restarting"):
        state, why = kept.state, kept.why
    elif not answer.samples:
        state = "away"
    recent = flows.last(SOON)
    facts: list[Fact] = []
    if answer.samples:
        facts += _pace(recent) if answer.one("safebus_store_up", service=name) is not None else []
        memory, started = answer.one("process_resident_memory_bytes"), answer.one("process_start_time_seconds")
        facts += [Fact("Memory", words.size(memory))] if memory else []
        facts += [Fact("Up for", words.span(now.timestamp() - started))] if started else []
    facts += _restarts(kept)
    hour = thinned(list(flows.flows), POINTS, HOUR)
    charts = []
    if any(one.heard for one in flows.flows):
        rates = [rate(step) if step else None for step in hour]
        slow = [latency(step, 0.95, LATENCY_BOUNDS) for step in hour]
        charts = [
            ("Events heard", chart(rates, words.rate, "the last hour")),
            ("Time, p95", chart(slow, words.span, "the last hour")),
        ]
    return Row(f"process-{name}", name, state, colour(state), why, facts, charts)


def _pace(recent: Sequence[Flow]) -> Iterator[Fact]:
    """Of the last five minutes."""
    yield Fact("Events heard", words.rate(rate(recent)) if rate(recent) else "none in 5 minutes")
    quantiles = [latency(recent, q, LATENCY_BOUNDS) for q in (0.5, 0.95, 0.99)]
    if quantiles[0] is not None:
        yield Fact("Time: median, p95, p99", ", ".join(words.span(one or 0.0) for one in quantiles))


# Dead letters


@dataclass(frozen=True, slots=True)
class Letters:
    """What could not be processed."""

    open: Sequence[tuple[str, float]]
    """By service, those that died and can be retried. What came under an id that was there before is not among them."""
    reasons: Sequence[tuple[str, str, float]]
    """Service, reason and number in the last hour."""
    chart: Chart

    @property
    def total(self) -> float:
        return sum(number for _, number in self.open)

    @property
    def new(self) -> float:
        return sum(number for _, _, number in self.reasons)


def letters(desk: Desk) -> Letters:
    """By service and reason."""
    found = {name: answer.total("safebus_dead_letters_open") for name, answer in desk.answers.items()}
    lately = {name: summed(one.letters for one in kept.flows) for name, kept in desk.histories.items()}
    reasons = [(name, reason, number) for name, each in lately.items() for reason, number in each.items()]
    steps: list[float | None] = [None] * POINTS
    for kept in desk.histories.values():
        for n, step in enumerate(thinned(list(kept.flows), POINTS, HOUR)):
            if step:
                steps[n] = (steps[n] or 0.0) + sum(sum(one.letters.values()) for one in step)
    return Letters(
        sorted(((name, number) for name, number in found.items() if number), key=lambda one: -one[1]),
        sorted(reasons, key=lambda one: -one[2]),
        chart(steps, partial(words.many, one="dead letter a minute", several="dead letters a minute"), "the last hour"),
    )


# The probe


def probe(known: Probes, now: datetime) -> list[Row]:
    """How long a probe takes through each service, and when one last came through."""
    late = dict(known.late(now))
    return [_probed(known, name, late.get(name), now) for name in known.services]


def _probed(known: Probes, name: str, silent: datetime | None, now: datetime) -> Row:
    kept, last = list(known.answers.get(name, ())), known.last(name)
    ago = f"{words.since(last.at, now)} ago" if last else "never since this process began"
    facts = [Fact("Last answer", ago), *([Fact("It took", words.span(last.seconds))] if last else [])]
    state = "silent" if silent else "answers" if last else "waiting"
    drawn = chart([one.seconds for one in kept[-POINTS:]], words.span, f"the last {len(kept[-POINTS:])} probes")
    return Row(
        f"probe-{name}", name, state, {"silent": "red", "answers": "grey"}.get(state, "orange"),
        known.why.get(name, ""), facts,
        [("Time through it and back", drawn)] if len(kept) > 1 else (),
    )  # fmt: skip


# Recipients


def recipients(latest: Snapshot | None, now: datetime) -> tuple[list[Row], int]:
    """Those whose webhook fails, then those whose inbox waits longest; and how many more have something unread."""
    known = list(latest.recipients) if latest else []
    failing = [one for one in known if one.webhook_failing_since]
    waiting = sorted((one for one in known if one.unread), key=lambda one: -one.oldest_unread_seconds)
    rest = [one for one in waiting if one.webhook_failing_since is None]
    failing.sort(key=lambda one: one.webhook_failing_since or now)
    return [_recipient(one, now) for one in (*failing, *rest[:RECIPIENTS])], max(0, len(rest) - RECIPIENTS)


def _recipient(one: RecipientLag, now: datetime) -> Row:
    facts = [Fact("Unread", words.many(one.unread, "entry", "entries"))]
    if one.unread:
        facts.append(Fact("Oldest unread", words.span(one.oldest_unread_seconds)))
    since = one.webhook_failing_since
    tag, shade = (f"webhook fails, for {words.since(since, now)}", "red") if since else ("unread", "grey")
    return Row(f"recipient-{one.organisation}", one.organisation, tag, shade, "", facts)
