"""E-mail notices (H10): something waits, and nothing of what; one for a burst, at least once, to nobody who left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.bus.clock import Clock
from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.partner_gateway import tables
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.inbox.tables import epoch
from services.partner_gateway.notices import postman, turns
from services.partner_gateway.notices.decide import MINUTE_US, Waiting, is_owed
from services.partner_gateway.notices.letter import Letter, is_address, message
from services.partner_gateway.notices.server import MailServer
from services.partner_gateway.partners import registry
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.mail_server import PASSWORD, USER, MailBox, mail_server
from tests.partner_gateway.people import MASH, NAMES, NOW, OTHER_SCHOOL, SCHOOL
from tests.partner_gateway.webhook_endpoint import certificate

INES, JO = "ines.okafor@school.test", "jo@school.test"
INBOX = "https://inbox.safebus.test/inbox"
MAIL = {"mail_from": "no-reply@safebus.test", "gateway_url": "https://inbox.safebus.test/"}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway looks more often: what is not to come does not come sooner either."""
    monkeypatch.setattr(postman, "POLL", 0.2)
    monkeypatch.setattr(postman, "GATHER", 0.2)
    monkeypatch.setattr(postman, "BETWEEN", 0.05)
    monkeypatch.setattr(postman, "GOODBYE", 0.5)
    monkeypatch.setattr(postman, "AWAY", 0.2)
    monkeypatch.setattr(postman, "LONGEST_AWAY", 0.5)


@pytest.fixture
async def box() -> AsyncIterator[MailBox]:
    """A mail server on this machine."""
    async with mail_server(MailBox()) as made:
        yield made


@pytest.fixture
def at(at: Settings, box: MailBox, tmp_path: Path) -> Settings:
    """With that mail server, and a clock that the test steps."""
    more = {"clock_file": tmp_path / "clock", "smtp_url": SecretStr(box.url), **MAIL}
    made = at.model_copy(update=more)
    Clock.of(made).step(NOW)
    return made


async def person(gateway: Gateway, email: str = INES, organisation: str = SCHOOL, name: str = "Ines Okafor") -> str:
    """A named person with an e-mail address."""

    def add(connection: sa.Connection) -> str:
        if all(row.organisation != organisation for row in registry.partners(connection)):
            registry.add_partner(connection, organisation, "agency", now_us=gateway.now_us)
        return registry.add_person(connection, organisation, name, "Safeguarding lead", email=email)

    return await gateway.access.write(add)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def quiet() -> None:
    """Longer than the gateway takes to look twice."""
    await asyncio.sleep(3 * (postman.POLL + postman.GATHER))


async def step(gateway: Gateway, **by: float) -> None:
    gateway.clock.step(gateway.clock.now() + timedelta(**by))
    await quiet()


def text_of(box: MailBox, index: int = -1) -> str:
    body = box.mails[index].get_content()
    assert isinstance(body, str)
    return body.replace("\r\n", "\n")


# --- what it says


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


# --- at least once, and to nobody who left


async def test_killed_between_sending_and_noting(at: Settings, box: MailBox) -> None:
    """At most one repeat, with the same Message-ID, and never none."""
    dead = asyncio.Event()

    async def kill() -> None:
        dead.set()
        await asyncio.sleep(60)

    box.taken = kill
    async with gateway_for(at) as gateway:
        await person(gateway)
        await tell(gateway, people.outcome())
        await dead.wait()
    box.taken = None
    async with gateway_for(at) as gateway:
        await quiet()
        assert len(box.mails) == 1, "it may still be under way"
        await step(gateway, minutes=4)
        await step(gateway, minutes=30)
    first, again = box.mails
    assert first["Message-ID"] == again["Message-ID"]


