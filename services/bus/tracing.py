"""Spans for a collector that speaks OTLP, by OpenTelemetry's messaging conventions; none unless SAFEBUS_OTLP_ENDPOINT
is set.

The door of the gateway begins a trace or joins its sender's, and what it writes carries that in the record's header
`traceparent`, as everything does that follows from it. A service makes one span for each topic of a batch, `process T`
for what it heard and `send T` for what it said. A batch comes from many traces, so it links to them; a single record's
span is its trace's child. Spans are made of a batch once it is done, so nothing waits for them, and none holds a
person's data: no key, no header but the trace's own, and an event's id only where it is a UUID.

Source: OpenTelemetry semantic conventions, messaging spans and Kafka; W3C Trace Context.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from services.bus.broker import Header, Record
from services.bus.envelope import Event
from services.bus.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

HEADER: Final = "traceparent"
MOST_LINKS: Final = 128
"""As many as the SDK keeps of a span."""
FLUSH: Final = 1.5
"""Seconds that a process which ends gives its last spans."""
_PARTS: Final = (2, 32, 16, 2)

log = structlog.get_logger()

_provider: TracerProvider | None = None
_tracer: Tracer | None = None


def start(process: str, at: Settings, exporter: SpanExporter | None = None) -> None:
    """Trace from now on, if the settings say where to. What is missing for it is said once, and stops nothing.

    Args:
        process: the service's name, which the collector shows.
        exporter: where spans go instead, for tests.
    """
    global _provider, _tracer
    if exporter is None and not at.otlp_endpoint:
        return
    try:
        _provider = _made(process, at, exporter)
    except ImportError:
        log.warning("not_traced", reason="OpenTelemetry is not installed: pip install 'safebus[tracing]'")
        return
    _tracer = _provider.get_tracer("safebus", version("safebus"))


def stop() -> None:
    """Let the last spans go, for at most `FLUSH` seconds: a collector that is away may not keep a process."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH)


def tracer() -> Tracer | None:
    """None while nothing is traced."""
    return _tracer


def processed(service: str, records: Sequence[Record], started_ns: int, ended_ns: int) -> None:
    """A service has decided a batch and committed it. Nanoseconds since 1970."""
    if _tracer is None:
        return
    by_topic: dict[str, list[Record]] = {}
    for record in records:
        by_topic.setdefault(record.topic, []).append(record)
    for topic, heard in by_topic.items():
        attributes: dict[str, Any] = {"messaging.consumer.group.name": service}
        if len(heard) == 1:
            attributes |= {
                "messaging.destination.partition.id": str(heard[0].partition),
                "messaging.kafka.offset": heard[0].offset,
            }
        _span("process", topic, service, [record.headers for record in heard], attributes, started_ns, ended_ns)


def sent(service: str, said: Iterable[tuple[str, Sequence[Header]]], started_ns: int, ended_ns: int) -> None:
    """Kafka has acknowledged these: topic and headers of each."""
    if _tracer is None:
        return
    by_topic: dict[str, list[Sequence[Header]]] = {}
    for topic, headers in said:
        by_topic.setdefault(topic, []).append(headers)
    for topic, every in by_topic.items():
        _span("send", topic, service, every, {}, started_ns, ended_ns)


def carry(events: Iterable[Event]) -> None:
    """Events that come in at a door belong to its span, unless their sender says to which they belong."""
    if _tracer is None or (current := traceparent()) is None:
        return
    for event in events:
        if event.envelope.traceparent is None:
            event.enveloped(event.envelope.changed(traceparent=current))


def traceparent(span: Span | None = None) -> str | None:
    """W3C's header for this span, or the current one; None where there is none."""
    from opentelemetry import trace

    context = (span or trace.get_current_span()).get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags.sampled):02x}"


def parent_of(said: bytes | str | None) -> Context | None:
    """The context in which a span is that header's child; None if it is no W3C trace context."""
    from opentelemetry import trace

    remote = _remote(said)
    return None if remote is None else trace.set_span_in_context(trace.NonRecordingSpan(remote))


def _span(
    operation: str,
    topic: str,
    service: str,
    messages: Sequence[Sequence[Header]],
    attributes: Mapping[str, Any],
    started_ns: int,
    ended_ns: int,
) -> None:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind

    assert _tracer is not None
    contexts = {context.span_id: context for headers in messages if (context := _remote(_value(headers, HEADER)))}
    remote = list(contexts.values())
    conventional = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.client.id": service,
    }
    if len(messages) > 1:
        conventional["messaging.batch.message_count"] = len(messages)  # type: ignore[assignment]
    elif event_id := _uuid(_value(messages[0], "ce_id")):
        conventional["messaging.message.id"] = event_id
    alone = len(messages) == 1 and len(remote) == 1
    links: list[Link] = [] if alone else [Link(context) for context in remote[:MOST_LINKS]]
    _tracer.start_span(
        f"{operation} {topic}",
        context=parent_of(_value(messages[0], HEADER)) if alone else Context(),
        kind=SpanKind.CONSUMER if operation == "process" else SpanKind.PRODUCER,
        attributes={**conventional, **attributes},
        links=links,
        start_time=started_ns,
    ).end(ended_ns)


def _value(headers: Sequence[Header], name: str) -> bytes | None:
    return next((value for known, value in headers if known == name), None)


def _uuid(said: bytes | None) -> str | None:
    try:
        return str(UUID((said or b"").decode()))
    except ValueError:
        return None


def _remote(said: bytes | str | None) -> SpanContext | None:
    """What a `traceparent` says. W3C Trace Context §3.2: a version that is not known is read as 00 is."""
    from opentelemetry.trace import SpanContext, TraceFlags

    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said or ""
    parts = text.strip().split("-")
    if tuple(map(len, parts[:4])) != _PARTS or parts[0] == "ff":
        return None
    try:
        context = SpanContext(int(parts[1], 16), int(parts[2], 16), True, TraceFlags(int(parts[3], 16)))
    except ValueError:
        return None
    return context if context.is_valid else None


def _made(process: str, at: Settings, exporter: SpanExporter | None) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased

    from services.bus.sampling import ByLinks

    # Its own log would tell of a collector that is away at every export, in another form than ours.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {"service.name": process, "service.namespace": "safebus", "service.version": version("safebus")}
    )
    provider = TracerProvider(resource=resource, sampler=ParentBased(ByLinks(at.otlp_sample)), shutdown_on_exit=False)
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=_traces(str(at.otlp_endpoint)))))
    return provider


def _traces(endpoint: str) -> str:
    """A collector's address alone means its usual path. Source: OTLP specification, OTLP/HTTP request."""
    return endpoint if urlsplit(endpoint).path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
