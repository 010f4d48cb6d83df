"""One meeting and its minutes, whichever came first, and what each invitee has been handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from pydantic import AwareDatetime, Field

from services.bus.calendar import working_days_after
from services.bus.disclosing import conflict
from services.bus.envelope import Event, Model
from services.bus.events import Invitee, MeetingRecorded, MinutesApproved, Release, Role, YesNoUnknown
from services.bus.service import View

GENEROSITY = (Release.NOTHING, Release.ACTIONS_ONLY, Release.EXTRACT, Release.FULL)
"""The least first."""

MEETING_WITHIN = 1
"""Working days that minutes wait for the record of their meeting before that is escalated."""


class Handed(Model):
    """What one invitee was handed, and the event that caused it, by which the disclosure's id can be told."""

    minutes_id: str
    release: Release
    cause_id: str
    cause_source: str


@dataclass(frozen=True, slots=True)
class Share:
    """What one invitee is entitled to."""

    organisation_id: str
    role: Role
    release: Release
    was_absent: bool


class Meeting(View):
    """`minutes` are the latest; without `meeting` they wait for it until `meeting_due_by`."""

    meeting: MeetingRecorded | None = None
    minutes: MinutesApproved | None = None
    meeting_due_by: AwareDatetime | None = None
    handed: dict[str, Handed] = Field(default_factory=dict)
    """By organisation."""

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.meeting_id if isinstance(event, MeetingRecorded | MinutesApproved) else None

    def evolve(self, event: Event) -> Self:
        now = self.with_record(event)
        said = event.envelope
        handed = dict(now.handed)
        if now.minutes and now is not self:
            minutes_id = now.minutes.minutes_id
            for share in now.to_hand_out():
                if not now.conflicted(share):
                    handed[share.organisation_id] = Handed(
                        minutes_id=minutes_id, release=share.release, cause_id=said.id, cause_source=said.source
                    )
            for organisation_id in now.to_withdraw():
                handed[organisation_id] = handed[organisation_id].model_copy(
                    update={"release": now.release_of(organisation_id)}
                )
        return now._with(handed=handed)

    def with_record(self, event: Event) -> Self:
        """With the meeting or the minutes that the event brings; itself if they are older or known.

        An embargo that is placed or lifted is news, although the minutes are the same.
        """
        match event:
            case MeetingRecorded() if not self.meeting or event.version > self.meeting.version:
                return self._with(meeting=_body(event))
            case MinutesApproved() if self._is_news(event):
                waits = self.meeting is None and self.meeting_due_by is None
                due_by = working_days_after(event.at, MEETING_WITHIN) if waits else self.meeting_due_by
                return self._with(minutes=_body(_approved(event)), meeting_due_by=due_by)
        return self

    def contradicted_by(self, event: MeetingRecorded | MinutesApproved) -> bool:
        """Whether it says something else under a version or an id that is known. An embargo is news instead."""
        if isinstance(event, MeetingRecorded):
            known = self.meeting
            return known is not None and known.version == event.version and dict(known) != dict(event)
        minutes = self.minutes
        if minutes is None or minutes.minutes_id != event.minutes_id or self._is_news(event):
            return False
        return {**dict(minutes), "approved_at": None} != {**dict(event), "approved_at": None}

    @property
    def held_back(self) -> bool:
        """H4: an embargo stands, or it is about an allegation against a professional: a person decides on all of it."""
        return bool((self.meeting and self.meeting.lado) or (self.minutes and self.minutes.embargo))

    def shares(self) -> list[Share]:
        """One for each invited organisation that may have anything, absentees first (N5), else as they were invited.

        An organisation that was invited twice has one inbox: it is told once, in its first role, as much as the less
        entitled of the two may have.
        """
        if not (self.meeting and self.minutes) or self.held_back:
            return []
        merged: dict[str, Share] = {}
        for invitee in self.meeting.invitees:
            share = self._share(invitee)
            other = merged.get(share.organisation_id)
            merged[share.organisation_id] = _once(other, share) if other else share
        entitled = [share for share in merged.values() if share.release is not Release.NOTHING]
        return sorted(entitled, key=lambda share: not share.was_absent)

    def to_hand_out(self) -> list[Share]:
        """The shares of those who were handed nothing yet of these minutes, or less."""
        return [share for share in self.shares() if self._is_due(share)]

    def to_withdraw(self) -> list[str]:
        """Organisations that were handed more of these minutes than the chair now lets them have."""
        if self.held_back or not (self.meeting and self.minutes):
            return []
        return [
            organisation_id
            for organisation_id, had in self.handed.items()
            if had.minutes_id == self.minutes.minutes_id
            and GENEROSITY.index(had.release) > GENEROSITY.index(self.release_of(organisation_id))
        ]

    def release_of(self, organisation_id: str) -> Release:
        """What an organisation may have now; nothing if it is not invited."""
        return next((s.release for s in self.shares() if s.organisation_id == organisation_id), Release.NOTHING)

    def conflicted(self, share: Share) -> bool:
        """H3: an adult of concern is connected with the invitee."""
        adults = self.meeting.adults_of_concern if self.meeting else []
        return conflict(adults, share.organisation_id) is YesNoUnknown.YES

    def _is_due(self, share: Share) -> bool:
        had = self.handed.get(share.organisation_id)
        if had is None or self.minutes is None or had.minutes_id != self.minutes.minutes_id:
            return True
        return GENEROSITY.index(had.release) < GENEROSITY.index(share.release)

    def _is_news(self, approved: MinutesApproved) -> bool:
        known = self.minutes
        if known is None or _approved(approved).approved_at < known.approved_at:
            return known is None
        return approved.minutes_id != known.minutes_id or approved.embargo != known.embargo

    def _share(self, invitee: Invitee) -> Share:
        """H4: actions only, unless the chair decided otherwise and there is something to give."""
        assert self.minutes
        minutes, release = self.minutes, invitee.release
        nothing_full = release is Release.FULL and not (minutes.full_text or minutes.document)
        no_extract = release is Release.EXTRACT and not minutes.extract
        if release is Release.UNKNOWN or nothing_full or no_extract:
            release = Release.ACTIONS_ONLY
        return Share(invitee.organisation_id, invitee.role, release, invitee.attended is not YesNoUnknown.YES)

    def _with(self, **changed: Any) -> Self:
        return self.model_copy(update=changed)


def _once(first: Share, second: Share) -> Share:
    less = min(first.release, second.release, key=GENEROSITY.index)
    return Share(first.organisation_id, first.role, less, first.was_absent or second.was_absent)


def _approved(minutes: MinutesApproved) -> MinutesApproved:
    """A clock that runs ahead must not make them the latest for ever."""
    if minutes.approved_at <= minutes.at:
        return minutes
    return minutes.model_copy(update={"approved_at": minutes.at})


def _body(event: Event) -> Event:
    """The event without its envelope, which is not kept."""
    return type(event).model_construct(**dict(event))
