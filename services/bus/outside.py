"""JSON from outside → an event, or everything that is wrong with it: for a door whose callers must mend it themselves.

What comes over Kafka is Avro and needs only one reason against it (codec.validated).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from services.bus.codec import event_types
from services.bus.contract import load
from services.bus.contract.identifiers import Fault
from services.bus.envelope import Event
from services.bus.errors import Unfit

LONGEST_NAME = 64
"""Characters of a field's name that is not ours, beyond which a pointer leaves it out: it may be anything."""

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "uuid_type": "must be a UUID, as a string",
    "uuid_parsing": "must be a UUID",
    "datetime_type": "must be a time, as an ISO 8601 string",
    "datetime_parsing": "must be an ISO 8601 time",
    "datetime_from_date_parsing": "must be an ISO 8601 time",
    "timezone_aware": "must have its offset from UTC, such as Z",
    "date_type": "must be a date, as an ISO 8601 string",
    "date_parsing": "must be an ISO 8601 date",
    "date_from_datetime_parsing": "must be an ISO 8601 date",
    "bytes_type": "must be base64, as a string",
    "bytes_invalid_encoding": "must be base64",
    "json_invalid": "holds half of a surrogate pair, or a number that no field can hold",
}


class Faulty(Unfit):
    """All that is wrong with one event's content: `faults` has a JSON pointer and a reason for each, never a value."""

    code = "invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        pointer, reason = faults[0]
        super().__init__(f"{pointer}: {reason}", field=pointer)
        self.faults = list(faults)


def event_from_json(topic: str, text: bytes) -> Event:
    """The event of that topic with this content, strictly: a number is no string, and no time is guessed.

    Args:
        text: one JSON value that a strict reader has accepted already (no member twice, no NaN).

    Raises:
        Faulty: with every field that is wrong.
    """
    content, found = None, []
    try:
        content = event_types()[topic].__pydantic_validator__.validate_json(text, strict=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        found = [(place_of(fault["loc"]), sentence_of(fault)) for fault in wrong]
        identifiers = load()[topic].faults(_without(json.loads(text), [fault["loc"] for fault in wrong]))
    else:
        identifiers = load()[topic].faults(content)
    found += identifiers
    if b"\\u0000" in text or b"\0" in text:
        found += [(pointer, "holds the character U+0000") for pointer in _with_nul(json.loads(text), "")]
    if content is None or found:
        raise Faulty(found)
    return content  # type: ignore[no-any-return]


def pointer_of(*parts: str | int) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def place_of(loc: Sequence[str | int]) -> str:
    """The pointer of a fault that pydantic found; of what cannot be a field of ours, and is long, the place only."""
    return pointer_of(*(loc[:-1] if loc and len(str(loc[-1])) > LONGEST_NAME else loc))


def sentence_of(fault: Any) -> str:
    """Such a fault in words. pydantic's own may quote the value; what it expected of a choice is the schema's."""
    if fault["type"] in ("enum", "literal_error"):
        return f"must be {fault['ctx']['expected']}"
    return _WORDS.get(fault["type"], f"is wrong ({fault['type'].replace('_', ' ')})")


def _without(content: Any, locations: Sequence[Sequence[str | int]]) -> Any:
    """The content with nothing of the wrong type left in it, so that its identifiers can still be looked at.

    Of an array with a wrong item nothing is left, since its other items would change their places.
    """
    if not isinstance(content, dict):
        return {}
    for loc in locations:
        path = list(loc)
        while path and isinstance(path[-1], int):
            path.pop()
        if path:
            _drop(content, path)
    return content


def _drop(within: Any, path: Sequence[str | int]) -> None:
    for part in path[:-1]:
        try:
            within = within[part]
        except (KeyError, IndexError, TypeError):
            return  # dropped already with something around it
    if isinstance(within, dict):
        within.pop(path[-1], None)


def _with_nul(content: Any, pointer: str) -> Iterator[str]:
    """No database's text holds it, and none of what a person writes does."""
    if isinstance(content, str) and "\0" in content:
        yield pointer
    elif isinstance(content, dict):
        for name, value in content.items():
            yield from _with_nul(value, pointer + pointer_of(name))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _with_nul(value, f"{pointer}/{index}")
