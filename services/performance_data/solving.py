"""Which unknown numbers can be worked out from equations taken together, though from no single one of them.

In a table of agencies by states each line may hide two numbers and one of them still follow: the lines of some agencies
less the columns of some states can leave a single number over.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from fractions import Fraction
from typing import TypeVar

N = TypeVar("N", bound=Hashable)


def determined(equations: Iterable[Mapping[N, int]]) -> set[N]:
    """The unknowns that have one value only, whatever it is.

    Args:
        equations: the unknowns of each with their factors; what is known in it does not matter here.
    """
    solved: dict[N, dict[N, Fraction]] = {}  # each unknown that was eliminated, and what it hangs on
    holding: dict[N, set[N]] = {}  # in which of these lines an unknown stands
    for equation in equations:
        line = {unknown: Fraction(factor) for unknown, factor in equation.items() if factor}
        for unknown in [one for one in line if one in solved]:
            _take(line, solved[unknown], line[unknown])
        if not line:
            continue
        pivot = next(iter(line))
        line = {unknown: factor / line[pivot] for unknown, factor in line.items()}
        for other in list(holding.get(pivot, ())):
            before = set(solved[other])
            _take(solved[other], line, solved[other][pivot])
            for unknown in before ^ set(solved[other]):
                holding.setdefault(unknown, set()).symmetric_difference_update({other})
        solved[pivot] = line
        for unknown in line:
            holding.setdefault(unknown, set()).add(pivot)
    return {unknown for unknown, line in solved.items() if len(line) == 1}


def _take(line: dict[N, Fraction], other: Mapping[N, Fraction], times: Fraction) -> None:
    """Take a multiple of another line away."""
    for unknown, factor in other.items():
        left = line.get(unknown, Fraction(0)) - times * factor
        if left:
            line[unknown] = left
        else:
            line.pop(unknown, None)
