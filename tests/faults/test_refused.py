"""What the broker refuses is told to a person in one line."""

from __future__ import annotations

import socket

from services.bus.errors import EXIT_MISTAKE
from services.bus.events import DeadLetter
from tests.faults.house import HEARD, SAID, House
from tests.faults.test_database import one_sentence


async def test_a_wrong_password_is_one_clear_line(house: House) -> None:
    """Exit 2, no traceback, and the password is not in it."""
    victim = house.victim(password="not-the-password")
    assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert "password" in one_sentence(victim)
    assert "not-the-password" not in victim.log


async def test_a_principal_that_may_nothing_is_told_so(house: House) -> None:
    """A user without any right: exit 2, and who it was."""
    stranger = house.broker.user()
    victim = house.victim(principal=stranger, password=house.broker.password(stranger))
    assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert stranger in one_sentence(victim)


async def test_a_principal_that_may_not_write_is_told_so(house: House) -> None:
    """It may read its topic, in its group, and write dead letters, not what it decides: exit 2, and which topic."""
    reader = house.broker.user()
    house.broker.allow(reader, read=[HEARD], groups=[house.service], write=[DeadLetter.topic])
    victim = house.victim(principal=reader, password=house.broker.password(reader))
    assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert reader in one_sentence(victim)
    assert SAID in one_sentence(victim)


async def test_a_group_that_is_not_the_principals_is_told_so(house: House) -> None:
    """It may read and write its topics, and not join the group: exit 2."""
    member = house.broker.user()
    house.broker.allow(member, read=[HEARD], write=[SAID, DeadLetter.topic])
    victim = house.victim(principal=member, password=house.broker.password(member))
    assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert member in one_sentence(victim)


async def test_a_port_that_is_taken_is_one_clear_line(house: House) -> None:
    """Two processes told to show their health on one port: exit 2 and which setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        victim = house.victim(http_port=taken.getsockname()[1])
        assert await victim.ended() == EXIT_MISTAKE, victim.log
    assert "SAFEBUS_HTTP_PORT" in one_sentence(victim)