async def test_asked_to_end_it_finishes_what_is_under_way(
    at: Settings, box: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart in the middle of an e-mail repeats nothing, and begins no other."""
    monkeypatch.setattr(postman, "GOODBYE", 20.0)
    under_way = asyncio.Event()

    async def slowly() -> None:
        under_way.set()
        await asyncio.sleep(0.5)

    box.taken = slowly
    async with gateway_for(at) as gateway:
        for address in (INES, JO):
            await person(gateway, address)
        await tell(gateway, people.outcome())
        await under_way.wait()
    assert len(box.mails) == 1
    async with gateway_for(at) as gateway:
        await until(lambda: len(box.mails) == 2)
        await step(gateway, minutes=30)
    assert sorted(to for _, [to] in box.envelopes) == [INES, JO]


async def test_what_was_told_is_told_to_the_next_process(at: Settings, box: MailBox) -> None:
    """A restart repeats nothing and forgets nothing."""
    async with gateway_for(at) as gateway:
        await person(gateway)
        await tell(gateway, people.outcome())
        await until(lambda: box.mails)
        await quiet()
    async with gateway_for(at) as gateway:
        await step(gateway, minutes=30)
        assert len(box.mails) == 1
        await tell(gateway, people.outcome())
        await until(lambda: len(box.mails) == 2)


async def test_a_mail_server_away_and_back(at: Settings) -> None:
    """Nothing is lost: what came meanwhile is counted when it is back. The log says that it waits, and no address."""
    async with mail_server(box := MailBox()):
        pass  # its port answers nobody now
    with capture_logs() as logs:
        async with gateway_for(at.model_copy(update={"smtp_url": SecretStr(box.url)})) as gateway:
            await person(gateway)
            await tell(gateway, people.outcome())
            await until(lambda: [line["event"] for line in logs].count("notices_wait") > 2)
            await tell(gateway, people.outcome())
            async with mail_server(box):
                await until(lambda: box.mails)
                await quiet()
    assert [text_of(box).split(" in ")[0] for _ in box.mails] == ["2 items wait"]
    assert not any(word in str(logs) for word in (INES, SCHOOL, "Okafor"))


async def test_one_address_that_is_refused_holds_up_nobody(gateway: Gateway, box: MailBox) -> None:
    """Tried again later, at ever longer intervals; it never reaches the log."""
    box.refuses[INES] = f"550 5.1.1 <{INES}> no such user"
    with capture_logs() as logs:
        person_id = await person(gateway)
        await person(gateway, JO)
        await tell(gateway, people.outcome())
        await until(lambda: box.mails and any(line["event"] == "notice_failed" for line in logs))
        await step(gateway, seconds=90)
        box.refuses.clear()
        await step(gateway, minutes=2)
        assert box.to(INES) == []
        await step(gateway, minutes=2)
    assert (len(box.to(INES)), len(box.to(JO))) == (1, 1)
    failed = [line for line in logs if line["event"] == "notice_failed"]
    assert [(line["person"], line["reason"]) for line in failed] == [(person_id, "550"), (person_id, "550")]
    assert INES not in str(logs)


async def test_who_left_gets_none(gateway: Gateway, box: MailBox) -> None:
    """A person who was closed, all of a partner that was removed, and somebody without an address."""
    left, stays = await person(gateway), await person(gateway, JO)
    await person(gateway, "")
    await person(gateway, "other@school.test", OTHER_SCHOOL)
    now_us = gateway.now_us
    await gateway.access.write(lambda c: registry.close_person(c, SCHOOL, left, now_us=now_us))
    await gateway.access.write(lambda c: registry.close_partner(c, OTHER_SCHOOL, now_us=now_us))
    await tell(gateway, people.alert(), people.alert(OTHER_SCHOOL))
    await until(lambda: box.mails)
    await quiet()
    assert [to for _, [to] in box.envelopes] == [JO]
    [known] = await gateway.access.read(lambda c: turns.candidates(c, every_us=0, now_us=1 << 60, limit=9))
    await gateway.access.write(lambda c: registry.close_person(c, SCHOOL, stays, now_us=now_us))
    taken = await gateway.access.write(lambda c: turns.take(c, known, "late", now_us=now_us))
    assert not taken, "closed after it was looked up"


async def test_after_a_recovery_nobody_is_forgotten(gateway: Gateway, box: MailBox) -> None:
    """Numbers begin anew in another epoch: what nobody has read is told once more at most."""
    await person(gateway)
    await tell(gateway, people.outcome(), people.outcome())
    await until(lambda: box.mails)
    await quiet()
    await gateway.access.write(lambda c: c.execute(epoch.update().values(epoch="00000000")))
    await step(gateway, minutes=20)
    await step(gateway, minutes=20)
    assert [text_of(box, n).split(" in ")[0] for n in range(len(box.mails))] == ["2 items wait"] * 2


async def test_several_processes_send_once(at: Settings, box: MailBox, postgres: str) -> None:
    """Two gateways on one PostgreSQL look at the same moment; each person gets one e-mail."""
    on = at.model_copy(update={"store_url": postgres})
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("partner_gateway"))
    engine.dispose()
    addresses = [f"person{n}@school.test" for n in range(20)]
    async with gateway_for(on) as one, gateway_for(on):
        for address in addresses:
            await person(one, address)
        await tell(one, people.outcome())
        await until(lambda: len(box.mails) >= len(addresses))
        await quiet()
        await tell(one, people.outcome())
        await step(one, minutes=20)
        await until(lambda: len(box.mails) >= 2 * len(addresses))
        await quiet()
    assert [len(box.to(address)) for address in addresses] == [2] * len(addresses)


# --- by which server


async def test_off_this_machine_only_by_tls(at: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTTLS, by a certificate that is trusted, before the password; a server without gets nothing."""
    context, trusted = certificate(tmp_path, "127.0.0.2")
    plain, secure = MailBox("127.0.0.2"), MailBox("127.0.0.2")
    user = f"smtp://{USER.replace(':', '%3A')}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@127.0.0.2"
    async with mail_server(plain), mail_server(secure, starttls=context, login=True):
        with capture_logs() as logs:
            # The latter's certificate is nobody's yet.
            for there, url in ((plain, plain.url), (secure, f"{user}:{secure.port}")):
                on = at.model_copy(update={"smtp_url": SecretStr(url)})
                async with gateway_for(on) as gateway:
                    await person(gateway, f"{there.port}@school.test")
                    await tell(gateway, people.outcome())
                    before = len(logs)
                    await until(lambda: any(line["event"] == "notices_wait" for line in logs[before:]))  # noqa: B023
        assert (plain.mails, secure.mails, secure.logged_in) == ([], [], [])
        assert PASSWORD not in str(logs)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        async with gateway_for(on):
            await until(lambda: len(secure.mails) == 2)
    assert secure.by_tls == [True, True]
    assert secure.logged_in == [USER]


async def test_tls_from_the_first_byte(at: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """smtps:// never speaks in the clear."""
    context, trusted = certificate(tmp_path, "127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with mail_server(MailBox("127.0.0.2"), tls=context) as secure:
        on = at.model_copy(update={"smtp_url": SecretStr(secure.url.replace("smtp:", "smtps:"))})
        async with gateway_for(on) as gateway:
            await person(gateway)
            await tell(gateway, people.outcome())
            await until(lambda: secure.mails)


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("mail.test:25", {}, "SMTP_URL is not as in"),
        ("http://user:secret@mail.test", {}, "SMTP_URL is not as in"),
        ("smtp://user:secret@mail.test:many", {}, "SMTP_URL is not as in"),
        ("smtp://mail.test/path", {}, "SMTP_URL is not as in"),
        ("smtp://user@mail.test", {}, "a user and a password, or neither"),
        ("smtp://mail.test", {"mail_from": None}, "needs SAFEBUS_MAIL_FROM"),
        ("smtp://mail.test", {"mail_from": "safebus <a@b.test>"}, "needs SAFEBUS_MAIL_FROM"),
        ("smtp://mail.test", {"gateway_url": "inbox.test"}, "needs SAFEBUS_GATEWAY_URL"),
        ("smtp://mail.test", {"gateway_url": None}, "needs SAFEBUS_GATEWAY_URL"),
    ],
)
def test_settings_that_do_not_fit_are_told(url: str, more: dict[str, Any], said: str) -> None:
    """One sentence, without the password."""
    with pytest.raises(UserMistake, match=said) as told:
        MailServer.of(Settings(smtp_url=SecretStr(url)).model_copy(update=MAIL | more))
    assert "secret" not in str(told.value)


def test_without_a_server_there_is_no_e_mail() -> None:
    """Nothing else needs to be set."""
    assert MailServer.of(Settings()) is None
    made = MailServer.of(Settings(smtp_url=SecretStr("smtps://a%40b:c%2Fd@mail.test")).model_copy(update=MAIL))
    assert made is not None
    assert (made.host, made.port, made.user, made.password) == ("mail.test", 465, "a@b", "c/d")
    assert "c/d" not in repr(made)


def test_the_bell_is_unhung() -> None:
    """Gateways that ended are not called."""
    assert [one for one in INBOXES.listeners if "Postman" in repr(one)] == []
