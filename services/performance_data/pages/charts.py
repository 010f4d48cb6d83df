"""Charts as SVG: columns by month, a line of shares, and bars of one period's parts, each from zero.

Ours, since both libraries that draw SVG on the server were tried and neither fits a page of this house. pygal 3.1 puts
a script and a style sheet into every chart, which the pages' content security policy refuses, and tells series apart by
colour. leather 0.4 has its colours fixed, and tells a screen reader nothing. What both write shrinks with the window,
until nothing of it can be read on a telephone.

Here lengths along the window are per cent and text keeps its size, so a chart fits from 320 px to paper. Colours come
from the page's style sheet by class. What is not drawn is said: a month without a value has a sign in its place, and no
line leads across it. A provisional month is striped or hollow, and says `so far`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

GUTTER = 11.0
"""Per cent of the width, left of the first column: the scale's labels stand there."""
TOP, PLOT, FOOT = 30, 190, 44
ROW = 42
ROOM = 74.0
"""Per cent of the width for the longest bar: what stands beside it needs the rest."""
LONGEST = 36
"""Characters of a bar's label, which fit a small window; the table has it whole."""
ONE_LINE = 46
"""Characters that a label and what is said beside it may have together in a narrow chart (performance.css)."""
CROWDED = 6
"""With more columns than this every second label goes in a small window (performance.css)."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a chart."""

    label: str
    """As in `Oct`, or `Primary schools`."""
    value: float | None
    """None: there is nothing to draw."""
    mark: str
    """What stands at the value, or in its place: `79%`, `<5`, `none`."""
    under: str = ""
    """A second line below the label: the year, or of how many."""
    tail: float | None = None
    """A larger value that belongs to it, such as that within which nine in ten were."""
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """From zero to `top`, in the values' unit, with what is written beside it."""

    top: float
    ticks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """How far along it a value is, from 0 to 1."""
        return min(1.0, max(0.0, value / self.top))


@dataclass(frozen=True, slots=True)
class Said:
    """What a chart says to who cannot see it. `name` is unique on the page, and good as an id."""

    name: str
    title: str
    description: str


def columns(points: Sequence[Point], scale: Scale, said: Said) -> Markup:
    """One column for each period; a tail is a thin line upwards that ends in a bar."""
    return _chart(said, TOP + PLOT + FOOT, [*_grid(scale), *_columns(points, scale, said), *_below(points)])


def line(points: Sequence[Point], scale: Scale, said: Said) -> Markup:
    """One dot for each period; those of neighbours that both have a value are joined."""
    return _chart(said, TOP + PLOT + FOOT, [*_grid(scale), *_line(points, scale), *_below(points)])


def bars(points: Sequence[Point], scale: Scale, said: Said) -> Markup:
    """One bar below the other, each under its own label; a tail is a thin line onwards that ends in a bar."""
    return _chart(said, ROW * len(points), _bars(points, scale, said))


