"""Whether an identifier is well formed: a reason against it, and never the value.

A schema marks a string with the property `safebus.identifier`; the kinds are the keys of `KINDS`. A well-formed
identifier need not be anybody's: that is for whoever looks it up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from nhs_number import is_valid, standardise_format
from stdnum.gb.upn import calc_check_digit

PROPERTY = "safebus.identifier"

Fault: TypeAlias = tuple[str, str]
"""JSON pointer of a field, and the reason against its value."""

_PLACEHOLDER = "9" * 10
_UPN = re.compile(r"[A-HJ-NP-RT-Z][0-9]{11}[0-9A-HJ-NP-RT-Z]")
_URN = re.compile(r"[0-9]{6}")
_ODS = re.compile(r"[0-9A-Za-z]{1,9}")


def plain(value: str) -> str:
    """The identifier as it is compared: capitals, without spaces and hyphens."""
    return re.sub(r"[\s-]", "", value).upper()


@lru_cache(maxsize=65_536)
def reason_against(kind: str, value: str) -> str | None:
    """Why the value is no identifier of that kind, in words that do not contain it; None when it is one.

    Raises:
        KeyError: no such kind.
    """
    return KINDS[kind](value)


def _nhs_number(value: str) -> str | None:
    """NHS Data Dictionary: 10 digits, the last by modulus 11; 999... is for tests, and all nines a placeholder."""
    number = standardise_format(value)
    if not number or not number.isascii():
        return "is not an NHS number: 10 digits, or written 3 3 4"
    if number == _PLACEHOLDER:
        return "is a placeholder, not an NHS number; leave it out when it is not known"
    return None if is_valid(number) else "is not an NHS number: its check digit is wrong"


def _upn(value: str) -> str | None:
    """Department for Education, guide to unique pupil numbers; a letter at the end marks a temporary one.

    The authority's three digits are not looked up: the library's list lacks the authorities made since 2019.
    """
    number = plain(value)
    if not _UPN.fullmatch(number):
        return "is not a UPN: a check letter and 12 characters"
    return None if calc_check_digit(number[1:]) == number[0] else "is not a UPN: its check letter is wrong"


def _urn(value: str) -> str | None:
    return None if _URN.fullmatch(value) else "is not a URN: 6 digits"


def _ods_code(value: str) -> str | None:
    return None if _ODS.fullmatch(value) else "is not an ODS code: 1 to 9 letters and digits"


KINDS: Mapping[str, Callable[[str], str | None]] = {
    "nhs-number": _nhs_number,
    "upn": _upn,
    "urn": _urn,
    "ods-code": _ods_code,
}


@dataclass(frozen=True, slots=True)
class Check:
    """One field of a record on the way to an identifier."""

    field: str
    kind: str | None
    """The field is an identifier of this kind; None: it holds records that have some."""
    within: Checks
    each: bool
    """The field is an array, and this holds for each of its items."""


Checks: TypeAlias = tuple[Check, ...]


def checks(definition: Mapping[str, Any]) -> Checks:
    """The way to every identifier of a self-contained schema, found once so that an event is searched quickly."""
    return _of_record(definition, str(definition.get("namespace", "")), {})


def identifier_paths(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """JSON pointer and kind of each identifier, `*` standing for every item: `("/children/*/identity/upn", "upn")`."""
    return list(_paths(checks(definition), ""))


def faults(content: Any, found: Checks, at: str = "") -> Iterator[Fault]:
    """What is wrong with the identifiers of an event, or of its content as a dictionary."""
    fields = content if isinstance(content, dict) else vars(content)
    for check in found:
        value = fields.get(check.field)
        if value is None:
            continue
        for pointer, item in _items(value, f"{at}/{check.field}", each=check.each):
            if check.kind is None:
                yield from faults(item, check.within, pointer)
            elif reason := reason_against(check.kind, item):
                yield pointer, reason


def _items(value: Any, pointer: str, *, each: bool) -> Iterator[tuple[str, Any]]:
    if not each:
        yield pointer, value
        return
    for index, item in enumerate(value):
        yield f"{pointer}/{index}", item


def _paths(found: Checks, at: str) -> Iterator[tuple[str, str]]:
    for check in found:
        pointer = f"{at}/{check.field}" + ("/*" if check.each else "")
        if check.kind:
            yield pointer, check.kind
        yield from _paths(check.within, pointer)


def _of_record(record: Mapping[str, Any], namespace: str, named: dict[str, Mapping[str, Any]]) -> Checks:
    namespace = record.get("namespace", namespace)
    named[f"{namespace}.{record['name']}"] = record
    return tuple(
        check for field in record["fields"] for check in _of_field(field["name"], field["type"], namespace, named)
    )


def _of_field(
    field: str, kind: Any, namespace: str, named: dict[str, Mapping[str, Any]], *, each: bool = False
) -> Iterator[Check]:
    if isinstance(kind, list):
        for branch in kind:
            yield from _of_field(field, branch, namespace, named, each=each)
        return
    if isinstance(kind, str):
        kind = named.get(kind) or named.get(f"{namespace}.{kind}") or {"type": kind}
    if PROPERTY in kind:
        yield Check(field, kind[PROPERTY], (), each)
    elif kind["type"] == "record":
        if within := _of_record(kind, namespace, named):
            yield Check(field, None, within, each)
    elif kind["type"] == "array":
        yield from _of_field(field, kind["items"], namespace, named, each=True)
