"""Where to go on reading a partition: the guard is the truth, and whatever contradicts it stops the service loudly."""

from __future__ import annotations

from dataclasses import dataclass

from services.bus.errors import MustStop


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one partition at an assignment, each asked in this order: a later answer may only be higher."""

    topic: str
    partition: int
    committed: int | None
    """Kafka's offset of the group."""
    begins: int
    """Where the log begins."""
    guard: int | None
    """The guard of this incarnation of the topic."""
    other_incarnation: bool
    """A guard of the same name with another topic id stands."""
    ends: int
    """Where the log ends."""


def where_to_start(known: Known, service: str) -> int:
    """The offset to read next (DESIGN.md §1, rule 3).

    Raises:
        MustStop: the database is lost or older than Kafka's offsets, the topic was made anew, or the log lost records
            that were not read. The message says what a person has to do.
    """
    here = f"{known.topic}[{known.partition}]"
    remedy = f"stop every {service} and run `safebus recover {service}`"
    if known.guard is None and known.other_incarnation:
        raise MustStop(f"{here} was deleted and made again under {service}; {remedy}")
    if known.guard is None and known.committed is not None:
        raise MustStop(f"the database of {service} is lost: Kafka has read {here} to {known.committed}; {remedy}")
    if known.guard is None:
        return known.begins
    if known.committed is not None and known.guard < known.committed:
        raise MustStop(
            f"the database of {service} is older than Kafka's offsets ({here}: {known.guard}, not {known.committed}), "
            f"so it was restored; {remedy}"
        )
    if known.guard < known.begins:
        raise MustStop(
            f"{here} no longer holds {known.guard} to {known.begins - 1}, which {service} never read; {remedy}"
        )
    if known.guard > known.ends:
        raise MustStop(f"{here} ends at {known.ends}, yet {service} has read it to {known.guard}; {remedy}")
    return known.guard
