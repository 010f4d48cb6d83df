"""In which order the criteria of risk count, as an installation has set it."""

from __future__ import annotations

from services.bus.errors import UserMistake
from services.bus.events import RiskCriterion
from services.bus.settings import Settings

NAMES = {
    "danger": RiskCriterion.IMMEDIATE_DANGER,
    "grading": RiskCriterion.GRADING,
    "young": RiskCriterion.YOUNG,
    "missing": RiskCriterion.MISSING,
    "repeat": RiskCriterion.REPEAT,
    "deadline": RiskCriterion.DEADLINE,
}


def order_of(at: Settings) -> tuple[RiskCriterion, ...]:
    """The weightiest first.

    Raises:
        UserMistake: SAFEBUS_BOARD_ORDER leaves a criterion out, repeats one, or names one that there is not.
    """
    said = [name.strip() for name in at.board_order.split(",")]
    if sorted(said) != sorted(NAMES):
        raise UserMistake(f"SAFEBUS_BOARD_ORDER takes each of {', '.join(NAMES)} once, the weightiest first")
    return tuple(NAMES[name] for name in said)
