"""Whatever concerns a child, and what workers do → handover.board, handover.escalations, receipts."""

from datetime import time, timedelta

from services.bus.envelope import Event
from services.bus.events import (
    ChildMatched,
    ChildUnmatched,
    ContactReceived,
    DeadLetter,
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    DecisionMade,
    DisclosureRead,
    HandoverActed,
    HandoverEscalated,
    HandoverNoted,
    HealthUpdated,
    InformationRequested,
    InformationReturned,
    MatterChanged,
    MatterCued,
    MeetingRecorded,
    OperatorActed,
    OutcomeShared,
    PoliceNotified,
    SchoolAlerted,
    ShiftClosed,
)
from services.bus.service import Service
from services.bus.settings import Settings
from services.handover_feed.board.projection import BOARD
from services.handover_feed.decide import arrange, escalate, keep, show
from services.handover_feed.shifts import Duty
from services.handover_feed.view import on_duty

ABOUT_A_MATTER: tuple[type[Event], ...] = (
    PoliceNotified, ChildUnmatched, ChildMatched, SchoolAlerted, ContactReceived, InformationRequested,
    InformationReturned, DecisionMade, OutcomeShared, HealthUpdated, DisclosureRead, DeadlineSet, DeadlineMet,
    DeadlineMissed, DeadLetter, HandoverNoted, HandoverActed, HandoverEscalated, MatterCued,
    OperatorActed,
)  # fmt: skip


def duty_of(at: Settings) -> Duty:
    """When the sides change, and how long danger may wait, as this installation is set up."""
    return Duty(
        day_from=time.fromisoformat(at.board_day_from),
        night_from=time.fromisoformat(at.board_night_from),
        take_within=timedelta(minutes=at.board_take_within_minutes),
    )


def service(duty: Duty) -> Service:
    """The room, with its hours."""
    return Service(
        name="handover-feed",
        on=dict.fromkeys(ABOUT_A_MATTER, show) | {MeetingRecorded: arrange, MatterChanged: keep, ShiftClosed: keep},
        emits=(MatterChanged, HandoverEscalated, DisclosureRead, HandoverActed, MatterCued),
        view=on_duty(duty),
        on_alarm=escalate,
        projection=BOARD,
    )


def __getattr__(name: str) -> Service:
    """SERVICE is wired when it is asked for: settings that are wrong break no import.

    Raises:
        pydantic.ValidationError: they are.
    """
    if name != "SERVICE":
        raise AttributeError(name)
    return service(duty_of(Settings()))  # read afresh: nobody's cached settings are made by this
