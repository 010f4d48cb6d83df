"""OpenTelemetry: what a collector is told, and what it is never told."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from services.bus import tracing
from services.bus.broker import Header
from services.bus.envelope import Envelope
from services.bus.events import DisclosureRead
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings
from services.web.traced import Traced
from tests.bus import plain

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
FROM = f"00-{TRACE}-b7ad6b7169203331-01"
UNKEPT = f"00-{OTHER}-00f067aa0ba902b7-00"
EVENT = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What a process exports, kept."""
    exporter = InMemorySpanExporter()
    tracing.start("mash-outcomes", Settings(), exporter)
    yield exporter
    tracing.stop()


def record(traceparent: str | None, *, offset: int = 7, topic: str = "mash.decisions.v1") -> MemoryRecord:
    headers: list[Header] = [("ce_id", EVENT.encode()), ("ce_subject", b"Amelia Jones")]
    headers += [("traceparent", traceparent.encode())] if traceparent else []
    return MemoryRecord(topic, 3, offset, b"child-7qm2", b"Amelia Jones", headers, 0)


def test_one_record_is_processed_in_its_senders_trace(spans: InMemorySpanExporter) -> None:
    """A single record's span is a child of what its header says, with the conventions' names."""
    tracing.processed("mash-outcomes", [record(FROM)], 1_000, 2_000)
    (span,) = spans.get_finished_spans()
    assert span.name == "process mash.decisions.v1"
    assert span.kind is SpanKind.CONSUMER
    assert (span.start_time, span.end_time) == (1_000, 2_000)
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == f"{span.context.trace_id:032x}" == TRACE
    assert not span.links
    assert dict(span.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "mash.decisions.v1",
        "messaging.destination.partition.id": "3",
        "messaging.client.id": "mash-outcomes",
        "messaging.consumer.group.name": "mash-outcomes",
        "messaging.kafka.offset": 7,
        "messaging.message.id": EVENT,
    }


def test_a_batch_links_to_its_records_and_has_no_parent(spans: InMemorySpanExporter) -> None:
    """Many traces in one batch: one span a topic, linked to each trace once, and nobody's child."""
    batch = [record(FROM, offset=1), record(FROM, offset=2), record(UNKEPT, offset=3), record(None, offset=4)]
    tracing.processed("mash-outcomes", [*batch, record(None, topic="mash.contacts.v1")], 1, 2)
    decided, contacted = spans.get_finished_spans()
    assert (decided.name, contacted.name) == ("process mash.decisions.v1", "process mash.contacts.v1")
    assert decided.parent is None
    assert [f"{link.context.trace_id:032x}" for link in decided.links] == [TRACE, OTHER]
    assert (decided.attributes or {})["messaging.batch.message_count"] == 4
    assert "messaging.batch.message_count" not in (contacted.attributes or {})


def test_what_is_said_has_a_span_of_its_own_kind(spans: InMemorySpanExporter) -> None:
    """`send T`, a producer's, in the trace of what it was said because of."""
    tracing.sent("mash-outcomes", [("mash.outcomes.v1", record(FROM).headers)], 1, 2)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("send mash.outcomes.v1", SpanKind.PRODUCER)
    assert f"{span.context.trace_id:032x}" == TRACE


def test_no_span_holds_a_key_or_what_an_event_says(spans: InMemorySpanExporter) -> None:
    """No child's key, subject or content, and no event's id that is not a UUID, reaches a collector."""
    named = record(FROM)
    ids = [("ce_id", b"amelia-jones-2015"), *named.headers[1:]]
    tracing.processed("mash-outcomes", [MemoryRecord("mash.decisions.v1", 0, 0, named.key, named.value, ids, 0)], 1, 2)
    tracing.sent("mash-outcomes", [("mash.outcomes.v1", named.headers)], 1, 2)
    told = "".join(span.to_json() for span in spans.get_finished_spans()).lower()
    assert not any(word in told for word in ("amelia", "jones", "child-7qm2"))


@pytest.mark.parametrize(
    "said", [b"", b"00-0-0-01", b"ff-" + FROM[3:].encode(), b"\xff", b"00-" + b"0" * 32 + b"-x-01"]
)
def test_a_header_that_is_no_trace_context_is_left_alone(spans: InMemorySpanExporter, said: bytes) -> None:
    """Whatever a sender writes there, the span is made, without a parent or a link."""
    headers = [("traceparent", said)]
    tracing.processed("mash-outcomes", [MemoryRecord("mash.decisions.v1", 0, 0, None, None, headers, 0)], 1, 2)
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert not span.links


