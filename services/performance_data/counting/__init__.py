"""Pure: from facts to figures. The same facts give the same figures, in whatever order they came and however often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from services.performance_data.counting import after, enquiries, referrals, telling
from services.performance_data.counting.known import Known
from services.performance_data.counting.tables import Span
from services.performance_data.facts import Kept
from services.performance_data.measures import Figures

MEASURES = (
    referrals.notifications,
    referrals.contacts,
    telling.times,
    telling.encompass,
    enquiries.requests,
    enquiries.closures,
    referrals.strategy,
    after.minutes,
    referrals.again,
    after.nights,
)
"""In the order in which they are shown. Each takes what is known and the months, and yields its measures."""


def count(held: Iterable[tuple[str, Kept]], months: Sequence[date], now: datetime, behind: int = 0) -> Figures:
    """Every measure of these months, with every number: for inside the partnership only.

    Args:
        held: each event's identity, and its fact.
        months: first days of London months, in order.
        now: UTC; what was not done by then is overdue or waits.
        behind: events that have not been read yet.
    """
    known, span = Known(held), Span(tuple(months), now)
    return Figures(
        months=span.months,
        made_at=now,
        outside=False,
        measures=tuple(measure for measures in MEASURES for measure in measures(known, span)),
        behind=behind,
        not_counted=known.unreadable,
        began=known.began,
    )
