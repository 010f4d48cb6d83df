"""Who has a matter: of two at once the first, and the other is told who; nothing newer is ever hidden by an act."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.bus.events import HandoverAct, MatterChanged, MatterState, NoteKind, RiskCriterion, Team
from tests.handover_feed.samples import (
    DEE,
    MINUTE,
    NIA,
    OLU,
    act,
    card,
    contact,
    danger,
    decided,
    note,
    notified,
    reason,
)
from tests.rooms import FRIDAY_EVENING as AT
from tests.rooms import london

TAKEN, LET_GO, CLOSED = HandoverAct.TAKEN, HandoverAct.LET_GO, HandoverAct.CLOSED
TO_DAY, TO_NIGHT, BACK = HandoverAct.HANDED_TO_DAY, HandoverAct.HANDED_TO_NIGHT, HandoverAct.TAKEN_BACK
RISK_CHANGED = HandoverAct.RISK_CHANGED
HOUR = timedelta(hours=1)
AFTERNOON = london(2026, 11, 20, 16, 0)


def standing(shown: MatterChanged) -> tuple[MatterState, Team, str | None]:
    return shown.state, shown.team, shown.taken_by.name if shown.taken_by else None


def refused(shown: MatterChanged) -> str | None:
    """What the last act was told."""
    return shown.acts[-1].refused


def test_of_two_who_take_it_the_first_has_it_and_the_other_is_told_who() -> None:
    """The log's order decides, whatever the clocks of the two said."""
    shown = card(danger(), act(TAKEN, "danger"), act(TAKEN, "danger", by=OLU, at=AT + MINUTE))
    assert standing(shown) == (MatterState.TAKEN, Team.NIGHT, NIA.name)
    told = {one.by.name: one.refused for one in shown.acts}
    assert told == {NIA.name: None, OLU.name: "Nia Rhys, out-of-hours social worker, has had it since 19:42."}


def test_who_has_it_may_take_it_again() -> None:
    """A worker who takes what has come since keeps the time from which it is theirs."""
    shown = card(danger(), act(TAKEN, "danger"), notified("later", AT + 5 * MINUTE), act(TAKEN, "later", at=AT + HOUR))
    assert refused(shown) is None
    assert shown.taken_at == AT + 2 * MINUTE
    assert all(fact.addressed for fact in shown.facts)


@pytest.mark.parametrize("what", [TAKEN, TO_DAY, CLOSED, RISK_CHANGED, BACK])
def test_nobody_acts_on_what_another_has(what: HandoverAct) -> None:
    """The one who has it may be on the way to the child."""
    attempt = act(what, "danger", by=OLU, at=AT + HOUR, no_longer=[RiskCriterion.GRADING])
    shown = card(danger(), act(TAKEN, "danger"), attempt)
    assert refused(shown) == "Nia Rhys, out-of-hours social worker, has had it since 19:42."
    assert standing(shown) == (MatterState.TAKEN, Team.NIGHT, NIA.name)


def test_what_somebody_cannot_see_to_any_more_is_let_go_with_a_reason() -> None:
    """A worker who went home without handing on must not keep it from everybody."""
    taken = (danger(), act(TAKEN, "danger"))
    without = card(*taken, act(LET_GO, by=DEE, at=AT + 62 * HOUR, reason=None))
    assert "say why" in (refused(without) or "")
    assert "19:42 on Friday 20 November" in (refused(without) or "")
    shown = card(*taken, act(LET_GO, by=DEE, at=AT + 62 * HOUR, reason="went home"))
    assert standing(shown) == (MatterState.OPEN, Team.DAY, None)
    assert shown.acts[-1].reason == "went home"


def test_who_lets_it_go_leaves_it_open() -> None:
    """It waits again, and what was seen is nobody's any more."""
    shown = card(danger(), act(TAKEN, "danger"), act(LET_GO, at=AT + HOUR, reason=None))
    assert standing(shown) == (MatterState.OPEN, Team.NIGHT, None)
    assert shown.interrupts
    assert shown.waiting_since == AT
    assert "Nobody" in (refused(card(danger(), act(LET_GO, reason=None))) or "")


def test_what_a_day_manager_lets_go_at_night_is_the_nights() -> None:
    """Who looks in at 3 a.m. and leaves it does not leave it to a team that comes at half past eight."""
    for_a_while = card(danger(), act(TAKEN, "danger", by=DEE), act(LET_GO, "danger", by=DEE, at=AT + HOUR))
    assert standing(for_a_while) == (MatterState.OPEN, Team.NIGHT, None)
    released = card(danger(), act(TAKEN, "danger"), act(LET_GO, "danger", by=DEE, at=AT + HOUR))
    assert standing(released) == (MatterState.OPEN, Team.NIGHT, None)


