"""What an operator sees of an event: ids, enums, times, numbers and yes or no. All else is masked.

The rule goes by the schema and denies by default, so a field that is added tomorrow is masked until it is named here:

- shown: UUIDs, enums, timestamps, numbers, booleans; and a string that is named below as an opaque id or as a code of
  our own, if it looks like one, since a sender can put anything anywhere
- shown where it is known that nobody hides: which organisation (H2). A recipient can reveal a place, so where an event
  does not say itself that the child's location is not confidential, the caller must know it
- masked: every other string, bytes, days (one may be a birthday), ages, the keys of maps, unions of several types
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from services.bus.broker import Record
from services.bus.contract import load, reason_against
from services.bus.envelope import Event
from services.bus.errors import Unfit

MASK: Final = "•••"
CONFIDENTIAL: Final = "location_confidential"
NO_CHILD: Final = frozenset({"OrganisationRecorded", "OperatorActed", "ProbeSent", "ProbeHeard"})
"""Records about no child, whose organisations hide nobody."""

# fmt: off
IDS: Final = frozenset({
    "act_id", "action_id", "addresses", "caused_by", "child_id", "child_ids", "closed", "contact_id",
    "decision_id", "enquiry_id", "escalation_id", "event_id", "fact_id", "handed_on", "incident_id",
    "matter_id", "meeting_id", "minutes_id", "note_id", "person_id", "probe_id", "receipt_id", "request_id",
    "response_id", "seen_id", "shift_id", "stays", "subject", "unmatched_id",
})
# fmt: on
"""Fields that hold opaque ids, whatever their record."""

# fmt: off
ORGANISATIONS: Final = frozenset({
    "escalate_to", "escalates_to", "event_source", "force", "holiday_cover", "host_authority", "organisation",
    "organisation_id", "owed_by", "owner", "placing_authority", "recipient", "successor",
})
# fmt: on
"""Fields that name an organisation, whatever their record."""

ABSENT_IF_CONFIDENTIAL: Final = frozenset(
    {("DeadLetter", "recipient"), ("DeadlineSet", "owed_by"), ("DeadlineMissed", "owed_by")}
)
"""They are not written where they would reveal a place (see their docs), so what stands there may be shown."""

CODES: Final = frozenset(
    {
        *(("DeadLetter", name) for name in ["service", "reason_code", "rule", "field", "explanation", "origin_topic"]),
        *(("OperatorActed", name) for name in ["about", "by", "service", "became"]),
        ("MatterChanged", "type"),
        ("Told", "type"),
        ("ProbeHeard", "service"),
        ("OrganisationRecorded", "urn"),
        ("OrganisationRecorded", "ods_code"),
        ("OrganisationRecorded", "local_authority_code"),
        ("OpeningHours", "opens"),
        ("OpeningHours", "closes"),
    }
)
"""Written by our own services, or by a public register, and never about a person."""

# fmt: off
HEADERS: Final = frozenset({
    "ce_causeid", "ce_causesource", "ce_causestep", "ce_correlationid", "ce_dataschema", "ce_id",
    "ce_source", "ce_specversion", "ce_subject", "ce_time", "ce_type", "content-type", "safebus_copiedby",
    "safebus_retry", "traceparent",
})
# fmt: on
"""Names of headers that are shown; a sender may give any other, and any text is one."""

DAYS: Final = frozenset(["first", "last", "since", "until", "review_date"])
"""Days that are nobody's birthday."""

PERSONAL_NUMBERS: Final = frozenset({"stated_age"})

_NUMBERS: Final = ("int", "long", "float", "double")
_TIMESTAMPS: Final = ("timestamp-micros", "timestamp-millis")
_ID: Final = re.compile(r"(?=.*[0-9])[A-Za-z0-9](?:[A-Za-z0-9._:+-]|/(?=.)){0,120}")
_ORGANISATION: Final = re.compile(r"[a-z][a-z-]{1,30}:[A-Za-z0-9][A-Za-z0-9-]{0,40}")
_DAY: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_NUMBER: Final = re.compile(r"[+]?[\d.\-]{8,}")
_POSTCODE: Final = re.compile(r"(?i)[a-z]{1,2}\d[a-z\d]?-?\d[a-z]{2}")
_TEN_DIGITS: Final = re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)")
_OURS: Final = "urn:safebus:"


def masked(event: Event, *, confidential: bool | None = None) -> dict[str, Any]:
    """The event's content as JSON takes it, with what may not be seen as •••.

    Args:
        confidential: whether the child's location is, as far as the caller knows; None if it knows nothing. What the
            event itself says to the contrary does not open what the caller knows to be closed.
    """
    schema = load()[event.topic].definition
    content = event.model_dump(by_alias=True)
    closed = True if confidential else hides(content)
    if closed is None:
        closed = schema["name"] not in NO_CHILD if confidential is None else confidential
    shown: dict[str, Any] = masked_by(schema, content, closed=closed)
    return shown


def masked_by(schema: Any, content: Any, *, closed: bool) -> Any:
    """Any content of any Avro schema; `closed` masks organisations as well (H2)."""
    return _Masking(closed).of(schema, content, "", "")


def revealed(event: Event) -> dict[str, Any]:
    """All of the content, as JSON takes it. Only after `acts.record`."""
    content: dict[str, Any] = event.model_dump(mode="json", by_alias=True)
    return content


