"""python -m tests.handover_feed.victim [killed|paged] [take|decide MATTER FORM]: a board's own process, in which a
worker does something as soon as the matter is there, and which is killed at one moment.

`killed`: between Kafka's acknowledgement of the first thing that is said and its mark. `paged`: between the paging
service's answer and its record. What became of what was done is written to result.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.bus.events import FamilyTold, HandoverAct, Outcome, Threshold
from services.bus.run import run
from services.bus.settings import Settings
from services.handover_feed.acting import acts, decisions, letters
from services.handover_feed.acting.decisions import Decided
from services.handover_feed.board import reading
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for
from services.handover_feed.paging import pages
from services.handover_feed.wiring import SERVICE
from tests.handover_feed.cards import NIGHT_WORKER

RESULT = "result.json"

DECIDED = Decided(
    outcome=Outcome.NO_FURTHER_ACTION,
    threshold=Threshold.LEVEL_2,
    family_told=FamilyTold.TOLD,
    what_happens_next="The school keeps an eye.",
    rationale="Seen at home; well.",
    reasons=dict.fromkeys(decisions.MUST_READ, "She was seen and is well."),
    closes=True,
)


def _die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@asynccontextmanager
async def doing(at: Settings) -> AsyncIterator[None]:
    async with board_for(at) as board:
        task = asyncio.create_task(_do(board, *sys.argv[-3:])) if {"take", "decide"} & set(sys.argv) else None
        yield
        if task:
            task.cancel()


async def _do(board: Board, what: str, matter_id: str, form: str) -> None:
    while (card := await board.access.read(lambda connection: reading.card(connection, matter_id))) is None:
        await asyncio.sleep(0.1)
    seen = [fact.fact_id for fact in card.facts if fact.kind != "DECISION"]
    if what == "take":
        result = await acts.do(board, NIGHT_WORKER, matter_id, HandoverAct.TAKEN, act_id=form, addresses=seen)
    else:
        result = await decisions.decide(board, NIGHT_WORKER, matter_id, DECIDED, act_id=form, addresses=seen)
    said = {"accepted": result.accepted, "refused": result.refused}
    half = board.settings.data_dir / f"{RESULT}.half"
    half.write_text(json.dumps(said))
    half.replace(board.settings.data_dir / RESULT)


if __name__ == "__main__":
    pages.LEASE_US = 3 * pages.SECOND_US  # a test need not wait as long as a manager may
    if "killed" in sys.argv:
        vars(letters)["_acknowledged"] = _die
    if "paged" in sys.argv:
        vars(pages)["record"] = _die
    run(SERVICE, beside=doing)
