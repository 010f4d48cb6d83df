"""E-mails named people that something waits: the one task of a gateway process beside its door that does.

- **A burst is one e-mail.** What comes within some seconds is told together, and nobody is e-mailed more often than
  every `notice_minutes`, but for what cannot wait so long: a child in danger (H7), or what is due sooner.
- **At least once.** What an e-mail spoke of is recorded when the mail server has taken it. A process that ends between
  the two leaves one repeat, with the same Message-ID, by which mail programs know it.
- **Several processes send once**: whoever holds a person's lease.
- **A mail server that is away is waited for**, to five minutes between tries. Nothing is lost meanwhile: what is new is
  counted when it is sent. What the server refuses for one person is tried again for ever, to six hours between tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter

from services.bus.errors import Surroundings
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.notices import turns
from services.partner_gateway.notices.decide import MINUTE_US, Waiting, is_owed
from services.partner_gateway.notices.letter import Letter, is_address, message
from services.partner_gateway.notices.server import Away, Connection, MailServer, Refused
from services.partner_gateway.notices.turns import Person

if TYPE_CHECKING:
    from services.partner_gateway.door.context import Gateway

POLL = 15.0
"""Seconds between looks for what time alone has made due, or another process wrote."""

GATHER = 5.0
"""Seconds from the first new entry that is seen to the count of all."""

BETWEEN = 1.0
"""Seconds between looks, however often something new comes."""

GOODBYE = 3.0
"""Seconds that an e-mail which is under way has when the process is asked to end."""

AWAY, LONGEST_AWAY = 2.0, 300.0
"""Seconds until a mail server that is away is tried again: at first, and at most."""

ROUND = 100

NOTICES = Counter("safebus_notices_total", "E-mails that something waits, by what came of them", ["outcome"])

log = structlog.get_logger()


@asynccontextmanager
async def notices(gateway: Gateway) -> AsyncIterator[None]:
    """Sends while the block lasts, if there is a mail server.

    At the end no other e-mail begins, and the one that is under way may still be taken and recorded.

    Raises:
        UserMistake: the settings for e-mail do not fit together.
    """
    server = MailServer.of(gateway.settings)
    if server is None:
        yield
        return
    postman = Postman(gateway, server)
    INBOXES.listeners.append(postman.ring)
    task = asyncio.create_task(postman.run())
    try:
        yield
    finally:
        INBOXES.listeners.remove(postman.ring)
        with suppress(TimeoutError):
            await asyncio.wait_for(postman.turn.acquire(), GOODBYE)
        while not task.done():  # the wait_for of Python 3.11, which aiosmtplib uses, may swallow a cancellation
            task.cancel()
            await asyncio.wait([task], timeout=0.5)


class Postman:
    """One process's."""

    def __init__(self, gateway: Gateway, server: MailServer) -> None:
        self._gateway, self._server = gateway, server
        self._every_us = int(gateway.settings.notice_minutes * MINUTE_US)
        self._holder = token_hex(8)
        self._bell = asyncio.Event()
        self.turn = asyncio.Lock()
        """Held from before an e-mail is sent until it is recorded: whoever holds it keeps others from being begun."""

    def ring(self) -> None:
        """There may be something new. Called in the event loop."""
        self._bell.set()

    async def run(self) -> None:
        """For ever; no fault ends it."""
        away = 0
        while True:
            self._bell.clear()
            try:
                more = await self._round()
                away = 0
            except (Away, Surroundings) as error:
                wait = min(AWAY * 2 ** min(away, 10), LONGEST_AWAY)
                log.warning("notices_wait", reason=str(error), seconds=wait)
                away += 1
                await asyncio.sleep(wait)
                continue
            except Exception as error:  # noqa: BLE001 - told by its kind alone: its text may quote an address
                log.error("notices_fault", kind=type(error).__name__)  # noqa: TRY400
                more = False
                await asyncio.sleep(POLL)
            if not more:
                await asyncio.sleep(BETWEEN)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._bell.wait()

    async def _round(self) -> bool:
        """E-mail everybody to whom something is owed now; whether there may be more of them."""
        if not await self._look():
            return False
        await asyncio.sleep(GATHER)
        people = await self._look()
        owed = [(who, waits) for who in people if (waits := await self._weigh(who)) is not None]
        if owed:
            async with self._server.open() as connection:
                for who, waits in owed:
                    async with self.turn:
                        await self._tell(connection, who, waits)
        return len(people) == ROUND

    async def _look(self) -> list[Person]:
        now_us, find = self._gateway.now_us, turns.candidates
        return list(await self._gateway.access.read(partial(find, every_us=self._every_us, now_us=now_us, limit=ROUND)))

    async def _weigh(self, who: Person) -> Waiting | None:
        """What to tell this person; None if nothing is owed now."""
        access, now_us = self._gateway.access, self._gateway.now_us
        waits = await access.read(partial(turns.waiting, who=who, now_us=now_us))
        if is_owed(waits, sent_us=who.sent_us, every_us=self._every_us, now_us=now_us):
            return waits
        if not waits.fresh:
            await access.write(partial(turns.pass_over, who=who, waits=waits, now_us=now_us))
        return None

    async def _tell(self, connection: Connection, who: Person, waits: Waiting) -> None:
        access, holder, now_us = self._gateway.access, f"{self._holder}.{token_hex(4)}", self._gateway.now_us
        if not await access.write(partial(turns.take, who=who, holder=holder, now_us=now_us)):
            return
        about = f"{who.person_id} {waits.epoch}.{waits.last} {who.sent_us}"
        letter = Letter(who.email, about, waits.count, waits.earliest_us, waits.danger, now_us)
        try:
            await self._send(connection, letter)
        except (Refused, Away) as error:
            NOTICES.labels("failed").inc()
            log.warning("notice_failed", person=who.person_id, reason=str(error))
            await access.write(partial(turns.failed, who=who, holder=holder, now_us=self._gateway.now_us))
            if isinstance(error, Away):
                raise
        else:
            NOTICES.labels("sent").inc()
            log.info("notice_sent", person=who.person_id, waiting=waits.count)
            await access.write(partial(turns.sent, who=who, holder=holder, waits=waits, now_us=now_us))

    async def _send(self, connection: Connection, letter: Letter) -> None:
        if not is_address(letter.to):
            raise Refused("no plain e-mail address stands for this person")
        made = message(letter, mail_from=self._server.mail_from, inbox=self._server.inbox)
        await connection.send(made, letter.to)
