"""Which event reaches which decision."""

from services.bus.events import DeadlineMet, DeadlineSet, MeetingRecorded, MinutesApproved, MinutesDistributed
from services.bus.service import Service
from services.strategy_minutes.decide import hand_out, note_meeting
from services.strategy_minutes.view import Meeting

SERVICE = Service(
    name="strategy-minutes",
    on={MeetingRecorded: note_meeting, MinutesApproved: hand_out},
    emits=(MinutesDistributed, DeadlineSet, DeadlineMet),
    view=Meeting,
)
