"""A mail server: a real one (aiosmtpd), that behaves as a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "gate:way", "p@ss/word"


@dataclass
class MailBox:
    """What was handed over, in order, and what is answered."""

    host: str = "127.0.0.1"
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    by_tls: list[bool] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    """By address, the answer to RCPT TO."""
    taken: Callable[[], Awaitable[None]] | None = None
    """Called when an e-mail is in our hands and whoever sent it does not know yet."""
    logged_in: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=MAIL)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append((str(envelope.mail_from), [str(to) for to in envelope.rcpt_tos]))
        self.by_tls.append(session.ssl is not None)
        if self.taken is not None:
            await self.taken()
        return "250 taken"

    def log_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logged_in.append(data.login.decode())
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


@asynccontextmanager
async def mail_server(
    box: MailBox, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[MailBox]:
    """Listens until the block ends; on the port of `box`, if it has one. `login`: takes nothing without."""

    def connected() -> SMTP:
        return SMTP(
            box, hostname="mail.test", tls_context=starttls, auth_required=login,
            auth_require_tls=tls is None, authenticator=box.log_in if login else None,
        )  # fmt: skip

    server = await asyncio.get_running_loop().create_server(connected, box.host, box.port, ssl=tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
