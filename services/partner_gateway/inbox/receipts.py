"""A named practitioner has read a disclosure or acted on it: checked, remembered, published as DisclosureRead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from services.bus.envelope import Envelope, same_cause_same_id
from services.bus.events import DisclosureRead, HealthUpdated, ReceiptState, Role
from services.bus.tables import upsert
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import reading
from services.partner_gateway.partners.registry import people_of
from services.partner_gateway.tables import conflict, opening, receipt
from services.web.problems import Problem

AHEAD = timedelta(minutes=1)
"""So much another clock may be ahead of ours."""

NOBODY = (
    "is no named person of your organisation's; give the id, the sign-in or the exact name of one, or have them named"
)
SEVERAL = "is the name of more than one of your named people; give the person's id or sign-in"


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says that a named person has done."""

    disclosure_id: str
    state: Literal["READ", "ACTED"]
    practitioner: str
    """A person: a machine's fetching is no reading. Where the organisation has named people, by the id, the sign-in or
    the exact name of one of them; where it has none, by a name."""
    happened_at: datetime | None = None
    """Now, if it is not said."""
    hidden_from_online_access: bool | None = None
    no_conflict: bool = False
    """The practitioner declares that no adult of concern is connected with them (H3)."""
    person_id: str | None = None
    """Who signed in, which then is known; an organisation's own system leaves it to be found out."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt as it stands; saying it again gives the same."""

    receipt_id: str
    number: int
    """Of the entry in the inbox."""
    happened_at: datetime


async def give_receipt(gateway: Gateway, organisation: str, said: Said) -> Receipt:
    """Publish that this disclosure of the organisation's own inbox was read or acted on, durably and once.

    Raises:
        Problem: 404, no such disclosure in this inbox; 422, something about it is missing or wrong; 409, the reader has
            not denied a conflict yet, or has one (H3); 503, not known whether it was taken: say it again.
    """

    def remember(connection: sa.Connection) -> tuple[reading.Row, Reader, str, int]:
        who = _reader(connection, organisation, said)
        row = reading.by_disclosure(connection, organisation, said.disclosure_id, gateway.now_us, person_id=who.key)
        if row is None:
            raise Problem(404, "not-found", "there is no such disclosure in your inbox")
        _check(row, said, who, gateway.now_us)
        mine = (conflict.c.disclosure_id == row.disclosure_id) & (conflict.c.person_id == who.key)
        if connection.execute(sa.select(conflict.c.declared_us).where(mine)).first():
            raise Problem(409, "conflict-declared", "this reader is, or may be, connected with an adult of concern")
        return row, who, *_remembered(connection, row, said, who, gateway.now_us)

    row, who, receipt_id, happened_us = await gateway.access.write(remember)
    event = _event(row, said, who, receipt_id, happened_us)
    (posted,) = await gateway.postbox.post([event], organisation)
    if posted.state not in {"accepted", "repeated"}:
        raise Problem(
            503, "try-again", "it is not known whether the receipt was taken; send it again",
            headers={"Retry-After": "2"},
        )  # fmt: skip
    return Receipt(receipt_id, row.number, event.happened_at)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who did it."""

    key: str
    """For whom declarations are kept (H3): a named person's id; where there are none, the name."""
    name: str
    """As the receipt says it."""
    wrong: str = ""
    """Why this can be nobody."""


def _reader(connection: sa.Connection, organisation: str, said: Said) -> Reader:
    """Who is meant: somebody by the same id, sign-in or name is the same, whoever says it how."""
    given = said.practitioner.strip()
    if said.person_id:
        return Reader(said.person_id, given)
    if not given or given == organisation:
        return Reader(given, given, "must name the person who did it")
    people = people_of(connection, organisation)
    if not people:
        return Reader(given, given)
    meant = [one for one in people if given in (one.person_id, one.subject)]
    meant = meant or [one for one in people if one.name == given]
    if not meant:
        return Reader(given, given, NOBODY)
    return Reader(meant[0].person_id, meant[0].name, "" if len(meant) == 1 else SEVERAL)


def _check(row: reading.Row, said: Said, who: Reader, now_us: int) -> None:
    wrong = [("/practitioner", who.wrong)] if who.wrong else []
    if said.happened_at and _us(said.happened_at - AHEAD) > now_us:
        wrong.append(("/happened_at", "lies in the future"))
    is_record = row.type == HealthUpdated.topic
    if is_record and said.state == "ACTED" and not said.hidden_from_online_access:
        wrong.append(("/hidden_from_online_access", "must be true: whoever acts confirms that it is hidden (H11)"))
    if not is_record and said.hidden_from_online_access is not None:
        wrong.append(("/hidden_from_online_access", "is for health records alone"))
    if wrong:
        raise Problem(422, "invalid-receipt", "something about this receipt is missing or wrong", errors=wrong)
    if row.declare_no_conflict and not (said.no_conflict or row.opened):
        raise Problem(
            409, reading.WITHHELD, "the reader must first declare that no adult of concern is connected with them",
            errors=[("/no_conflict", "must be true for this disclosure")],
        )  # fmt: skip


def _remembered(connection: sa.Connection, row: reading.Row, said: Said, who: Reader, now_us: int) -> tuple[str, int]:
    """The receipt's id, and when it happened as that was first said; with the declaration, if one was made."""
    if said.no_conflict:
        declared = {"disclosure_id": row.disclosure_id, "person_id": who.key, "no_conflict_us": now_us}
        connection.execute(upsert(connection, opening).values(declared).on_conflict_do_nothing())
    hidden = "hidden" if said.hidden_from_online_access else None
    parts = ("receipt", row.organisation, row.disclosure_id, said.state, who.name, hidden)
    receipt_id = str(same_cause_same_id(*parts))
    first = {
        "receipt_id": receipt_id,
        "organisation": row.organisation,
        "disclosure_id": row.disclosure_id,
        "practitioner": who.name,
        "happened_us": _us(said.happened_at) if said.happened_at else now_us,
        "at_us": now_us,
    }
    connection.execute(upsert(connection, receipt).values(first).on_conflict_do_nothing())
    stands = sa.select(receipt.c.happened_us).where(receipt.c.receipt_id == receipt_id)
    return receipt_id, connection.execute(stands).scalar_one()


def _event(row: reading.Row, said: Said, who: Reader, receipt_id: str, happened_us: int) -> DisclosureRead:
    """Of a child in hiding, neither a name nor the source may show who was told (H2)."""
    happened_at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=happened_us)
    hiding = row.location_confidential
    source = "urn:safebus:partner-gateway" if hiding else f"urn:safebus:{row.organisation}"
    event = DisclosureRead(
        receipt_id=receipt_id,
        disclosure_id=row.disclosure_id,
        child_id=row.child_id,
        role=Role(row.role),
        state=ReceiptState(said.state),
        happened_at=happened_at,
        practitioner=None if hiding else who.name,
        hidden_from_online_access=said.hidden_from_online_access,
    )
    envelope = Envelope(
        receipt_id,
        source,
        DisclosureRead.topic,
        happened_at,
        subject=row.disclosure_id,
        cause_id=row.event_id,
        cause_source=row.source,
        correlation_id=f"{source} {receipt_id}",
    )
    event.enveloped(envelope)
    return event


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
