"""A browser as far as a sign-in needs one: it follows, keeps cookies, and fills in the form that it is shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx

from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway

GATEWAY = "http://gateway.test"


class _Loopback(httpx.AsyncHTTPTransport):
    """To browsers, plain http to this machine is as safe as TLS: they send it cookies that are `Secure`."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        kept = [(name, re.sub(r";\s*Secure", "", value)) for name, value in response.headers.multi_items()]
        response.headers = httpx.Headers(kept)
        return response


class Browser:
    """Somebody at a screen. `page` is what they see."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.page = httpx.Response(200)
        self.visited: list[str] = []

    @property
    def host(self) -> str:
        return str(self.page.url.copy_with(path="/", query=None)).rstrip("/")

    @property
    def fields(self) -> set[str]:
        """Of the form on the page."""
        return set(re.findall(r'<input[^>]*\sname="([^"]+)"', self.page.text))

    async def go(self, address: str, alter: Callable[[str], str] = str) -> None:
        """Follow wherever it leads. `alter`: what somebody does to each address on the way."""
        await self._follow(await self.client.get(address), alter)

    async def fill_in(self, alter: Callable[[str], str] = str, **fields: str) -> None:
        """Send the form of this page."""
        action = re.search(r'<form[^>]*\saction="([^"]+)"', self.page.text)
        assert action, self.page.text
        missing = set(fields) - self.fields
        assert not missing, f"the form has no {missing}"
        hidden = re.findall(r'<input type="hidden"[^>]*\sname="([^"]+)"[^>]*\svalue="([^"]*)"', self.page.text)
        there = self.page.url.join(unescape(action[1]))
        await self._follow(await self.client.post(there, data={**dict(hidden), **fields}), alter)

    async def _follow(self, answer: httpx.Response, alter: Callable[[str], str]) -> None:
        while answer.has_redirect_location:
            there = alter(str(answer.url.join(answer.headers["location"])))
            self.visited.append(there)
            answer = await self.client.get(there)
        self.page = answer


def changed(**query: str) -> Callable[[str], str]:
    """Alters an address: whichever of these its query has is another."""

    def alter(address: str) -> str:
        parts = urlsplit(address)
        said = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return urlunsplit(parts._replace(query=urlencode({name: query.get(name, said[name]) for name in said})))

    return alter


@asynccontextmanager
async def browser(gateway: Gateway) -> AsyncIterator[Browser]:
    """At the gateway, and at whatever else listens on this machine."""
    here = httpx.ASGITransport(application(gateway), raise_app_exceptions=False)
    async with httpx.AsyncClient(mounts={GATEWAY: here}, transport=_Loopback(), timeout=60) as client:
        yield Browser(client)
