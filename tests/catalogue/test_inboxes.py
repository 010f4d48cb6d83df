"""An agency's own inbox as a topic: it alone reads it, the gateway alone writes it, Kafka gets it like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.bus.catalogue import Catalogue, load
from services.bus.catalogue.acls import acls_of
from services.bus.catalogue.changes import CreateTopic
from services.bus.catalogue.diff import Actual, SubjectState, diff
from services.bus.catalogue.model import Topic
from services.bus.catalogue.validate import validate
from services.bus.contract import load as contract
from services.bus.errors import CatalogueInvalid
from services.bus.settings import ROOT, Settings

OURS = (ROOT / "topics.yaml").read_text("utf-8")
READ_BY = "controller: Buckinghamshire Council\n    read_by: [police]\n\n# Names"
NAME = "inbox.police.thames-valley"


@pytest.fixture
def catalogue() -> Catalogue:
    return load(ROOT / "topics.yaml")


def spoilt(folder: Path, before: str, after: str) -> list[str]:
    """What is found when our own catalogue says something else."""
    assert OURS.count(before) == 1
    path = folder / "topics.yaml"
    path.write_text(OURS.replace(before, after), "utf-8")
    with pytest.raises(CatalogueInvalid) as invalid:
        validate(Settings(catalogue=path))
    return invalid.value.findings


def test_one_principal_reads_it_and_the_gateway_writes_it(catalogue: Catalogue) -> None:
    """Nobody else may as much as see that it is there, besides the operator and who measures how far it is read."""
    rights = {(acl.principal, acl.operation) for acl in acls_of(catalogue) if acl.name == NAME}
    assert rights == {
        ("partner-gateway", "WRITE"), ("partner-gateway", "DESCRIBE"), ("partner-gateway", "READ"),
        ("police", "READ"), ("police", "DESCRIBE"), ("operator", "DESCRIBE"),
        ("lag-monitor", "DESCRIBE"),
    }  # fmt: skip


def test_kafka_gets_it_with_the_defaults_and_the_registry_nothing(catalogue: Catalogue) -> None:
    """As many partitions as every topic, so a child's order is kept; it holds several types, so it has no subject."""
    inbox: Topic = catalogue.inboxes["police:thames-valley"]
    assert inbox.partitions == catalogue.topics["police.notifications.v1"].partitions
    subjects = {t.subject: SubjectState(latest=None, ours=None, compatibility=None) for t in catalogue.topics.values()}
    changes = diff(catalogue, contract(), Actual(cluster_id="c", subjects=subjects)).changes
    assert CreateTopic(NAME, inbox.partitions, inbox.replication, inbox.config) in changes
    assert not [change for change in changes if f"{NAME}-value" in str(change)]


@pytest.mark.parametrize(
    ("readers", "sentence"),
    [
        ("[police, agency]", "exactly one principal reads an inbox"),
        ("[encompass-alerts]", "is no principal of kind agency"),
        ("[nobody]", "is no principal of kind agency"),
    ],
)
def test_anybody_else_is_refused(tmp_path: Path, readers: str, sentence: str) -> None:
    """Two readers, a service, or somebody whom the catalogue does not know."""
    found = spoilt(tmp_path, READ_BY, READ_BY.replace("[police]", readers))
    assert any(sentence in finding for finding in found), found


def test_one_principal_reads_one_inbox(tmp_path: Path) -> None:
    """The same principal for two organisations would let one see the other's."""
    second = "  police:other:\n    description: d\n    owner: o\n    controller: c\n    read_by: [police]\n\n# Names"
    found = spoilt(tmp_path, READ_BY, READ_BY.replace("\n# Names", second))
    assert any("reads the inbox of police:thames-valley already" in finding for finding in found), found


def test_what_discloses_and_is_in_nobodys_inbox_is_refused(tmp_path: Path) -> None:
    """A topic that the gateway does not read would tell nobody, and no test of a room would notice."""
    found = spoilt(tmp_path, "read_by: [encompass-alerts, mash-outcomes, reader, partner-gateway,",
                   "read_by: [encompass-alerts, mash-outcomes, reader,")  # fmt: skip
    assert any("police.notifications.v1: `read_by` lacks partner-gateway" in finding for finding in found), found


def test_what_a_room_keeps_for_itself_nobody_else_reads(catalogue: Catalogue, tmp_path: Path) -> None:
    """It has no schema, is the room's to write, read and empty, and is refused for anybody but a room or a service."""
    [(name, kept)] = catalogue.internal.items()
    assert (kept.schema, kept.written_by) == ("", ("performance-data",))
    assert kept.config["cleanup.policy"] == "compact,delete"
    allowed = {(acl.principal, acl.operation) for acl in acls_of(catalogue) if acl.name == name}
    rooms = {(who, what) for who, what in allowed if what != "DESCRIBE"}
    assert rooms == {("performance-data", what) for what in ("READ", "WRITE", "DELETE")}
    found = spoilt(tmp_path, "    room: performance-data", "    room: police")
    assert any("police is no principal of kind service or room" in finding for finding in found), found
