"""police.notifications → worker.alerts."""

from services.bus.events import PoliceNotified, WorkerAlerted
from services.bus.service import Service
from services.worker_alerts.decide import tell_worker

SERVICE = Service(
    name="worker-alerts",
    on={PoliceNotified: tell_worker},
    emits=(WorkerAlerted,),
)
