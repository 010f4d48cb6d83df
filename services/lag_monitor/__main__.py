"""python -m services.lag_monitor"""

from services.bus.run import run_room
from services.lag_monitor.monitor import Monitor
from services.lag_monitor.watch import NAME

run_room(NAME, Monitor)
