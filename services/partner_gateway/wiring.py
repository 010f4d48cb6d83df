"""Every topic that discloses, and receipts → inboxes."""

from services.bus.events import (
    DeadlineMissed,
    DisclosureRead,
    HealthUpdated,
    InformationRequested,
    MinutesDistributed,
    OutcomeShared,
    PoliceNotified,
    SchoolAlerted,
)
from services.bus.service import Service
from services.partner_gateway.decide import deliver, note_reading
from services.partner_gateway.inbox.projection import INBOXES

SERVICE = Service(
    name="partner-gateway",
    on={
        PoliceNotified: deliver,
        SchoolAlerted: deliver,
        InformationRequested: deliver,
        OutcomeShared: deliver,
        HealthUpdated: deliver,
        MinutesDistributed: deliver,
        DeadlineMissed: deliver,
        DisclosureRead: note_reading,
    },
    emits=(),
    projection=INBOXES,
)
