"""What a worker may not open is passed on unopened (H3); who an unmatched child is, is said with the evidence (H12)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from services.bus.errors import Surroundings
from services.bus.events import (
    ChildIdentity,
    ChildMatched,
    HandoverAct,
    MatterState,
    OpenCandidate,
    OpenQuestion,
    Team,
)
from services.handover_feed.door.context import Board
from services.handover_feed.pages.opened import DOES, DONE
from tests.handover_feed import night
from tests.handover_feed.cards import NIGHT_WORKER, card, fact
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import Fold
from tests.handover_feed.test_pages import board, client, fold, hidden, house, sign_in

__all__ = ["board", "client", "fold", "house"]

HREF = "/board/matters/child-x"
ADULT = {"reference": "adult-1", "links": []}


async def barred(board: Board, fold: Fold, client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    """The page of a worker who has said that there may be a conflict."""
    await fold.hear(night.police("child-x", "Ada Example", adults_of_concern=[ADULT], **more))
    await sign_in(board, client)
    form = hidden(await client.get(HREF), f"{HREF}/conflict")
    await client.post(f"{HREF}/conflict", data=form | {"conflict": "yes"})
    page = await client.get(HREF)
    assert page.status_code == 403
    assert "Ada" not in page.text
    assert "neighbour" not in page.text
    return page


async def test_h3_who_may_not_open_it_asks_the_manager(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Unopened, by one button; the page says that it was done, and a second press does nothing more."""
    page = await barred(board, fold, client, grading="RED", immediate_danger="YES")
    assert "Pass it to the day team" not in page.text, "danger waits for nobody's hours (H7)"
    form = hidden(page, f"{HREF}/ask-manager")
    answer = await client.post(f"{HREF}/ask-manager", data=form, follow_redirects=True)
    assert answer.status_code == 403
    assert "The on-call manager is asked" in answer.text
    await client.post(f"{HREF}/ask-manager", data=form)
    matter = fold.matters["child-x"]
    assert [(one.act, one.refused) for one in matter.standing.acts] == [(HandoverAct.PASSED_ON, None)]
    assert matter.standing.asked
    sent = hidden(page, f"{HREF}/ask-manager") | {"act_id": str(uuid4())}
    await client.post(f"{HREF}/pass-on", data=sent)
    assert len(fold.matters["child-x"].standing.acts) == 1


