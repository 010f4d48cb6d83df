"""From when on an event could be read: what every time of telling, and every share that came in time, rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.bus.envelope import Envelope, Event
from services.performance_data.facts import micros
from services.performance_data.hearing import Heard, told

SAID = datetime(2026, 11, 13, 19, 40, tzinfo=UTC)
MONDAY = datetime(2026, 11, 16, 10, 5, tzinfo=UTC)


def an_event() -> Event:
    return Event().enveloped(Envelope("1", "urn:made-up", "made-up.v1", SAID))


def record(had: datetime) -> Heard:
    return Heard("encompass.alerts.v1", 0, 0, round(had.timestamp() * 1000), b"", b"", ())


@pytest.mark.parametrize(
    ("had", "stepped", "readable"),
    [
        pytest.param(MONDAY, False, MONDAY, id="it stood in an outbox through the weekend: it came on Monday"),
        pytest.param(
            SAID - timedelta(seconds=2), False, SAID, id="two machines' clocks differ: never before it was said"
        ),
        pytest.param(MONDAY, True, SAID, id="a demo's clock, which Kafka does not follow: when it was said"),
    ],
)
def test_from_when_on_an_event_could_be_read(had: datetime, stepped: bool, readable: datetime) -> None:
    """An alert that was decided on Friday and came on Monday is late, though its ce_time says Friday."""
    assert told(an_event(), record(had), stepped=stepped) == micros(readable)
