"""The probe: every service answers it through its own loop, nothing else follows, and its silence is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.bus.batch import Batch
from services.bus.claims import Claims
from services.bus.codec import Codec, event_types
from services.bus.directory import DirectoryTable
from services.bus.envelope import Envelope, Event
from services.bus.events import ProbeHeard, ProbeSent
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.probes import answer, probed
from services.bus.projection import Projection
from services.bus.remembered import Remembered
from services.bus.service import Service
from services.bus.settings import HERE, Settings
from services.bus.store import Store
from services.lag_monitor.probing import knocking
from services.lag_monitor.probing.kept import Answer, Probes
from services.lag_monitor.probing.knocking import DOOR
from services.lag_monitor.probing.prober import Prober, probing
from services.partner_gateway.door.serve import place_of
from services.web.serving import listen, serving
from tests.bus.plain import NOTER, MemoryRegistry
from tests.lag_monitor.house import until
from tests.operating.exposed import CATALOGUE
from tests.partner_gateway.certificate import certificate

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ROOMS = sorted(path.parent.name for path in HERE.glob("*/wiring.py"))


def said(heard_by: str) -> ProbeSent:
    envelope = Envelope("probe-1", "urn:safebus:probe", ProbeSent.topic, NOW, heard_by=heard_by)
    probe = ProbeSent(probe_id="probe-1", sent_at=NOW)
    probe.enveloped(envelope)
    return probe


def room(name: str) -> Service:
    service: Service = import_module(f"services.{name}.wiring").SERVICE
    return service


@pytest.mark.parametrize("name", ROOMS)
def test_a_service_answers_and_remembers_nothing(name: str) -> None:
    """One answer, with its own name; no view has a key for a probe, so no state is touched."""
    service = probed(room(name))
    event = said(service.name)
    (heard,) = service.decide(event, None, None)  # type: ignore[arg-type]
    assert isinstance(heard, ProbeHeard)
    assert (heard.service, heard.probe_id, heard.sent_at) == (service.name, "probe-1", NOW)
    assert service.view is None or service.view.key_of(event) is None


def test_each_service_has_an_answer_of_its_own() -> None:
    """Ids differ by who answers, and the same probe heard again is answered under the same id."""
    ids = [next(answer(said(name))).envelope.id for name in CATALOGUE.services for _ in range(2)]
    assert len(set(ids)) == len(CATALOGUE.services)


def test_a_rooms_own_wiring_knows_nothing_of_probes() -> None:
    """None decides on them, none says them: neither the board nor an inbox could show one by mistake."""
    for name in ROOMS:
        service = room(name)
        assert not {ProbeSent.topic, ProbeHeard.topic} & {*service.hears, *service.says}


@pytest.mark.parametrize("name", ["partner_gateway", "handover_feed"])
def test_a_probe_reaches_no_inbox_and_no_card(name: str) -> None:
    """What people look at is told of everything but probes."""
    told: list[Event | None] = []

    class Spy:
        tables = sa.MetaData()
        copies_to = ()

        def begin(self, connection: sa.Connection) -> None: ...
        def record(self, connection: sa.Connection, done: list[Heard]) -> tuple[()]:
            told.extend(h.event for h in done)
            return ()

        def committed(self) -> None: ...

    spy: Projection = Spy()  # type: ignore[assignment]
    service = probed(Service(name=name, on={}, emits=(), projection=spy))
    assert room(name).projection is not None
    assert service.projection is not None
    record = MemoryRecord("t", 0, 0, b"", b"", [], 0)
    other = next(answer(said(name)))
    service.projection.record(None, [Heard(record, event=said(name)), Heard(record, event=other)])  # type: ignore[arg-type]
    assert told == [other]


def test_nobody_outside_hears_a_probe() -> None:
    """Services and whoever looks after the bus; no agency, no person, no performance data."""
    sent, heard = CATALOGUE.topics[ProbeSent.topic], CATALOGUE.topics[ProbeHeard.topic]
    assert set(sent.read_by) == {*CATALOGUE.services, "operator"}
    assert set(heard.read_by) == {"probe", "operator"}
    assert set(heard.written_by) == {*CATALOGUE.services}
    assert sent.written_by == ("probe",)
    assert CATALOGUE.topics_read_by("probe") == (ProbeHeard.topic,)
    fields = {name for kind in (sent, heard) for name in event_types()[kind.name].model_fields}
    assert fields == {"probe_id", "sent_at", "service"}


async def test_a_probe_is_answered_and_not_remembered(tmp_path: Path) -> None:
    """One a minute would be half a million remembered ids a year; heard twice, it is answered twice under one id."""
    service = probed(NOTER)
    store = Store(f"sqlite:///{tmp_path}/noter.db", service.name)
    store.open()
    codec = Codec(MemoryRegistry(), {ProbeHeard.topic: "probe_id"})
    await codec.prepare([ProbeHeard.topic])
    event = said(service.name)
    record = MemoryRecord(ProbeSent.topic, 0, 0, b"probe-1", b"", [], int(NOW.timestamp() * 1000))
    heard = Heard(record, event=event, envelope=event.envelope, id=b"i" * 16, digest=b"d" * 16)
    outcomes: list[tuple[str, str]] = []
    answers: list[bytes] = []
    for look in (False, True):
        with store.transaction() as work:
            batch = Batch(
                service, codec, DirectoryTable().within(work.connection), Claims(str(tmp_path)),
                Remembered(alone=False), now=NOW, keep_ids=timedelta(days=400), max_bytes=1_000_000,
            )  # fmt: skip
            done = batch.decide(work, [heard], {ProbeSent.topic: "topic-id"}, look=look)
            outcomes += done.counts
            answers += [dict(output.sending.headers)["ce_id"] for output in done.outputs]
            assert work.seen([heard.id]) == {}
    store.close()
    assert outcomes == [(ProbeSent.topic, "done")] * 2
    assert len(answers) == 2
    assert len(set(answers)) == 1


def test_a_service_that_was_down_for_weeks_needs_no_recovery_for_a_probe() -> None:
    """What it has not read and is removed stops a service, whatever it was."""
    days = CATALOGUE.topics[ProbeSent.topic].retention_days
    assert days is not None
    assert days >= 30


def test_silence_is_told_after_three_probes(tmp_path: Path) -> None:
    """Of a service that stopped answering, and of one that never did."""
    probes = Probes(("a", "b"), 60.0, NOW)
    probes.answered("a", Answer(NOW + timedelta(seconds=60), 0.4))
    assert list(probes.late(NOW + timedelta(seconds=180))) == []
    assert list(probes.late(NOW + timedelta(seconds=181))) == [("b", NOW)]
    assert [name for name, _ in probes.late(NOW + timedelta(seconds=241))] == ["a", "b"]


def test_answers_become_a_histogram_and_a_last_success(tmp_path: Path) -> None:
    """An old probe's answer, read when a service is back, times nothing; a stranger's counts for nobody."""
    service = f"s-{uuid4().hex[:6]}"
    prober = Prober(Settings(data_dir=tmp_path), Probes((service,), 60.0, NOW))
    labels = {"service": service}
    assert REGISTRY.get_sample_value("safebus_probe_last_success_timestamp_seconds", labels) == NOW.timestamp()
    then = NOW + timedelta(seconds=90)
    for name, sent in ((service, then - timedelta(seconds=2)), (service, NOW - timedelta(hours=2)), ("other", then)):
        prober.answered(ProbeHeard(probe_id="p", service=name, sent_at=sent), then)
    assert REGISTRY.get_sample_value("safebus_probe_seconds_sum", labels) == 2
    assert REGISTRY.get_sample_value("safebus_probe_seconds_count", labels) == 1
    assert REGISTRY.get_sample_value("safebus_probe_last_success_timestamp_seconds", labels) == then.timestamp()
    assert list(prober.probes.answers) == [service]


@asynccontextmanager
async def a_door(at: Settings, status: int) -> AsyncIterator[str]:
    """What stands in the place of the gateway's, and says where it is as that does."""

    async def answer(_request: Request) -> Response:
        return Response(status_code=status)

    async def close() -> None: ...

    app = Starlette(routes=[Route(knocking.PAGE, answer)])
    async with serving(app, listen(place_of(at)), place_of(at), close) as address:
        yield address


