"""What answers over a connection: Kafka, the registry, databases, the clock they go by, and what runs of the bus."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Final

import httpx
import sqlalchemy as sa
from confluent_kafka.admin import OffsetSpec
from cryptography import x509

from services.bus.catalogue.cluster import Cluster
from services.bus.catalogue.model import Catalogue
from services.bus.catalogue.plan import admin_config_of, plan
from services.bus.catalogue.validate import validate
from services.bus.errors import CatalogueInvalid, NotPermitted, SafebusError, UserMistake
from services.bus.run import broker_for
from services.bus.settings import Settings
from services.operating.doctoring.finding import Finding, State, note, ok, wrong
from services.operating.doctoring.machine import LOOPBACK
from services.operating.reading import OPERATOR
from services.supervisor.status import Status

ANSWER_WITHIN: Final = 5.0
SKEW: Final = timedelta(seconds=2)
"""Clocks that differ by more make latencies and deadlines look wrong."""
EXPIRES: Final = timedelta(days=30)
START: Final = "`safebus up` starts it"


def running(up: Status | None) -> Finding:
    """What the supervisor says of its processes."""
    if up is None:
        return note("safebus", "not up here", "`safebus up` starts it; nothing needs to run for the other checks")
    late = up.late
    if not late:
        return ok("safebus", f"up, all {len(up.processes)} processes are ready")
    said = "; ".join(f"{process.name} {process.state}{f' ({process.why})' if process.why else ''}" for process in late)
    state = State.NOTE if up.state == "starting" else State.WRONG
    return Finding("safebus", state, f"{up.state}: {said}", "`safebus status` tells more, and where the logs are")


def contract(at: Settings) -> tuple[Finding, Catalogue | None]:
    """The catalogue and the schemas, by themselves."""
    try:
        found = validate(at)
    except CatalogueInvalid as invalid:
        said = f"{len(invalid.findings)} faults, the first: {invalid.findings[0]}"
        return wrong("catalogue", said, "`safebus topics validate` shows each with its line"), None
    except UserMistake as mistake:
        return wrong("catalogue", str(mistake), "set SAFEBUS_CATALOGUE and SAFEBUS_SCHEMAS"), None
    return ok("catalogue", f"{len(found.topics)} topics, {len(found.principals)} principals"), found


def broker(at: Settings, up: Status | None) -> Finding:
    """That Kafka answers and knows the operator."""
    where = at.bootstrap_servers
    try:
        cluster = Cluster(broker_for(at, at.principal or OPERATOR).confluent()).cluster_id()
    except NotPermitted as refused:
        if up is None and not at.secrets_path.exists() and _is_here(where):
            return note("Kafka", "no passwords yet: the bus was never started here", START)
        return wrong("Kafka", str(refused), "`safebus topics apply` writes the passwords that are missing")
    except SafebusError as away:
        return _away("Kafka", where, up, str(away))
    if at.cluster_id and cluster != at.cluster_id:
        return wrong("Kafka", f"this is the cluster {cluster}, not {at.cluster_id}", "set SAFEBUS_BOOTSTRAP_SERVERS")
    return ok("Kafka", f"answers at {where}, cluster {cluster}")


def registry(at: Settings, up: Status | None) -> Finding:
    """That the schema registry answers as one."""
    where = at.registry_url
    try:
        answer = httpx.get(f"{where.rstrip('/')}/subjects", timeout=ANSWER_WITHIN)
        subjects = answer.json() if answer.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return _away("registry", where, up, f"no answer ({type(error).__name__})")
    if not isinstance(subjects, list):
        mend = "set SAFEBUS_REGISTRY_URL to its Confluent-compatible API, such as …/apis/ccompat/v7"
        return wrong("registry", f"{where} answers {answer.status_code}, and not as a schema registry", mend)
    return ok("registry", f"answers at {where}, {len(subjects)} subjects")


def drift(at: Settings, catalogue: Catalogue) -> Finding:
    """Whether topics, access and schemas are what the catalogue says."""
    try:
        found = plan(catalogue, admin_config_of(at), at.registry_url, cluster_id=at.cluster_id)
    except NotPermitted as refused:
        return note("topics and schemas", f"not looked at: {refused}", "run `safebus topics plan` as who may")
    except SafebusError as error:
        return wrong("topics and schemas", str(error), "`safebus topics plan`")
    if found.drift:
        mend = "`safebus topics plan` shows it, `safebus topics apply` mends it"
        return wrong("topics and schemas", f"{len(found.changes) + len(found.refused)} differences", mend)
    return ok("topics and schemas", "as the catalogue says")


def databases(at: Settings, catalogue: Catalogue) -> Iterator[Finding]:
    """That each can be opened. SQLite is read without a lock: its service may be running."""
    urls = {service: sa.make_url(at.store_for(service)) for service in catalogue.services}
    files = {service: url for service, url in urls.items() if url.get_backend_name() == "sqlite"}
    if files:
        yield _files(files)
    for url in {url for service, url in urls.items() if service not in files}:
        yield _postgres(url)


def clock(at: Settings, catalogue: Catalogue) -> Finding:
    """Whether this machine's clock agrees with the broker's: no record can have been taken in the future."""
    if at.clock_file:
        return note("clock", f"a demo's clock is in use, {at.clock_file}", "unset SAFEBUS_CLOCK_FILE for the real one")
    try:
        latest = asyncio.run(_latest_append(at, catalogue))
    except SafebusError:
        return note("clock", "not compared: Kafka does not answer")
    if latest is None:
        return ok("clock", "nothing to compare with yet: no record was written")
    ahead = latest - datetime.now(UTC)
    if ahead > SKEW:
        said = f"Kafka's newest record is {ahead.total_seconds():.0f} s in this machine's future"
        return wrong("clock", said, "synchronise both clocks (`timedatectl set-ntp true`, or chrony)")
    return ok("clock", f"no skew to be seen; Kafka's newest record is {-ahead.total_seconds():.0f} s old")


def certificates(at: Settings) -> Iterator[Finding]:
    """How long those that are set are still good for, and that each has its key."""
    pairs = (
        ("gateway's certificate", at.gateway_tls_cert, at.gateway_tls_key),
        ("board's certificate", at.board_tls_cert, at.board_tls_key),
        ("Kafka's certificate authority", at.ssl_cafile, None),
    )
    for name, chain, key in pairs:
        if chain is not None:
            yield _certificate(name, chain, key)


def tracing(at: Settings) -> Iterator[Finding]:
    """That spans can go where they are to go; only if they are to go anywhere."""
    if not at.otlp_endpoint:
        return
    try:
        import_module("opentelemetry.sdk.trace")
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        mend = "`pip install 'safebus[tracing]'`, or unset SAFEBUS_OTLP_ENDPOINT"
        yield wrong("tracing", "OpenTelemetry is not installed, so nothing is traced", mend)
        return
    try:
        httpx.get(at.otlp_endpoint, timeout=ANSWER_WITHIN)  # whatever it answers, it is there
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        mend = "start the collector, or set SAFEBUS_OTLP_ENDPOINT; no event waits for it"
        yield wrong("tracing", f"{at.otlp_endpoint} does not answer ({type(error).__name__}): spans are lost", mend)
    else:
        yield ok("tracing", f"spans go to {at.otlp_endpoint}")


def _certificate(name: str, chain: Path, key: Path | None) -> Finding:
    mend = "put a new one in its place, and start the process again"
    try:
        found = x509.load_pem_x509_certificates(chain.read_bytes())
        if key is not None:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    except OSError as error:  # an SSLError is one: the key is another certificate's
        return wrong(name, f"{chain} or its key cannot be used: {error.strerror or type(error).__name__}", mend)
    except ValueError:
        return wrong(name, f"{chain} is no PEM certificate", mend)
    ends = min(certificate.not_valid_after_utc for certificate in found)
    left = ends - datetime.now(UTC)
    said = f"good until {ends:%d %b %Y}"
    if left < timedelta():
        return wrong(name, f"expired on {ends:%d %b %Y}", mend)
    return wrong(name, f"{said}, {left.days} days", mend) if left < EXPIRES else ok(name, f"{said}, {left.days} days")


async def _latest_append(at: Settings, catalogue: Catalogue) -> datetime | None:
    kafka = broker_for(at, at.principal or OPERATOR)
    there = await kafka.partition_counts()
    places = [(name, n) for name in catalogue.topics for n in range(there.get(name, 0))]
    found = await kafka.offsets(dict.fromkeys(places, OffsetSpec.max_timestamp()))
    newest = max((one.timestamp for one in found.values()), default=-1)
    return datetime.fromtimestamp(newest / 1000, UTC) if newest > 0 else None


def _files(urls: dict[str, sa.URL]) -> Finding:
    there = {service: Path(str(url.database)) for service, url in urls.items() if Path(str(url.database)).exists()}
    broken = [service for service, path in there.items() if not _opens(path)]
    if broken:
        mend = f"stop it, move its file away and `safebus recover {broken[0]}`: it is rebuilt from the log"
        return wrong("databases", f"SQLite cannot read that of {', '.join(broken)}", mend)
    if not there:
        return note("databases", "none yet; each service makes its own when it starts")
    size = sum(path.stat().st_size for path in there.values()) / 1_000_000
    return ok("databases", f"{len(there)} of {len(urls)} SQLite files, {size:.1f} MB")


def _opens(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=ANSWER_WITHIN)) as opened:
            opened.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error:
        return False
    return True


def _postgres(url: sa.URL) -> Finding:
    name = f"PostgreSQL {url.host or 'here'}:{url.port or 5432}/{url.database}"
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"connect_timeout": int(ANSWER_WITHIN)})
    try:
        before = datetime.now(UTC)
        with engine.connect() as connection:
            there: datetime = connection.execute(sa.text("select clock_timestamp()")).scalar_one()
        after = datetime.now(UTC)
    except sa.exc.SQLAlchemyError as error:
        why = "wrong user or password" if "password" in str(error.__cause__).lower() else type(error).__name__
        return wrong(name, f"does not answer: {why}", "start it, or set SAFEBUS_STORE_URL")
    finally:
        engine.dispose()
    if not before - SKEW <= there <= after + SKEW:
        seconds = abs((there - after).total_seconds())
        return wrong(name, f"its clock differs from this machine's by {seconds:.0f} s", "synchronise both clocks")
    return ok(name, "answers, and its clock agrees")


def _away(name: str, where: str, up: Status | None, why: str) -> Finding:
    if up is None and _is_here(where):
        return note(name, f"does not run here ({where})", START)
    return wrong(name, why, f"start it, or set its address: {where} is what the settings say")


def _is_here(where: str) -> bool:
    return any(f"{host}:" in where for host in LOOPBACK)
