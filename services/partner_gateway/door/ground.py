"""What a room would refuse later is refused at the door while somebody is there to mend it (H6, N2).

An information request discloses as soon as it is taken, so for it the door is the only place in time.
"""

from __future__ import annotations

from services.bus.envelope import Event
from services.bus.events import DecisionMade, InformationRequested, RecipientClass
from services.mash_outcomes.checks import missing_ground
from services.mash_outcomes.recipients import reason_for
from services.web.problems import Problem


def without_ground(event: Event) -> None:
    """Nothing, if the event may be taken.

    Which other classes of recipient must know depends on the child's care; the room that knows it asks for the rest.

    Raises:
        Problem: 422, others are asked below section 47 without a recorded ground (H6), or an enquiry is closed without
            a rationale, or without a reason that health may read, which must always know (N2).
    """
    if isinstance(event, InformationRequested) and (missing := missing_ground(event)):
        raise Problem(
            422, "request-without-ground", "below section 47 others are asked only on a recorded ground",
            errors=[(f"/data/{field}", "records no ground") for field in missing],
        )  # fmt: skip
    if isinstance(event, DecisionMade) and event.closes:
        lacks = []
        if not (event.rationale or "").strip():
            lacks.append(("/data/rationale", "is missing, and the decision closes the enquiry"))
        if reason_for(event, (RecipientClass.HEALTH,)) is None:
            lacks.append(("/data/shareable_reasons", "has no reason for HEALTH, and the decision closes the enquiry"))
        if lacks:
            detail = "a decision that closes an enquiry needs a rationale and shareable reasons"
            raise Problem(422, "closure-without-rationale", detail, errors=lacks)
