"""The room on a bus, with either database: what is odd and valid arrives as it is, and nothing large loses a child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.bus.broker import Partition
from services.bus.catalogue import load
from services.bus.codec import Codec
from services.bus.events import ChildUnmatched, DeadLetter, IncidentReported, PoliceNotified
from services.bus.memory import MemoryBroker
from services.bus.service import Service
from services.bus.settings import settings
from services.police_notifications.wiring import SERVICE
from tests.bus.plain import Bus
from tests.police_notifications.samples import PLACES, child, identity, incident, record

ODD = ["NUL a\0b", "emoji 👩‍👧🏽", "right to left ליאור عائشة \u202eabc", "combining é, ẞ, ﬁ, \ufeff", "x" * 5000]


class PolicesBus(Bus):
    """A bus in memory that has every topic of the catalogue."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self._keys = {name: topic.key for name, topic in load(settings().catalogue).topics.items() if topic.key}
        super().__init__(folder, MemoryBroker(dict.fromkeys([*self._keys, DeadLetter.topic], 1)), **more)

    def codec(self) -> Codec:
        return Codec(self.registry, self._keys)

    async def committed(self, service: Service = SERVICE, topic: str = "") -> dict[Partition, int | None]:
        return {(topic, 0): self.memory.committed.get((service.name, (topic, 0)))}

    async def hears(self, *incidents: IncidentReported) -> None:
        """Let the room decide these from its beginning to its end."""
        await self.publish(*incidents, principal="police")
        async with self.running(SERVICE):
            await self.quiet(SERVICE, IncidentReported.topic)


@pytest.fixture(params=["sqlite", "postgres"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Bus:
    more = {"store_url": request.getfixturevalue("postgres")} if request.param == "postgres" else {}
    return PolicesBus(tmp_path, **more)


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:5])
async def test_whatever_a_name_or_a_narrative_holds_arrives_as_it_is(bus: PolicesBus, text: str) -> None:
    """In the directory and in the incident: the child is found by its identifier, and each character is told."""
    about = identity(forenames=text, family_name=text)
    await bus.publish(*PLACES, record(about=about))
    await bus.hears(incident(child(about=about, voice=text), narrative=text))
    (told,) = await bus.said(PoliceNotified.topic)
    assert (told.about.forenames, told.about.family_name, told.narrative, told.voice) == (text,) * 4
    assert await bus.said(DeadLetter.topic) == []


async def test_two_hundred_children_of_one_incident_are_each_accounted_for(bus: PolicesBus) -> None:
    """One in the directory, the others not: one notification, and as many questions as there are other children."""
    others = [child(f"other-{n}", identity(f"Made {n}", nhs_number=None)) for n in range(199)]
    await bus.publish(*PLACES, record())
    await bus.hears(incident(child(), *others))
    assert len(await bus.said(PoliceNotified.topic)) == 1
    asked = await bus.said(ChildUnmatched.topic)
    assert {one.child_reference for one in asked} == {one.reference for one in others}
    assert await bus.said(DeadLetter.topic) == []


async def test_a_narrative_too_long_to_pass_on_goes_whole_to_a_person(bus: PolicesBus) -> None:
    """With what a notification adds it is larger than an event may be: a dead letter says so, and the next is told."""
    await bus.publish(*PLACES, record())
    await bus.say(incident(narrative="n" * 1_000_000))
    await bus.hears(incident(incident_id="incident-2", id="2"))
    (letter,) = await bus.said(DeadLetter.topic)
    assert letter.reason_code == "output_too_large"
    assert letter.body_claim
    assert [told.incident_id for told in await bus.said(PoliceNotified.topic)] == ["incident-2"]
