"""Opens the gateway's door beside its loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.claims import Claims
from services.bus.clock import Clock
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.posting import Postbox
from services.partner_gateway.inbox.hub import Hub
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.notices.postman import notices
from services.partner_gateway.numbers import numbered
from services.partner_gateway.partners.identify import Identifier
from services.partner_gateway.tables import metadata
from services.partner_gateway.webhooks.sender import Sender
from services.partner_gateway.wiring import SERVICE
from services.web.serving import Place, listen, make_tables, serving
from services.web.serving import where as serving_at
from services.web.stream import Few

DOOR = "door.json"
"""Below the data directory: where the gateway is, for commands on this machine."""


@asynccontextmanager
async def open_door(at: Settings) -> AsyncIterator[str]:
    """Serve until the block ends; the address it serves at.

    Raises:
        UserMistake: the port is taken, or there is a certificate without a key.
    """
    place = place_of(at)
    listening = listen(place)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(gateway_for(at))
        yield await stack.enter_async_context(serving(application(gateway), listening, place, gateway.hub.close))


@asynccontextmanager
async def gateway_for(at: Settings) -> AsyncIterator[Gateway]:
    """Everything that the routes work with, ended with the block.

    Raises:
        UserMistake: the settings for e-mail do not fit together.
    """
    access = Access(at, SERVICE.name)
    await make_tables(access, SERVICE.name, INBOXES, [metadata])
    clock, codec = Clock.of(at), codec_for(at)
    async with AsyncExitStack() as stack:
        stack.callback(access.close)
        hub = Hub(access, clock)
        postbox = await stack.enter_async_context(Postbox(at, access, clock))
        gateway = Gateway(
            settings=at,
            access=access,
            catalogue=load(at.catalogue),
            clock=clock,
            codec=codec,
            claims=Claims(at.claims),
            postbox=postbox,
            hub=hub,
            identifier=Identifier(at, access, clock),
            streams=Few(at.gateway_streams),
        )
        INBOXES.listeners.append(hub.ring)
        stack.callback(INBOXES.listeners.remove, hub.ring)
        await stack.enter_async_context(hub)
        await stack.enter_async_context(Sender(gateway))
        await stack.enter_async_context(notices(gateway))
        stack.enter_context(numbered(gateway))
        yield gateway


def where(at: Settings) -> str | None:
    """The address of the gateway that was opened last in this data directory; None if none is open."""
    return serving_at(place_of(at).file)


def place_of(at: Settings) -> Place:
    """Where the settings want it."""
    return Place(
        "the partner gateway",
        "GATEWAY",
        at.gateway_host,
        at.gateway_port,
        at.gateway_url,
        at.gateway_tls_cert,
        at.gateway_tls_key,
        at.data_dir / DOOR,
    )
