"""What was written and done about an unmatched child follows the child, and is not done again (H12)."""

from __future__ import annotations

from datetime import timedelta

from services.bus.directory import MemoryDirectory
from services.bus.envelope import Event
from services.bus.events import HandoverAct, HandoverActed, MatterChanged, MatterCued, MatterState, NoteKind, Team
from services.handover_feed.view import Matter
from tests.handover_feed.samples import (
    CHILD,
    MINUTE,
    NIA,
    OLU,
    SERVICE,
    UNMATCHED,
    accepted,
    act,
    card,
    danger,
    hear,
    matched,
    note,
    tell,
    unmatched,
)
from tests.police_notifications.samples import identity, record
from tests.rooms import FRIDAY_EVENING as AT
from tests.rooms import decide, of

WARNED = note("HAZARDMARK", "warned", AT + 3 * MINUTE, by=NIA, kind=NoteKind.HAZARD, matter=UNMATCHED)
WROTE = note("NOTEMARK", "wrote", AT + 4 * MINUTE, by=NIA, to=Team.NIGHT, kind=NoteKind.ASKED, matter=UNMATCHED)
TOOK = act(HandoverAct.TAKEN, "asked", matter=UNMATCHED, id="took")


def follows(*heard: Event, then: Event | None = None) -> tuple[list[MatterCued], list[HandoverActed], Matter]:
    """What goes on to the child when the last of these is heard."""
    before = tell(*heard, *([] if then else [matched()]))
    parts, after = decide(SERVICE, then or accepted(), None, before)
    assert isinstance(after, Matter)
    own = of(HandoverActed, parts)
    for number, part in enumerate([*of(MatterCued, parts), *own]):
        hear(part, f"follows {number}", AT + 20 * MINUTE)
    return of(MatterCued, parts), own, after


def test_notes_history_and_holder_follow_the_child() -> None:
    """Who had the unmatched child goes on with the child's own matter: the hazard stands there, and every act."""
    cues, taken, _ = follows(unmatched(), TOOK, WARNED, WROTE)
    shown = card(danger(at=AT + 19 * MINUTE), *cues, *taken)
    assert shown.hazards == ["HAZARDMARK"]
    assert [fact.words for fact in shown.facts if fact.fact_id in ("warned", "wrote")] == ["HAZARDMARK", "NOTEMARK"]
    assert [(one.act, one.act_id) for one in shown.acts][:3] == [
        (HandoverAct.TAKEN, "took"), (HandoverAct.NOTED, "warned"), (HandoverAct.NOTED, "wrote"),
    ]  # fmt: skip
    assert (shown.state, shown.taken_by) == (MatterState.TAKEN, NIA)
    assert shown.interrupts, "what the incident says now she has not seen"


def test_the_card_that_it_leaves_is_closed() -> None:
    """Nobody holds two cards of one child, and no note waits where nobody looks any more."""
    shown = card(unmatched(), TOOK, WROTE, matched(), accepted())
    assert (shown.state, shown.taken_by) == (MatterState.CLOSED, None)
    assert all(fact.settled for fact in shown.facts)


def test_who_has_the_child_already_keeps_it() -> None:
    """The log decides, as of two who take it: the other is told who has it."""
    cues, taken, _ = follows(unmatched(), TOOK)
    had = (danger(), act(HandoverAct.TAKEN, "danger", by=OLU))
    shown = card(*had, *cues, *taken)
    assert shown.taken_by == OLU
    assert shown.acts[-1].by == NIA
    assert shown.acts[-1].refused


def test_an_act_that_is_told_moves_nothing() -> None:
    """To have let the unmatched child go, with a reason, does not take the child from who has it."""
    let_go = act(HandoverAct.LET_GO, "asked", matter=UNMATCHED, at=AT + 5 * MINUTE, id="let go")
    cues, taken, _ = follows(unmatched(), TOOK, let_go)
    assert taken == []
    shown = card(danger(), act(HandoverAct.TAKEN, "danger", by=OLU), *cues)
    assert shown.taken_by == OLU
    assert {"took", "let go"} <= {one.act_id for one in shown.acts}


def test_what_comes_after_the_answer_follows_too() -> None:
    """A note that was on its way when somebody said who it is."""
    cues, _, _ = follows(unmatched(), matched(), accepted(), then=WROTE)
    assert [[one.note_id for one in cue.followed.notes] for cue in cues if cue.followed] == [["wrote"]]
    again, _, _ = follows(unmatched(), matched(), accepted(), WROTE, then=WARNED)
    assert [[one.note_id for one in cue.followed.notes] for cue in again if cue.followed] == [["warned"]]


