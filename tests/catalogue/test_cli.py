"""`safebus topics validate | plan | apply`, as a person and as a program would use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from services.bus.catalogue.cluster import Cluster
from services.bus.errors import CatalogueInvalid, UserMistake
from services.bus.settings import settings
from services.cli.topics import app
from tests.catalogue.places import CATALOGUE, SCHEMAS, lay_out
from tests.embedded.broker import Broker


def run(*words: str) -> Result:
    settings.cache_clear()
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The small catalogue, with topics of its own, as the settings' one."""
    mark = f"c{uuid4().hex[:8]}"
    schemas = {file: json.dumps(body).replace(".v1", f".{mark}.v1") for file, body in SCHEMAS.items()}
    config = lay_out(tmp_path, CATALOGUE.replace(".v1", f".{mark}.v1"), schemas)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAFEBUS_CATALOGUE", str(config.catalogue))
    monkeypatch.setenv("SAFEBUS_SCHEMAS", str(config.schemas))
    yield config.catalogue
    settings.cache_clear()


@pytest.fixture
def there(catalogue: Path, kafka: Broker, registry: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, with a broker and a registry."""
    for name, value in {
        "SAFEBUS_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SAFEBUS_SECURITY_PROTOCOL": kafka.security_protocol,
        "SAFEBUS_SECRETS_FILE": str(kafka.secrets_path),
        "SAFEBUS_REGISTRY_URL": registry,
        "SAFEBUS_PRINCIPAL": kafka.admin_name,
    }.items():
        monkeypatch.setenv(name, value)
    yield catalogue
    cluster = Cluster(kafka.confluent())
    left = [acl for acl in cluster.acls() if acl.principal in ("teller", "council", "reader", "operator")]
    if left:
        cluster.remove_acls(left)


def test_validate_says_in_a_line_that_all_is_well(catalogue: Path) -> None:
    """Exit code 0."""
    done = run("validate")
    assert done.exit_code == 0
    assert done.output == "topics.yaml is valid: 4 topics, 4 principals\n"


def test_validate_tells_every_fault(catalogue: Path) -> None:
    """A user's mistake, which the command line tells with exit code 2."""
    catalogue.write_text(catalogue.read_text().replace("key: child_id", "key: kid"))
    done = run("validate")
    assert isinstance(done.exception, CatalogueInvalid)
    assert done.exception.exit_code == 2
    assert len(done.exception.findings) == 3
    assert all(line.startswith("topics.yaml:") for line in str(done.exception).splitlines())


def test_plan_and_apply_do_not_begin_with_an_invalid_catalogue(there: Path) -> None:
    """Nothing is asked of the cluster."""
    there.write_text(there.read_text().replace("read_by: [reader]", "read_by: [council]"))
    for command in ("plan", "apply"):
        assert isinstance(run(command).exception, CatalogueInvalid)


def test_plan_shows_what_apply_then_does_once(there: Path) -> None:
    """Exit code 3 while the cluster differs, 0 afterwards; a person reads a sign and a sentence in each line."""
    first = run("plan")
    assert first.exit_code == 3
    name = next(line for line in there.read_text().splitlines() if "lost." in line).strip(" :")
    assert f"+ topic {name}: partitions=1, replicas=1, cleanup.policy=delete, retention.ms=43200000\n" in first.output
    assert "+ access: council may WRITE topic" in first.output

    done = run("apply")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1].endswith("changes")
    again = run("apply")
    assert "was as the catalogue says; nothing changed" in again.output
    last = run("plan")
    assert last.exit_code == 0
    assert "is as the catalogue says" in last.output


def test_a_program_reads_json(there: Path) -> None:
    """One object on one line, with every change, and the same exit codes."""
    planned = run("plan", "--json")
    assert planned.exit_code == 3
    [line] = planned.output.splitlines()
    plan = json.loads(line)
    assert plan["drift"] is True
    created = [change for change in plan["changes"] if change["change"] == "create_topic"]
    assert len(created) == 4
    assert created[0]["partitions"] == 2
    assert created[0]["config"]["message.timestamp.type"] == "LogAppendTime"
    access = next(change for change in plan["changes"] if change["change"] == "add_acl")
    assert access.keys() >= {"principal", "resource", "name", "operation", "says"}

    applied = json.loads(run("apply", "--json").output)
    assert applied["changes"] == plan["changes"]
    assert json.loads(run("plan", "--json").output)["drift"] is False


def test_no_password_is_ever_printed(there: Path, kafka: Broker) -> None:
    """Users are made and renewed by name; their passwords go to the secrets file alone."""
    told = run("apply", "--rotate", "council").output + run("apply", "--json", "--rotate", "council").output
    assert "council" in told
    assert not any(password in told for password in json.loads(kafka.secrets_path.read_text()).values())


def test_another_cluster_is_refused(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SAFEBUS_CLUSTER_ID says which cluster this catalogue is for."""
    monkeypatch.setenv("SAFEBUS_CLUSTER_ID", "another")
    for command in ("plan", "apply"):
        assert isinstance(run(command).exception, UserMistake)
