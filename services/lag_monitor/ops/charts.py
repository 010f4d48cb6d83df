"""Small charts as SVG, made here: a line over time, with no script and no style of its own.

A chart is never alone: what it shows stands beside it in words (`said`), and it is hidden from who reads by ear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, EDGE = 240, 44, 5
"""Units of the drawing; a stylesheet says how large it is."""

Value = float | None
"""None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One line over an equal stretch of time, oldest first."""

    svg: Markup
    said: str
    """The same in words, such as `now 3, between 0 and 12 in the last hour`."""


def chart(values: Sequence[Value], say: Callable[[float], str], over: str) -> Chart:
    """Draw it.

    Args:
        say: a value in words, with its unit.
        over: the time in words, such as `the last hour`.
    """
    known = [value for value in values if value is not None]
    if not known:
        return Chart(_svg(""), f"not measured in {over}")
    if values[0] is None:
        over = f"what was measured of {over}"
    now = values[-1]
    low, high = min(known), max(known)
    latest = f"now {say(now)}, " if now is not None else ""
    if low == high:
        return Chart(_svg(_drawn(values, high)), f"{say(high)} throughout {over}")
    return Chart(_svg(_drawn(values, high)), f"{latest}between {say(low)} and {say(high)} in {over}")


def _drawn(values: Sequence[Value], high: float) -> str:
    """Lines from 0 at the bottom to the highest at the top, with gaps where nothing is known."""
    across = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)
    tall = HEIGHT - 2 * EDGE

    def place(number: int, value: float) -> str:
        x = EDGE + number * across
        y = HEIGHT - EDGE - (value / high * tall if high > 0 else 0)
        return f"{x:.1f} {y:.1f}"

    lines: list[list[str]] = [[]]
    for number, value in enumerate(values):
        if value is not None:
            lines[-1].append(place(number, value))
        elif lines[-1]:
            lines.append([])
    drawn = [line for line in lines if line]
    path = " ".join(f"M{' L'.join(line)}" for line in drawn if len(line) > 1)
    # What was measured once between two gaps is a line of no length, which round ends make a dot.
    dots = " ".join(f"M{line[0]} h0" for line in drawn if len(line) == 1)
    last = next(number for number in reversed(range(len(values))) if values[number] is not None)
    end = f'<path class="chart__end" d="M{place(last, values[last] or 0.0)} h0"/>'
    return f'<path class="chart__line" d="{" ".join(filter(None, (path, dots)))}"/>{end}'


def _svg(inside: str) -> Markup:
    ground = f'<path class="chart__ground" d="M{EDGE} {HEIGHT - EDGE} H{WIDTH - EDGE}"/>'
    return Markup(  # noqa: S704 - numbers of ours alone
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{ground}{inside}</svg>'
    )
