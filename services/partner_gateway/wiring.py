"""Every topic that discloses, whichever there will be, and receipts → inboxes."""

from services.bus.codec import event_types
from services.bus.events import DisclosureRead
from services.bus.service import Service
from services.partner_gateway.decide import deliver, note_reading
from services.partner_gateway.inbox.projection import INBOXES

SERVICE = Service(
    name="partner-gateway",
    on={kind: deliver for kind in event_types().values() if "disclosure" in kind.model_fields}
    | {DisclosureRead: note_reading},
    emits=(),
    projection=INBOXES,
)
