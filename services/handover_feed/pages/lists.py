"""The board's lists: what is open worst first, what is taken, what the other side has, what was done this shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from services.bus.events import HandoverAct, MatterChanged, MatterState, Team
from services.handover_feed.board import reading
from services.handover_feed.pages.frame import OTHER, WAITING, Frame
from services.handover_feed.pages.shown import Shown
from services.handover_feed.pages.words import TEAMS, near

SIZE = 50
"""Matters on one page: what fits is read, what follows is a link away, and the page stays small with 500 of them."""

LEFT = "Their shift was not closed: nobody has said who sees to these. Take what cannot wait."

ENDED = {HandoverAct.CLOSED, HandoverAct.HANDED_TO_DAY, HandoverAct.HANDED_TO_NIGHT}


MANY = 4
"""Children of one incident: so many stand together, under the one who is worst off."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A matter, and those of the same incident that stand with it: each a matter of its own."""

    worst: Shown
    others: list[Shown]

    @property
    def in_danger(self) -> int:
        """How many of the others are in immediate danger, and nobody has taken them: they are never hidden (H7)."""
        return sum(m.danger for m in self.others)


@dataclass(frozen=True, slots=True)
class Group:
    """Matters under one heading."""

    key: str
    heading: str
    matters: list[Shown]
    hint: str = ""
    nothing: str = ""
    """What is said when there is none; without it the group is left out."""
    first: int = 1
    """The number of the first of them in the whole list."""

    @property
    def bundles(self) -> list[Bundle]:
        """In their order, those of one incident together where they are many."""
        found: list[Bundle] = []
        for together in _together(self.matters):
            if len(together) >= MANY:
                found.append(Bundle(together[0], together[1:]))
            else:
                found += [Bundle(m, []) for m in together]
        return found


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of lists."""

    heading: str
    lead: str
    groups: list[Group]
    page: int = 1
    last: int = 1
    before: str = ""
    """The name of the link to what the shift before did; without it there is none."""

    @property
    def act_ids(self) -> dict[str, str]:
        """A form's own id for each matter that can be taken from the list."""
        return {
            m.id: str(uuid4())
            for group in self.groups
            for m in group.matters
            if group.key in ("danger", "open", "left")
        }


async def open_now(frame: Frame, page: int) -> Listing:
    """This side's matters that nobody has taken, worst first; before them immediate danger, whichever side has it;
    after them what the other side went off duty with."""
    mine = await _cards(frame, team=frame.staff.team, state=MatterState.OPEN)
    rest = [card for card in mine if not card.interrupts]
    danger = _bundled([frame.show(one.card) for one in frame.danger])
    left, other = frame.left, OTHER.get(frame.staff.team, Team.DAY)
    shown, page, last = _page(frame, [*rest, *left], page)
    ours, theirs = [m for m in shown if m.card.team is not other], [m for m in shown if m.card.team is other]
    first = (page - 1) * SIZE + 1
    if not rest and not danger:
        lead = f"Nothing is open for {_us(frame)}."
    else:
        lead = f"{_count(len(rest) + len(danger))} nobody has taken. The worst is first."
    if left:
        lead += f" Besides, {TEAMS[other]} has left {len(left)}."
    return Listing(
        heading="Open now",
        lead=lead,
        groups=[
            Group("danger", "In immediate danger", danger if page == 1 else []),
            Group("open", "Worst first", ours, first=first),
            Group("left", f"Left by {TEAMS[other]}", theirs, LEFT, first=max(1, first - len(rest))),
        ],
        page=page,
        last=last,
        before=f"What the {'night' if frame.shift_before.team is Team.NIGHT else 'day'} did",
    )


async def taken(frame: Frame, page: int) -> Listing:
    """What this worker has taken, then what others of this side have."""
    cards = await _cards(frame, state=MatterState.TAKEN)
    shown = [frame.show(card) for card in cards]
    mine = [m for m in shown if m.mine]
    others, page, last = _page(
        frame, [m.card for m in shown if not m.mine and m.card.team is frame.staff.team], page
    )  # fmt: skip
    return Listing(
        heading="Taken",
        lead="",
        groups=[
            Group("mine", "Yours", mine if page == 1 else [], nothing="You have taken nothing."),
            Group("taken", "Taken by others on your side", others, nothing="Nobody else has taken anything."),
        ],
        page=page,
        last=last,
    )


async def waiting(frame: Frame, page: int) -> Listing:
    """What the other side has: at night, what waits for the day, with the time that it will have waited by then."""
    other = OTHER.get(frame.staff.team, Team.DAY)
    cards = [card for card in await _cards(frame, team=other) if not card.interrupts]
    shown, page, last = _page(frame, cards, page)
    lead = f"{_count(len(cards))} {TEAMS[other]} has. The worst is first." if cards else "Nothing is there."
    return Listing(
        WAITING[other], lead, [Group("waiting", "Worst first", shown, first=(page - 1) * SIZE + 1)], page, last
    )


async def done(frame: Frame, page: int) -> Listing:
    """What was handed on or closed since the shift before began, by either side: the day sees what the night did."""
    began = frame.shift_before.began_at
    since_us, until_us = int(began.timestamp() * 1e6), frame.board.now_us + 1
    passages = await frame.board.access.read(lambda c: reading.summary(c, since_us, until_us, order=frame.board.order))
    cards = [one.card for one in passages if ENDED & {act.act for act in one.acts}]
    shown, page, last = _page(frame, cards, page)
    return Listing(
        heading="Done",
        lead=f"What was handed on or closed in this shift and the one before, since {near(began, frame.now)}.",
        groups=[Group("since", "Handed on or closed", shown, nothing="Nothing yet.", first=(page - 1) * SIZE + 1)],
        page=page,
        last=last,
    )


async def _cards(frame: Frame, team: Team | None = None, state: MatterState | None = None) -> list[MatterChanged]:
    return await frame.board.access.read(
        lambda connection: reading.cards(connection, team=team, state=state, order=frame.board.order)
    )


def _page(frame: Frame, cards: Sequence[MatterChanged], page: int) -> tuple[list[Shown], int, int]:
    """The matters of that page, its number, which is no higher than the last one's, and the last one's."""
    last = max(1, -(-len(cards) // SIZE))
    page = min(max(1, page), last)
    shown = _bundled([frame.show(card) for card in cards])
    return shown[(page - 1) * SIZE : page * SIZE], page, last


def _bundled(shown: Sequence[Shown]) -> list[Shown]:
    """In their order, but those of one incident after the worst of them, where they are many: a school's 200 children
    do not push out of sight what happened to others."""
    of = Counter(m.incident for m in shown if m.incident)
    rest = {incident: [m for m in shown if m.incident == incident] for incident, many in of.items() if many >= MANY}
    found: list[Shown] = []
    for m in shown:
        if m.incident not in rest:
            found.append(m)
        elif rest[m.incident]:
            found += rest[m.incident]
            rest[m.incident] = []
    return found


def _together(shown: Sequence[Shown]) -> list[list[Shown]]:
    """Neighbours of one incident, each other by itself."""
    found: list[list[Shown]] = []
    for m in shown:
        if found and m.incident and found[-1][0].incident == m.incident:
            found[-1].append(m)
        else:
            found.append([m])
    return found


def _us(frame: Frame) -> str:
    return TEAMS.get(frame.staff.team, "your side")


def _count(number: int) -> str:
    return f"{number} {'matter' if number == 1 else 'matters'}"