def test_what_is_not_kept_at_its_beginning_is_kept_nowhere() -> None:
    """The beginning of a trace decides for all of it; of what begins here `otlp_sample` says which part."""
    exporter = InMemorySpanExporter()
    tracing.start("mash-outcomes", Settings(otlp_sample=0.0), exporter)
    try:
        for batch in ([record(UNKEPT)], [record(UNKEPT), record(UNKEPT)], [record(None)], [record(None), record(None)]):
            tracing.processed("mash-outcomes", batch, 1, 2)
        assert not exporter.get_finished_spans()
        tracing.processed("mash-outcomes", [record(UNKEPT), record(FROM)], 1, 2)
        assert len(exporter.get_finished_spans()) == 1
    finally:
        tracing.stop()


def door(seen: list[Any]) -> TestClient:
    """An application whose one route notes what it is told of the trace."""

    async def post(request: Request) -> PlainTextResponse:
        event = DisclosureRead.model_construct()  # type: ignore[call-arg]
        event.enveloped(Envelope("1", "urn:safebus:school:990001", "receipts.v1", datetime(2026, 11, 20, tzinfo=UTC)))
        tracing.carry([event])
        seen.append((request.headers.get("traceparent"), event.envelope.traceparent))
        return PlainTextResponse("", int(request.path_params["status"]))

    return TestClient(Traced(Starlette(routes=[Route("/v1/{status}", post, methods=["POST"])])))


def test_a_door_joins_the_callers_trace_and_gives_it_to_what_comes_in(spans: InMemorySpanExporter) -> None:
    """In by HTTP's `traceparent`, out in the record's: the same trace, of which the door's span is a part."""
    seen: list[Any] = []
    door(seen).post("/v1/202", headers={"traceparent": FROM})
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind) == ("POST /v1/{status}", SpanKind.SERVER)
    assert (span.attributes or {})["http.response.status_code"] == 202
    ours = f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert seen == [(ours, ours)]


def test_a_door_without_a_caller_in_a_trace_begins_one(spans: InMemorySpanExporter) -> None:
    """Every event that comes in at the door belongs to a trace; a fault is an error of its span."""
    seen: list[Any] = []
    door(seen).post("/v1/503")
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert not span.status.is_ok
    assert seen[0][1] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


async def test_a_service_traces_what_it_heard_and_what_it_said(spans: InMemorySpanExporter, tmp_path: Path) -> None:
    """Through the real loop: both spans stand in the sender's trace, and what is said carries it on."""
    bus = plain.Bus(tmp_path)
    await bus.say(plain.match("i", "r"), traceparent=FROM.encode())
    async with bus.running():
        (said,) = await bus.until(1)
        await bus.quiet()
    assert said.envelope.traceparent == FROM
    told = {span.name: span for span in spans.get_finished_spans()}
    assert told.keys() == {f"process {plain.MATCHES}", f"send {plain.MET}"}
    assert {f"{span.context.trace_id:032x}" for span in told.values()} == {TRACE}


def test_it_is_off_unless_it_is_asked_for() -> None:
    """Without the setting nothing of OpenTelemetry is as much as imported, and the doors' headers stay as they came."""
    seen: list[Any] = []
    door(seen).post("/v1/202", headers={"traceparent": FROM})
    assert seen == [(FROM, None)]
    program = (
        "import sys; from services.bus import tracing; from services.bus.settings import Settings\n"
        "tracing.start('x', Settings()); tracing.processed('x', [], 0, 1)\n"
        "tracing.sent('x', [], 0, 1); tracing.carry([])\n"
        "tracing.stop(); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_missing_extra_stops_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the extra is not installed, that is said once, and the service goes on."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    tracing.start("mash-outcomes", Settings(otlp_endpoint="http://127.0.0.1:1"))
    assert tracing.tracer() is None
    assert "safebus[tracing]" in capsys.readouterr().out


def test_a_collector_gets_them_by_otlp() -> None:
    """To `/v1/traces` of the address that is set, as protobuf, with the service's name."""
    came: list[tuple[str, ExportTraceServiceRequest]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            request.ParseFromString(body)
            came.append((self.path, request))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        tracing.start("gp-updates", Settings(otlp_endpoint=f"http://127.0.0.1:{server.server_port}"))
        tracing.processed("gp-updates", [record(FROM, topic="gp.cues.v1")], 1, 2)
        tracing.stop()
    finally:
        server.shutdown()
        server.server_close()
    ((path, request),) = came
    (spans,) = request.resource_spans
    assert path == "/v1/traces"
    assert {a.key: a.value.string_value for a in spans.resource.attributes}["service.name"] == "gp-updates"
    (span,) = spans.scope_spans[0].spans
    assert (span.name, span.trace_id.hex()) == ("process gp.cues.v1", TRACE)


def test_a_collector_that_is_away_keeps_nobody() -> None:
    """Spans are lost then, and the process ends when it would have."""
    tracing.start("gp-updates", Settings(otlp_endpoint="http://127.0.0.1:1"))
    tracing.processed("gp-updates", [record(FROM)], 1, 2)
    ended = threading.Thread(target=tracing.stop, daemon=True)
    ended.start()
    ended.join(30)
    assert not ended.is_alive()
