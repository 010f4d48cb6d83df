"""What the chair lets each invitee have, and whether the police hold the minutes back, as it stands now (H4).

The distributions alone do not say: one that went too far is taken back by a person, and until then the room that hands
minutes out says nothing. So the records of meetings and minutes are heard here as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from services.bus.events import MeetingRecorded, MinutesApproved, Release
from services.bus.tables import upsert
from services.partner_gateway.inbox.tables import distribution, invitee, meeting


def note_chair(connection: sa.Connection, said: Iterable[MeetingRecorded | MinutesApproved]) -> None:
    """Write down what is new in these. In the order of the meetings, as two workers may write at once."""
    for event in sorted(said, key=lambda event: event.meeting_id):
        if isinstance(event, MeetingRecorded):
            _note_meeting(connection, event)
        else:
            _note_minutes(connection, event)


def held_back() -> sa.ColumnElement[bool]:
    """Whether a distribution's document may not be had now, whatever was distributed.

    It is about a professional, or embargoed; or the chair does not, or no longer, let this invitee have all. While the
    gateway has not heard of the meeting itself, the distribution is believed.
    """
    of_it = meeting.c.meeting_id == distribution.c.meeting_id
    kept = sa.select(meeting.c.meeting_id).where(of_it, meeting.c.lado | meeting.c.embargo)
    recorded = sa.select(meeting.c.meeting_id).where(of_it, meeting.c.version.is_not(None))
    entitled = sa.select(invitee.c.organisation).where(
        invitee.c.meeting_id == distribution.c.meeting_id, invitee.c.organisation == distribution.c.organisation
    )
    return kept.exists() | (recorded.exists() & ~entitled.exists())


def _note_meeting(connection: sa.Connection, recorded: MeetingRecorded) -> None:
    row = {"version": recorded.version, "lado": recorded.lado}
    if not _newer(connection, recorded.meeting_id, meeting.c.version < recorded.version, meeting.c.version, row):
        return
    connection.execute(invitee.delete().where(invitee.c.meeting_id == recorded.meeting_id))
    everyone = {one.organisation_id for one in recorded.invitees}
    # Invited twice: as much as the less entitled of the two may have (strategy_minutes/view.py).
    less = {one.organisation_id for one in recorded.invitees if one.release is not Release.FULL}
    rows = [{"meeting_id": recorded.meeting_id, "organisation": name} for name in sorted(everyone - less)]
    if rows:
        connection.execute(invitee.insert(), rows)


def _note_minutes(connection: sa.Connection, approved: MinutesApproved) -> None:
    # A clock that runs ahead must not make them the latest for ever.
    us = int(min(approved.approved_at, approved.at).timestamp() * 1_000_000)
    row = {"approved_us": us, "embargo": approved.embargo is not None}
    _newer(connection, approved.meeting_id, meeting.c.approved_us <= us, meeting.c.approved_us, row)


def _newer(
    connection: sa.Connection, meeting_id: str, is_newer: sa.ColumnElement[bool], known: Any, row: dict[str, Any]
) -> bool:
    """Write `row` unless something newer is known; whether it was written."""
    nothing = {"meeting_id": meeting_id, "lado": False, "embargo": False}
    connection.execute(upsert(connection, meeting).values(nothing).on_conflict_do_nothing())
    this = meeting.update().where(meeting.c.meeting_id == meeting_id, known.is_(None) | is_newer)
    return connection.execute(this.values(row)).rowcount == 1
