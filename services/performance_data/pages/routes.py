"""The pages themselves: all measures of a period, the same as CSV, and as one file to print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.bus.calendar import LONDON
from services.bus.errors import Surroundings
from services.people.pages import Refused
from services.performance_data.measures import Figures
from services.performance_data.pages import asked, export, report, words
from services.performance_data.pages.asked import NoPeriod
from services.performance_data.pages.door.context import reading_room_of
from services.performance_data.pages.people.site import PAGES, Reader
from services.performance_data.pages.people.visit import Visit
from services.performance_data.pages.shown import shown

log = structlog.get_logger()
router = APIRouter(route_class=PAGES.route, include_in_schema=False)

ALL = "all"
"""The value of `numbers` that asks for those which must stay inside, and the name of the CSV of every measure."""
NOT_READY = "Load this page again in a minute. Incomplete figures are never shown as if they were whole."


@router.get("/")
async def beginning(request: Request, visit: Visit) -> Response:
    """The last twelve months, this one among them."""
    return RedirectResponse(_address(asked.back(_today(request), 12), inside=False), 303)


@router.get("/performance")
async def choose(request: Request, visit: Visit, numbers: str = "", to: str = "") -> Response:
    """Where the period's form leads."""
    first = request.query_params.get("from", "")
    try:
        months = asked.period(first, to, _today(request))
    except NoPeriod as refused:
        return _page(request, visit, None, (first, to), error=(str(refused), "from"), status=400)
    return RedirectResponse(_address(months, inside=visit.may_see_inside and numbers == ALL), 303)


@router.get("/performance/{period}")
async def performance(request: Request, visit: Visit, period: str, numbers: str = "") -> Response:
    """All measures, with their charts and tables."""
    figures = await _figures(request, visit, period, numbers)
    return _page(request, visit, figures, (f"{figures.months[0]:%Y-%m}", f"{figures.months[-1]:%Y-%m}"))


@router.get("/performance/{period}/report.html")
async def printable(request: Request, visit: Visit, period: str, numbers: str = "") -> Response:
    """The report as one file that needs nothing beside it."""
    figures = await _figures(request, visit, period, numbers)
    return _file(report.html(figures), "text/html", _name(figures, "report", "html"))


@router.get("/performance/{period}/{measure}.csv")
async def csv(request: Request, visit: Visit, period: str, measure: str, numbers: str = "") -> Response:
    """One measure, or all."""
    figures = await _figures(request, visit, period, numbers)
    try:
        text = export.text(figures, None if measure == ALL else figures[measure].id)
    except KeyError:
        raise Refused(404, "Page not found", "There is no such measure.") from None
    return _file(text, "text/csv; header=present", _name(figures, measure, "csv"))


async def _figures(request: Request, visit: Reader, period: str, numbers: str) -> Figures:
    """
    Raises:
        Refused: there is no such period, this person may not see small numbers, or the figures are not ready.
    """
    try:
        months = asked.of_address(period, _today(request))
    except NoPeriod as refused:
        raise Refused(404, "Page not found", f"{refused}.") from None
    if numbers == ALL and not visit.may_see_inside:
        raise Refused(403, "You cannot see this", "Small numbers are shown to analysts alone.")
    inside = numbers == ALL
    try:
        figures = await reading_room_of(request).figures(months, outside=not inside)
    except Surroundings as error:
        raise Refused(503, "The figures are not ready", f"{words.sentence(str(error))}.", NOT_READY) from error
    log.info("figures_read", inside=inside, by=f"person {visit.person_id}")
    return figures


def _page(
    request: Request,
    visit: Reader,
    figures: Figures | None,
    ends: tuple[str, str],
    error: tuple[str, str] | None = None,
    status: int = 200,
) -> Response:
    today, inside = _today(request), figures is not None and not figures.outside
    here = _path(figures.months) if figures else ""
    more = f"?numbers={ALL}" if inside else ""
    around: dict[str, Any] = {
        "shown": shown(figures) if figures else None,
        "first": ends[0],
        "last": ends[1],
        "inside": inside,
        "choices": _choices(today, ends),
        "quick": _quick(today, inside=inside),
        "csv": lambda measure: f"{here}/{measure or ALL}.csv{more}",
        "report": f"{here}/report.html{more}",
        "error": error,
    }
    return PAGES.render(request, "performance.html", status, **around)


def _choices(today: date, ends: tuple[str, str]) -> list[tuple[str, str]]:
    """The latest first; what is shown is always among them."""
    offered = {f"{month:%Y-%m}": words.month(month) for month in asked.back(today, asked.OFFERED)}
    for end in ends:
        try:
            offered.setdefault(end, words.month(asked.period(end, end, today)[0]))
        except NoPeriod:
            continue
    return sorted(offered.items(), reverse=True)


def _quick(today: date, *, inside: bool) -> list[tuple[str, str]]:
    last = asked.back(today, 2)[0]
    offered = {
        "Last month": (last,),
        "Last 3 months": asked.back(last, 3),
        "Last 12 months": asked.back(last, 12),
        "This month so far": (today.replace(day=1),),
    }
    return [(name, _address(months, inside=inside)) for name, months in offered.items()]


def _path(months: Sequence[date]) -> str:
    return f"/performance/{asked.address(months)}"


def _address(months: Sequence[date], *, inside: bool) -> str:
    return _path(months) + (f"?numbers={ALL}" if inside else "")


def _today(request: Request) -> date:
    return reading_room_of(request).clock.now().astimezone(LONDON).date()


def _name(figures: Figures, what: str, kind: str) -> str:
    """The file says by its name that it must stay inside."""
    inside = "" if figures.outside else "-INSIDE-ONLY"
    return f"performance-{asked.address(figures.months)}-{what}{inside}.{kind}"


def _file(text: str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=f"{media_type}; charset=utf-8", headers=headers)