def hides(content: Any) -> bool | None:
    """Whether an event's content says that the child's location is confidential; None if it says nothing about it."""
    said: bool | None = None
    if isinstance(content, Mapping):
        if isinstance(own := content.get(CONFIDENTIAL), bool):
            said = own
        inner = [hides(value) for value in content.values()]
    elif isinstance(content, list | tuple):
        inner = [hides(value) for value in content]
    else:
        return None
    if said or True in inner:
        return True
    return False if said is False or False in inner else None


def opaque(text: str | None) -> str:
    """The text if it can be an opaque id, otherwise •••. A sender's id may be anything: a number that could be a
    person's, a date, a postcode or a name is not shown."""
    if not text:
        return ""
    return text if _is_opaque(text) else MASK


def source(text: str | None, *, confidential: bool | None) -> str:
    """Who said an event: a part of the bus, or an organisation, which is shown where it reveals no place (H2)."""
    said = (text or "").removeprefix(_OURS)
    if ":" not in said and re.fullmatch(r"[a-z][a-z-]{1,40}", said) and (text or "").startswith(_OURS):
        return said
    return organisation(said, confidential=confidential)


def organisation(text: str | None, *, confidential: bool | None) -> str:
    """Which organisation, where it is known that this reveals no place (H2)."""
    if not text:
        return ""
    return text if confidential is False and _ORGANISATION.fullmatch(text) and not _personal(text) else MASK


def moment(text: str | None) -> str:
    """A sender's time, if it is one."""
    try:
        return datetime.fromisoformat(text or "").isoformat()
    except ValueError:
        return MASK if text else ""


def header(record: Record, name: str) -> str | None:
    """A header's text; None if it is absent or no text."""
    value = dict(record.headers).get(name)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _is_opaque(text: str) -> bool:
    return _is_uuid(text) or (bool(_ID.fullmatch(text)) and not _personal(text))


def _personal(text: str) -> bool:
    """Whether it could be a date, a telephone or NHS number, a pupil number or a postcode."""
    if any(shape.fullmatch(text) for shape in (_DAY, _NUMBER, _POSTCODE)):
        return True
    if any(reason_against("nhs-number", run) is None for run in _TEN_DIGITS.findall(text)):
        return True
    return reason_against("upn", text) is None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


class _Masking:
    """One walk along a schema and its content."""

    def __init__(self, closed: bool) -> None:
        self._closed = closed
        self._named: dict[str, Any] = {}

    def of(self, schema: Any, value: Any, record: str, field: str) -> Any:
        """`value` as it may be seen: that of `field` in `record`, both by their short names."""
        if value is None or value == "":
            return value
        if isinstance(schema, list):
            branches = [branch for branch in schema if branch != "null"]
            return self.of(branches[0], value, record, field) if len(branches) == 1 else MASK
        if isinstance(schema, str):
            if (name := schema.rpartition(".")[2]) in self._named:
                return self.of(self._named[name], value, record, field)
            schema = {"type": schema}
        if "name" in schema and schema.get("type") in ("record", "enum", "fixed"):
            self._named[schema["name"]] = schema
        return self._of_type(schema, value, record, field)

    def _of_type(self, schema: Mapping[str, Any], value: Any, record: str, field: str) -> Any:
        kind = schema["type"]
        if isinstance(kind, dict | list):
            return self.of(kind, value, record, field)
        if kind == "record" and isinstance(value, Mapping):
            return {
                inner["name"]: self.of(inner["type"], value.get(inner["name"]), schema["name"], inner["name"])
                for inner in schema["fields"]
            }
        if kind == "array" and isinstance(value, list | tuple):
            return [self.of(schema["items"], item, record, field) for item in value]
        if kind == "map" and isinstance(value, Mapping):
            return [self.of(schema["values"], item, record, field) for item in value.values()]
        if kind == "enum":
            text = str(value.value) if isinstance(value, Enum) else value
            return text if text in schema["symbols"] else MASK
        if kind == "boolean":
            return value if isinstance(value, bool) else MASK
        if kind in _NUMBERS:
            return self._number(schema, value, field)
        return self._string(schema, value, record, field) if kind == "string" else MASK

    def _number(self, schema: Mapping[str, Any], value: Any, field: str) -> Any:
        logical = schema.get("logicalType")
        if logical in _TIMESTAMPS and isinstance(value, datetime):
            return value.isoformat()
        if logical == "date" and field in DAYS:
            return value.isoformat()
        plain = logical is None and isinstance(value, int | float) and field not in PERSONAL_NUMBERS
        return value if plain else MASK

    def _string(self, schema: Mapping[str, Any], value: Any, record: str, field: str) -> str:
        text = str(value)
        if schema.get("logicalType") == "uuid":
            return text if _is_uuid(text) else MASK
        if (record, field) == ("OriginalHeader", "name"):
            return text if text in HEADERS else MASK
        if (record, field) in CODES:
            return text
        if (record, field) in ABSENT_IF_CONFIDENTIAL:
            return organisation(text, confidential=False)
        if field in ORGANISATIONS:
            return source(text, confidential=self._closed) if field == "event_source" else self._organisation(text)
        return opaque(text) if field in IDS else MASK

    def _organisation(self, text: str) -> str:
        return organisation(text, confidential=self._closed)


def masked_or_fault(event: Event | None, fault: Unfit | None, *, confidential: bool | None = None) -> dict[str, Any]:
    """What can be shown of a record: its content masked, or why it has none."""
    if event is not None:
        return masked(event, confidential=confidential)
    return {"fault": fault.code if fault else "unknown", "field": fault.field if fault else None}
