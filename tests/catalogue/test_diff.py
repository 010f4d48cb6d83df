"""What should be and what is → the changes between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from services.bus.catalogue import Catalogue, load
from services.bus.catalogue.acls import Acl, acls_of
from services.bus.catalogue.changes import (
    AddAcl,
    AddUser,
    CreateTopic,
    DeleteTopic,
    Plan,
    RegisterSchema,
    RemoveAcl,
    RenewPassword,
    SetCompatibility,
    SetConfig,
)
from services.bus.catalogue.diff import Actual, SubjectState, TopicState, diff
from services.bus.contract import Schema
from services.bus.contract import load as load_schemas
from tests.catalogue.places import lay_out


class Wanted(NamedTuple):
    """A catalogue with its schemas, and a cluster that is exactly so."""

    catalogue: Catalogue
    schemas: dict[str, Schema]
    same: Actual

    def against(self, actual: Actual, *, allow_delete: bool = False, rotate: tuple[str, ...] = ()) -> Plan:
        return diff(self.catalogue, self.schemas, actual, allow_delete=allow_delete, rotate=rotate)


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    config = lay_out(tmp_path)
    config.catalogue.write_text(config.catalogue.read_text().replace("deleted: []", "deleted: [gone.v1]"))
    catalogue, schemas = load(config.catalogue), dict(load_schemas(config.schemas))
    topics = catalogue.topics.values()
    same = Actual(
        cluster_id="here",
        topics={
            topic.name: TopicState(topic.partitions, topic.replication, {**topic.config, "segment.ms": "1"})
            for topic in topics
        },
        subjects={topic.subject: SubjectState(1, 1, "FULL_TRANSITIVE") for topic in topics},
        acls=acls_of(catalogue),
        users=catalogue.principals,
    )
    return Wanted(catalogue, schemas, same)


def test_a_cluster_that_is_so_needs_nothing(wanted: Wanted) -> None:
    """No drift, nothing to report; a setting that the catalogue does not name is none of its business."""
    plan = wanted.against(wanted.same)
    assert not plan.drift
    assert plan == Plan("here")


def test_an_empty_cluster_gets_everything(wanted: Wanted) -> None:
    """Every topic with its settings, every schema after its compatibility, every user, every right."""
    empty = {topic.subject: SubjectState(None, None, None) for topic in wanted.catalogue.topics.values()}
    plan = wanted.against(Actual(cluster_id="new", subjects=empty))
    kinds = [change.kind for change in plan.changes]
    seen = wanted.catalogue.topics["child.seen.v1"]
    assert CreateTopic("child.seen.v1", 2, 1, seen.config) in plan.changes
    assert kinds.count("create_topic") == kinds.count("register_schema") == kinds.count("set_compatibility") == 4
    assert kinds.index("set_compatibility") < kinds.index("register_schema")
    assert {change.principal for change in plan.changes if isinstance(change, AddUser)} == {
        "teller",
        "council",
        "reader",
        "operator",
    }
    assert {change.acl for change in plan.changes if isinstance(change, AddAcl)} == acls_of(wanted.catalogue)


def test_one_setting_that_differs_is_one_change(wanted: Wanted) -> None:
    """Only the key that the catalogue names and that has another value."""
    there = wanted.same.topics["lost.v1"]
    drifted = replace(there, config={**there.config, "retention.ms": "1", "segment.ms": "2"})
    plan = wanted.against(replace(wanted.same, topics={**wanted.same.topics, "lost.v1": drifted}))
    assert plan.changes == (SetConfig("lost.v1", "retention.ms", "1", "43200000"),)
    assert str(plan.changes[0]) == "topic lost.v1: retention.ms from 1 to 43200000"


def test_another_partition_count_is_refused_with_the_reason(wanted: Wanted) -> None:
    """More partitions would put a key's later events elsewhere (rule 6)."""
    there = replace(wanted.same.topics["child.seen.v1"], partitions=5)
    plan = wanted.against(replace(wanted.same, topics={**wanted.same.topics, "child.seen.v1": there}))
    assert plan.changes == ()
    assert plan.drift
    assert "child.seen.v1 has 5 partitions and the catalogue says 2" in plan.refused[0]
    assert "overtake" in plan.refused[0]


