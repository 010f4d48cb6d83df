"""Tells somebody of a trouble and its end, by webhook or e-mail, until it is taken.

A process that ends between the other side's answer and its record sends once more, under the same id: `webhook-id` and
Message-ID are what receivers and mail programs know a repeat by.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

import httpx
import structlog
from prometheus_client import Counter
from pydantic_core import to_json
from standardwebhooks import Webhook

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings
from services.handover_feed.paging.message import is_secret
from services.lag_monitor.kept import Kept, Owed
from services.lag_monitor.troubles import Change, State
from services.partner_gateway.notices.letter import is_address
from services.partner_gateway.notices.server import Away, MailServer, Refused
from services.web.egress import Egress, NotAllowed, Way, check

KIND = "lag.verdict"
WEBHOOK, MAIL = "webhook", "mail"

POLL = 1.0
FIRST, LONGEST = timedelta(seconds=5), timedelta(minutes=5)
"""After a failed attempt comes the next, each pause twice as long as the one before."""

GIVEN_UP_AFTER = timedelta(days=3)

ALERTS = Counter("safebus_lag_alerts_total", "Attempts to tell of a trouble or its end", ["channel", "outcome"])

log = structlog.get_logger()


class Teller:
    """Sends while its block lasts.

    Raises:
        UserMistake: where it is to send, or by what, can never do.
    """

    def __init__(self, at: Settings, kept: Kept) -> None:
        self._at, self._kept = at, kept
        self.channels = channels(at)
        self._egress = Egress(_way(at))
        self._server = MailServer.of(at) if MAIL in self.channels else None
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._egress.__aenter__()
        if not self.channels:
            # No `reason`: that word in a log is why a process ended or waits (services/supervisor/reasons.py).
            log.warning("nobody_is_told", unset=["SAFEBUS_LAG_ALERT_URL", "SAFEBUS_LAG_ALERT_MAIL"])
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._egress.__aexit__()

    def ring(self) -> None:
        """There is something to send."""
        self._bell.set()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            try:
                for owed in await self._kept.owed(datetime.now(UTC)) if self._kept.is_open else ():
                    await self._settle(owed, await self._sent(owed))
            except Surroundings as error:
                log.warning("alerts_wait", reason=str(error))
                await asyncio.sleep(POLL)
            except Exception as error:  # noqa: BLE001 - told by its kind alone: its text may quote an address
                log.error("alerts_fault", kind=type(error).__name__)  # noqa: TRY400
                await asyncio.sleep(POLL)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._bell.wait()

    async def _settle(self, owed: Owed, refused: str | None) -> None:
        now = datetime.now(UTC)
        ALERTS.labels(owed.channel, "failed" if refused else "taken").inc()
        if refused is None:
            log.info("alert", channel=owed.channel, subject=owed.change.subject, state=owed.change.state.value)
            await self._kept.taken(owed)
        elif now - owed.change.at > GIVEN_UP_AFTER or owed.channel not in self.channels:
            log.error("alert_given_up", channel=owed.channel, subject=owed.change.subject, reason=refused)
            await self._kept.taken(owed)
        else:
            log.error("alert_failed", channel=owed.channel, subject=owed.change.subject, reason=refused)
            await self._kept.later(owed, now + min(FIRST * 2 ** min(owed.attempts, 10), LONGEST))

    async def _sent(self, owed: Owed) -> str | None:
        """Why it was not taken; None if it was."""
        if owed.channel not in self.channels:
            return "it is told by another way now"
        if owed.channel == WEBHOOK:
            assert self._at.lag_alert_url is not None
            outcome = await self._egress.post(self._at.lag_alert_url, *signed(self._at, owed.change))
            return None if outcome.taken else outcome.what
        return await self._mailed(owed.change)

    async def _mailed(self, change: Change) -> str | None:
        assert self._server is not None
        assert self._at.lag_alert_mail is not None
        letter = letter_of(change, mail_from=self._server.mail_from, to=self._at.lag_alert_mail)
        try:
            async with self._server.open() as connection:
                await connection.send(letter, self._at.lag_alert_mail)
        except (Away, Refused) as error:
            return f"the mail server did not take it ({error})"
        return None


def channels(at: Settings) -> tuple[str, ...]:
    """By which ways somebody is told.

    Raises:
        UserMistake: a setting can never do.
    """
    if at.lag_alert_url:
        try:
            check(_way(at), at.lag_alert_url)
        except NotAllowed as error:
            raise UserMistake(f"SAFEBUS_LAG_ALERT_URL leads nowhere: {error}") from error
    if at.lag_alert_secret is not None and not is_secret(at.lag_alert_secret.get_secret_value()):
        raise UserMistake(
            "SAFEBUS_LAG_ALERT_SECRET must be as Standard Webhooks has it: whsec_ and at least 24 bytes in Base64"
        )
    if at.lag_alert_mail and not is_address(at.lag_alert_mail):
        raise UserMistake("SAFEBUS_LAG_ALERT_MAIL must be a plain e-mail address, such as operators@NAME")
    if at.lag_alert_mail and at.smtp_url is None:
        raise UserMistake("SAFEBUS_LAG_ALERT_MAIL needs SAFEBUS_SMTP_URL, the mail server")
    return tuple(name for name, where in ((WEBHOOK, at.lag_alert_url), (MAIL, at.lag_alert_mail)) if where)


def signed(at: Settings, change: Change) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt, signed as Standard Webhooks has it, if there is a secret."""
    now = datetime.now(UTC)
    data = {
        "subject": change.subject,
        "state": change.state.value,
        "verdict": change.verdict,
        "why": change.why,
        "began": change.began.isoformat(),
        "text": change.text,
    }
    body = to_json({"type": KIND, "timestamp": change.at.isoformat(), "data": data})
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "safebus-webhooks/1",
        "webhook-id": str(change.id),
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if at.lag_alert_secret is not None:
        signature = Webhook(at.lag_alert_secret.get_secret_value()).sign(str(change.id), now, body.decode())
        headers["webhook-signature"] = signature
    return headers, body


def letter_of(change: Change, *, mail_from: str, to: str) -> EmailMessage:
    """One e-mail. A trouble's letters stand together in a mail program."""
    message, domain = EmailMessage(), mail_from.rpartition("@")[2]
    thread = f"<lag.{change.subject}.{int(change.began.timestamp())}@{domain}>"
    message["From"], message["To"], message["Subject"] = mail_from, to, change.headline
    message["Date"] = format_datetime(change.at)
    message["Message-ID"] = f"<{change.id}@{domain}>" if change.state is not State.began else thread
    if change.state is not State.began:
        message["In-Reply-To"] = message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday message in reply
    message.set_content(f"{change.text}\n")
    return message


def _way(at: Settings) -> Way:
    """To the one address alone; it may be on this machine where the monitor shows itself on it alone too."""
    host = ""
    with suppress(httpx.InvalidURL, ValueError):
        host = httpx.URL(at.lag_alert_url or "").raw_host.decode("ascii").lower()
    return Way(host, at.http_host, None)
