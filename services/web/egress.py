"""A door's only way out to addresses that others chose: to the hosts allowed, on the public internet.

Without it, a partner could have the gateway call whatever the gateway can reach. What is checked is what is used:

- a URL is parsed once, and its host must be among those allowed; https only;
- the name is resolved once for each attempt; if any of its addresses is not public, nothing is sent. The connection is
  made to an address that was checked, not to the name again (DNS rebinding); SNI, certificate check and Host keep the
  name;
- no proxy, redirect, cookie or kept connection; certificates are verified (OpenSSL's own SSL_CERT_FILE is heeded);
- 5 seconds to connect, 10 for everything; at most 4 kB of the answer are read, and dropped. Nothing the other side
  sends but its status is ever kept or shown.

In a demo the door itself is on loopback, and those outside on the same machine: then a URL may also name loopback, over
plain http too. A door on loopback behind a proxy (its own `url`) is no demo.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Self

import httpx

from services.web.addresses import Address, is_loopback, is_public, literal

CONNECT = 5.0
WHOLE = 10.0
MOST_READ = 4_096
MOST_ADDRESSES = 4
AT_ONCE = 32

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
_CERTIFICATE = {
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain is self-signed",
    62: "it is for another name",
    64: "it is for another address",
}


class Way(NamedTuple):
    """Where a door may go."""

    allow: str
    """Hosts, comma separated; *.nhs.uk for a domain."""
    host: str
    """Where the door itself listens."""
    url: str | None
    """Its address as others see it, if that is another."""


class NotAllowed(Exception):
    """The door does not go there. The message is a sentence without any of the other side's words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: the answer's status, if there was an answer, and the same in words."""

    status: int | None
    what: str

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The endpoint wants no more, ever."""
        return self.status == 410


class Egress:
    """Sends. Hold it open while it is used."""

    def __init__(self, way: Way, *, resolve: Resolve | None = None) -> None:
        self._way = way
        self._resolve = resolve or self._ask
        self._names = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook-names")
        self._transport = httpx.AsyncHTTPTransport(
            verify=httpx.create_ssl_context(),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()
        self._names.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """One attempt, answered within 10 seconds or not. Never raises for anything that the other side does."""
        try:
            async with asyncio.timeout(WHOLE):
                response = await self._post(url, headers, body)
        except TimeoutError:
            return Outcome(None, "no answer within 10 seconds")
        except NotAllowed as refused:
            return Outcome(None, f"not sent: {refused}")
        except (httpx.HTTPError, OSError, ssl.SSLError) as error:
            return Outcome(None, _in_words(error))
        await _drop(response)
        return _answered(response.status_code)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        to = check(self._way, url)
        addresses = await self._addresses(to)
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):  # nothing was sent: the next address may do
                return await self._send(to, address, headers, body)
        return await self._send(to, addresses[-1], headers, body)

    async def _addresses(self, to: httpx.URL) -> Sequence[Address]:
        """Every address of the host, all of them fit to go to."""
        host = _host(to)
        one = literal(host)
        port = to.port or (443 if to.scheme == "https" else 80)
        found = [one] if one is not None else await self._resolve(host, port)
        fit = is_loopback if is_demo(self._way) and _names_loopback(host) else is_public
        if not all(map(fit, found)):
            raise NotAllowed("the host's name leads to an address that is not on the public internet")
        if not found:
            raise NotAllowed("the host's name has no address")
        return found[:MOST_ADDRESSES]

    async def _ask(self, host: str, port: int) -> Sequence[Address]:
        """By the system, in threads of our own: a slow name server holds up nobody else."""

        def ask() -> list[Address]:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = [literal(str(answer[4][0])) for answer in answers]
            return list(dict.fromkeys(address for address in found if address is not None))

        try:
            return await asyncio.get_running_loop().run_in_executor(self._names, ask)
        except (OSError, UnicodeError):
            raise NotAllowed("the host's name could not be looked up") from None

    async def _send(self, to: httpx.URL, address: Address, headers: dict[str, str], body: bytes) -> httpx.Response:
        request = httpx.Request(
            "POST",
            to.copy_with(host=str(address)),
            headers={"Host": to.netloc.decode("ascii"), "Accept-Encoding": "identity", **headers},
            content=body,
            extensions={
                "sni_hostname": _host(to),
                "timeout": {"connect": CONNECT, "read": WHOLE, "write": WHOLE, "pool": WHOLE},
            },
        )
        return await self._transport.handle_async_request(request)


def check(way: Way, url: str) -> httpx.URL:
    """The URL, if a webhook may go there as far as can be told without the DNS.

    Raises:
        NotAllowed: it may not.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise NotAllowed("this is not a URL") from None
    host = _host(parsed)
    if parsed.scheme not in {"https", "http"} or not host or "%" in host:
        raise NotAllowed("a webhook's URL begins with https:// and the name of a host")
    if parsed.userinfo or parsed.fragment:
        raise NotAllowed("a webhook's URL has no user name, password or fragment")
    if is_demo(way) and _names_loopback(host):
        return parsed
    if parsed.scheme != "https":
        raise NotAllowed("webhooks are sent over https only")
    if not any(_matches(host, rule.strip().lower()) for rule in way.allow.split(",")):
        raise NotAllowed("this host is not among those that webhooks may go to; ask the operator to allow it")
    address = literal(host)
    if address is not None and not is_public(address):
        raise NotAllowed("this address is not on the public internet")
    return parsed


def is_demo(way: Way) -> bool:
    """Whether only this machine can reach the door."""
    outside = httpx.URL(way.url) if way.url else None
    return _names_loopback(way.host) and (outside is None or _names_loopback(outside.host))


def _names_loopback(host: str) -> bool:
    address = literal(host)
    return host == "localhost" if address is None else is_loopback(address)


def _host(url: httpx.URL) -> str:
    """As in a certificate: lower case, international names as ASCII, no brackets, no dot at the end."""
    return url.raw_host.decode("ascii").lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _matches(host: str, rule: str) -> bool:
    return host.endswith(rule[1:]) and host != rule[1:] if rule.startswith("*.") else host == rule


async def _drop(response: httpx.Response) -> None:
    """Read what follows the status, a little of it, so that the other side sees an orderly end. It changes nothing."""
    size = 0
    try:
        async with asyncio.timeout(1):
            async for piece in response.aiter_raw():
                size += len(piece)
                if size >= MOST_READ:
                    break
    except (TimeoutError, httpx.HTTPError, OSError):
        pass
    finally:
        await response.aclose()


def _answered(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status, "taken")
    if 300 <= status < 400:
        return Outcome(status, f"the endpoint answered {status}, a redirect; redirects are not followed")
    if status == 410:
        return Outcome(status, "the endpoint answered 410: it wants no more")
    return Outcome(status, f"the endpoint answered {status}")


def _in_words(error: Exception) -> str:
    """Why there was no answer. The errors' own texts are left out: they may quote the other side."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = _CERTIFICATE.get(cause.verify_code, "who signed it is not known here")
            return f"its TLS certificate could not be verified: {why}"
        if isinstance(cause, ssl.SSLError):
            return "TLS could not be agreed on"
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection within 5 seconds"
    if isinstance(error, (httpx.ConnectError, OSError)):
        return "no connection: refused or unreachable"
    if isinstance(error, httpx.TimeoutException):
        return "no answer within 10 seconds"
    return "the connection ended without an answer that is HTTP"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
