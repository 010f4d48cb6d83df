"""Which event reaches which decision."""

from services.bus.events import DeadlineMet, DeadlineMissed, DeadlineSet, DisclosureRead
from services.bus.service import Service
from services.deadlines.decide import accept, end, escalate, note_met
from services.deadlines.view import Deadline

SERVICE = Service(
    name="deadlines",
    on={DeadlineSet: accept, DisclosureRead: end, DeadlineMet: note_met},
    emits=(DeadlineMet, DeadlineMissed),
    view=Deadline,
    on_alarm=escalate,
)
