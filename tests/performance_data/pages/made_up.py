"""Made-up figures: every unit, both grains, what is suppressed, what had no cases, and a month that is not over."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime

from services.performance_data.measures import SUPPRESSED, WITHHELD, Figures, Grain, Measure, Row, Unit

MADE_AT = datetime(2026, 11, 23, 8, 45, tzinfo=UTC)


def months(first: date, number: int) -> tuple[date, ...]:
    """So many months from that one on."""
    count = first.year * 12 + first.month - 1
    return tuple(date((count + more) // 12, (count + more) % 12 + 1, 1) for more in range(number))


YEAR = months(date(2025, 12, 1), 12)
"""Ends with November 2026, which is not over."""

AGENCIES = ("Buckinghamshire Healthcare NHS Trust", "Thames Valley Police", "Education", "Housing", WITHHELD)


def figures(asked: tuple[date, ...] = YEAR, **more: object) -> Figures:
    """All of it, for these months."""
    made = Figures(
        months=asked,
        made_at=MADE_AT,
        outside=True,
        measures=(
            notifications(asked),
            contacts(asked),
            alerts(asked),
            time_to_gp(asked),
            requests(asked),
            nothing(asked),
            hidden(asked),
        ),
        behind=0,
        not_counted=(),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def notifications(asked: tuple[date, ...]) -> Measure:
    days = [one.replace(day=day) for one in asked for day in range(1, monthrange(one.year, one.month)[1] + 1)]
    days = [day for day in days if day <= MADE_AT.date()]
    rows = tuple(Row(day, count=_day(day)) for day in days)
    totals = tuple(
        Row(one, count=sum(_day(row.period) for row in rows if row.period.replace(day=1) == one)) for one in asked
    )
    shown = tuple(replace(row, count=SUPPRESSED) if 0 < (row.count or 0) < 5 else row for row in rows)  # type: ignore[operator]
    return Measure(
        "notifications_by_day", "Notifications and contacts", "Police notifications", Unit.COUNT, Grain.DAY, (),
        "Children notified by the police, each once an incident, on the day the police told the front door.",
        "N6, N10", shown, totals,
    )  # fmt: skip


def contacts(asked: tuple[date, ...]) -> Measure:
    kinds = ("Police", "School", "Health visiting", "School nursing", "A member of the public")
    rows = tuple(
        Row(one, (kind,), count=SUPPRESSED if kind == "School nursing" else 12 + 7 * place + (one.month * 5) % 11)
        for one in asked
        for place, kind in enumerate(sorted(kinds))
    )
    totals = tuple(Row(one, count=150 + (one.month * 31) % 47) for one in asked)
    return Measure(
        "contacts_by_source", "Notifications and contacts", "Contacts with the MASH", Unit.COUNT, Grain.MONTH,
        ("source",), "Contacts received by the multi-agency safeguarding hub, by the kind of agency that raised them.",
        "N14", rows, totals,
    )  # fmt: skip


def alerts(asked: tuple[date, ...]) -> Measure:
    told = {"health visiting": (16, 5), "local authority": (7, 0), "nursery": (31, 5), "school": (118, 7)}
    rows = tuple(
        Row(one, (role,), numerator=due - late - (one.month % 3 if late else 0), denominator=due)
        for one in asked
        for role, (due, late) in told.items()
        if one.month != 8
    )
    totals = tuple(
        Row(one, numerator=0, denominator=0)
        if one.month == 8
        else Row(one, numerator=SUPPRESSED, denominator=SUPPRESSED)
        if one.month == 3
        else Row(one, numerator=155 - 3 * (one.month % 3), denominator=172)
        for one in asked
    )
    return Measure(
        "alerts_in_time_by_role", "Operation Encompass", "Alerts that came before the school day", Unit.SHARE,
        Grain.MONTH, ("told",),
        "Of the alerts of the month, those that could be read before they were due: the next school day’s start, or in "
        "school hours that day’s leaving time.", "H9; Domestic Abuse Act 2021 s.49A", rows, totals,
    )  # fmt: skip


def time_to_gp(asked: tuple[date, ...]) -> Measure:
    totals = tuple(
        Row(one, count=0)
        if one.month == 4
        else Row(one, count=31 + one.month, median=3600.0 * (2 + one.month % 4), p90=3600.0 * (9 + one.month))
        for one in asked
    )
    return Measure(
        "time_to_gp", "Times", "From the decision to the GP practice", Unit.SECONDS, Grain.MONTH, (),
        "How long after a decision was recorded the child’s GP practice was told its outcome.", "N1", totals, totals,
    )  # fmt: skip


def requests(asked: tuple[date, ...]) -> Measure:
    rows = tuple(
        Row(one, (agency,), count=40 - 6 * place, median=5400.0 * (place + 1), p90=16_000.0 * (place + 1.5))
        if agency != "Housing"
        else Row(one, (agency,), count=SUPPRESSED, median=SUPPRESSED, p90=SUPPRESSED)
        for one in asked
        for place, agency in enumerate(sorted(AGENCIES))
    )
    totals = tuple(Row(one, count=120 + one.month, median=9000.0, p90=80_000.0) for one in asked)
    return Measure(
        "responses_by_agency", "Information requests", "Time until a request was answered", Unit.SECONDS,
        Grain.MONTH, ("agency",), "From a request by the MASH to the response, complete or not. Requests that nobody "
        "has answered are not in it.", "N3", rows, totals, adds_up=False,
    )  # fmt: skip


def nothing(asked: tuple[date, ...]) -> Measure:
    totals = tuple(Row(one, numerator=0, denominator=0) for one in asked)
    return Measure(
        "meetings_held", "Strategy discussions", "Strategy discussions asked for that were held", Unit.SHARE,
        Grain.MONTH, (), "Of the strategy discussions that the police asked for, those that took place.", "N6", totals,
        totals,
    )  # fmt: skip


def hidden(asked: tuple[date, ...]) -> Measure:
    totals = tuple(Row(one, count=SUPPRESSED) for one in asked)
    return Measure(
        "re_referrals", "Strategy discussions", "Referred again within 12 months", Unit.COUNT, Grain.MONTH, (),
        "Children about whom a second contact came within 12 months of a closure.", "N2", totals, totals,
    )  # fmt: skip


def _day(on: date) -> int:
    return (on.day * 7 + on.month * 3) % 13
