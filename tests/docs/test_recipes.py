"""The README's recipes, carried out in a copy of the house: what it says that one does is enough."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from services.bus import catalogue
from services.bus.catalogue.acls import acls_of
from services.bus.events import OrganisationRecorded, Role
from services.cli.publish import read_event
from services.registers import cli as registers
from tests.docs.copy import EXAMPLE, ROOT, House

HEARS = "read_by: [encompass-alerts, mash-outcomes, reader, partner-gateway, handover-feed, operator, performance-data]"
WRITES = "written_by: [agency, local-authority, police, partner-door]"
HOUSING = "housing: {kind: agency, description: The housing associations' systems.}"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def _block(name: str) -> str:
    """What stands under `name:` in the example's topics.yaml, as it is."""
    text = (EXAMPLE / "topics.yaml").read_text("utf-8")
    found = re.search(rf"^{name}:\n((?:[ ].*\n)+)", text, re.MULTILINE)
    assert found, name
    return found[1]


def test_an_event_and_a_service_are_added_as_the_readme_says(house: House) -> None:
    """Copying the example's files and its two blocks gives a room that is generated, wired, checked and tested."""
    house.take_from_example("schemas", "services", "tests")
    house.edit("topics.yaml", "\ntopics:\n", f"\ntopics:\n{_block('topics')}\n")
    house.edit("topics.yaml", "\nprincipals:\n", f"\nprincipals:\n{_block('principals')}")
    house.edit("topics.yaml", HEARS, HEARS.replace("[", "[worker-alerts, "))

    generated = house.run("-m", "services.bus.contract")
    assert generated.returncode == 0, generated.stderr
    frozen = house.run("-m", "services.bus.contract", "--freeze")
    assert "froze history/worker.alerts.v1/1.avsc" in frozen.stderr
    checked = house.run("-m", "services.bus.contract", "--check")
    assert checked.returncode == 0, checked.stderr

    before, valid = catalogue.load(ROOT / "topics.yaml"), house.run("-m", "services.cli", "topics", "validate")
    topics, principals = len(before.topics) + 1, len(before.principals) + 1
    assert (valid.returncode, valid.stdout.strip()) == (
        0, f"topics.yaml is valid: {topics} topics, {principals} principals",
    )  # fmt: skip
    tested = house.run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/worker_alerts", "tests/catalogue/test_wiring.py"
    )
    assert tested.returncode == 0, tested.stdout
    found = house.run("-m", "services.worker_alerts")
    assert "no password for worker-alerts" in found.stderr, "the room runs, and lacks only what `topics apply` makes"


def test_an_agency_is_added_as_the_readme_says(house: House) -> None:
    """A principal and one `written_by` give it the right to say contacts, and none beside that."""
    house.edit("topics.yaml", "\nprincipals:\n", f"\nprincipals:\n  {HOUSING}\n")
    house.edit("topics.yaml", WRITES, WRITES.replace("[agency", "[agency, housing"))
    valid = house.run("-m", "services.cli", "topics", "validate")
    assert valid.returncode == 0, valid.stderr
    rights = {acl for acl in acls_of(catalogue.load(house.home / "topics.yaml")) if acl.principal == "housing"}
    assert {(acl.name, acl.operation) for acl in rights} == {
        ("mash.contacts.v1", "WRITE"),
        ("mash.contacts.v1", "DESCRIBE"),
    }


def test_the_agencys_own_files_are_what_the_commands_take() -> None:
    """The organisation is imported without a bad line, and the contact fits its schema."""
    record, parsed = registers.read(registers.Kind.TEAMS, EXAMPLE / "housing.yaml")
    assert record is OrganisationRecorded
    assert not parsed.bad
    (said,) = parsed.said
    contact = (EXAMPLE / "contact.json").read_bytes()
    assert read_event("mash.contacts.v1", contact).model_dump()["referrer"]["role"] is Role.HOUSING
    assert json.loads(contact)["referrer"]["organisation_id"] == said.id
