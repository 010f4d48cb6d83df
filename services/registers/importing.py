"""Publishes what a file changes in the directory. The only part of this room that touches the bus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from services.bus.directory import Recorded, row_id
from services.bus.events import ChildRecorded, OrganisationRecorded
from services.bus.publish import Publisher, read_all
from services.registers.changes import Changes, changes
from services.registers.reading import Parsed


async def bring_in(
    kind: type[Recorded], parsed: Parsed, principal: str, say: Callable[[str], object] = lambda _: None
) -> Changes:
    """Publish, as `principal`, what the directory does not say yet; return what was published and what was left out.

    The principal must be allowed to read and to write the topic of `kind`. An import that breaks off is finished by
    running it again. Two that run at once may give one version twice, of which every reader keeps the first.

    Args:
        say: is told what is being waited for; the children of a county are some hundred thousand.

    Raises:
        UserMistake: no password is known for the principal, or it may not do this.
        Surroundings: the broker or the registry is away.
        Unacknowledged: unknown whether all was taken; run it again.
    """
    standing: Mapping[str, Recorded] = {}
    if parsed.said:
        say(f"comparing {len(parsed.said):,} lines with the directory")
        standing = await _standing(kind, {said.id for said in parsed.said}, principal)
    found = changes(kind, parsed.said, standing)
    found.bad[:0] = parsed.bad
    if records := [*found.new, *found.changed]:
        say(f"publishing {len(records):,} records")
        async with Publisher(principal) as bus:
            await bus.publish(records)
    return found


async def _standing(kind: type[Recorded], ids: Collection[str], principal: str) -> dict[str, Recorded]:
    """The newest record of each of these ids, as every reader of the directory has it."""
    newest: dict[str, Recorded] = {}
    async for event in read_all(kind.topic, principal):
        if not isinstance(event, OrganisationRecorded | ChildRecorded) or (key := row_id(event)) not in ids:
            continue
        if key not in newest or newest[key].version < event.version:
            newest[key] = event
    return newest
