"""Who may have a document: whoever uploaded it, and whoever the chair has given it and not taken it back since (H4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.bus.events import MinutesDistributed, Release
from services.bus.heard import Heard
from services.partner_gateway.documents.chair import held_back
from services.partner_gateway.inbox.tables import distribution
from services.partner_gateway.tables import conflict, document, opening


@dataclass(frozen=True, slots=True)
class Entitled:
    """What a document is, as it was told to whoever may have it."""

    size: int
    media_type: str


def note_distributions(connection: sa.Connection, numbered: Iterable[tuple[str, int, Heard]]) -> None:
    """What the inbox entries with these numbers say of documents, written where `entitled` looks.

    A distribution that gives no document is noted as well: it may take back what an earlier one gave.
    """
    rows = [_row(organisation, number, h.event) for organisation, number, h in numbered if _distributes(h)]
    if rows:
        connection.execute(distribution.insert(), rows)


def _distributes(heard: Heard) -> bool:
    return isinstance(heard.event, MinutesDistributed)


def _row(organisation: str, number: int, told: Any) -> dict[str, Any]:
    given = told.document if told.release is Release.FULL else None
    return {
        "organisation": organisation,
        "number": number,
        "meeting_id": told.meeting_id,
        "disclosure_id": str(told.disclosure.id),
        "supersedes": str(told.disclosure.supersedes) if told.disclosure.supersedes else None,
        "declare_no_conflict": told.disclosure.declare_no_conflict,
        "sha256": given.sha256 if given else None,
        "size": given.size if given else None,
        "media_type": given.media_type if given else None,
    }


def entitled(
    connection: sa.Connection, organisation: str, sha256: str, *, person_id: str | None = None
) -> Entitled | None:
    """What the organisation may have at this moment under that SHA-256; None, whether the document exists or not.

    Of one meeting the latest distribution alone counts, and no longer than chair and police let it (chair.py). While
    the reader must first declare that there is no conflict (H3), it counts for `person_id` once that person has, and
    never once that person declared one; without a `person_id`, once anybody has.
    """
    uploaded = sa.select(document.c.size, document.c.media_type).where(
        document.c.organisation == organisation, document.c.sha256 == sha256
    )
    given = sa.select(distribution.c.size, distribution.c.media_type).where(
        distribution.c.organisation == organisation,
        distribution.c.sha256 == sha256,
        ~_taken_back(),
        ~held_back(),
        ~distribution.c.declare_no_conflict | _declared(person_id),
    )
    found = connection.execute(uploaded.union_all(given)).first()
    return Entitled(found.size, found.media_type) if found else None


def _taken_back() -> sa.ColumnElement[bool]:
    later = distribution.alias("later")
    since = sa.select(later.c.number).where(
        later.c.organisation == distribution.c.organisation, later.c.number > distribution.c.number
    )
    of_the_meeting = since.where(later.c.meeting_id == distribution.c.meeting_id)
    in_its_place = since.where(later.c.supersedes == distribution.c.disclosure_id)
    return of_the_meeting.exists() | in_its_place.exists()  # each by an index of its own


def _declared(person_id: str | None) -> sa.ColumnElement[bool]:
    declared = sa.select(opening.c.person_id).where(opening.c.disclosure_id == distribution.c.disclosure_id)
    if person_id is None:
        return declared.exists()
    against = sa.select(conflict.c.person_id).where(
        conflict.c.disclosure_id == distribution.c.disclosure_id, conflict.c.person_id == person_id
    )
    return declared.where(opening.c.person_id == person_id).exists() & ~against.exists()
