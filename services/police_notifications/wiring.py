"""police.incidents, police.matches → police.notifications, police.unmatched, deadlines.set, deadlines.met."""

from services.bus.events import ChildMatched, ChildUnmatched, DeadlineMet, DeadlineSet, IncidentReported, PoliceNotified
from services.bus.service import Service
from services.police_notifications.decide import notify_front_door, notify_matched_child
from services.police_notifications.view import Incident

SERVICE = Service(
    name="police-notifications",
    on={IncidentReported: notify_front_door, ChildMatched: notify_matched_child},
    emits=(PoliceNotified, ChildUnmatched, DeadlineSet, DeadlineMet),
    view=Incident,
)
