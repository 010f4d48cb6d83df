"""How somebody is told: by webhook and e-mail, until it is taken, once over a kill of the monitor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from services.bus.errors import Surroundings, UserMistake
from services.bus.health import Health
from services.bus.settings import Settings
from services.lag_monitor import telling
from services.lag_monitor.kept import Kept
from services.lag_monitor.lag import Snapshot, Verdict
from services.lag_monitor.monitor import Monitor
from services.lag_monitor.telling import Teller, channels, letter_of
from services.lag_monitor.troubles import Change, State, Troubles
from tests.embedded.broker import Broker
from tests.lag_monitor.house import House, house, until
from tests.lag_monitor.seen import AT
from tests.lag_monitor.test_troubles import bad, told, well
from tests.partner_gateway.house import Process
from tests.partner_gateway.mail_server import MailBox, mail_server
from tests.partner_gateway.webhook_endpoint import answer, endpoint, status

SECRET = "whsec_" + "c2FmZWJ1cyBzaWducyB3aGF0IGl0IHRlbGxz"
TO = "operators@example.org"


def change() -> Change:
    return told(Troubles(5), well(0), bad(2, 2), bad(10, 2))[0]


async def test_both_ways_tell_once_each_and_go_on_until_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that is refused first is sent again under the same id, signed; the e-mail is not sent again with it."""
    monkeypatch.setattr(telling, "FIRST", timedelta())
    monkeypatch.setattr(telling, "POLL", 0.1)
    async with endpoint(answer(status(503))) as hook, mail_server(MailBox()) as box:
        at = Settings(
            data_dir=tmp_path, lag_alert_url=f"http://127.0.0.1:{hook.port}/lag", lag_alert_secret=SecretStr(SECRET),
            lag_alert_mail=TO, smtp_url=SecretStr(box.url), mail_from="bus@example.org", gateway_url="http://gate.test",
        )  # fmt: skip
        kept, one = Kept(at), change()
        await kept.open()
        async with Teller(at, kept) as teller:
            await kept.note(one, teller.channels)
            teller.ring()
            await until(lambda: len(hook.received) >= 2)
            hook.behave = answer(status(204))
            await until(lambda: _none_owed(kept))
        assert {request.id for request in hook.received} == {str(one.id)}
        last = hook.received[-1]
        told = Webhook(SECRET).verify(last.body, last.headers)
        assert (told["type"], told["data"]["subject"], told["data"]["state"]) == ("lag.verdict", "teller", "began")
        assert [mail["Subject"] for mail in box.to(TO)] == ["safebus: teller is stopped"]
        assert await kept.troubles() == {"teller": _trouble(one)}
        kept.close()


async def _none_owed(kept: Kept) -> bool:
    return not await kept.owed(change().at + timedelta(days=3650))


def _trouble(one: Change) -> object:
    troubles = Troubles(0)
    troubles.told(one)
    return troubles.open[one.subject]


def test_the_end_stands_with_its_beginning() -> None:
    """In a mail program: the same thread."""
    troubles = Troubles(5)
    began, ended = told(troubles, well(0), bad(2, 2), bad(10, 2), well(20, 20), well(90, 20))
    assert ended.state is State.ended
    first, last = (letter_of(one, mail_from="bus@example.org", to=TO) for one in (began, ended))
    assert last["In-Reply-To"] == first["Message-ID"] != last["Message-ID"]
    assert "after 1 min" in last.get_content()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lag_alert_url": "http://hooks.example.org/x"}, "SAFEBUS_LAG_ALERT_URL leads nowhere"),
        ({"lag_alert_url": "https://10.0.0.1/x"}, "SAFEBUS_LAG_ALERT_URL leads nowhere"),
        ({"lag_alert_secret": SecretStr("abc")}, "SAFEBUS_LAG_ALERT_SECRET must be"),
        ({"lag_alert_mail": "nobody"}, "SAFEBUS_LAG_ALERT_MAIL must be"),
        ({"lag_alert_mail": TO}, "needs SAFEBUS_SMTP_URL"),
    ],
)
def test_what_would_reach_nobody_is_refused_at_the_start(wrong: dict[str, object], said: str) -> None:
    """In one sentence, not at the first trouble."""
    with pytest.raises(UserMistake, match=said):
        channels(Settings(**wrong))  # type: ignore[arg-type]


