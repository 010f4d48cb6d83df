"""python -m services.gp_updates"""

from services.bus.run import run
from services.gp_updates.wiring import SERVICE

run(SERVICE)
