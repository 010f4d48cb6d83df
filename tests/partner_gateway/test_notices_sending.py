"""E-mail notices are sent at least once, to nobody who left, by a server that is safe to use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.inbox.tables import epoch
from services.partner_gateway.notices import postman, turns
from services.partner_gateway.notices.server import MailServer
from services.partner_gateway.partners import registry
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.mail_server import PASSWORD, USER, MailBox, mail_server
from tests.partner_gateway.mailing import INES, JO, MAIL, at, box, often, person, quiet, step, text_of, until
from tests.partner_gateway.people import OTHER_SCHOOL, SCHOOL
from tests.partner_gateway.webhook_endpoint import certificate

__all__ = ["at", "box", "often"]


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
