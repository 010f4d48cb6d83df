"""python -m services.deadlines"""

from services.bus.run import run
from services.deadlines.wiring import SERVICE

run(SERVICE)
