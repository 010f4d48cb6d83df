"""The events can carry what the rules that prevent harm need (DOMAIN.md §4), and cannot carry what those forbid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.bus.contract import load

TOPICS = sorted(load())


def fields_of(topic: str) -> dict[str, Any]:
    """The types of an event's own fields."""
    return {field["name"]: field["type"] for field in load()[topic].definition["fields"]}


def every_field(node: Any) -> Iterator[str]:
    """All field names below a definition, at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from every_field(item)
    elif isinstance(node, dict):
        yield from (field["name"] for field in node.get("fields", []))
        for key in ("type", "items", "fields"):
            yield from every_field(node.get(key))


def holders(field: str) -> list[str]:
    """The topics whose events have a field of that name, at any depth."""
    return [topic for topic in TOPICS if field in every_field(load()[topic].definition)]


@pytest.mark.parametrize(
    ("rule", "topic", "fields"),
    [
        ("H2", "directory.children.v1", {"location_confidential"}),
        ("H2", "police.incidents.v1", {"location_confidential"}),
        ("H2", "police.notifications.v1", {"location_confidential"}),
        ("H2", "mash.contacts.v1", {"location_confidential"}),
        ("H2", "mash.decisions.v1", {"location_confidential"}),
        ("H2", "gp.cues.v1", {"location_confidential"}),
        ("H2", "strategy.meetings.v1", {"location_confidential"}),
        ("H2", "deadlines.set.v1", {"location_confidential"}),
        ("H3", "police.incidents.v1", {"adults_of_concern"}),
        ("H3", "police.notifications.v1", {"adults_of_concern"}),
        ("H3", "mash.contacts.v1", {"adults_of_concern"}),
        ("H3", "mash.decisions.v1", {"adults_of_concern"}),
        ("H3", "gp.cues.v1", {"adults_of_concern"}),
        ("H3", "strategy.meetings.v1", {"adults_of_concern"}),
        ("H4", "strategy.meetings.v1", {"release", "attended", "lado"}),
        ("H4", "strategy.minutes.v1", {"extract", "embargo", "review_date"}),
        ("H5", "mash.decisions.v1", {"rationale", "recipient_class", "reason", "approved_by"}),
        ("H5", "mash.contacts.v1", {"professional"}),
        ("H6", "mash.information-requests.v1", {"threshold", "family_told", "family_not_told_reason", "authorised_by"}),
        ("H7", "police.notifications.v1", {"immediate_danger", "grading"}),
        ("H7", "police.unmatched.v1", {"immediate_danger", "grading"}),
        ("H8", "police.notifications.v1", {"protective_instructions", "until", "released_by"}),
        ("H9", "encompass.alerts.v1", {"aware_at", "historic"}),
        ("H9", "directory.organisations.v1", {"weekly_hours", "closed_days", "terms", "holiday_cover", "successor"}),
        ("H11", "gp.updates.v1", {"hide_from_online_access"}),
        ("H11", "receipts.v1", {"practitioner", "hidden_from_online_access"}),
        ("H11", "deadlines.set.v1", {"needs_hidden_confirmation"}),
        ("H12", "police.notifications.v1", {"matched_by"}),
        ("H13", "directory.children.v1", {"provisional", "stated_age", "placing_authority", "host_authority"}),
        ("H14", "mash.contacts.v1", {"received_at", "grading", "contact_id", "enquiry_id"}),
    ],
)
def test_a_rule_has_the_fields_it_needs(rule: str, topic: str, fields: set[str]) -> None:
    """Without them the rule could not be kept, whatever a service did."""
    assert fields <= set(every_field(load()[topic].definition)), rule


def test_h1_nothing_joins_an_adopted_child_with_its_old_record() -> None:
    """H1: `successor` exists for organisations and for nothing else."""
    assert holders("successor") == ["directory.organisations.v1"]


@pytest.mark.parametrize(
    ("topic", "field"),
    [("receipts.v1", "practitioner"), ("deadlines.set.v1", "owed_by"), ("deadlines.missed.v1", "owed_by")],
)
def test_h2_who_a_recipient_is_can_be_left_out(topic: str, field: str) -> None:
    """H2: for a child at a confidential place, what would reveal the recipient is absent."""
    assert fields_of(topic)[field] == ["null", "string"]


def test_h2_h4_an_invitee_sees_no_other_invitee() -> None:
    """H2, H4: what goes to one invitee has no list of invitees and no attendance."""
    assert {"invitees", "attended"}.isdisjoint(every_field(load()["strategy.distributions.v1"].definition))


def test_h3_an_adult_of_concern_is_only_a_reference() -> None:
    """H3: an opaque reference and links to recipients, nothing that says who the adult is."""
    adults = fields_of("mash.contacts.v1")["adults_of_concern"]
    assert set(every_field(adults)) == {"reference", "links", "organisation_id", "link", "capacity"}


def test_h5_the_internal_rationale_is_in_one_event_only() -> None:
    """H5: nothing that leaves the front door has a field for it."""
    assert holders("rationale") == ["mash.decisions.v1"]


def test_an_address_is_in_one_event_only() -> None:
    """The address of an incident, which may be a refuge's, goes no further than the matching service."""
    assert holders("address") == ["police.incidents.v1"]


@pytest.mark.parametrize("topic", ["encompass.alerts.v1", "gp.updates.v1", "mash.outcomes.v1", "deadlines.missed.v1"])
def test_least_information(topic: str) -> None:
    """No narrative, adult or protective instruction can travel to a school or into a child's record (H8, H11)."""
    too_much = {"narrative", "concern", "adults_of_concern", "protective_instructions", "full_text", "information"}
    assert too_much.isdisjoint(every_field(load()[topic].definition))


def test_h9_nurseries_and_home_education_have_a_basis_of_their_own() -> None:
    """H9: they are outside the police's statutory duty."""
    disclosure = fields_of("encompass.alerts.v1")["disclosure"]
    basis = next(field["type"] for field in disclosure["fields"] if field["name"] == "lawful_basis")
    assert {"DA_ACT_2021_S49A", "NURSERY_ENCOMPASS", "HOME_EDUCATION_ENCOMPASS"} <= set(basis["symbols"])


def test_h12_a_candidate_names_fields_and_no_values() -> None:
    """H12: a person sees what agrees and what differs, by name of field; the values stay in the directory."""
    candidate = fields_of("police.unmatched.v1")["candidates"]["items"]
    assert [field["name"] for field in candidate["fields"]] == ["child_id", "score", "matched_on", "differs_on"]
