"""Who may do what follows from written_by and read_by, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.bus.catalogue import Catalogue, load
from services.bus.catalogue.acls import Acl, acls_of, concerns, removable
from services.bus.settings import HERE
from tests.catalogue.places import lay_out


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return load(lay_out(tmp_path).catalogue)


def rights(catalogue: Catalogue, who: str) -> set[str]:
    """A principal's rights in short."""
    return {str(acl).removeprefix(f"{who} may ") for acl in acls_of(catalogue) if acl.principal == who}


def test_an_agency_writes_what_it_may_and_has_no_group(catalogue: Catalogue) -> None:
    """`written_by` gives WRITE and DESCRIBE on that topic alone; who reads nothing needs no group."""
    assert rights(catalogue, "council") == {
        "WRITE topic child.seen.v1",
        "DESCRIBE topic child.seen.v1",
        "WRITE topic child.known.v1",
        "DESCRIBE topic child.known.v1",
    }


def test_a_service_reads_its_inputs_and_its_own_outputs_in_its_own_group(catalogue: Catalogue) -> None:
    """It recovers from the outputs that already stand (rule 3), and writes dead letters as every service does."""
    assert rights(catalogue, "teller") == {
        *(f"{may} topic child.seen.v1" for may in ("READ", "DESCRIBE")),
        *(f"{may} topic child.known.v1" for may in ("READ", "DESCRIBE")),
        *(f"{may} topic child.told.v1" for may in ("READ", "WRITE", "DESCRIBE")),
        *(f"{may} topic lost.v1" for may in ("READ", "WRITE", "DESCRIBE")),
        "READ group teller",
    }


def test_a_person_reads_in_groups_that_begin_with_their_name(catalogue: Catalogue) -> None:
    """One principal, several readers: each in a group of its own."""
    assert rights(catalogue, "reader") == {
        "READ topic child.told.v1",
        "DESCRIBE topic child.told.v1",
        "READ group reader",
        "READ group reader.*",
    }


def test_an_operator_sees_everything_and_reads_only_what_is_listed(catalogue: Catalogue) -> None:
    """DESCRIBE on every topic and service's group; READ where `read_by` says so; WRITE nowhere."""
    assert rights(catalogue, "operator") == {
        *(f"DESCRIBE topic {topic}" for topic in catalogue.topics),
        "READ topic lost.v1",
        "DESCRIBE group teller",
        "READ group operator",
        "READ group operator.*",
    }


def test_no_agency_may_read_what_discloses() -> None:
    """In the real catalogue, whoever reads a disclosing topic is a service, hands each recipient only its own, is an
    operator, whose tools mask it, or a room that counts and tells nobody."""
    ours = load(HERE.parent / "topics.yaml")
    disclosing = {name for name, topic in ours.topics.items() if topic.discloses}
    readers = {
        acl.principal
        for acl in acls_of(ours)
        if acl.resource == "TOPIC" and acl.operation == "READ" and acl.name in disclosing
    }
    assert readers - set(ours.services) == {"reader", "operator", "performance-data"}
    assert not any(acl.name == "*" or acl.pattern == "PREFIXED" for acl in acls_of(ours) if acl.resource == "TOPIC")


OURS = Acl("council", "TOPIC", "child.told.v1", "LITERAL", "READ")


@pytest.mark.parametrize(
    ("acl", "goes", "bears"),
    [
        (OURS, True, True),
        (OURS._replace(name="gone.v1"), True, True),
        (OURS._replace(resource="GROUP", name="reader"), True, True),
        (OURS._replace(resource="GROUP", name="reader.", pattern="PREFIXED"), True, True),
        (OURS._replace(permission="DENY"), False, True),
        (OURS._replace(principal="stranger"), False, True),
        (OURS._replace(principal="*"), False, True),
        (OURS._replace(name="theirs.v1"), False, True),
        (OURS._replace(name="*"), False, True),
        (OURS._replace(name="child.", pattern="PREFIXED"), False, True),
        (OURS._replace(resource="GROUP", name="re", pattern="PREFIXED"), False, True),
        (OURS._replace(resource="CLUSTER", name="kafka-cluster"), False, True),
        (OURS._replace(principal="stranger", name="*"), False, True),
        (OURS._replace(principal="stranger", name="ch", pattern="PREFIXED"), False, True),
        (OURS._replace(principal="stranger", name="theirs.v1"), False, False),
        (OURS._replace(principal="stranger", resource="GROUP", name="teller"), False, False),
    ],
    ids=str,
)
def test_what_may_be_taken_away_and_what_is_reported(tmp_path: Path, acl: Acl, goes: bool, bears: bool) -> None:
    """Only an ALLOW of one of our principals on our topics and groups goes; what else bears on ours is reported."""
    config = lay_out(tmp_path)
    config.catalogue.write_text(config.catalogue.read_text().replace("deleted: []", "deleted: [gone.v1]"))
    catalogue = load(config.catalogue)
    assert removable(acl, catalogue) is goes
    assert concerns(acl, catalogue) is bears
