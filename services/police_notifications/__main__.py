"""python -m services.police_notifications"""

from services.bus.run import run
from services.police_notifications.wiring import SERVICE

run(SERVICE)