def test_what_is_handed_on_is_open_on_the_other_side() -> None:
    """Each matter that the night leaves is the day's from then on, and waits since it came."""
    shown = card(notified(), act(TAKEN, "notified"), act(TO_DAY, "notified", at=AT + HOUR))
    assert standing(shown) == (MatterState.OPEN, Team.DAY, None)
    assert (shown.handed_on_at, shown.waiting_since) == (AT + HOUR, AT)
    assert not shown.facts[0].addressed


def test_nobody_hands_a_matter_to_their_own_side_or_twice() -> None:
    """The second of two who hand it on learns since when the other side has it."""
    own = card(notified(), act(TO_NIGHT, "notified"))
    assert refused(own) == "You are with the night team yourself."
    twice = card(notified(), act(TO_DAY, "notified"), act(TO_DAY, "notified", by=OLU, at=AT + HOUR))
    assert refused(twice) == "The day team has had this since 19:42."


def test_what_was_handed_on_is_taken_back_until_the_other_side_has_taken_it() -> None:
    """By the side that handed it on; after that, by who has it now alone."""
    handed = (notified(), act(TO_DAY, "notified"))
    shown = card(*handed, act(BACK, by=OLU, at=AT + HOUR))
    assert standing(shown) == (MatterState.OPEN, Team.NIGHT, None)
    assert shown.handed_on_at is None
    morning = AT + timedelta(hours=62)
    taken = card(*handed, act(TAKEN, "notified", by=DEE, at=morning), act(BACK, at=morning + HOUR))
    assert standing(taken) == (MatterState.TAKEN, Team.DAY, DEE.name)
    assert (refused(taken) or "").startswith("Dee Marsh")
    assert "has this" in (refused(card(*handed, act(BACK, by=DEE, at=morning))) or "")
    assert "not handed on" in (refused(card(notified(), act(BACK))) or "")


def test_a_closure_needs_a_reason() -> None:
    """N2: a closure without a rationale is refused."""
    shown = card(notified(), act(CLOSED, "notified", reason="  "))
    assert "reason is needed" in (refused(shown) or "")
    assert shown.state is MatterState.OPEN
    assert standing(card(notified(), act(CLOSED, "notified")))[0] is MatterState.CLOSED


def test_a_closure_never_hides_what_the_worker_had_not_seen() -> None:
    """It closes what it addresses; what came since keeps the matter open, and says so by being unaddressed."""
    shown = card(
        notified(), notified("later", AT + MINUTE), act(TAKEN, "notified"), act(CLOSED, "notified", at=AT + HOUR)
    )
    assert standing(shown) == (MatterState.OPEN, Team.NIGHT, None)
    assert {fact.fact_id: fact.addressed for fact in shown.facts} == {"notified": True, "later": False}
    assert shown.waiting_since == AT + MINUTE


def test_who_takes_what_a_colleague_closed_meanwhile_is_told_so() -> None:
    """Nobody drives to a child of whom somebody else has just said that nothing more is to be done."""
    closed = (notified(), act(CLOSED, "notified", by=OLU))
    shown = card(*closed, act(TAKEN, "notified", at=AT + HOUR))
    assert standing(shown) == (MatterState.CLOSED, Team.NIGHT, None)
    assert refused(shown) == "Olu Adeyemi, out-of-hours social worker, closed this at 19:42."
    news = (notified("later", AT + 5 * MINUTE), act(TAKEN, "notified", "later", at=AT + HOUR))
    assert standing(card(*closed, *news)) == (MatterState.TAKEN, Team.NIGHT, NIA.name)


def test_a_closed_matter_opens_with_the_next_incident() -> None:
    """For the side that is on duty then."""
    closed = (notified(), act(CLOSED, "notified"))
    morning = AT + timedelta(hours=62)
    assert standing(card(*closed, notified("monday", morning))) == (MatterState.OPEN, Team.DAY, None)


def test_a_new_incident_brings_back_what_waits_for_the_day() -> None:
    """What was left for the morning was left without it; whoever is on duty sees it now."""
    handed = (notified(), act(TO_DAY, "notified"))
    shown = card(*handed, notified("again", AT + 2 * HOUR))
    assert standing(shown) == (MatterState.OPEN, Team.NIGHT, None)
    assert shown.handed_on_at is None
    told = card(*handed, decided("d", AT + 2 * HOUR), note("good to know", at=AT + 2 * HOUR, by=NIA, to=Team.DAY))
    assert standing(told) == (MatterState.OPEN, Team.DAY, None)


