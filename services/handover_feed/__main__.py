"""python -m services.handover_feed"""

from services.bus.run import run
from services.bus.settings import settings_or_end
from services.handover_feed.door.serve import open_board
from services.handover_feed.wiring import duty_of, service

run(service(duty_of(settings_or_end())), beside=open_board)
