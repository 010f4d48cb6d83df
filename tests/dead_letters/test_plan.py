"""What is retried and what is not, and where each dead letter stands: plain calls."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from services.bus.catalogue import load
from services.bus.events import DeadLetter, Grading, IncidentReported, OperatorAct, OperatorActed, YesNoUnknown
from services.bus.heard import RETRY_HEADER
from services.bus.settings import HERE
from services.operating.letters import Filter, Letter, State, Urgency, counts, fold, urgency, worst_first
from services.operating.meaning import CODES, RULES, Retry, meaning
from services.operating.plan import Plan, plan
from tests.police_notifications.samples import incident

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TOPIC = "mash.decisions.v1"
THERE = {TOPIC: 6, "mash.contacts.v1": 6}


def letter(number: int, **changed: Any) -> DeadLetter:
    """A dead letter of its own event, that stood at the offset of its number."""
    body: dict[str, Any] = {
        "dead_letter_id": uuid5(NAMESPACE_URL, f"letter {number}"),
        "service": "mash-outcomes",
        "reason_code": "decision_failed",
        "explanation": "the decision failed with KeyError",
        "origin_topic": TOPIC,
        "origin_partition": 1,
        "origin_offset": number,
        "event_id": f"e{number}",
        "event_source": "urn:safebus:local-authority",
        "key": f"child-{number}".encode(),
        "body": b"x",
        "headers": [],
        "happened_at": NOW - timedelta(minutes=number),
    }
    return DeadLetter(**(body | changed))


def retried(number: int, **changed: Any) -> DeadLetter:
    """What came of the retry of the letter of that number: it died again."""
    headers = [{"name": RETRY_HEADER, "value": b"1"}]
    other = {"dead_letter_id": uuid5(NAMESPACE_URL, f"again {number}"), "origin_offset": number + 1000}
    return letter(number, **({"headers": headers} | other | changed))


def act(kind: OperatorAct, number: int, **more: Any) -> OperatorActed:
    about = f"dead-letter:{letter(number).dead_letter_id}"
    return OperatorActed(act_id="1", act=kind, about=about, by="o.perator", acted_at=NOW, **more)


def planned(letters: list[Letter], *numbers: int, there: dict[str, int] | None = None) -> Plan:
    """The plan of retrying those of these numbers; all of them, if none is named."""
    ids = {str(letter(number).dead_letter_id) for number in numbers} or {one.id for one in letters}
    return plan([one for one in letters if one.id in ids], letters, THERE if there is None else there)


def sent(of: Plan) -> list[list[int]]:
    return [[one.said.origin_offset for one in each.letters] for each in of.send]


def why(of: Plan) -> str:
    ((_, sentence),) = of.refused
    return sentence


def test_a_letter_that_came_twice_is_one() -> None:
    """A crash may have it sent again."""
    assert len(fold([letter(1), letter(1), letter(2)], [])) == 2


def test_where_each_stands_follows_from_the_log_alone() -> None:
    """Open; retried, and what became of it; discarded. What the dead letters say is believed before what was noted."""
    acts = [
        act(OperatorAct.RETRIED, 2, became="done"),
        act(OperatorAct.DISCARDED, 3),
        act(OperatorAct.RETRYING, 4),
        act(OperatorAct.RETRIED, 5, became="done"),
        act(OperatorAct.REVEALED, 1),
    ]
    one, two, three, four, five, again = fold([*(letter(n) for n in range(1, 6)), retried(5)], acts)
    assert [x.state for x in (one, two, three, four, five)] == [
        State.OPEN, State.RETRIED, State.DISCARDED, State.OPEN, State.RETRIED,
    ]  # fmt: skip
    assert (five.became, five.again) == ("dead", again.id)
    assert (again.state, again.is_retry) == (State.OPEN, True)
    assert planned([four]).send[0].begun_before


@pytest.mark.parametrize(
    ("said", "acts", "sentence"),
    [
        (letter(1), [act(OperatorAct.RETRIED, 1, became="done")], "it was retried on 23 November"),
        (letter(1), [act(OperatorAct.DISCARDED, 1)], "o.perator discarded it"),
        (retried(1, dead_letter_id=letter(1).dead_letter_id), [], "a dead event is retried once"),
        (letter(1, reason_code="held", rule="H3"), [], "a safe named person"),
        (letter(1, reason_code="no_identity", event_id=None, event_source=None), [], "Nothing gives it an id"),
        (letter(1, reason_code="retry_overtaken"), [], "A person has to look at both"),
        (letter(1, origin_topic="gone.v1"), [], "gone.v1 that it came from is gone"),
        (letter(1, origin_partition=6), [], "made anew with fewer partitions"),
        (letter(1, reason_code="held", rule="H7", origin_topic="alarm"), [], "Telephone the front door"),
    ],
    ids=["retried", "discarded", "died again", "held", "no id", "overtaken", "topic gone", "partition gone", "alarm"],
)
def test_what_no_retry_can_help_is_refused_beforehand(
    said: DeadLetter, acts: list[OperatorActed], sentence: str
) -> None:
    """With a sentence that says why, and what a person does instead."""
    found = planned(fold([said], acts))
    assert found.send == []
    assert sentence in why(found)


def test_what_was_sent_and_not_heard_of_is_only_listened_for() -> None:
    """It is not sent a second time."""
    found = planned(fold([letter(1)], [act(OperatorAct.RETRIED, 1, sent_partition=1, sent_before=9)]))
    assert (len(found.waiting), found.send, found.refused) == (1, [], [])


def test_one_original_is_sent_once_for_every_service_that_gave_up_on_it() -> None:
    """Two rooms gave up on one event: the retry is heard by both, so both letters are part of it."""
    board = letter(1, service="handover-feed", dead_letter_id=uuid5(NAMESPACE_URL, "board"))
    assert sent(planned(fold([letter(1), board], []), 1)) == [[1, 1]]


def test_what_was_discarded_at_one_service_is_not_done_there_by_a_retry_for_another() -> None:
    """Both would hear it. Once the discarded one has had its retry, its service knows it, and the other may go."""
    board = letter(1, service="handover-feed", dead_letter_id=uuid5(NAMESPACE_URL, "board"))
    discarded = act(OperatorAct.DISCARDED, 1).model_copy(update={"about": f"dead-letter:{board.dead_letter_id}"})
    found = planned(fold([letter(1), board], [discarded]), 1)
    assert (found.send, "handover-feed gave up on the same event" in why(found)) == ([], True)
    before = act(OperatorAct.RETRIED, 1, became="dead").model_copy(update={"about": discarded.about})
    assert sent(planned(fold([letter(1), board], [before, discarded]), 1)) == [[1]]


def test_originals_go_in_the_order_in_which_they_first_stood() -> None:
    """Else a later one of a key, done first, would leave the earlier to a person (rule 7)."""
    assert sent(planned(fold([letter(n) for n in (5, 3, 4)], []))) == [[3], [4], [5]]


def test_an_earlier_one_of_the_same_key_is_not_left_behind() -> None:
    """It could only go to a person afterwards. With it, or once it is discarded, the later one may go."""
    both = [letter(1, key=b"child"), letter(2, key=b"child")]
    alone = planned(fold(both, []), 2)
    assert (alone.send, "first, or with it" in why(alone)) == ([], True)
    assert sent(planned(fold(both, []))) == [[1], [2]]
    assert sent(planned(fold(both, [act(OperatorAct.DISCARDED, 1)]), 2)) == [[2]]
    elsewhere = letter(1, key=b"child", service="handover-feed", event_id="e9")
    assert sent(planned(fold([elsewhere, both[1]], []), 2)) == [[2]]


def test_a_retry_of_everything_spends_none_that_would_only_die_again() -> None:
    """Each has one. What is wrong with a body is not mended by waiting, so that kind must be named."""
    both = fold([letter(1, reason_code="undecodable"), letter(2, reason_code="unknown_schema")], [])
    found = plan(both, both, THERE, named=False)
    assert (sent(found), "--reason undecodable" in why(found)) == ([[2]], True)
    assert sent(plan(both, both, THERE)) == [[1], [2]]


def test_filters_choose_by_code_rule_service_and_age() -> None:
    """`held` is every held one, `held:H3` those of that rule."""
    letters = fold(
        [
            letter(1, reason_code="held", rule="H3"),
            letter(2, reason_code="held", rule="H7"),
            letter(90, service="deadlines"),
        ],
        [],
    )

    def chosen(**wanted: Any) -> list[int]:
        return [one.said.origin_offset for one in letters if Filter(**wanted).takes(one, NOW)]

    assert chosen(reasons=("held",)) == [1, 2]
    assert chosen(reasons=("held:H3",)) == [1]
    assert chosen(services=("deadlines",)) == [90]
    assert chosen(older_than=timedelta(hours=1)) == [90]
    assert chosen(states=(State.DISCARDED,)) == []


def test_h7_what_cannot_be_read_ranks_as_the_worst_plausible() -> None:
    """An incident that nobody can read may be immediate danger; one that says that it is none is not."""
    unread = letter(1, origin_topic=IncidentReported.topic)
    green = incident(grading=Grading.GREEN, immediate_danger=YesNoUnknown.NO)
    assert urgency(unread, None) is Urgency.IMMEDIATE
    assert urgency(unread, green) is Urgency.WAITING
    assert urgency(unread, incident(immediate_danger=YesNoUnknown.UNKNOWN)) is Urgency.IMMEDIATE
    assert urgency(letter(1, origin_topic="mash.contacts.v1"), None) is Urgency.URGENT
    assert urgency(letter(1, origin_topic="receipts.v1"), None) is Urgency.LATER


def test_the_worst_come_first_and_of_those_alike_the_oldest() -> None:
    """And counts are by service and reason, the most urgent kind first."""
    letters = fold([letter(1), letter(50), letter(7, reason_code="undecodable")], [])
    letters[2].urgency = Urgency.IMMEDIATE
    assert [one.said.origin_offset for one in worst_first(letters)] == [7, 50, 1]
    assert counts(letters) == [("mash-outcomes", "undecodable", 1, 1), ("mash-outcomes", "decision_failed", 2, 0)]


def test_every_code_and_rule_that_a_service_gives_has_its_words() -> None:
    """Whoever adds a refusal or a hold says here what a person does about it."""
    silent = {"operating", "performance_data"}  # they write no dead letters
    text = "\n".join(path.read_text("utf-8") for path in HERE.rglob("*.py") if not silent & set(path.parts))
    rules = set(re.findall(r'Held\(\s*"(H\d+)"', text))
    codes = set(re.findall(r'^    code = "(\w+)"$|\bUnfit\([^\n]*code="(\w+)"', text, re.MULTILINE))
    given = {code for pair in codes for code in pair if code} - {"unfit", "refused"}
    assert len(rules) > 5
    assert len(given) > 15
    assert rules <= RULES.keys()
    assert given <= CODES.keys()
    assert all(what.retry is Retry.NEVER for what in RULES.values())
    assert meaning(letter(1, reason_code="a_new_one")).retry is Retry.AFTER


def test_who_retries_may_write_where_letters_come_from_and_read_nothing() -> None:
    """Derived from who hears what: neither dead letters nor operators' acts, and no inbox (decision 21)."""
    known = load()
    assert "retries" not in {who for topic in known.logs.values() for who in (*topic.read_by, *topic.written_by)}
    assert {"police.incidents.v1", "deadlines.set.v1", "mash.decisions.v1"} <= set(known.retried)
    assert not {"dead-letters.v1", "operators.acts.v1", "inbox.police.thames-valley"} & set(known.retried)