def test_other_topics_and_replicas_are_reported_only(wanted: Wanted) -> None:
    """A topic that nobody listed is left alone; replicas are moved by another tool."""
    there = replace(wanted.same.topics["child.seen.v1"], replication=3)
    theirs = TopicState(1, 1, {})
    plan = wanted.against(replace(wanted.same, topics={**wanted.same.topics, "child.seen.v1": there, "theirs": theirs}))
    assert not plan.drift
    assert plan.notices[0] == "topic theirs is not in the catalogue; left alone"
    assert plan.notices[1].startswith("topic child.seen.v1 has 3 replicas and the catalogue says 1")


def test_a_deletion_is_held_until_it_is_allowed(wanted: Wanted) -> None:
    """Only a topic that stands under `deleted`, and only when told to."""
    actual = replace(wanted.same, topics={**wanted.same.topics, "gone.v1": TopicState(1, 1, {})})
    held = wanted.against(actual)
    assert (held.changes, held.held, held.notices) == ((), (DeleteTopic("gone.v1"),), ())
    assert held.drift
    allowed = wanted.against(actual, allow_delete=True)
    assert (allowed.changes, allowed.held) == ((DeleteTopic("gone.v1"),), ())


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (SubjectState(3, None, "FULL_TRANSITIVE"), ["register_schema"]),
        (SubjectState(1, 1, None), ["set_compatibility"]),
        (SubjectState(1, 1, "NONE"), ["set_compatibility"]),
        (SubjectState(2, 1, "FULL_TRANSITIVE"), []),
    ],
    ids=["another schema", "no level", "another level", "a newer one"],
)
def test_what_a_subject_needs(wanted: Wanted, state: SubjectState, kinds: list[str]) -> None:
    """A schema that the registry does not have is registered; one that it has in an older version is not again."""
    plan = wanted.against(replace(wanted.same, subjects={**wanted.same.subjects, "lost.v1-value": state}))
    assert [change.kind for change in plan.changes] == kinds
    for change in plan.changes:
        assert isinstance(change, RegisterSchema | SetCompatibility)
        assert change.subject == "lost.v1-value"
    assert bool(plan.notices) is (state.latest == 2)


def test_a_schema_that_cannot_be_read_by_the_others_is_refused(wanted: Wanted) -> None:
    """Before anything is changed, with the file that has to be looked at."""
    state = SubjectState(1, None, "FULL_TRANSITIVE", readable=False)
    plan = wanted.against(replace(wanted.same, subjects={**wanted.same.subjects, "lost.v1-value": state}))
    assert plan.refused[0].startswith("schemas/lost/Lost.avsc and a version of subject lost.v1-value cannot read each")


def test_rights_that_the_catalogue_does_not_give_go_first(wanted: Wanted) -> None:
    """One that is missing comes back; a stranger's, a DENY and a wider one are reported and stay."""
    extra = Acl("council", "TOPIC", "child.told.v1", "LITERAL", "READ")
    strangers = {
        extra._replace(principal="stranger"),
        extra._replace(permission="DENY"),
        extra._replace(name="child.", pattern="PREFIXED"),
    }
    missing = Acl("reader", "TOPIC", "child.told.v1", "LITERAL", "READ")
    there = (set(acls_of(wanted.catalogue)) - {missing}) | strangers | {extra}
    plan = wanted.against(replace(wanted.same, acls=there))
    assert plan.changes == (RemoveAcl(extra), AddAcl(missing))
    assert set(plan.notices) == {f"access beside the catalogue: {acl}; left alone" for acl in strangers}


def test_a_password_is_renewed_only_when_asked_for(wanted: Wanted) -> None:
    """Also of a user who is not there yet, and then once."""
    assert wanted.against(wanted.same, rotate=("reader",)).changes == (RenewPassword("reader"),)
    nobody = replace(wanted.same, users={"teller", "council", "operator"})
    assert wanted.against(nobody, rotate=("reader",)).changes == (RenewPassword("reader"),)
    assert wanted.against(nobody).changes == (AddUser("reader"),)
