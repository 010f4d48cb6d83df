"""Who has a matter, by what workers did, in the order of the log: of two who take it, the first has it (N8).

Only what acts themselves say decides: who, when, and which facts the worker had seen. What is known of the child comes
by other topics, in no order with these, and a recovery must accept and refuse as it was done at first (DESIGN.md §1.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime

from services.bus.calendar import LONDON
from services.bus.envelope import Model
from services.bus.events import CardAct, HandoverAct, HandoverActed, HandoverNoted, RiskCriterion, Team, Worker
from services.handover_feed.shifts import DUTY, Duty, team_on_duty

LATEST = 30
"""Acts that are kept, and notes; who has the matter, and what was closed, is kept whatever their number."""
MOST_IDS = 1_000
"""Facts that are remembered as seen or closed, the latest."""
LONGEST_REASON = 1_000

TO = {HandoverAct.HANDED_TO_DAY: Team.DAY, HandoverAct.HANDED_TO_NIGHT: Team.NIGHT}
SIDES = {Team.DAY: "the day team", Team.NIGHT: "the night team"}
HANDS = {team: act for act, team in TO.items()}
NEED_NO_REASON = (HandoverAct.TAKEN, HandoverAct.LET_GO, HandoverAct.PASSED_ON)
NO_ACT = (HandoverAct.UNKNOWN, HandoverAct.NOTED)


class Lowering(Model):
    """A worker's judgement that a criterion no longer holds, for the facts that the worker had seen."""

    criterion: RiskCriterion
    facts: tuple[str, ...]
    by: str
    reason: str
    at: AwareDatetime


class Asked(Model):
    """The on-call manager was asked by a worker who may not open the matter (H3)."""

    act_id: str
    person_id: str
    facts: tuple[str, ...]
    at: AwareDatetime