def test_what_came_twice_stands_once() -> None:
    """Told again, it is the same note and the same act."""
    cues, taken, _ = follows(unmatched(), TOOK, WROTE)
    once = tell(danger(), *cues, *taken)
    twice = tell(*cues, before=once)
    assert twice.standing == once.standing
    assert twice.facts == once.facts


def test_an_answer_that_was_refused_moves_nothing() -> None:
    """It would tell of another child, and the danger of this one would be hidden (H7, H12)."""
    wrong = matched("wrong").model_copy(update={"child_id": "child-other"})
    wrong = hear(wrong, "wrong", AT + 19 * MINUTE)
    shown = card(unmatched(immediate_danger="YES"), WROTE, wrong)
    assert (shown.state, shown.interrupts) == (MatterState.OPEN, True)
    parts, _ = decide(SERVICE, wrong, None, tell(unmatched(), WROTE))
    assert of(MatterCued, parts) == []
    cues, _, _ = follows(unmatched(), WROTE, wrong)
    assert {cue.child_id for cue in cues} == {CHILD}


def test_whichever_of_both_comes_first_it_follows() -> None:
    """The answer and its acceptance come by two topics."""
    cues, _, _ = follows(unmatched(), WROTE, accepted(), then=matched())
    assert [cue.child_id for cue in cues] == [CHILD]


def test_an_answer_that_was_said_is_told_of_whoever_took_the_matter_meanwhile() -> None:
    """It stands in the log before the act that tells of it: that it was not done would be untrue."""
    said = act(HandoverAct.IDENTIFIED, "asked", by=OLU, matter=UNMATCHED, at=AT + 9 * MINUTE, id="said")
    shown = card(unmatched(), TOOK, said)
    assert [(one.act_id, one.refused) for one in shown.acts] == [("took", None), ("said", None)]
    assert shown.taken_by == NIA


def test_a_refused_act_does_not_follow() -> None:
    """What was not done is no history of the child's."""
    late = act(HandoverAct.TAKEN, "asked", by=OLU, matter=UNMATCHED, at=AT + 9 * MINUTE, id="late")
    cues, _, _ = follows(unmatched(), TOOK, late)
    assert [one.act_id for cue in cues if cue.followed for one in cue.followed.acts] == ["took"]


def test_a_matter_of_the_child_itself_keeps_no_copies() -> None:
    """Only what may follow is remembered."""
    known = tell(danger(), act(HandoverAct.TAKEN, "danger"), note())
    assert (known.written, known.acted) == ((), ())


def test_the_candidates_stand_on_the_card_as_the_directory_has_them() -> None:
    """Both pieces of evidence, for whoever is to say who it is; a closed record is never offered (H1, H12)."""
    likely = record("c-2", identity(forenames="Maia"))
    shown = card(unmatched(), directory=MemoryDirectory([likely]))
    assert shown.question
    assert (shown.question.incident_id, shown.question.child_reference) == ("incident-1", "c1")
    [one] = shown.question.candidates
    assert (one.child_id, one.about.forenames, one.differs_on) == ("c-2", "Maia", ["date_of_birth"])
    closed = likely.model_copy(update={"status": "CLOSED"})
    asked = card(unmatched(), directory=MemoryDirectory([closed])).question
    assert asked
    assert asked.candidates == []
    assert card(unmatched(), matched()).question
    assert card(unmatched(), matched(), accepted()).question is None


def cued(at: timedelta = timedelta(), **what: object) -> MatterCued:
    """Something that came under another key, for the child."""
    event = MatterCued(matter_id=CHILD, child_id=CHILD, **what)
    return hear(event, f"cue {at} {what}", AT + at)  # type: ignore[no-any-return]


def test_the_card_is_written_again_when_its_record_changes() -> None:
    """A place that becomes confidential hides who was told at once, and not at the child's next event (H2)."""
    told = tell(danger())
    secret = MemoryDirectory([record(CHILD, location_confidential=True)])
    parts, _ = decide(SERVICE, cued(recorded=4), secret, told)
    [shown] = of(MatterChanged, parts)
    assert shown.location_confidential
    assert shown.version == told.version + 1
    assert all(one.organisation is None for one in shown.told)
    assert (
        of(MatterChanged, decide(SERVICE, cued(MINUTE, recorded=4), secret, tell(cued(recorded=4), before=told))[0])
        == []
    )


def test_a_child_without_a_card_gets_none_from_the_directory() -> None:
    """126,800 records are imported: nobody is on the board because of that."""
    parts, after = decide(SERVICE, cued(recorded=1))
    assert of(MatterChanged, parts) == []
    assert after