async def test_nobody_is_told_what_could_not_be_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monitor's database refuses for a while: killed then, the next monitor would not know since when it was so."""
    at = Settings(data_dir=tmp_path, lag_alert_after=0, principal="lag-monitor", password=SecretStr("x"))
    here = Monitor(at, Health())
    looks = iter([well(0), bad(2, 2), bad(4, 2), bad(6, 2)])
    locked = False

    async def look() -> Snapshot:
        found = next(looks)
        here.watch.since = {one.group: (one.verdict, one.since) for one in found.groups}
        return found

    remember = here._kept.remember

    async def refuses(*known: Any) -> None:
        if locked:
            raise Surroundings("the database is away")
        await remember(*known)

    monkeypatch.setattr(here.watch, "look", look)
    monkeypatch.setattr(here._kept, "remember", refuses)
    async with Teller(at, here._kept) as teller:
        await here._look(teller)
        locked = True
        for _ in range(2):
            await here._look(teller)
            assert await here._kept.troubles() == {}
        locked = False
        await here._look(teller)
    assert list(await here._kept.troubles()) == ["teller"]
    assert (await here._kept.verdicts())["teller"] == (Verdict.stopped, AT + timedelta(seconds=2))
    here._kept.close()


async def test_a_monitor_that_is_killed_tells_no_trouble_twice(kafka: Broker, tmp_path: Path) -> None:
    """kill -9 after it told; the next one sees the same trouble, shows it with its beginning, and keeps quiet."""
    async with endpoint() as hook:
        here = house(kafka, tmp_path, lag_alert_url=f"http://127.0.0.1:{hook.port}/lag", lag_alert_after=0)
        await here.write(0, "a", "b")
        await here.commit(0, 1)
        first = monitor(here.at)
        try:
            await until(lambda: _is(here, "stopped"))  # which is not told of one that was never seen at work
            here.remove(0, before=2)  # one is lost, which is told at once
            await until(lambda: bool(hook.received))
            since = await _since(here.at, here.service)
        finally:
            os.kill(first.pid, signal.SIGKILL)
            await first.ended()
        second = monitor(here.at)
        try:
            await until(lambda: _looked_again(here.at, second.pid))
            assert await _since(here.at, here.service) == since
            assert second.lives
        finally:
            second.end()
    [one] = hook.received
    data = json.loads(one.body)["data"]
    assert (data["subject"], data["state"], data["verdict"]) == (here.service, "began", "at_risk")
    assert "removed 1 event" in data["text"]


def monitor(at: Settings) -> Process:
    return Process(at, [sys.executable, "-m", "services.lag_monitor"], principal=at.principal)


async def _shown(at: Settings) -> dict[str, object] | None:
    try:
        port = json.loads((at.data_dir / "run" / "lag-monitor.json").read_text())["port"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /lag HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found: dict[str, object] = json.loads((await reader.read()).split(b"\r\n\r\n", 1)[1])
        writer.close()
    except (OSError, ValueError, IndexError):
        return None
    return found


async def _is(here: House, verdict: str) -> bool:
    found = await _shown(here.at)
    return found is not None and _group(found, here.service)["verdict"] == verdict


async def _since(at: Settings, service: str) -> str:
    found = await _shown(at)
    assert found is not None
    return _group(found, service)["since"]


def _group(found: dict[str, object], service: str) -> dict[str, str]:
    return next(group for group in found["groups"] if group["group"] == service)  # type: ignore[attr-defined]


async def _looked_again(at: Settings, pid: int) -> bool:
    """It is the new one that shows, and it has looked more than once."""
    run = json.loads((at.data_dir / "run" / "lag-monitor.json").read_text())
    if run["pid"] != pid or (found := await _shown(at)) is None:
        return False
    await asyncio.sleep(0.5)
    after = await _shown(at)
    return after is not None and after["at"] != found["at"]
