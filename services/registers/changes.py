"""What a file says, compared with the directory → the records that differ. Pure.

A register has no versions, yet the directory ignores what is not newer. So content decides: a record that would stand
as it stands already is not published, and one that differs carries the next version. Importing a file twice therefore
publishes nothing the second time, and an import that broke off is finished by running it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.bus.codec import validated
from services.bus.directory import Recorded
from services.bus.errors import Unfit
from services.bus.events import ChildRecorded, OrganisationRecorded
from services.registers.reading import BadLine, Said

EMPTY: Mapping[type[Recorded], Mapping[str, Any]] = {
    OrganisationRecorded: {"weekly_hours": [], "closed_days": [], "terms": []},
    ChildRecorded: {},
}
KEYS: Mapping[type[Recorded], str] = {OrganisationRecorded: "organisation_id", ChildRecorded: "child_id"}


@dataclass(slots=True)
class Changes:
    """Records to publish, how many are as they were, and the lines that were left out."""

    new: list[Recorded] = field(default_factory=list)
    changed: list[Recorded] = field(default_factory=list)
    unchanged: int = 0
    bad: list[BadLine] = field(default_factory=list)


@dataclass(slots=True)
class _Draft:
    where: str
    content: dict[str, Any]
    version: int | None


def changes(kind: type[Recorded], said: Iterable[Said], standing: Mapping[str, Recorded]) -> Changes:
    """What has to be published so that the directory says what the file says.

    Several lines about one id are laid over each other in their order, as a calendar over its school. What no line
    decides stays as the directory has it. A version that the sender gave is kept, and must be higher than the standing
    one when anything differs.
    """
    found = Changes()
    drafts: dict[str, _Draft] = {}
    for one in said:
        if (draft := drafts.get(one.id)) is not None:
            draft.content |= one.fields
        elif (stands := standing.get(one.id)) is not None:
            drafts[one.id] = _Draft(one.where, {**_content(stands), **one.fields}, one.version)
        elif one.complete:
            drafts[one.id] = _Draft(one.where, {**EMPTY[kind], **one.at_first, **one.fields}, one.version)
        else:
            found.bad.append(BadLine(one.where, "neither the directory nor the file knows this organisation"))
    for key, draft in drafts.items():
        _compare(kind, key, draft, standing.get(key), found)
    return found


def _compare(kind: type[Recorded], key: str, draft: _Draft, stands: Recorded | None, found: Changes) -> None:
    version = draft.version if draft.version is not None else stands.version + 1 if stands else 1
    try:
        record = validated(kind.topic, {**draft.content, KEYS[kind]: key, "version": version})
    except Unfit as error:
        found.bad.append(BadLine(draft.where, str(error).removeprefix("/")))
        return
    assert isinstance(record, OrganisationRecorded | ChildRecorded)
    if stands is None:
        found.new.append(record)
    elif _content(record) == _content(stands) and (draft.version or 0) <= stands.version:
        found.unchanged += 1
    elif version > stands.version:
        found.changed.append(record)
    else:
        why = "version is not higher than the directory's, yet the line differs from what stands there"
        found.bad.append(BadLine(draft.where, why))


def _content(record: Recorded) -> dict[str, Any]:
    return record.model_dump(exclude={"version"})
