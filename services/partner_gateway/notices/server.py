"""The mail server that notices are handed to (SMTP; RFC 5321, RFC 3207, RFC 8314)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.partner_gateway.notices.letter import is_address

COMMAND = 20.0
"""Seconds that the server may take to answer one command."""

WHOLE = 60.0
"""Seconds that one e-mail may take."""

GOODBYE = 2.0

PORTS = {"smtp": 587, "smtps": 465}
_HERE = ("localhost", "127.0.0.1", "::1")


class Away(Exception):
    """The server cannot be used now, or not by us. The message holds none of its words: they may quote an address."""


class Refused(Exception):
    """The server is there and does not take this e-mail to this person; the message is its code."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed over, and by what name they come."""

    host: str
    port: int
    implicit_tls: bool
    """TLS from the first byte; else STARTTLS, which is demanded of every server that is not this machine."""
    user: str | None
    password: str | None = field(repr=False)
    mail_from: str
    inbox: str
    """The address at which people sign in."""

    @classmethod
    def of(cls, at: Settings) -> Self | None:
        """As the settings say; None if there is to be no e-mail.

        Raises:
            UserMistake: they do not fit together.
        """
        if at.smtp_url is None:
            return None
        form = "SAFEBUS_SMTP_URL is not as in smtp://USER:PASSWORD@HOST:PORT or smtps://HOST"
        try:
            url = urlsplit(at.smtp_url.get_secret_value())
            host, port = url.hostname, url.port
        except ValueError:
            raise UserMistake(form) from None  # the error may quote the password
        if url.scheme not in PORTS or not host or url.path.strip("/") or url.query or url.fragment:
            raise UserMistake(form)
        if (url.username is None) != (url.password is None):
            raise UserMistake("SAFEBUS_SMTP_URL has a user and a password, or neither")
        if not at.mail_from or not is_address(at.mail_from):
            raise UserMistake("SAFEBUS_SMTP_URL needs SAFEBUS_MAIL_FROM, a plain e-mail address such as no-reply@NAME")
        if not at.gateway_url or not urlsplit(at.gateway_url).hostname:
            raise UserMistake("SAFEBUS_SMTP_URL needs SAFEBUS_GATEWAY_URL: an e-mail says where to sign in")
        return cls(
            host=host, port=port or PORTS[url.scheme], implicit_tls=url.scheme == "smtps",
            user=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            mail_from=at.mail_from, inbox=f"{at.gateway_url.rstrip('/')}/inbox",
        )  # fmt: skip

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Connection]:
        """A connection, signed in.

        Raises:
            Away: there is none to be had.
        """
        smtp = aiosmtplib.SMTP(
            hostname=self.host, port=self.port, use_tls=self.implicit_tls,
            start_tls=not self.implicit_tls and self.host not in _HERE,
            username=self.user, password=self.password, timeout=COMMAND,
            local_hostname=urlsplit(self.inbox).hostname,
        )  # fmt: skip
        try:
            async with asyncio.timeout(WHOLE):
                await smtp.connect()
        except (SMTPException, OSError) as error:
            smtp.close()
            raise Away(_kind(error)) from None
        try:
            yield Connection(smtp, self.mail_from)
            with suppress(SMTPException, OSError):
                await smtp.quit(timeout=GOODBYE)
        finally:
            smtp.close()


class Connection:
    """Hands e-mails over, one after the other."""

    def __init__(self, smtp: aiosmtplib.SMTP, mail_from: str) -> None:
        self._smtp, self._from = smtp, mail_from

    async def send(self, message: EmailMessage, to: str) -> None:
        """Returns when the server has taken it.

        Raises:
            Refused: it does not take this one.
            Away: it is gone, or refuses us; whether it took the e-mail is not known.
        """
        try:
            async with asyncio.timeout(WHOLE):
                await self._smtp.send_message(message, sender=self._from, recipients=[to])
        except SMTPRecipientsRefused as error:
            raise Refused(str(error.recipients[0].code)) from None
        except SMTPDataError as error:
            raise Refused(str(error.code)) from None
        except (SMTPException, OSError) as error:
            raise Away(_kind(error)) from None


def _kind(error: Exception) -> str:
    code = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return type(error).__name__ + code