def test_who_went_home_does_not_keep_a_new_incident_from_the_night() -> None:
    """Taken in the afternoon; at night something comes: it is open for the night, who may take it at once."""
    taken = (notified("notified", AFTERNOON), act(TAKEN, "notified", by=DEE, at=AFTERNOON + MINUTE))
    shown = card(*taken, danger("at night", AT))
    assert standing(shown) == (MatterState.OPEN, Team.NIGHT, None)
    assert shown.interrupts
    over = card(*taken, danger("at night", AT), act(TAKEN, "notified", "at night"))
    assert standing(over) == (MatterState.TAKEN, Team.NIGHT, NIA.name)
    early = (notified("more", AFTERNOON + 2 * MINUTE), act(TAKEN, "notified", "more", at=AFTERNOON + 3 * MINUTE))
    assert (refused(card(*taken, *early)) or "").startswith("Dee Marsh")  # who is on duty still
    stale = card(*taken, act(TAKEN, "notified"))
    assert (refused(stale) or "").startswith("Dee Marsh")


def test_an_act_is_judged_alike_before_and_after_what_it_is_about() -> None:
    """A recovery reads topics in any order: who was refused then is refused again."""
    events = (notified("notified", AFTERNOON), danger("at night", AT), contact("c", AT))
    acts = (
        act(TAKEN, "notified", by=DEE, at=AFTERNOON + MINUTE),
        act(TAKEN, "notified", "at night"),
        act(TO_DAY, "notified", by=OLU, at=AT + HOUR),
        act(TO_DAY, "notified", "at night", "c", at=AT + 2 * HOUR),
    )
    live, recovered = card(*events, *acts), card(*acts, *events)
    assert live.acts == recovered.acts
    assert [bool(one.refused) for one in live.acts] == [False, False, True, False]


def test_what_is_asked_of_the_other_side_is_open_there() -> None:
    """N8: both directions. By day a worker asks the night for a visit; nobody else has the matter."""
    asked = note("see that she is home", at=AFTERNOON, kind=NoteKind.ASKED, due_by=AT + 3 * HOUR)
    shown = card(asked)
    assert standing(shown) == (MatterState.OPEN, Team.NIGHT, None)
    assert shown.facts[0].due_by == AT + 3 * HOUR
    own = card(note("to whom it may concern", at=AFTERNOON, to=Team.DAY))
    assert own.state is MatterState.CLOSED
    assert [one.act for one in own.acts] == [HandoverAct.NOTED]


def test_a_worker_who_asks_the_other_side_keeps_the_matter() -> None:
    """Who is on the way to the child and leaves word for the morning has not handed anything on."""
    asked = note("tell the school", at=AT + HOUR, by=NIA, to=Team.DAY, kind=NoteKind.ASKED)
    assert standing(card(danger(), act(TAKEN, "danger"), asked)) == (MatterState.TAKEN, Team.NIGHT, NIA.name)


@pytest.mark.parametrize("missing", ["reason", "no_longer", "addresses"])
def test_a_risk_is_lowered_with_a_reason_for_something_that_was_seen(missing: str) -> None:
    """H7: only a person lowers a risk, with a reason."""
    lowering = act(
        RISK_CHANGED,
        *([] if missing == "addresses" else ["danger"]),
        reason=None if missing == "reason" else "she is with her aunt",
        no_longer=[] if missing == "no_longer" else [RiskCriterion.IMMEDIATE_DANGER],
    )
    shown = card(danger(), lowering)
    assert refused(shown)
    assert shown.interrupts
    assert not reason(shown, RiskCriterion.IMMEDIATE_DANGER).lowered


def test_an_act_that_the_contract_does_not_name_is_refused() -> None:
    """A later version's act, or a note's, does nothing here and says so."""
    for what in (HandoverAct.UNKNOWN, HandoverAct.NOTED):
        assert "does not know" in (refused(card(notified(), act(what, "notified"))) or "")


def test_an_act_is_shown_whatever_the_clock_of_who_did_it() -> None:
    """The log has it last: thirty acts with a later clock do not push it off the card, or nobody is told of it."""
    ahead = [
        act(TAKEN if n % 2 else LET_GO, "danger", at=AT + HOUR + n * MINUTE, reason="r", id=f"n{n}") for n in range(31)
    ]
    shown = card(danger(), *ahead, act(TO_DAY, "danger", by=OLU, at=AT + MINUTE, id="slow clock"))
    assert shown.acts[-1].act_id == "slow clock"


def test_notes_stand_among_acts_by_the_clock_however_the_topics_were_read() -> None:
    """Two topics have no order between them; the same night always reads the same."""
    took, gone = act(TAKEN, "danger", at=AT + MINUTE), act(LET_GO, "danger", at=AT + 3 * MINUTE, reason=None)
    wrote = note(id="between", at=AT + 2 * MINUTE)
    orders = ((danger(), took, wrote, gone), (danger(), wrote, took, gone), (danger(), took, gone, wrote))
    told = [[one.act_id for one in card(*order).acts] for order in orders]
    assert told[0] == told[1] == told[2]
    assert told[0][1] == "between"
