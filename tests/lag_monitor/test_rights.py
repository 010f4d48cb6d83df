"""What the monitor may do in Kafka: see, and nothing else."""

from __future__ import annotations

from services.bus.catalogue import load
from services.bus.catalogue.acls import acls_of
from services.bus.settings import ROOT
from services.lag_monitor.watch import NAME


def test_the_monitor_describes_and_reads_no_event() -> None:
    """Every topic, and every group of whoever reads one; no READ, so no child's data ever reaches it."""
    ours = load(ROOT / "topics.yaml")
    rights = [acl for acl in acls_of(ours) if acl.principal == NAME]
    assert {acl.operation for acl in rights} == {"DESCRIBE"}
    assert {acl.name for acl in rights if acl.resource == "TOPIC"} == set(ours.logs)
    assert {acl.name for acl in rights if acl.resource == "GROUP"} >= set(ours.services)


def test_it_runs_with_the_services_and_is_none() -> None:
    """`safebus up` starts it; nothing that every service may do is its."""
    ours = load(ROOT / "topics.yaml")
    assert NAME in ours.processes
    assert NAME not in ours.services
