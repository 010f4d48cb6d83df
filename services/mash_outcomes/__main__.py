"""python -m services.mash_outcomes"""

from services.bus.run import run
from services.mash_outcomes.wiring import SERVICE

run(SERVICE)