async def test_the_door_is_knocked_at_too(tmp_path: Path) -> None:
    """Where partners come in: from when somebody says where that is. One that is silent, or fails, is told of as any
    service is, with what is wrong; and that ends once it answers."""
    at = Settings(data_dir=tmp_path, probe_interval=0.05, gateway_port=0)
    prober = Prober(at, Probes(("s",), 0.05, datetime.now(UTC)))
    knocking_at = asyncio.create_task(prober.knock())
    probes = prober.probes
    try:
        await asyncio.sleep(0.2)
        assert probes.services == ("s",), "nobody says where it is, so nobody is alarmed"
        async with a_door(at, 200):
            await until(lambda: probes.last(DOOR) is not None)
        last = probes.last(DOOR)
        assert last is not None
        assert DOOR in dict(probes.late(last.at + timedelta(seconds=1)))
        async with a_door(at, 503):
            await until(lambda: probes.why.get(DOOR) == "it answers 503")
        async with a_door(at, 200):
            await until(lambda: DOOR not in probes.why)
        assert (REGISTRY.get_sample_value("safebus_probe_seconds_count", {"service": DOOR}) or 0) >= 2
    finally:
        knocking_at.cancel()
        await asyncio.gather(knocking_at, return_exceptions=True)


async def test_a_door_without_a_good_certificate_does_not_answer(tmp_path: Path) -> None:
    """Partners would be turned away by it too."""
    cert, key = certificate(tmp_path)
    at = Settings(data_dir=tmp_path, gateway_port=0, gateway_tls_cert=cert, gateway_tls_key=key)
    async with a_door(at, 200) as address, knocking.knocker() as by:
        assert await knocking.knock(by, address) == "its certificate is not trusted"
        assert await knocking.knock(by, "http://127.0.0.1:1") == "no answer (ConnectError)"


async def test_a_broker_that_is_away_ends_nothing(tmp_path: Path) -> None:
    """That no probe can be sent is told, by a count and on the page; the monitor goes on."""
    before = REGISTRY.get_sample_value("safebus_probes_failed_total") or 0
    at = Settings(data_dir=tmp_path, security_protocol="PLAINTEXT", bootstrap_servers="127.0.0.1:1", probe_interval=0.1)
    prober = Prober(at, Probes(("s",), 0.1, NOW))
    prober._listening.set()
    sending = asyncio.create_task(prober.send())
    async with asyncio.timeout(20):
        while not prober.probes.fault:
            await asyncio.sleep(0.05)
    assert not sending.done()
    sending.cancel()
    assert (REGISTRY.get_sample_value("safebus_probes_failed_total") or 0) > before


async def test_no_probe_where_none_is_wanted(tmp_path: Path) -> None:
    """An interval of 0 sends nothing, and the page says so."""
    async with probing(Settings(data_dir=tmp_path, probe_interval=0)) as probes:
        assert probes is None
