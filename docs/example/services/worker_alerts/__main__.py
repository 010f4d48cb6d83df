"""python -m services.worker_alerts"""

from services.bus.run import run
from services.worker_alerts.wiring import SERVICE

run(SERVICE)
