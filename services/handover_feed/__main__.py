"""python -m services.handover_feed"""

from services.bus.run import run
from services.handover_feed.door.serve import open_board
from services.handover_feed.wiring import SERVICE

run(SERVICE, beside=open_board)
