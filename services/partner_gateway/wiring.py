"""Every topic that discloses, whichever there will be, receipts, and who may have which minutes → inboxes."""

from services.bus.codec import event_types
from services.bus.events import DisclosureRead, MeetingRecorded, MinutesApproved
from services.bus.service import Service
from services.partner_gateway.decide import deliver, note_entitlement, note_reading
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.view import Told

SERVICE = Service(
    name="partner-gateway",
    on={kind: deliver for kind in event_types().values() if "disclosure" in kind.model_fields}
    | {DisclosureRead: note_reading, MeetingRecorded: note_entitlement, MinutesApproved: note_entitlement},
    emits=(),
    view=Told,
    projection=INBOXES,
)
