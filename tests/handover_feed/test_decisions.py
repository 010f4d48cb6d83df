"""A decision at night is recorded with both rationales, shared as any other, and closes the matter (N2, N9, H5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.bus.calendar import add_hours
from services.bus.clock import Clock
from services.bus.envelope import Event
from services.bus.events import (
    AdultLink,
    AdultOfConcern,
    DecisionMade,
    FamilyTold,
    HandoverAct,
    HandoverActed,
    MatterChanged,
    MatterState,
    Outcome,
    RecipientClass,
    Role,
    Team,
    Threshold,
    YesNoUnknown,
)
from services.bus.settings import Settings
from services.handover_feed.acting import acts, decisions
from services.handover_feed.acting.decisions import Decided
from services.handover_feed.acting.letters import NotRecorded
from services.handover_feed.board import reading
from services.handover_feed.board.reading import ActResult
from services.handover_feed.door.context import Board
from services.mash_outcomes.refusals import ClosureWithoutRationale
from tests.handover_feed.cards import NIGHT_WORKER, card, fact
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import Fold, folded
from tests.handover_feed.night import NOW, police
from tests.mash_outcomes.samples import (
    CHARITY,
    CLINIC,
    FORCE,
    SCHOOL,
    contact,
    decision,
    play,
    reasons,
    told,
)

CLOSES = Decided(
    outcome=Outcome.NO_FURTHER_ACTION,
    threshold=Threshold.LEVEL_2,
    family_told=FamilyTold.TOLD,
    what_happens_next="The school keeps an eye.",
    rationale="Seen at home; well.",
    reasons=dict.fromkeys(decisions.MUST_READ, "She was seen and is well."),
    closes=True,
)
GOES_ON = replace(CLOSES, outcome=Outcome.STRATEGY_DISCUSSION, closes=False, rationale="", reasons={})
DAY_WORKER = NIGHT_WORKER.model_copy(update={"person_id": "person-day", "name": "Dee Day", "team": Team.DAY})


@pytest.fixture
async def night(tmp_path: Any) -> AsyncIterator[tuple[Board, Fold, list[Event]]]:
    """A board of which everything is real but Kafka, at 3:05am; and what was said, in order."""
    at = Settings(data_dir=tmp_path, clock_file=tmp_path / "clock")
    Clock.of(at).step(NOW)
    said: list[Event] = []
    async with folded(at) as (board, fold):
        hear = fold.hear

        async def noting(event: Event) -> None:
            said.append(event)
            await hear(event)

        fold.hear = noting  # type: ignore[method-assign]
        yield board, fold, said


async def card_of(board: Board, matter_id: str) -> MatterChanged:
    found = await board.access.read(lambda connection: reading.card(connection, matter_id))
    assert found
    return found


async def decide(board: Board, matter_id: str, decided: Decided, **more: Any) -> ActResult:
    found = await card_of(board, matter_id)
    more = {"act_id": str(uuid4()), "addresses": [one.fact_id for one in found.facts]} | more
    return await decisions.decide(board, more.pop("by", NIGHT_WORKER), matter_id, decided, **more)


def of(kind: type[Any], said: list[Event]) -> list[Any]:
    return [event for event in said if isinstance(event, kind)]


async def test_a_decision_answers_its_enquiry_and_closes_the_matter(night: Any) -> None:
    """DecisionMade first, with both rationales, for the incident's enquiry; then the act that names it. The decision
    itself opens nothing again."""
    board, fold, said = night
    told = police("child-a", "Ada Example", adults_of_concern=[ADULT.model_dump()], location_confidential=True)
    await fold.hear(told)
    result = await decide(board, "child-a", CLOSES)
    assert result.accepted
    made, acted = said[-2:]
    assert isinstance(made, DecisionMade)
    assert isinstance(acted, HandoverActed)
    assert (made.enquiry_id, made.child_id, made.decided_by) == (told.incident_id, "child-a", NIGHT_WORKER.post)
    assert (made.rationale, made.closes, made.triage) == ("Seen at home; well.", True, False)
    assert {one.recipient_class for one in made.shareable_reasons} == set(decisions.MUST_READ)
    assert (made.adults_of_concern, made.location_confidential) == ([ADULT], True)
    assert (acted.act, acted.decision_id) == (HandoverAct.CLOSED, made.decision_id)
    assert (await card_of(board, "child-a")).state is MatterState.CLOSED


ADULT = AdultOfConcern(
    reference="adult-1",
    links=[AdultLink(organisation_id="school:110394", link=YesNoUnknown.YES, capacity="WORKS_THERE")],
)


async def test_h3_an_adult_of_concern_at_the_school_is_told_nothing_by_a_night_decision(night: Any) -> None:
    """H3: what the police said of an adult is said again with the decision, so that mash-outcomes holds it."""
    board, fold, said = night
    await fold.hear(police("child-h", "Ada Example", adults_of_concern=[ADULT.model_dump()]))
    await decide(board, "child-h", CLOSES)
    [made] = of(DecisionMade, said)
    assert [link.link for adult in made.adults_of_concern for link in adult.links] == [YesNoUnknown.YES]


async def test_each_open_enquiry_of_the_child_gets_its_own(night: Any) -> None:
    """Two incidents in one night: both forces' enquiries are answered, one form or not; what was decided before is not
    decided again."""
    board, fold, said = night
    first = police("child-b", "Ada Example", timedelta(hours=3))
    await fold.hear(first)
    await decide(board, "child-b", CLOSES)
    board.clock.step(NOW + timedelta(hours=2))
    second, third = (police("child-b", "Ada Example", timedelta(minutes=n)) for n in (40, 20))
    await fold.hear(second)
    await fold.hear(third)
    result = await decide(board, "child-b", CLOSES)
    assert result.accepted
    answered = [made.enquiry_id for made in of(DecisionMade, said)]
    assert answered == [first.incident_id, second.incident_id, third.incident_id]


async def test_a_decision_that_goes_on_is_handed_to_the_day(night: Any) -> None:
    """A strategy discussion that is to be held in the morning: decided at night, carried on by day."""
    board, fold, said = night
    await fold.hear(police("child-c", "Ada Example"))
    result = await decide(board, "child-c", GOES_ON, then=HandoverAct.HANDED_TO_DAY)
    assert result.accepted
    assert (await card_of(board, "child-c")).team is Team.DAY
    [made] = of(DecisionMade, said)
    assert (made.closes, made.rationale, made.shareable_reasons) == (False, None, [])
    result = await decide(board, "child-c", GOES_ON)
    assert result.refused
    assert "still to be held" in result.refused


async def test_the_same_form_again_completes_what_is_missing_and_says_nothing_twice(
    night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the decision and the act: both ids follow from the form's own, and so do the enquiries, whatever
    the decision has settled meanwhile."""
    board, fold, said = night
    await fold.hear(police("child-d", "Ada Example", timedelta(minutes=50)))
    form: dict[str, Any] = {
        "act_id": str(uuid4()),
        "addresses": [*(one.fact_id for one in (await card_of(board, "child-d")).facts), "incident other"],
    }
    monkeypatch.setattr(acts, "TOLD_WITHIN", 0.1)
    hear = fold.hear

    async def dies(event: Event) -> None:
        if isinstance(event, HandoverActed):
            raise NotRecorded
        await hear(event)

    with monkeypatch.context() as broken:
        broken.setattr(fold, "hear", dies)
        first = await decide(board, "child-d", CLOSES, **form)
        assert (first.unknown, first.recorded) == (True, False)
    board.clock.step(add_hours(NOW, 1))
    now = await card_of(board, "child-d")
    settled = [one.model_copy(update={"settled": True}) for one in now.facts]
    later = fact("incident other", enquiry_id="enquiry-other", settled=True, happened_at=NOW)
    await tell(board, now.model_copy(update={"version": now.version + 1, "facts": [*settled, later]}))
    before = len(said)
    again = await decide(board, "child-d", CLOSES, **form)
    assert [type(event) for event in said[before:]] == [HandoverActed]
    made = of(DecisionMade, said)
    assert len({one.decision_id for one in made}) == 1
    assert len({one.envelope.id for one in made}) == 1
    assert again.accepted


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        (replace(CLOSES, rationale=" "), "needs a rationale"),
        (replace(CLOSES, reasons={**CLOSES.reasons, RecipientClass.HEALTH: ""}), "health"),
        (replace(CLOSES, reasons={}), "schools and nurseries, and one by health"),
        (replace(CLOSES, reasons={**CLOSES.reasons, RecipientClass.REFERRER_NOT_PROFESSIONAL: "x"}), "approved"),
        (replace(CLOSES, outcome=Outcome.UNKNOWN), "what was decided"),
        (replace(CLOSES, threshold=Threshold.UNKNOWN), "level of need"),
        (replace(CLOSES, family_told=FamilyTold.UNKNOWN), "family"),
        (replace(CLOSES, what_happens_next=""), "what happens next"),
    ],
)
async def test_n2_what_mash_outcomes_would_refuse_is_refused_before_anything_is_said(
    night: Any, decided: Decided, says: str
) -> None:
    """In one sentence that says what is missing; the matter stays open."""
    board, fold, said = night
    await fold.hear(police("child-e", "Ada Example"))
    result = await decide(board, "child-e", decided)
    assert result.refused
    assert says in result.refused
    assert of(DecisionMade, said) == []
    assert (await card_of(board, "child-e")).state is MatterState.OPEN


