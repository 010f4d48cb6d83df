"""What the broker refuses is told to a person in one line."""

from __future__ import annotations

from services.bus.errors import EXIT_MISTAKE
from tests.faults.house import HEARD, House
from tests.faults.test_database import one_sentence


async def test_a_wrong_password_is_one_clear_line(house: House) -> None:
    """Exit 2, no traceback, and the password is not in it."""
    victim = house.victim(password="not-the-password")
    assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert "password" in one_sentence(victim)
    assert "not-the-password" not in victim.log


async def test_a_principal_that_may_not_read_is_told_so(house: House) -> None:
    """It may write its outputs, not read its topic: exit 2 and the reason."""
    stranger = house.broker.user()
    victim = house.victim(principal=stranger, password=house.broker.password(stranger))
    assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert stranger in one_sentence(victim)
    assert HEARD
