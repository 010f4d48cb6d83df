"""Sends what waits: the one task of a gateway process that makes deliveries from inbox entries and tries them.

What a partner may expect of a webhook, and what each choice below is for:

- **It is a bell, not the letter.** A notice says that something waits and under which number; the inbox, gapless and in
  order, is the truth. A notice that is late, lost or repeated costs nothing but time.
- **At least once, under one id.** An answer that did not reach us, or our crash before recording it, brings the same
  `webhook-id` again. Two notices to one webhook are never under way at once, whatever the number of processes.
- **In order of number while the endpoint is well.** A notice that fails steps aside and waits for its own next attempt;
  those after it go on, since a fault in one must not hide the others for days. Whoever wants strict order reads on
  from its own cursor at each notice, whatever the notice's number.
- **An endpoint that is down is left in peace.** After three notices in a row that failed at once it is tried with one
  notice at a time, each rest longer, to 15 minutes. As soon as one is taken, all that wait go, in order.
- **Tried for days, then given up, visibly** (`webhook_days`; `GET /v1/webhooks/{id}/deliveries`), and never unless it
  failed. "Resend" and "recover" bring them back.
- **410 is a goodbye**: the webhook is closed. Closed or not, the inbox loses nothing.

One partner's slow endpoint takes one of 32 places, at most 10 seconds an attempt; who was served longest ago is next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING, Self

import structlog
from prometheus_client import Counter

from services.bus.errors import Surroundings
from services.bus.settings import Settings
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.webhooks import deliveries, late
from services.partner_gateway.webhooks.deliveries import Turn
from services.partner_gateway.webhooks.message import signed
from services.web.egress import AT_ONCE, WHOLE, Egress, Outcome, Way

if TYPE_CHECKING:
    from services.partner_gateway.door.context import Gateway

GATHER = 0.1
"""Seconds between what rings and the look at it: one look for what comes together, and streams are served first."""

POLL = 1.0
"""Seconds between looks for what is due again, or was written by another process."""

LATE_EVERY = 20.0
"""Seconds between looks for what was not read in time."""

TURN = 50
"""Notices that one webhook gets in a row before others have their turn."""

ATTEMPTS = Counter("safebus_webhook_attempts_total", "Attempts to deliver a notice, by what came of them", ["outcome"])

log = structlog.get_logger()


def way_out(at: Settings) -> Way:
    """Where webhooks may go."""
    return Way(at.webhook_allow, at.gateway_host, at.gateway_url)


class Sender:
    """Sends while the block lasts. It ends at once: what was under way comes again, under the same id."""

    def __init__(self, gateway: Gateway, egress: Egress | None = None) -> None:
        self._gateway = gateway
        self._egress = egress or Egress(way_out(gateway.settings))
        self._name = token_hex(8)
        self._bell = asyncio.Event()
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._late_looked = 0.0

    async def __aenter__(self) -> Self:
        await self._egress.__aenter__()
        INBOXES.listeners.append(self.ring)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        INBOXES.listeners.remove(self.ring)
        tasks = [task for task in (self._task, *self._serving.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._egress.__aexit__()

    def ring(self) -> None:
        """There may be something to send. Called in the event loop."""
        self._bell.set()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            await self._guarded(self._look())
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._bell.wait()
            await asyncio.sleep(GATHER)

    async def _look(self) -> None:
        """Make the deliveries that are owed, then give every webhook with something due its turn."""
        access, now_us = self._gateway.access, self._gateway.now_us
        until_us = deliveries.until(self._gateway.settings, now_us)
        for webhook_id in await access.read(deliveries.behind):
            await access.write(partial(deliveries.make, webhook_id=webhook_id, now_us=now_us, until_us=until_us))
            self._bell.set()
        if monotonic() >= self._late_looked + LATE_EVERY:
            for webhook_id in await access.read(lambda c: late.to_tell(c, now_us=now_us)):
                await access.write(partial(late.make, webhook_id=webhook_id, now_us=now_us, until_us=until_us))
            self._late_looked = monotonic()

        for webhook_id in await access.read(lambda c: deliveries.due(c, now_us=now_us, limit=AT_ONCE)):
            if webhook_id not in self._serving and len(self._serving) < AT_ONCE:
                self._serving[webhook_id] = asyncio.create_task(self._serve(webhook_id))

    async def _serve(self, webhook_id: str) -> None:
        """One turn of one webhook."""
        try:
            await self._guarded(self._turn(webhook_id))
        finally:
            del self._serving[webhook_id]
            self._bell.set()

    async def _guarded(self, step: Awaitable[None]) -> None:
        """A step whose failure ends nothing but itself: what is owed stands in the database."""
        try:
            await step
        except Surroundings as error:
            log.warning("webhooks_wait", reason=str(error))
            await asyncio.sleep(POLL)
        except Exception as error:  # noqa: BLE001 - told by its kind alone: its text may quote a URL or a row
            log.error("webhooks_fault", kind=type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(POLL)

    async def _turn(self, webhook_id: str) -> None:
        """One notice after the other, each recorded before the next is taken."""
        access, holder = self._gateway.access, f"{self._name}.{token_hex(4)}"
        renewed = monotonic()
        turn = await access.write(lambda c: deliveries.take(c, webhook_id, holder, now_us=self._gateway.now_us))
        for left in reversed(range(TURN)):
            if turn is None or monotonic() - renewed > deliveries.LEASE_US / 1_000_000 - 2 * WHOLE:
                return  # what is left of the lease may be too short: somebody else may begin meanwhile
            outcome = await self._try(turn)
            renewed = monotonic()
            turn = await access.write(
                partial(deliveries.record, turn=turn, outcome=outcome, now_us=self._gateway.now_us, go_on=left > 0)
            )

    async def _try(self, turn: Turn) -> Outcome:
        headers, body = signed(turn.notice, turn.secrets)
        outcome = await self._egress.post(turn.url, headers, body)
        ATTEMPTS.labels("taken" if outcome.taken else "failed").inc()
        log.info(
            "webhook_attempt", webhook=turn.webhook_id, notice=turn.notice.id, attempt=turn.attempt,
            status=outcome.status, what=outcome.what,
        )  # fmt: skip
        return outcome
