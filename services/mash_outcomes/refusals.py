"""Why a decision or a request is refused. Ids as attributes, never content."""

from __future__ import annotations

from collections.abc import Sequence

from services.bus.errors import Refusal
from services.bus.events import RecipientClass


class ClosureWithoutRationale(Refusal):
    """It closes the enquiry and lacks a rationale, or a reason that a class of recipient who must know may read.

    `recipient_class` is None if it is the rationale that is missing (JTAI 2024: closures shared without a rationale).
    """

    code = "closure_without_rationale"

    def __init__(self, decision_id: str, recipient_class: RecipientClass | None = None) -> None:
        lacks = f"a reason for {recipient_class.value}" if recipient_class else "a rationale"
        field = "/shareable_reasons" if recipient_class else "/rationale"
        super().__init__(f"a decision that closes an enquiry needs {lacks}", field=field)
        self.decision_id = decision_id
        self.recipient_class = recipient_class


class RequestWithoutGround(Refusal):
    """Below section 47 others are asked only on a recorded ground (H6). `missing` names the fields that record none."""

    code = "request_without_ground"

    def __init__(self, request_id: str, missing: Sequence[str]) -> None:
        super().__init__(f"a request below section 47 needs {', '.join(missing)}", field=f"/{missing[0]}")
        self.request_id = request_id
        self.missing = list(missing)
