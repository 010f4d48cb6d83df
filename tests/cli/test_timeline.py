"""The demo's timeline speaks to people who have never seen a code."""

from __future__ import annotations

from services.bus.catalogue import load
from services.bus.events import DeadlineKind
from services.bus.settings import HERE
from services.cli.demo.timeline import MISSED, WORDS


def test_whatever_is_missed_is_told_in_words() -> None:
    """Every kind of deadline, also those that the scenario lets nobody miss."""
    assert set(MISSED) == set(DeadlineKind)
    assert not [text for text in MISSED.values() if "_" in text or text.isupper()]


def test_whatever_reaches_a_recipient_is_told_in_words() -> None:
    """Every topic that discloses, but the requests for information that the scenario does without."""
    topics = load(HERE.parent / "topics.yaml").topics
    assert {name for name, topic in topics.items() if topic.discloses} - {"mash.information-requests.v1"} <= set(WORDS)
