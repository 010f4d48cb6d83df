"""`safebus doctor`: each thing that is wrong is found, and said with what mends it."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.bus.catalogue import load
from services.bus.settings import Settings, settings
from services.embedded.ports import free_port
from services.operating.doctoring import Finding, State, machine, servers
from tests.tracing.conftest import Answer


def by_name(findings: object) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}  # type: ignore[attr-defined]


def certificate(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate that is good for so many days yet, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return chain, secret


def test_a_bus_that_runs_is_found_well(here: Settings) -> None:
    """Kafka, registry, topics and clock of a real stack: all well."""
    found = {check["check"]: check for check in json.loads(Answer("doctor", "--json").out)}
    for name in ("Python", "Java runtime", "catalogue", "Kafka", "registry", "topics and schemas", "clock"):
        assert found[name]["state"] == "ok", found[name]


def test_a_newcomers_machine_is_told_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything ever ran nothing is wrong: what is not there yet is said, with what makes it."""
    ports = {"BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "REGISTRY_URL": f"http://127.0.0.1:{free_port()}/x"}
    for name, value in (ports | {"DATA_DIR": str(tmp_path / "new")}).items():
        monkeypatch.setenv(f"SAFEBUS_{name}", value)
    settings.cache_clear()
    said = Answer("doctor")
    assert said.code == 0, said.out
    assert "ok     Python: Python 3." in said.out
    assert "note   Kafka: no passwords yet: the bus was never started here → `safebus up` starts it" in said.out
    assert "note   registry: does not run here" in said.out
    assert not (tmp_path / "new").exists()


def test_a_wrong_setting_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings themselves are wrong, that is what the doctor says, with exit code 3."""
    monkeypatch.setenv("SAFEBUS_BATCH_SIZE", "many")
    settings.cache_clear()
    said = Answer("doctor")
    settings.cache_clear()
    assert said.code == 3
    assert "SAFEBUS_BATCH_SIZE" in said.out


def test_a_port_that_somebody_has_is_wrong(tmp_path: Path) -> None:
    """Who has it, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = by_name(machine.ports(Settings(data_dir=tmp_path, gateway_port=port, board_port=0), None))
    finding = found[f"port {port} (partner gateway)"]
    assert finding.state is State.WRONG
    assert "SAFEBUS_GATEWAY_PORT" in finding.mend


def test_passwords_that_others_may_read_are_wrong(tmp_path: Path) -> None:
    """The command that closes them is the mend."""
    at = Settings(data_dir=tmp_path)
    at.secrets_path.write_text("{}")
    at.secrets_path.chmod(0o644)
    for parent in (tmp_path, *tmp_path.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    finding = by_name(machine.data_dir(at))["permissions"]
    assert finding.state is State.WRONG
    assert f"chmod -R go-rwx {at.secrets_path}" in finding.mend
    at.secrets_path.chmod(0o600)
    assert by_name(machine.data_dir(at))["permissions"].state is State.OK


def test_a_folder_on_a_full_disk_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a gigabyte left is wrong, before it stops a service."""
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _path: type("Usage", (), {"free": 2**20, "total": 2**40, "used": 0})
    )
    assert next(machine.disks(Settings(data_dir=tmp_path))).state is State.WRONG


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [(-1, State.WRONG, "expired on"), (29, State.WRONG, "29 days"), (90, State.OK, "90 days")],
)
def test_a_certificate_is_told_before_it_ends(tmp_path: Path, days: int, state: State, says: str) -> None:
    """A month before; a key that is another certificate's is wrong too."""
    chain, key = certificate(tmp_path, days)
    (finding,) = servers.certificates(Settings(gateway_tls_cert=chain, gateway_tls_key=key))
    assert (finding.state, says in finding.says) == (state, True)


def test_a_key_of_another_certificate_is_wrong(tmp_path: Path) -> None:
    """What could not be served is found before it is tried."""
    (tmp_path / "other").mkdir()
    chain, _ = certificate(tmp_path, 90)
    _, key = certificate(tmp_path / "other", 90)
    (finding,) = servers.certificates(Settings(gateway_tls_cert=chain, gateway_tls_key=key))
    assert finding.state is State.WRONG


def test_a_collector_that_is_away_is_found() -> None:
    """Spans that go nowhere are said to; nothing is looked at where none are to go."""
    assert not list(servers.tracing(Settings()))
    (finding,) = servers.tracing(Settings(otlp_endpoint=f"http://127.0.0.1:{free_port()}"))
    assert finding.state is State.WRONG


def test_a_database_that_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    """With the command that makes it anew from the log."""
    at = Settings(data_dir=tmp_path)
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "deadlines.db").write_bytes(b"this is no database, however long it may be" * 100)
    (finding,) = servers.databases(at, load(at.catalogue))
    assert finding.state is State.WRONG
    assert "safebus recover deadlines" in finding.mend


def test_postgres_says_whether_its_clock_agrees(postgres: str) -> None:
    """One look for each server, with its clock; one that is away is wrong."""
    (finding,) = servers.databases(Settings(store_url=postgres), load(Settings().catalogue))
    assert finding.state is State.OK, finding
    away = f"postgresql+psycopg://127.0.0.1:{free_port()}/x"
    (finding,) = servers.databases(Settings(store_url=away), load(Settings().catalogue))
    assert finding.state is State.WRONG
