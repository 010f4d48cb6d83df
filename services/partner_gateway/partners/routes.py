"""A rehearsal on demand: an event about nobody, by the whole real path, into the inbox of whoever asks for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from services.bus.envelope import Envelope
from services.bus.errors import Surroundings
from services.bus.events import LawfulBasis, Purpose, Role, SandboxAlerted
from services.partner_gateway.door.context import Gateway, gateway_of
from services.partner_gateway.door.who import Caller, authorise, caller
from services.partner_gateway.partners.registry import SANDBOX

router = APIRouter()

CHILD = "sandbox-child"
NOBODY = {"forenames": "Testina", "family_name": "Sandbox", "date_of_birth": "2016-02-29", "nhs_number": "9990000018"}
WORDS = "This is a test of the connection. There is no such child and no such incident; nothing is to be done."
DUE = timedelta(hours=24)
"""In the inbox it turns late after that, as a real one would; nobody is told."""


@router.post("/v1/sandbox/event", status_code=202)
async def rehearse(request: Request, who: Annotated[Caller, Depends(caller)]) -> JSONResponse:
    """Have a made-up disclosure sent to the own inbox, each time a new one. For sandbox organisations."""
    authorise(who, SANDBOX)
    gateway = gateway_of(request)
    event = rehearsal(gateway, who.organisation)
    (posted,) = await gateway.postbox.post([event], who.organisation)
    if posted.state != "accepted":
        raise Surroundings("Kafka did not acknowledge it in time")
    said: dict[str, Any] = {
        "id": posted.id,
        "source": posted.source,
        "type": event.topic,
        "disclosure_id": str(event.disclosure.id),
        "state": posted.state,
    }
    return JSONResponse(said, 202)


def rehearsal(gateway: Gateway, organisation: str) -> SandboxAlerted:
    """A new event about nobody, for that organisation and from it."""
    now, own_id, source = gateway.clock.now(), uuid4(), f"urn:safebus:{organisation}"
    body = {
        "disclosure": {
            "id": own_id,
            "recipient": organisation,
            "recipient_role": Role.OTHER,
            "purpose": Purpose.OPERATION_ENCOMPASS,
            "lawful_basis": LawfulBasis.DA_ACT_2021_S49_A,
            "due_by": now + DUE,
        },
        "child_id": CHILD,
        "about": NOBODY,
        "incident_at": now,
        "what_to_do": WORDS,
    }
    envelope = Envelope(
        str(own_id), source, SandboxAlerted.topic, now, subject=CHILD, correlation_id=f"{source} {own_id}"
    )
    return SandboxAlerted.model_validate(body).enveloped(envelope)