async def test_nobody_decides_on_what_another_holds_or_on_a_child_whom_nobody_knows(night: Any) -> None:
    """A decision is shared, so it is refused before it is said; nor is it handed to the worker's own side."""
    board, fold, said = night
    await fold.hear(police("child-f", "Ada Example"))
    await acts.do(board, NIGHT_WORKER, "child-f", HandoverAct.TAKEN, act_id=str(uuid4()), addresses=[])
    other = NIGHT_WORKER.model_copy(update={"person_id": "person-other"})
    result = await decide(board, "child-f", CLOSES, by=other)
    assert result.refused
    assert NIGHT_WORKER.name in result.refused
    result = await decide(board, "child-f", CLOSES, then=HandoverAct.HANDED_TO_NIGHT)
    assert result.refused
    await tell(board, card("unmatched:1", child_id=None))
    result = await decide(board, "unmatched:1", CLOSES)
    assert result.refused
    assert "who this child is" in result.refused
    assert of(DecisionMade, said) == []


def test_mash_outcomes_takes_every_closure_that_the_board_takes() -> None:
    """What the board requires covers every professional who must know, whoever raised the concern: the room itself is
    asked, and refuses as soon as one of the reasons is missing (N9)."""
    written = [one for one in reasons(*decisions.MUST_READ) if one.recipient_class in decisions.MUST_READ]
    referrers = [(CHARITY, Role.OTHER), (FORCE, Role.POLICE), (SCHOOL, Role.SCHOOL), (CLINIC, Role.GP_PRACTICE)]
    for of_whom, role in referrers:
        parts, _ = play(contact(of=of_whom, role=role), decision(shareable_reasons=written))
        assert all(reason for _, reason in told(parts))
        assert {SCHOOL, of_whom} - {CLINIC} <= {recipient for recipient, _ in told(parts)}
    for missing in decisions.MUST_READ:
        left = [one for one in written if one.recipient_class is not missing]
        with pytest.raises(ClosureWithoutRationale):
            play(contact(of=CHARITY, role=Role.OTHER), decision(shareable_reasons=left))
