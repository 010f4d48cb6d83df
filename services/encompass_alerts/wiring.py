"""police.notifications → encompass.alerts, deadlines.set."""

from services.bus.events import DeadlineSet, PoliceNotified, SchoolAlerted
from services.bus.service import Service
from services.encompass_alerts.decide import alert_schools

SERVICE = Service(
    name="encompass-alerts",
    on={PoliceNotified: alert_schools},
    emits=(SchoolAlerted, DeadlineSet),
)
