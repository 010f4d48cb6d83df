"""python -m services.partner_gateway"""

from services.bus.run import run
from services.partner_gateway.door.serve import open_door
from services.partner_gateway.recipients import routes
from services.partner_gateway.wiring import SERVICE

run(SERVICE, beside=open_door, shows=routes)
