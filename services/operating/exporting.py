"""Dead letters as JSON Lines, for people who review them. What is taken away stands in the log first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from services.bus.events import DeadLetter, OperatorAct
from services.bus.settings import Settings
from services.operating.acts import Acts
from services.operating.letters import ABOUT, Letter
from services.operating.reading import Log
from services.operating.shown import content, same_event, whole


async def export(
    at: Settings,
    chosen: Sequence[Letter],
    everything: Sequence[Letter],
    now: datetime,
    *,
    reveal: bool,
    because: str | None,
) -> str:
    """One line each. Revealed ones are logged one by one, so that whoever asks about one finds who took it away.

    Raises:
        NotPermitted, Surroundings, Unacknowledged: it could not be logged, so there is nothing to take away.
    """
    async with Acts(at) as acts:
        if reveal:
            taken = [
                acts.acted(OperatorAct.EXPORTED, f"{ABOUT}{one.id}", because, service=one.said.service)
                for one in chosen
            ]
        else:
            taken = [acts.acted(OperatorAct.EXPORTED, f"topic:{DeadLetter.topic}", covers=len(chosen))]
        await acts.log(taken)
    lines = []
    async with Log(at) as log:
        for one in chosen:
            said = whole(one, now, same_event(one, everything)) | await content(log, one, at, reveal=reveal)
            lines.append(json.dumps(said, ensure_ascii=False) + "\n")
    return "".join(lines)
