"""Identifiers: accepted if well formed, else a reason that names the field and never the value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.contract import identifier_paths, load, plain, reason_against
from services.bus.contract.identifiers import KINDS
from services.bus.events import BY_TOPIC, ChildIdentity
from tests.contract.strategies import IDENTIFIERS


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("nhs-number", "9990000018"),
        ("nhs-number", "999 000 0018"),
        ("nhs-number", "4010232137"),
        ("upn", "B801200005001"),
        ("upn", "b801200005001"),
        ("upn", "C83820000500A"),
        ("urn", "110394"),
        ("ods-code", "K82001"),
        ("ods-code", "Y"),
        ("ods-code", "ABC123456"),
    ],
)
def test_well_formed(kind: str, value: str) -> None:
    """Accepted: test numbers, spaces, a temporary UPN, an authority made since 2019 (838, Dorset)."""
    assert reason_against(kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("nhs-number", "9990000019", "check digit"),
        ("nhs-number", "9999999999", "placeholder"),
        ("nhs-number", "999 999 9999", "placeholder"),
        ("nhs-number", "999000001", "10 digits"),
        ("nhs-number", "٩٩٩٠٠٠٠٠١٨", "10 digits"),
        ("nhs-number", "", "10 digits"),
        ("upn", "A801200005001", "check letter"),
        ("upn", "I801200005001", "12 characters"),
        ("upn", "B80120000500", "12 characters"),
        ("urn", "11039", "6 digits"),
        ("urn", "11039A", "6 digits"),
        ("ods-code", "", "1 to 9"),
        ("ods-code", "K820010000", "1 to 9"),
        ("ods-code", "K82 001", "1 to 9"),
    ],
)
def test_malformed(kind: str, value: str, why: str) -> None:
    """What is not well formed gets a reason in words."""
    assert why in str(reason_against(kind, value))


@pytest.mark.parametrize("kind", sorted(KINDS))
@given(value=st.text(max_size=15) | st.from_regex(r"\A[0-9]{9,11}\Z") | st.from_regex(r"\A[A-Z][0-9]{11,12}\Z"))
def test_no_reason_has_the_value_in_it(kind: str, value: str) -> None:
    """Two different refused values of one fault get the same words, so none can carry the value."""
    fixed = {
        reason_against(kind, refused) for refused in ("", "9990000019", "9999999999", "A801200005001", "K8200100000")
    }
    assert reason_against(kind, value) in fixed | {None}


@given(IDENTIFIERS["nhs-number"])
def test_one_wrong_digit_is_found(number: str) -> None:
    """Modulus 11 finds any single mistyped digit."""
    wrong = number[:4] + str((int(number[4]) + 1) % 10) + number[5:]
    assert reason_against("nhs-number", wrong)


def test_plain_is_how_identifiers_are_compared() -> None:
    """Spaces, hyphens and case are ways of writing, not differences."""
    assert plain(" 999 000-0018 ") == "9990000018"
    assert plain("b801 2000 05001") == plain("B801200005001")


def test_paths_reach_every_identifier() -> None:
    """Also those inside the items of an array, in every event that has some."""
    assert identifier_paths(load()["police.incidents.v1"].definition) == [
        ("/children/*/identity/nhs_number", "nhs-number"),
        ("/children/*/identity/upn", "upn"),
    ]
    with_identifiers = {topic for topic, schema in load().items() if identifier_paths(schema.definition)}
    assert with_identifiers == {
        topic for topic, schema in load().items() if "safebus.identifier" in str(schema.definition)
    }


def test_every_fault_of_an_event_is_found_with_its_place() -> None:
    """All faults at once, each by JSON pointer, for an event and for its content alike."""
    schema = load()["directory.children.v1"]
    content: dict[str, Any] = {
        "child_id": "c1",
        "version": 1,
        "status": "OPEN",
        "identity": {"forenames": "", "family_name": "", "nhs_number": "9990000019", "upn": "X"},
        "also_known_as": [],
        "registrations": [],
        "circumstances": [],
        "home_educated": False,
        "location_confidential": False,
    }
    expected = ["/identity/nhs_number", "/identity/upn"]
    for event in (content, BY_TOPIC[schema.topic].model_validate(content)):
        assert [pointer for pointer, _ in schema.faults(event)] == expected
        assert not any("9990000019" in reason for _, reason in schema.faults(event))


def test_a_fault_names_the_item() -> None:
    """The third child's fault is told as the third child's."""
    schema = load()["police.incidents.v1"]
    good, bad = ({"identity": ChildIdentity(forenames="", family_name="", upn=upn)} for upn in (None, "?"))
    assert [pointer for pointer, _ in schema.faults({"children": [good, good, bad]})] == ["/children/2/identity/upn"]
