"""police.incidents, police.matches → police.notifications, police.unmatched, deadlines.set."""

from services.bus.events import ChildMatched, ChildUnmatched, DeadlineSet, IncidentReported, PoliceNotified
from services.bus.service import Service
from services.police_notifications.decide import ask_for_the_incident, notify_front_door, notify_matched_child
from services.police_notifications.view import Incident

SERVICE = Service(
    name="police-notifications",
    on={IncidentReported: notify_front_door, ChildMatched: notify_matched_child},
    emits=(PoliceNotified, ChildUnmatched, DeadlineSet),
    view=Incident,
    on_alarm=ask_for_the_incident,
)