def _chart(said: Said, height: int, drawn: Sequence[str] | Iterator[str]) -> Markup:
    name = escape(said.name)
    return Markup(  # noqa: S704 - every text in it was escaped
        f'<svg class="chart" role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
        f'width="100%" height="{height}">'
        f'<title id="{name}-title">{escape(said.title)}</title>'
        f'<desc id="{name}-desc">{escape(said.description)}</desc>'
        f'<defs><pattern id="{name}-hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="chart__pale" width="7" height="7"/>'
        '<rect class="chart__bar" width="3" height="7"/></pattern></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _grid(scale: Scale) -> Iterator[str]:
    for value, label in scale.ticks:
        y = _y(scale, value)
        yield f'<line class="chart__{"grid" if value else "axis"}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text("tick", "0", y - 4, label)


def _below(points: Sequence[Point]) -> Iterator[str]:
    crowded = len(points) > CROWDED
    for place, point in enumerate(points):
        x, more = _percent(_middle(place, len(points))), " chart__second" if crowded and _odd(place, points) else ""
        yield _text(f"label{more}", x, TOP + PLOT + 18, point.label)
        yield _text(f"label chart__quiet{more}", x, TOP + PLOT + 35, "so far" if point.provisional else point.under)


def _columns(points: Sequence[Point], scale: Scale, said: Said) -> Iterator[str]:
    width = min(12.0, (100 - GUTTER) / max(1, len(points)) * 0.64)
    for place, point in enumerate(points):
        middle, zero = _middle(place, len(points)), _y(scale, 0)
        top = zero if point.value is None else _y(scale, point.value)
        if point.value is not None:
            yield _rect(middle - width / 2, f"{top:.1f}", width, f"{zero - top:.1f}", said, point)
        if point.tail is not None:
            high = _y(scale, point.tail)
            yield _upright(middle, top, high) + _level(middle - width / 4, middle + width / 4, high)
            top = high
        yield _mark(place, points, middle, top - 6)


def _line(points: Sequence[Point], scale: Scale) -> Iterator[str]:
    for place, (before, after) in enumerate(pairwise(points)):
        if before.value is not None and after.value is not None:
            dashed = " chart__line--so-far" if after.provisional else ""
            yield (
                f'<line class="chart__line{dashed}" x1="{_percent(_middle(place, len(points)))}" '
                f'y1="{_y(scale, before.value):.1f}" x2="{_percent(_middle(place + 1, len(points)))}" '
                f'y2="{_y(scale, after.value):.1f}"/>'
            )
    for place, point in enumerate(points):
        middle, y = _middle(place, len(points)), _y(scale, point.value or 0)
        if point.value is not None:
            hollow = " chart__dot--so-far" if point.provisional else ""
            yield f'<circle class="chart__dot{hollow}" cx="{_percent(middle)}" cy="{y:.1f}" r="5"/>'
        yield _mark(place, points, middle, y - 10)


def _bars(points: Sequence[Point], scale: Scale, said: Said) -> Iterator[str]:
    for place, point in enumerate(points):
        y, end = place * ROW, 0.0
        label = point.label if len(point.label) <= LONGEST else point.label[: LONGEST - 1].rstrip() + "…"
        under = ", " + point.under if point.under else ""
        quiet = "chart__quiet chart__long" if len(label + under) > ONE_LINE else "chart__quiet"
        yield f'<text class="chart__name" x="0" y="{y + 16}">{escape(label)}'
        yield f'<tspan class="{quiet}">{escape(under)}</tspan></text>'
        if point.value is not None:
            end = scale.share(point.value) * ROOM
            yield _rect(0, f"{y + 22}", end, "14", said, point)
        if point.tail is not None:
            start, end = end, scale.share(point.tail) * ROOM
            yield _level(start, end, y + 29) + _upright(end, y + 24, y + 34)
        yield f'<line class="chart__axis" x1="0" x2="0" y1="{y + 20}" y2="{y + 38}"/>'
        yield f'<text class="chart__value" x="{_percent(end)}" dx="6" y="{y + 34}">{escape(point.mark)}</text>'


def _mark(place: int, points: Sequence[Point], middle: float, y: float) -> str:
    """A label above the value. One that says why there is none is never left out."""
    leaves = len(points) > CROWDED and _odd(place, points) and points[place].value is not None
    return _text("mark chart__second" if leaves else "mark", _percent(middle), y, points[place].mark)


def _rect(x: float, y: str, width: float, height: str, said: Said, point: Point) -> str:
    fill = f' fill="url(#{escape(said.name)}-hatch)"' if point.provisional else ""
    kind = "chart__so-far" if point.provisional else "chart__bar"
    return f'<rect class="{kind}"{fill} x="{_percent(x)}" y="{y}" width="{_percent(width)}" height="{height}"/>'


def _upright(x: float, start: float, end: float) -> str:
    return f'<line class="chart__tail" x1="{_percent(x)}" x2="{_percent(x)}" y1="{start:.1f}" y2="{end:.1f}"/>'


def _level(start: float, end: float, y: float) -> str:
    return f'<line class="chart__tail" x1="{_percent(start)}" x2="{_percent(end)}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _text(kind: str, x: str, y: float, text: str) -> str:
    return f'<text class="chart__{kind}" x="{x}" y="{y:.1f}">{escape(text)}</text>' if text else ""


def _middle(place: int, of: int) -> float:
    return GUTTER + (100 - GUTTER) * (place + 0.5) / of


def _odd(place: int, points: Sequence[Point]) -> bool:
    """Counted from the latest, whose label always stays."""
    return (len(points) - 1 - place) % 2 == 1


def _y(scale: Scale, value: float) -> float:
    return TOP + PLOT * (1 - scale.share(value))


def _percent(share: float) -> str:
    return f"{share:.2f}%"
