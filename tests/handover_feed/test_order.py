"""An installation says what counts most; the list follows."""

from __future__ import annotations

import pytest

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.handover_feed.board.order import NAMES, order_of
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for
from services.handover_feed.risk import ORDER
from tests.handover_feed.cards import card, risks
from tests.handover_feed.conftest import tell
from tests.handover_feed.screens import a_screen


def test_it_is_the_default_unless_somebody_says_otherwise() -> None:
    """The same six criteria in the same order as the cards' reasons."""
    assert order_of(Settings()) == ORDER


@pytest.mark.parametrize("said", ["", "danger", "danger, danger, young, missing, repeat, deadline",
                                  "danger, grading, young, missing, repeat, deadline, weather"])  # fmt: skip
async def test_an_order_that_hides_a_criterion_is_refused(at: Settings, said: str) -> None:
    """Before the door opens, in one sentence that names what there is."""
    with pytest.raises(UserMistake, match="each of danger, grading, young, missing, repeat, deadline once"):
        async with board_for(at.model_copy(update={"board_order": said})):
            raise AssertionError("it opened")


@pytest.fixture
def at(request: pytest.FixtureRequest, at: Settings) -> Settings:
    said = getattr(request, "param", None)
    return at.model_copy(update={"board_order": said}) if said else at


LAST_FIRST = ", ".join(reversed(NAMES))


@pytest.mark.parametrize(
    ("at", "listed"),
    [(None, ["danger", "red", "late", "waits"]), (LAST_FIRST, ["late", "red", "danger", "waits"])],
    indirect=["at"],
)
async def test_the_list_is_worst_first_as_the_installation_has_it(board: Board, door: str, listed: list[str]) -> None:
    """Compared criterion by criterion, the weightiest first."""
    await tell(
        board,
        card("waits"),
        card("late", risk=risks(deadline=9)),
        card("danger", risk=risks(immediate_danger=1)),
        card("red", risk=risks(grading=3, young=1, deadline=1)),
    )
    assert [one["matter_id"] for one in await (await a_screen(board, door)).cards()] == listed
