"""python -m services.encompass_alerts"""

from services.bus.run import run
from services.encompass_alerts.wiring import SERVICE

run(SERVICE)
