"""E-mail notices (H10): something waits, and nothing of what; to whom, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from services.bus.errors import UserMistake
from services.partner_gateway import tables
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.notices.decide import MINUTE_US, Waiting, is_owed
from services.partner_gateway.notices.letter import Letter, is_address, message
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.mail_server import MailBox
from tests.partner_gateway.mailing import INBOX, INES, JO, MAIL, at, box, often, person, quiet, step, text_of, until
from tests.partner_gateway.people import MASH, NAMES, NOW, OTHER_SCHOOL

__all__ = ["at", "box", "often"]


async def test_it_says_that_something_waits_and_nothing_of_what(gateway: Gateway, box: MailBox) -> None:
    """H10: how much, by when, and where to sign in; no child, kind, person, organisation, id, or anything to sign in
    with, in any header either."""
    person_id = await person(gateway)
    told: list[Any] = [people.alert(), people.outcome(), people.minutes()]
    await tell(gateway, *told)
    await until(lambda: box.mails)
    assert text_of(box).startswith(
        "3 items wait in your safebus inbox.\nThe earliest is due Monday 23 November 2026 at 8:45am.\n"
    )
    assert INBOX in text_of(box).splitlines()
    whole = bytes(box.mails[0]).decode()
    secret = [*NAMES, "Hartley", "child", "encompass", "abuse", "alert", "strategy", "school:", "110394", "Okafor",
              person_id, *(str(event.disclosure.id) for event in told)]  # fmt: skip
    visible = whole.replace(INES, "")
    assert [word for word in secret if word.lower() in visible.lower()] == []
    assert visible.count("http") == 1
    assert box.envelopes == [(MAIL["mail_from"], [INES])]
    assert (box.mails[0]["From"], box.mails[0]["To"]) == (MAIL["mail_from"], INES)
    assert box.mails[0]["Auto-Submitted"] == "auto-generated"


async def test_everyone_of_the_organisation_and_nobody_else(gateway: Gateway, box: MailBox) -> None:
    """Each by an e-mail of their own, so that nobody learns who else there is."""
    await person(gateway)
    await person(gateway, JO, name="Jo Brandt")
    await person(gateway, "other@school.test", OTHER_SCHOOL)
    await tell(gateway, people.alert())
    await until(lambda: len(box.mails) == 2)
    await quiet()
    assert sorted(to for _, [to] in box.envelopes) == [INES, JO]


async def test_a_name_is_no_header(gateway: Gateway, box: MailBox) -> None:
    """Whatever a person is called, the e-mail is the same."""
    names = ["Ines", "Ines\r\nBcc: thief@evil.test", "Ines\n\nGet rich", "<b>Ines</b>", "=?utf-8?q?Ines?=", "Ines\x00"]
    for number, name in enumerate(names):
        await person(gateway, f"person-{number}@school.test", name=name)
    await tell(gateway, people.alert())
    await until(lambda: len(box.mails) == len(names))
    assert sorted(to for _, [to] in box.envelopes) == [f"person-{number}@school.test" for number in range(len(names))]
    assert len({tuple(mail.keys()) for mail in box.mails}) == 1
    assert len({text_of(box, number) for number in range(len(names))}) == 1


NO_ADDRESS = (
    "a@b.test\r\nBcc: thief@evil.test", "a@b.test,thief@evil.test", "a@b.test>\r\nRCPT TO:<thief@evil.test", "a b@c",
    "Ines <a@b.test>", "a@b.test ", '"a b"@c.test', "a@[127.0.0.1]", "ä@b.test", "@b.test", "a@", "a@b..\n",
)  # fmt: skip


def _write(connection: sa.Connection, person_id: str, email: str) -> None:
    connection.execute(tables.person.update().where(tables.person.c.person_id == person_id).values(email=email))


async def test_nobody_is_named_with_such_an_address(gateway: Gateway) -> None:
    """It is refused in a sentence, where it can be mended."""
    await person(gateway)
    for address in NO_ADDRESS:
        with pytest.raises(UserMistake, match="written plainly"):
            await person(gateway, address)


async def test_an_address_that_is_more_than_an_address_gets_nothing(gateway: Gateway, box: MailBox) -> None:
    """Neither another header nor another recipient; said in the log by the person's id, and others get theirs."""
    with capture_logs() as logs:
        await person(gateway, JO)
        ids = {await person(gateway, f"{number}@school.test") for number in range(len(NO_ADDRESS))}
        for person_id, address in zip(ids, NO_ADDRESS, strict=True):  # as somebody's database may hold them
            await gateway.access.write(partial(_write, person_id=person_id, email=address))
        await tell(gateway, people.alert())
        await until(lambda: [line["event"] for line in logs].count("notice_failed") == len(ids))
        await quiet()
    assert [to for _, [to] in box.envelopes] == [JO]
    assert {line["person"] for line in logs if line["event"] == "notice_failed"} == ids
    assert "b.test" not in str(logs)
    assert not any(map(is_address, NO_ADDRESS))


def test_a_letter_speaks_of_one_and_of_what_is_late() -> None:
    """In plain words, whatever the count."""
    due = int(NOW.timestamp() * 1e6)
    made = message(Letter(INES, "x", 1, due, False, due + 1), mail_from=JO, inbox=INBOX)
    assert "1 item waits in your safebus inbox.\nIt was due Monday 23 November 2026 at 7:30am." in made.get_content()
    made = message(Letter(INES, "x", 2, None, True, due), mail_from=JO, inbox=INBOX)
    assert "At least one cannot wait: open it now.\n\nSign in to read them:" in made.get_content()
    assert message_from_bytes(bytes(made))["Subject"].startswith("Urgent")
    with pytest.raises(ValueError, match="address"):
        message(Letter("a@b.test\nBcc: c@d.test", "x", 1, None, False, 0), mail_from=JO, inbox=INBOX)