async def test_h3_it_is_passed_to_the_other_side_unopened(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """What can wait is the day's from then on, and the shift can be closed."""
    page = await barred(board, fold, client)
    await client.post(f"{HREF}/pass-on", data=hidden(page, f"{HREF}/pass-on"))
    assert fold.matters["child-x"].standing.side is Team.DAY
    assert "child-x" not in (await client.get("/board/shift")).text
    waits = (await client.get("/board/waiting")).text
    assert "A child: this is not open to you" in waits
    assert "question is asked" not in waits, "it was asked, and is asked once"
    again = await client.get(HREF)
    assert "Pass it to the day team" not in again.text


async def test_h3_nobody_else_passes_on_and_nothing_else_is_done_there(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """Who may open it has every other act; who may not has no other."""
    await fold.hear(night.police("child-x", "Ada Example", adults_of_concern=[ADULT]))
    csrf = await sign_in(board, client)
    form = {"csrf": csrf, "act_id": str(uuid4())}
    await client.post(f"{HREF}/pass-on", data=form)
    assert fold.matters["child-x"].standing.acts == ()
    await client.post(f"{HREF}/conflict", data=form | {"conflict": "yes"})
    for path in ("take", "close", "note", "decision"):
        assert (await client.post(f"{HREF}/{path}", data=form | {"reason": "r"})).status_code == 403
        assert (await client.get(f"{HREF}/{path}")).headers["location"] == HREF
    assert fold.matters["child-x"].standing.acts == ()


async def test_h3_what_somebody_else_has_is_not_passed_on(board: Board, client: httpx.AsyncClient) -> None:
    """It is seen to already."""
    taken: dict[str, Any] = {"state": MatterState.TAKEN, "taken_by": NIGHT_WORKER, "taken_at": night.NOW}
    await tell(board, card("child-x", declare_no_conflict=True, **taken))
    csrf = await sign_in(board, client)
    await client.post(f"{HREF}/conflict", data={"csrf": csrf, "conflict": "yes"})
    page = (await client.get(HREF)).text
    assert "Somebody else sees to it" in page
    assert "ask-manager" not in page


UNMATCHED = "unmatched:7d1f"
MATCH = f"/board/matters/{UNMATCHED}/match"


def asked(**fields: Any) -> Any:
    """An unmatched child whom the index may have twice."""
    maia = ChildIdentity(forenames="Maia", family_name="Hartley", date_of_birth="2016-05-04", nhs_number="9990000018")
    other = maia.model_copy(update={"forenames": "Mia", "date_of_birth": None})
    question = OpenQuestion(
        incident_id="incident-7", child_reference="c1",
        candidates=[
            OpenCandidate(child_id=own_id, about=about, matched_on=["nhs_number"], differs_on=["forename"])
            for own_id, about in (("child-maia", maia), ("child-mia", other))
        ],
    )  # fmt: skip
    said = {
        "child_id": None, "question": question, "facts": [fact("asked", kind="UNMATCHED", enquiry_id="incident-7")],
        "about": ChildIdentity(forenames="Maya", family_name="Hartley", date_of_birth="2016-05-04"),
    }  # fmt: skip
    return card(UNMATCHED, **(said | fields))


async def test_h12_both_pieces_of_evidence_stand_side_by_side(board: Board, client: httpx.AsyncClient) -> None:
    """What the police say, what the index says of each, and whether it is the same."""
    await tell(board, asked())
    await sign_in(board, client)
    matter = (await client.get(f"/board/matters/{UNMATCHED}")).text
    assert "Who this may be" in matter
    assert "Maia Hartley" in matter
    assert "It agrees on NHS number; differs on forename." in matter
    page = (await client.get(MATCH)).text
    table = page[page.index("<table") : page.index("</table>")]
    said = [" ".join(line.split("<")[0].split()) for line in table.replace("</span>", "").split(">") if line.strip()]
    words = [one for one in said if one]
    row = words.index("Forenames")
    assert words[row : row + 6] == ["Forenames", "Maya", "Maia", "Differs", "Mia", "Differs"]
    row = words.index("Date of birth")
    assert words[row + 1 : row + 6] == ["4 May 2016", "4 May 2016", "The same", "Not known", "Not comparable"]


async def test_h12_an_answer_needs_a_child_of_the_index_and_a_reason(
    board: Board, fold: Fold, client: httpx.AsyncClient, monkeypatch: Any
) -> None:
    """Then it is said as the MASH says it by day, in the worker's post, and the act tells who said so."""
    said: list[Any] = []

    async def hear(event: Any) -> None:
        said.append(event)
        if hasattr(event, "act_id"):
            done = [{"act_id": event.act_id, "act": event.act, "by": event.by, "acted_at": event.acted_at}]
            await tell(board, asked(version=2, acts=done))

    await tell(board, asked())
    monkeypatch.setattr(fold, "hear", hear)
    await sign_in(board, client)
    form = hidden(await client.get(MATCH), MATCH)
    for wrong in ({"child_id": "child-maia"}, {"reason": "school told"}, {"child_id": "child-tom", "reason": "r"}):
        assert (await client.post(MATCH, data=form | wrong)).status_code == 422
    assert said == []
    right = form | {"child_id": "child-maia", "reason": "The school has confirmed it."}
    answer = await client.post(MATCH, data=right, follow_redirects=True)
    assert "Your answer is recorded" in answer.text
    assert "If somebody answered otherwise first, it does not stand" in answer.text
    [matched, act] = said
    assert isinstance(matched, ChildMatched)
    assert (matched.incident_id, matched.child_reference, matched.child_id) == ("incident-7", "c1", "child-maia")
    assert (matched.decided_by, act.act) == ("out-of-hours social worker", HandoverAct.IDENTIFIED)
    assert "Sam" not in matched.model_dump_json()


async def test_h12_nobody_answers_what_another_sees_to(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Nor what is answered already."""
    await tell(board, asked())
    await sign_in(board, client)
    form = hidden(await client.get(MATCH), MATCH) | {"child_id": "child-maia", "reason": "r"}
    taken = {"state": MatterState.TAKEN, "taken_by": NIGHT_WORKER, "taken_at": night.NOW}
    await tell(board, asked(version=2, **taken))
    answer = await client.post(MATCH, data=form)
    assert answer.status_code == 422
    assert "has this: nothing was said" in answer.text
    await tell(board, asked(version=3, question=None))
    late = await client.post(MATCH, data=form)
    assert late.status_code == 409
    assert "Nobody asks who this child is any more" in late.text
    did = {"act_id": form["act_id"], "act": HandoverAct.IDENTIFIED, "by": NIGHT_WORKER, "acted_at": night.NOW}
    await tell(board, asked(version=4, question=None, acts=[did]))
    again = await client.post(MATCH, data=form)
    assert again.headers["location"].endswith(f"?match={form['act_id']}"), "the same form again: what became of it"


async def test_an_answer_that_only_half_came_through_is_completed(
    board: Board, fold: Fold, client: httpx.AsyncClient, monkeypatch: Any
) -> None:
    """Kafka had the answer and not who gave it: the same form again adds that, though nobody asks any more."""
    said: list[Any] = []

    async def hear(event: Any) -> None:
        if hasattr(event, "act_id"):
            if len(said) == 1:
                said.append("lost")
                raise Surroundings("Kafka does not answer")
            done = [{"act_id": event.act_id, "act": event.act, "by": event.by, "acted_at": event.acted_at}]
            await tell(board, asked(version=3, question=None, acts=done))
        said.append(event)

    await tell(board, asked())
    monkeypatch.setattr(fold, "hear", hear)
    await sign_in(board, client)
    form = hidden(await client.get(MATCH), MATCH) | {"child_id": "child-maia", "reason": "The school said so."}
    assert (await client.post(MATCH, data=form)).status_code == 503
    await tell(board, asked(version=2, question=None))
    answer = await client.post(MATCH, data=form, follow_redirects=True)
    assert "Your answer is recorded" in answer.text
    assert [type(one).__name__ for one in said] == ["ChildMatched", "str", "HandoverActed"]
    assert said[2].reason == "The school said so."


async def test_h3_who_may_not_see_a_child_does_not_say_that_it_is_this_one(
    board: Board, client: httpx.AsyncClient
) -> None:
    """Nor is shown that it may be, on any page: it is passed on unopened. Everybody else may say so."""
    await tell(board, asked(), card("child-mia", declare_no_conflict=True))
    csrf = await sign_in(board, client)
    assert "Maia" in (await client.get(MATCH)).text
    await client.post("/board/matters/child-mia/conflict", data={"csrf": csrf, "conflict": "yes"})
    for path in ("/board", "/board/shift", f"/board/matters/{UNMATCHED}"):
        text = (await client.get(path)).text
        assert "Hartley" not in text
        assert "Maia" not in text
    assert (await client.get(MATCH)).status_code == 303
    right = {"csrf": csrf, "act_id": str(uuid4()), "addresses": '["asked"]', "child_id": "child-mia", "reason": "r"}
    assert (await client.post(MATCH, data=right)).status_code == 403


def test_every_act_of_a_path_has_its_words() -> None:
    """Whoever did something is told what became of it."""
    assert set(DOES) == set(DONE)
