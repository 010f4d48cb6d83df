"""Who acts, as an event names a worker."""

from __future__ import annotations

from typing import Protocol

from services.bus.events import Team, Worker


class Staff(Protocol):
    """Somebody who is signed in, as services/handover_feed/people knows them."""

    @property
    def person_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def post(self) -> str: ...
    @property
    def team(self) -> Team: ...


def worker(staff: Staff) -> Worker:
    return Worker(person_id=staff.person_id, name=staff.name, post=staff.post, team=staff.team)
