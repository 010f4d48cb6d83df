"""Any content that a schema allows, made from the schema itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from nhs_number import calculate_checksum
from stdnum.gb.upn import calc_check_digit

from services.bus.contract import Schema
from services.bus.contract.identifiers import PROPERTY

Values = st.SearchStrategy[Any]

LETTERS_AND_DIGITS = "ABCDEFGHJKLMNPQRTUVWXYZ0123456789"


def _nhs_number(serial: int) -> str | None:
    digits = f"999{serial:06d}"
    check = calculate_checksum(digits)
    number = f"{digits}{check}"
    return None if check == 10 or number == "9" * 10 else number


IDENTIFIERS: dict[str, Values] = {
    "nhs-number": st.integers(0, 999_999).map(_nhs_number).filter(bool),
    "upn": st.from_regex(r"\A[0-9]{11}[0-9A-HJ-NP-RT-Z]\Z").map(lambda rest: calc_check_digit(rest) + rest),
    "urn": st.from_regex(r"\A[1-9][0-9]{5}\Z"),
    "ods-code": st.text(LETTERS_AND_DIGITS, min_size=1, max_size=9),
}
LOGICAL: dict[str, Values] = {
    "uuid": st.uuids(),
    "date": st.dates(),
    "timestamp-micros": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}
PRIMITIVE: dict[str, Values] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
}


def contents(schema: Schema) -> Values:
    """Content of one event of that schema, as a dictionary of Python values."""
    return _of(schema.parsed, schema.parsed["__named_schemas"])


def _of(kind: Any, named: Any) -> Values:
    if isinstance(kind, str):
        return PRIMITIVE[kind] if kind in PRIMITIVE else _of(named[kind], named)
    if isinstance(kind, list):
        return st.one_of([_of(branch, named) for branch in kind])
    if PROPERTY in kind:
        return IDENTIFIERS[kind[PROPERTY]]
    if "logicalType" in kind:
        return LOGICAL[kind["logicalType"]]
    if kind["type"] == "record":
        return st.fixed_dictionaries({field["name"]: _of(field["type"], named) for field in kind["fields"]})
    if kind["type"] == "enum":
        return st.sampled_from(kind["symbols"])
    if kind["type"] == "array":
        return st.lists(_of(kind["items"], named), max_size=2)
    return _of(kind["type"], named)
