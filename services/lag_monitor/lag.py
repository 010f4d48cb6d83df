"""What is told of a group's and a recipient's lag: values alone, no I/O.

Nothing here joins a child to anyone: groups, topics, numbers, and organisations by their opaque ids (DOMAIN.md H2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

How: TypeAlias = Literal["record", "interpolated", "nothing unread"]
"""Where `seconds` comes from: the first unread record's own time, an estimate, or there is nothing to measure."""


class Verdict(StrEnum):
    """How a group is, in one word."""

    ok = "ok"
    slow = "slow"
    """It reads, but what is unread grows, or would take hours to read."""
    stalled = "stalled"
    """It has members and work, and does not commit."""
    stopped = "stopped"
    """It has no members, though it should have."""
    rewound = "rewound"
    """It stands before what it had read already, or beyond the end of a log that was made anew."""
    at_risk = "at_risk"
    """The broker will remove, or has removed, what it has not read."""

    @property
    def weight(self) -> int:
        """The worse, the higher; ok is 0."""
        return list(Verdict).index(self)

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """What a group has not read of one partition, as the broker said it at one moment."""

    group: str
    topic: str
    partition: int
    committed: int | None
    """The group's offset in Kafka; None if it has never committed here, and will begin where the log does."""
    begin: int
    """The first offset that the log still has."""
    end: int
    """The offset that the next record gets; -1, as is `begin`, where `fault` says why neither is known."""
    behind: int
    """Events that can be read and were not, never negative. On a compacted topic it is the most that there can be."""
    seconds: float
    """Age of the first unread record; 0 when nothing is unread. Never NaN, never negative."""
    how: How
    lost: int
    """Events that the broker removed before the group had read them."""
    fault: str | None
    """Why this partition could not be measured; its numbers then say nothing and are not to be shown."""

    @property
    def lag(self) -> int | None:
        """As Kafka's own tool counts it: end minus committed offset, what is lost included; None without a commit."""
        return None if self.committed is None or self.fault else self.end - self.committed


@dataclass(frozen=True, slots=True)
class GroupLag:
    """How one group of consumers is, judged over a while."""

    group: str
    state: str
    """Kafka's word for the group, in small letters: stable, empty, dead, preparing_rebalancing, …"""
    members: int
    partitions: tuple[PartitionLag, ...]
    behind: int
    """Sum over its partitions."""
    seconds: float
    """The most of its partitions."""
    verdict: Verdict
    why: str
    """One clause in plain words, without a name of anyone; how much waits, `behind` and `seconds` say."""
    since: datetime
    """UTC; since when the verdict has been this one."""
    passed_by_at: datetime | None
    """UTC; when the broker may first remove something unread, if it goes on like this; None if that will not happen."""

    @property
    def lost(self) -> int:
        return sum(partition.lost for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class RecipientLag:
    """What one organisation has not read of its inbox at the gateway."""

    organisation: str
    """Its opaque id, such as school:110312."""
    unread: int
    oldest_unread_seconds: float
    """0 when nothing is unread."""
    webhook_failing_since: datetime | None
    """UTC; None if it has no webhook or the last attempt was taken."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment."""

    at: datetime
    """UTC."""
    groups: tuple[GroupLag, ...]
    """Empty when `fault` is not: what is not known is not told."""
    recipients: tuple[RecipientLag, ...]
    fault: str | None = None
    """Why the broker could not be asked."""
    recipients_fault: str | None = None
    """Why the gateway could not be asked."""

    @property
    def ok(self) -> bool:
        """Nothing asks for a person: every group is ok, each webhook is taken, and everything could be asked."""
        return (
            self.fault is None
            and all(group.verdict is Verdict.ok for group in self.groups)
            and all(recipient.webhook_failing_since is None for recipient in self.recipients)
        )
