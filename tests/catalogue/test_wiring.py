"""The rooms' wiring and the catalogue agree, so that nobody hears or says what the catalogue does not tell."""

from __future__ import annotations

from importlib import import_module

import pytest

from services.bus.catalogue import Catalogue, load
from services.bus.catalogue.model import GATEWAY
from services.bus.directory import TOPICS as DIRECTORY
from services.bus.probes import probed
from services.bus.settings import HERE

ROOMS = sorted(path.parent.name for path in HERE.glob("*/wiring.py"))


@pytest.fixture(scope="module")
def ours() -> Catalogue:
    return load(HERE.parent / "topics.yaml")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_may_use_exactly_the_topics_that_it_uses(ours: Catalogue, room: str) -> None:
    """What it hears it may read, what it emits it may write, besides the directory and dead letters; and no more."""
    service = probed(import_module(f"services.{room}.wiring").SERVICE)
    assert service.name == room.replace("_", "-")
    assert service.name in ours.services
    dead_letters = {name for name, topic in ours.topics.items() if topic.key is None}
    inboxes = {inbox.name for inbox in ours.inboxes.values()} if service.name == GATEWAY else set()
    assert set(ours.topics_read_by(service.name)) == {*service.hears, *DIRECTORY}
    assert set(ours.topics_written_by(service.name)) == {kind.topic for kind in service.emits} | dead_letters | inboxes
    assert set(service.says) - {kind.topic for kind in service.emits} == inboxes


def test_every_service_of_the_catalogue_is_a_room(ours: Catalogue) -> None:
    """No principal has a service's rights without being one."""
    assert {name.replace("-", "_") for name in ours.services} == set(ROOMS)
