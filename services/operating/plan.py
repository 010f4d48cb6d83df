"""What a retry would send, and what it would not and why: decided from what stands in the log, before anything is sent.

One original is sent once, though several services gave up on it: each that did decides it again, the others know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.bus.events import OperatorAct
from services.operating.letters import SHORT, Letter, State
from services.operating.meaning import Retry, meaning


@dataclass(frozen=True, slots=True)
class Sent:
    """One original, and every open dead letter about it."""

    letters: tuple[Letter, ...]

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it first stood; originals go in this order, so that those of one key keep theirs."""
        return min((one.said.origin_topic, one.said.origin_partition, one.said.origin_offset) for one in self.letters)

    @property
    def begun_before(self) -> bool:
        """A retry of it was begun, and nobody knows whether it was sent."""
        return any(one.last(OperatorAct.RETRYING) for one in self.letters)


@dataclass(slots=True)
class Plan:
    """What would be done."""

    send: list[Sent] = field(default_factory=list)
    waiting: list[Letter] = field(default_factory=list)
    """Sent before, and nobody has heard what became of them."""
    refused: list[tuple[Letter, str]] = field(default_factory=list)
    """With the sentence that says why."""


def plan(
    chosen: Iterable[Letter], everything: Sequence[Letter], partitions: Mapping[str, int], *, named: bool = True
) -> Plan:
    """What a retry of `chosen` comes to.

    Args:
        everything: every dead letter, chosen or not.
        partitions: how many each topic has that is there.
        named: somebody named them, by their ids or their reason. Else those are left that would only die again unless
            something was mended, since each has one retry.
    """
    found, taken = Plan(), set[str]()
    wanted = {one.id for one in chosen}
    by_event: dict[object, list[Letter]] = {}
    by_key: dict[object, list[Letter]] = {}
    for one in everything:
        if _could(one, partitions) is None:
            by_event.setdefault(one.event or one.id, []).append(one)
            by_key.setdefault(_line(one), []).append(one)
    for one in everything:
        if one.id not in wanted or one.id in taken:
            continue
        if one.state is State.RETRIED and one.became is None:
            found.waiting.append(one)
            continue
        why = (
            _could(one, partitions)
            or _wasted(one, named)
            or _undoes(one, everything)
            or _overtakes(one, by_key[_line(one)], wanted)
        )
        if why:
            found.refused.append((one, why))
            continue
        together = tuple(by_event[one.event or one.id])
        taken |= {each.id for each in together}
        found.send.append(Sent(together))
    found.send.sort(key=lambda sent: sent.place)
    return found


def _could(one: Letter, partitions: Mapping[str, int]) -> str | None:
    """Why sending this one again cannot help, in a sentence; None if it can."""
    if (discarded := one.last(OperatorAct.DISCARDED)) and one.state is State.DISCARDED:
        return f"{discarded.by} discarded it on {discarded.acted_at:%-d %B at %H:%M} UTC"
    if one.state is State.RETRIED:
        last = one.last(OperatorAct.RETRIED) or one.last(OperatorAct.RETRYING)
        by = f" on {last.acted_at:%-d %B at %H:%M} UTC by {last.by}" if last else ""
        how = f"it died again, as {one.again[:SHORT]}" if one.again else "and it was done"
        return f"it was retried{by}, {how}; a dead event is retried once"
    if one.is_retry:
        return "it died when it was retried, and a dead event is retried once; a person takes it from here"
    what = meaning(one.said)
    if what.retry is Retry.NEVER:
        return f"no retry can help: {what.do}"
    if one.said.origin_topic not in partitions:
        return f"the topic {one.said.origin_topic} that it came from is gone"
    if one.said.origin_partition >= partitions[one.said.origin_topic]:
        return f"the topic {one.said.origin_topic} was made anew with fewer partitions"
    return None


def _wasted(one: Letter, named: bool) -> str | None:
    if named or meaning(one.said).retry is Retry.HELPS:
        return None
    return (
        f"it would only die again, unless what was wrong has been mended, and it has one retry; if it has, say so by "
        f"--reason {one.code}, or by its id"
    )


def _undoes(one: Letter, everything: Sequence[Letter]) -> str | None:
    """Whoever gave up on an event decides it again, also a service at which a person has decided against that."""
    for other in everything:
        left = other.state is State.DISCARDED and not (other.is_retry or other.last(OperatorAct.RETRIED))
        if one.event and other.event == one.event and left:
            return (
                f"{other.said.service} gave up on the same event, and would do it too, though that was discarded there "
                f"as {other.id[:SHORT]}; have its sender send a new event"
            )
    return None


def _line(one: Letter) -> tuple[object, ...]:
    """Whose order a retry may not break: a service's events of one key."""
    said = one.said
    return (said.service, said.origin_topic, said.origin_partition, said.key)


def _overtakes(one: Letter, of_its_key: Sequence[Letter], wanted: set[str]) -> str | None:
    """An earlier one of its key that is left behind could not be retried any more (DESIGN.md §1, rule 7)."""
    for other in of_its_key:
        if other.id not in wanted and other.said.origin_offset < one.said.origin_offset:
            return (
                f"retry {other.id[:SHORT]} first, or with it: it is an earlier one of the same key, and once this one "
                "is done, that one could only go to a person"
            )
    return None
