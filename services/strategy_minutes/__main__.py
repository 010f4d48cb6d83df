"""python -m services.strategy_minutes"""

from services.bus.run import run
from services.strategy_minutes.wiring import SERVICE

run(SERVICE)
