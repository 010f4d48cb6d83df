"""YAML files that say something of organisations by their id → each entry with the line it begins on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import yaml

from services.bus.errors import UserMistake
from services.registers.gias import school_id
from services.registers.reading import Parsed, Said, Wrong, gathered
from services.registers.words import days, hours, organisation_id

CALENDAR_KEYS = ("hours", "terms", "closed", "holiday_cover", "escalates_to", "successor")


def parse_entries(text: str, label: str, say: Callable[[str, str, Mapping[str, Any]], Said]) -> Parsed:
    """Every entry of `text` as `say(where, id, entry)` reads it. `label` stands before `line N`.

    Raises:
        UserMistake: the file is not YAML, or no mapping of organisations.
    """
    try:
        loader = yaml.SafeLoader(text)  # refuses characters that no text has
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UserMistake(f"the file is not YAML{f': see its line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(root, yaml.MappingNode):
        raise UserMistake("the file is not a YAML mapping of organisations' ids")

    def said_at(where: str, key: yaml.Node, value: yaml.Node) -> Said:
        return say(where, _id(key), _mapping(loader, value))

    places = ((f"{label}line {key.start_mark.line + 1}", key, value) for key, value in root.value)
    return gathered((where, partial(said_at, where, key, value)) for where, key, value in places)


def calendar_fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The body's fields for those of CALENDAR_KEYS that the entry has; a key that it lacks decides nothing.

    Raises:
        Wrong: naming the key.
    """
    fields: dict[str, Any] = {}
    if "hours" in entry:
        fields["weekly_hours"] = hours(_list(entry, "hours"))
    if "terms" in entry:
        fields["terms"] = sorted((days(run, "terms") for run in _list(entry, "terms")), key=lambda run: run["first"])
    if "closed" in entry:
        closed = entry["closed"] or {}
        if not isinstance(closed, dict):
            raise Wrong("closed is not a mapping of days to the reason")
        runs = [{**days(run, "closed"), "why": str(why or "")} for run, why in closed.items()]
        fields["closed_days"] = sorted(runs, key=lambda run: run["first"])
    for key in ("holiday_cover", "escalates_to", "successor"):
        if key in entry:
            fields[key] = None if entry[key] is None else organisation_id(str(entry[key]), key)
    return fields


def known_keys_only(entry: Mapping[str, Any], known: Collection[str]) -> None:
    """
    Raises:
        Wrong: the entry has a key that is not `known`; a misspelt one must not be passed over.
    """
    if any(key not in known for key in entry):
        raise Wrong(f"has a key other than: {', '.join(known)}")


def _id(key: yaml.Node) -> str:
    text = key.value if isinstance(key, yaml.ScalarNode) else ""
    return school_id(text) if text.isascii() and text.isdigit() and len(text) == 6 else organisation_id(text, "the key")


def _mapping(loader: yaml.SafeLoader, node: yaml.Node) -> Mapping[str, Any]:
    try:
        entry = loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError):
        entry = None
    if not isinstance(entry, dict):
        raise Wrong("what follows the organisation's id is not a mapping")
    return entry


def _list(entry: Mapping[str, Any], key: str) -> list[object]:
    listed = entry[key] or []
    if not isinstance(listed, list):
        raise Wrong(f"{key} is not a list")
    return listed
