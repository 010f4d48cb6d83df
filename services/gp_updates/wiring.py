"""gp.cues → gp.updates, deadlines.set."""

from services.bus.events import DeadlineSet, HealthToBeTold, HealthUpdated
from services.bus.service import Service
from services.gp_updates.decide import update_record

SERVICE = Service(
    name="gp-updates",
    on={HealthToBeTold: update_record},
    emits=(HealthUpdated, DeadlineSet),
)