# --- how often


async def test_a_burst_is_one_e_mail(gateway: Gateway, box: MailBox) -> None:
    """However many transactions it comes in; and the rest of it waits for its time."""
    await person(gateway)
    for _ in range(12):
        await tell(gateway, people.outcome())
    await until(lambda: box.mails)
    await quiet()
    assert [text_of(box).split(" in ")[0] for _ in box.mails] == ["12 items wait"]
    await tell(gateway, people.outcome())
    await step(gateway, minutes=14)
    assert len(box.mails) == 1
    await step(gateway, minutes=2)
    assert len(box.mails) == 2
    assert text_of(box).startswith("13 items wait")


async def test_a_health_record_waits_until_it_is_filed(gateway: Gateway, box: MailBox) -> None:
    """H11: who has read it still owes that it is hidden from online access, and is reminded of it."""
    await person(gateway, organisation=people.PRACTICE)
    told = people.record(due_in=timedelta(hours=5))
    await tell(gateway, told, people.done(told))
    await until(lambda: box.mails)
    await step(gateway, hours=4, minutes=10)
    assert len(box.mails) == 2
    await tell(gateway, people.done(told, "ACTED"))
    await step(gateway, days=1)
    assert len(box.mails) == 2


async def test_nothing_new_is_nothing_sent(gateway: Gateway, box: MailBox) -> None:
    """What was told is not told again until it will soon be due; what was read before its time is not told at all."""
    await person(gateway)
    await tell(gateway, people.outcome(due_in=None))
    await until(lambda: box.mails)
    await step(gateway, days=2)
    read = people.outcome()
    await tell(gateway, read, people.done(read))
    await step(gateway, days=2)
    assert len(box.mails) == 1


async def test_what_cannot_wait_does_not(gateway: Gateway, box: MailBox) -> None:
    """H7: a child in danger interrupts, and so does what is due before the next e-mail; others wait."""
    await person(gateway, organisation=MASH)
    await tell(gateway, people.outcome(MASH))
    await until(lambda: box.mails)
    await tell(gateway, people.notified(danger="NO", due_in=timedelta(hours=9)))
    await step(gateway, minutes=2)
    assert len(box.mails) == 1
    await tell(gateway, people.notified(danger="UNKNOWN", due_in=timedelta(hours=9)))
    await until(lambda: len(box.mails) == 2)
    assert box.mails[1]["Subject"].startswith("Urgent")
    await step(gateway, minutes=2)
    await tell(gateway, people.request(MASH, due_in=timedelta(minutes=12)))
    await until(lambda: len(box.mails) == 3)
    assert not box.mails[2]["Subject"].startswith("Urgent")


async def test_a_reminder_before_it_is_due(gateway: Gateway, box: MailBox) -> None:
    """Once, in its last hour, while nobody has read it; also if the gateway was away in that hour."""
    await person(gateway)
    await person(gateway, JO, OTHER_SCHOOL)
    read = people.outcome(OTHER_SCHOOL, due_in=timedelta(hours=5))
    await tell(gateway, people.outcome(due_in=timedelta(hours=5)), read, people.outcome(due_in=timedelta(days=2)))
    await until(lambda: len(box.mails) == 2)
    await tell(gateway, people.done(read))
    await step(gateway, hours=3, minutes=50)
    assert len(box.mails) == 2
    await step(gateway, minutes=20)
    await step(gateway, minutes=20)
    assert [mail["To"] for mail in box.mails[2:]] == [INES]
    await step(gateway, days=3)
    assert len(box.mails) == 4
    assert "The earliest was due Monday" in text_of(box)


async def test_who_may_not_open_it_is_not_told_of_it(gateway: Gateway, box: MailBox) -> None:
    """H3: who declared a connection to the family is not reminded of it; others are."""
    ines = await person(gateway)
    await person(gateway, JO)
    told = people.outcome(due_in=timedelta(hours=5))
    await tell(gateway, told)
    await until(lambda: len(box.mails) == 2)
    row = {"disclosure_id": str(told.disclosure.id), "person_id": ines, "declared_us": gateway.now_us}
    await gateway.access.write(lambda c: c.execute(tables.conflict.insert(), row))
    await step(gateway, hours=4, minutes=10)
    assert [mail["To"] for mail in box.mails[2:]] == [JO]


EVERY = 15 * MINUTE_US


@pytest.mark.parametrize(
    ("minutes", "more", "owed"),
    [
        (15, {"fresh": 1}, True),
        (14, {"fresh": 1}, False),
        (15, {"soon": True}, True),
        (14, {"soon": True}, False),
        (15, {}, False),
        (2, {"fresh": 1, "danger": True}, True),
        (0.5, {"fresh": 1, "danger": True}, False),
        (2, {"fresh": 1, "fresh_due_us": EVERY - 1}, True),
        (2, {"fresh": 1, "fresh_due_us": EVERY}, False),
    ],
)
def test_when_an_e_mail_is_owed(minutes: float, more: dict[str, Any], owed: bool) -> None:
    """Every quarter of an hour at most; what cannot wait so long, every minute at most."""
    waits = Waiting("e", 9, 3, None, 0, None, False, False, None)
    now_us = int(minutes * MINUTE_US)
    assert is_owed(replace(waits, **more), sent_us=0, every_us=EVERY, now_us=now_us) is owed