class Standing(Model):
    """Where a matter stands by what workers did."""

    holder: Worker | None = None
    taken_at: AwareDatetime | None = None
    side: Team = Team.UNKNOWN
    """Which side has it by the last act; UNKNOWN before the first."""
    last: HandoverAct = HandoverAct.UNKNOWN
    """The last act that moved it."""
    moved_at: AwareDatetime | None = None
    seen: tuple[str, ...] = ()
    """Facts that whoever moved it last had seen: any other is news."""
    released: tuple[str, ...] = ()
    """Facts that somebody saw to who does so no longer."""
    released_at: AwareDatetime | None = None
    closed: tuple[str, ...] = ()
    closed_by: Worker | None = None
    """Who closed it last."""
    lowered: tuple[Lowering, ...] = ()
    unopened: tuple[str, ...] = ()
    """Facts with which it was passed to a side unopened: nobody has seen them, and they do not bring it back."""
    asked: Asked | None = None
    """When the on-call manager was asked last."""
    acts: tuple[CardAct, ...] = ()
    """In the order of the log, whatever the clocks of those who acted."""
    notes: tuple[CardAct, ...] = ()
    """The same of notes, which come by a topic of their own."""
    followed: tuple[CardAct, ...] = ()
    """What was done before it was known whose matter it is."""
    ids: tuple[str, ...] = ()

    @property
    def history(self) -> list[CardAct]:
        """What was done, the latest last: acts stand as the log has them, and the rest by the clock among them."""
        rest = sorted((*self.notes, *self.followed), key=lambda one: (one.acted_at, one.act_id))
        paired = [*_in_order(self.acts), *((one.acted_at, one) for one in rest)]
        return [one for _, one in sorted(paired, key=lambda pair: pair[0])]

    def after(self, acted: HandoverActed, duty: Duty = DUTY) -> Self:
        """Where it stands once that was done, or tried. An act that comes again changes nothing."""
        if acted.act_id in self.ids:
            return self
        refused = self.refusal(acted, duty)
        now = self._with({"acts": (*self.acts, done(acted, refused))[-LATEST:]})._remembering(acted.act_id)
        return now if refused else now._moved(acted, duty)

    def noted(self, note: HandoverNoted) -> Self:
        """A note is nobody's taking or leaving; it stands among what was done."""
        if note.note_id in self.ids:
            return self
        written = CardAct(act_id=note.note_id, act=HandoverAct.NOTED, by=note.by, acted_at=note.written_at)
        return self._with({"notes": (*self.notes, written)[-LATEST:]})._remembering(note.note_id)

    def told(self, acts: Iterable[HandoverActed]) -> Self:
        """What was done elsewhere stands among what was done here, and does nothing again."""
        new = [one for one in acts if one.act_id not in self.ids]
        followed = (*self.followed, *(done(one) for one in new))[-LATEST:]
        return self._with({"followed": followed})._remembering(*(one.act_id for one in new))

    def refusal(self, acted: HandoverActed, duty: Duty = DUTY) -> str | None:
        """Why it does not take effect, in one sentence; None if it does.

        Nobody acts on what another holds, for that one may be on the way to the child. A worker who cannot be asked
        any more can be made to let go, by anybody who says why; and whoever is on duty takes what has come since from
        one who is not.
        """
        reason = (acted.reason or "").strip()
        if acted.act in NO_ACT:
            return "This board does not know that act."
        if not reason and acted.act not in NEED_NO_REASON:
            return "A reason is needed: whoever sees to this next must know why."
        said = acted.act is HandoverAct.IDENTIFIED  # its answer stands in the log before it, whoever has the matter
        if self.holder and self.holder.person_id != acted.by.person_id and not said:
            if acted.act is HandoverAct.LET_GO:
                return None if reason else f"{self._who(acted)}; say why it is let go instead."
            if not (acted.act is HandoverAct.TAKEN and self._left_behind(acted, duty)):
                return f"{self._who(acted)}."
        match acted.act:
            case HandoverAct.TAKEN if self.last is HandoverAct.CLOSED and set(acted.addresses) <= set(self.closed):
                return self._ended(acted)
            case HandoverAct.LET_GO if not self.holder:
                return "Nobody had taken this."
            case HandoverAct.HANDED_TO_DAY | HandoverAct.HANDED_TO_NIGHT:
                return self._not_handed(acted, TO[acted.act])
            case HandoverAct.PASSED_ON if acted.to in SIDES:
                return self._not_handed(acted, acted.to)
            case HandoverAct.PASSED_ON:
                return self._asked_already(acted)
            case HandoverAct.IDENTIFIED if not acted.addresses:
                return "Say of what it is known."
            case HandoverAct.TAKEN_BACK if self.last not in TO:
                return "This was not handed on, so it cannot be taken back."
            case HandoverAct.TAKEN_BACK if acted.by.team is self.side:
                return f"{SIDES.get(self.side, 'Your side').capitalize()} has this: take it instead."
            case HandoverAct.RISK_CHANGED if not (set(acted.no_longer) - {RiskCriterion.UNKNOWN} and acted.addresses):
                return "Say which risk no longer holds, and of what."
        return None

    def is_lowered(self, criterion: RiskCriterion, fact_id: str) -> bool:
        return any(one.criterion is criterion and fact_id in one.facts for one in self.lowered)

    def _asked_already(self, acted: HandoverActed) -> str | None:
        asked = self.asked
        if asked is None or asked.person_id != acted.by.person_id or not set(acted.addresses) <= set(asked.facts):
            return None
        return f"You asked the on-call manager at {_clock(asked.at, acted.acted_at)}."

    def _not_handed(self, acted: HandoverActed, to: Team) -> str | None:
        if acted.by.team is to:
            return f"You are with {SIDES[to]} yourself."
        again = self.last in TO and self.side is to and set(acted.addresses) <= {*self.seen, *self.unopened}
        return (
            f"{SIDES[to].capitalize()} has had this since {_clock(self.moved_at, acted.acted_at)}." if again else None
        )

    def _left_behind(self, acted: HandoverActed, duty: Duty) -> bool:
        """Whether the holder's side is off duty, and the worker has seen something that the holder has not."""
        assert self.holder
        on_duty = team_on_duty(acted.acted_at, duty)
        news = set(acted.addresses) - set(self.seen)
        return acted.by.team is on_duty and self.holder.team is not on_duty and bool(news)

    def _ended(self, acted: HandoverActed) -> str:
        at = _clock(self.moved_at, acted.acted_at)
        return (
            f"{self.closed_by.name}, {self.closed_by.post}, closed this at {at}." if self.closed_by else "It is closed."
        )

    def _who(self, acted: HandoverActed) -> str:
        assert self.holder
        since = _clock(self.taken_at, acted.acted_at)
        return f"{self.holder.name}, {self.holder.post}, has had it since {since}"

    def _moved(self, acted: HandoverActed, duty: Duty) -> Self:
        """Who has it once an act has taken effect. What is let go waits for whoever is on duty then."""
        addressed = tuple(acted.addresses[:MOST_IDS])
        moved: dict[str, Any] = {
            "holder": None, "taken_at": None, "side": acted.by.team, "last": acted.act, "moved_at": acted.acted_at,
            "seen": addressed,
        }  # fmt: skip
        freed = {"released": _latest(self.seen, addressed), "released_at": acted.acted_at}
        match acted.act:
            case HandoverAct.TAKEN:
                mine = self.holder is not None and self.holder.person_id == acted.by.person_id
                taken_at = self.taken_at if mine else acted.acted_at
                seen = _latest(self.seen, addressed) if mine else addressed
                return self._with(moved | {"holder": acted.by, "taken_at": taken_at, "seen": seen})
            case HandoverAct.LET_GO:
                side = team_on_duty(acted.acted_at, duty)
                return self._with(moved | freed | {"side": side, "seen": _latest(self.seen, addressed)})
            case HandoverAct.TAKEN_BACK:
                return self._with(moved | freed | {"seen": _latest(self.seen, addressed)})
            case HandoverAct.HANDED_TO_DAY | HandoverAct.HANDED_TO_NIGHT:
                return self._with(moved | freed | {"side": TO[acted.act]})
            case HandoverAct.CLOSED:
                return self._with(moved | {"closed": _latest(self.closed, addressed), "closed_by": acted.by})
            case HandoverAct.PASSED_ON:
                return self._passed_on(acted, moved, duty)
            case HandoverAct.IDENTIFIED:
                return self
        judged = (
            Lowering(
                criterion=criterion,
                facts=addressed,
                by=f"{acted.by.name}, {acted.by.post}",
                reason=(acted.reason or "").strip()[:LONGEST_REASON],
                at=acted.acted_at,
            )
            for criterion in acted.no_longer
            if criterion is not RiskCriterion.UNKNOWN
        )
        return self._with({"lowered": (*self.lowered, *judged)[-LATEST:]})

    def _passed_on(self, acted: HandoverActed, moved: dict[str, Any], duty: Duty) -> Self:
        """By who may not see to it: nothing counts as seen but what a holder had seen who finds out late."""
        held = self.holder is not None
        freed = {"released": self.seen, "released_at": acted.acted_at} if held else {}
        unopened = _latest(self.unopened, acted.addresses)
        if acted.to in HANDS:
            there = {"side": acted.to, "last": HANDS[acted.to], "seen": self.seen, "unopened": unopened}
            return self._with(moved | freed | there)
        asked = Asked(
            act_id=acted.act_id,
            person_id=acted.by.person_id,
            facts=tuple(acted.addresses[:MOST_IDS]),
            at=acted.acted_at,
        )
        if not held:
            return self._with({"asked": asked})
        let_go = {"side": team_on_duty(acted.acted_at, duty), "last": HandoverAct.LET_GO, "seen": self.seen}
        return self._with(moved | freed | let_go | {"asked": asked})

    def _remembering(self, *act_ids: str) -> Self:
        return self._with({"ids": _latest(self.ids, act_ids)})

    def _with(self, changed: dict[str, Any]) -> Self:
        return self.model_copy(update=changed)


def done(acted: HandoverActed, refused: str | None = None) -> CardAct:
    """An act as a card tells of it."""
    reason = (acted.reason or "").strip()[:LONGEST_REASON] or None
    return CardAct(
        act_id=acted.act_id, act=acted.act, by=acted.by, acted_at=acted.acted_at, reason=reason, refused=refused
    )


def _in_order(acts: Iterable[CardAct]) -> Iterator[tuple[datetime, CardAct]]:
    """Each with a moment that is no earlier than that of the one before it."""
    latest: datetime | None = None
    for one in acts:
        latest = max(latest or one.acted_at, one.acted_at)
        yield latest, one


def _latest(before: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    """Each once, the latest last, as many as are remembered."""
    return tuple(dict.fromkeys([*before, *now]))[-MOST_IDS:]


def _clock(at: datetime | None, now: datetime) -> str:
    """A time as a worker reads it at `now`: the day as well, unless it is today."""
    if at is None:
        return "before"
    local = at.astimezone(LONDON)
    same = local.date() == now.astimezone(LONDON).date()
    return local.strftime("%H:%M" if same else "%H:%M on %A %-d %B")
