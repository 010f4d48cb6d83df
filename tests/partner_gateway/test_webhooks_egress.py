"""The gateway goes nowhere that it was not allowed to go, and nothing that the other side does harms or fools it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.web import egress
from services.web.addresses import Address, is_public
from services.web.egress import Egress, NotAllowed, Outcome, Way, check
from tests.partner_gateway.webhook_endpoint import Received, answer, certificate, endpoint, status

PUBLIC = Way("hooks.school.example, *.nhs.example,203.0.114.7", "0.0.0.0", None)
DEMO = Way("", "127.0.0.1", None)


@pytest.fixture
async def out() -> AsyncIterator[Egress]:
    """As in a demo: the gateway is on loopback, and so are its partners."""
    async with Egress(DEMO) as made:
        yield made


# --- addresses


def embedded(address: IPv4Address) -> list[IPv6Address]:
    """Every way to write an IPv4 address as an IPv6 one."""
    number = int(address)
    return [
        IPv6Address(0xFFFF << 32 | number),  # mapped
        IPv6Address(number),  # compatible
        IPv6Address(0x64FF9B << 96 | number),  # NAT64
        IPv6Address(0x0064FF9B0001 << 80 | number),  # NAT64, local
        IPv6Address(0x2002 << 112 | number << 80 | 1),  # 6to4
        IPv6Address(0x20010000 << 96 | ~number & 0xFFFFFFFF),  # Teredo
    ]


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
@example(ip_address("169.254.169.254"))
@example(ip_address("100.64.0.1"))
@example(ip_address("224.0.0.1"))
@example(ip_address("fe80::1"))
@example(ip_address("fc00::1"))
@example(ip_address("ff02::1"))
@example(ip_address("::"))
@example(ip_address("fec0::1"))
def test_what_is_public_python_holds_for_global_too(address: Address) -> None:
    """Our list of what is not public lacks nothing that Python's own knows, and refuses multicast and reserved ones."""
    if is_public(address):
        assert address.is_global
        assert not any((address.is_multicast, address.is_link_local, address.is_unspecified))
        assert address.version == 6 or not address.is_reserved  # NAT64's prefix is called reserved


@given(st.ip_addresses(v=4))
@example(IPv4Address("10.0.0.1"))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("93.184.215.14"))
def test_an_ipv4_address_in_disguise_is_never_more_public_than_itself(address: IPv4Address) -> None:
    """IPv4-mapped, IPv4-compatible, NAT64, 6to4 and Teredo open nothing that the address itself does not."""
    assert is_public(address) or not any(is_public(disguised) for disguised in embedded(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_public(address: str) -> None:
    """The check does not simply refuse everything; behind NAT64, public servers have such addresses."""
    assert is_public(ip_address(address))


# --- URLs


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.school.example/in",
        "https://hooks.school.example:8443/in?k=1",
        "https://HOOKS.school.example./in",
        "https://a.nhs.example",
        "https://a.b.nhs.example/x",
        "https://203.0.114.7/x",
    ],
)
def test_hosts_that_are_allowed_may_be_gone_to(url: str) -> None:
    """Exact hosts and whole domains, as the operator wrote them."""
    check(PUBLIC, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.school.example/in",
        "ftp://hooks.school.example/in",
        "https://nhs.example/",
        "https://.nhs.example/",
        "https://evilnhs.example/",
        "https://hooks.school.example.evil.example/",
        "https://evil.example/hooks.school.example",
        "https://evil.example#hooks.school.example",
        "https://hooks.school.example@evil.example/",
        "https://hooks.school.example\\@evil.example/",
        "https://user:pw@hooks.school.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[fe80::1%25eth0]/",
        "https:///x",
        "//hooks.school.example/",
        "hooks.school.example",
        "",
        "https://",
        "https://a\nb/",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Another scheme, another host however it is dressed up, credentials, loopback on a real gateway."""
    with pytest.raises(NotAllowed):
        check(PUBLIC, url)


HOSTS = st.from_regex(r"[a-z0-9.@:/\\#?%\[\]-]{1,40}", fullmatch=True)


@given(st.one_of(HOSTS, HOSTS.map(lambda h: f"hooks.school.example{h}"), HOSTS.map(lambda h: f"{h}.nhs.example")))
def test_what_is_allowed_leads_to_a_host_on_the_list(rest: str) -> None:
    """Whatever is written after https://, the host that would be connected to is one that was allowed."""
    try:
        parsed = check(PUBLIC, f"https://{rest}")
    except NotAllowed:
        return
    host = parsed.raw_host.decode().removesuffix(".")
    assert host in {"hooks.school.example", "203.0.114.7"} or host.endswith(".nhs.example")


def test_an_empty_list_allows_nothing() -> None:
    """Nobody gets webhooks by default."""
    with pytest.raises(NotAllowed):
        check(Way("", "0.0.0.0", None), "https://hooks.school.example/")


@pytest.mark.parametrize("outside", ["https://gateway.example", "https://10.0.0.5"])
def test_behind_a_proxy_loopback_is_no_demo(outside: str) -> None:
    """A real gateway may listen on loopback behind its proxy: partners may not reach what else listens there."""
    at = Way("", "127.0.0.1", outside)
    for url in ("http://127.0.0.1:8080/", "https://localhost/"):
        with pytest.raises(NotAllowed):
            check(at, url)


# --- names


async def post(out: Egress, url: str) -> Outcome:
    return await out.post(url, {"webhook-id": "1"}, b"{}")


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["93.184.215.14", "192.168.0.1"],
        ["2606:2800:21f:cb07::1", "::ffff:93.184.215.14"],
        ["2606:2800:21f:cb07::1", "fd00::1"],
        [],
    ],
)
async def test_one_address_that_is_not_public_spoils_the_name(found: Sequence[str]) -> None:
    """A name that leads inside, if only by one of its addresses, is not gone to at all."""

    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address(a) for a in found]

    async with Egress(PUBLIC, resolve=resolve) as out:
        outcome = await post(out, "https://hooks.school.example/")
    assert outcome.status is None
    assert outcome.what.startswith("not sent: ")


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """DNS rebinding: a name that leads elsewhere when it is asked for the second time is not asked for twice."""
    asked = []

    async def resolve(host: str, _port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.2" if len(asked) == 1 else "127.0.0.1")]

    async with (
        endpoint(host="127.0.0.2") as checked,
        endpoint(port=checked.port) as other,
        Egress(DEMO, resolve=resolve) as out,
    ):
        assert (await post(out, checked.url)).taken
    assert (len(asked), checked.connections, other.connections) == (1, 1, 0)


async def test_an_address_that_does_not_answer_gives_way_to_the_next() -> None:
    """A host with an address that is not reachable from here is reached by another."""

    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address("127.0.0.3"), ip_address("127.0.0.1")]

    async with endpoint() as there, Egress(DEMO, resolve=resolve) as out:
        assert (await post(out, there.url)).taken


async def test_the_systems_own_names_lead_there(out: Egress) -> None:
    """Without a test's resolver: the system's."""
    async with endpoint() as there:
        assert (await post(out, there.url)).taken


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look the name up again."""
    async with endpoint() as there, endpoint() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with Egress(DEMO) as out:
            assert (await post(out, there.url)).taken
    assert proxy.connections == 0


# --- TLS


async def test_tls_is_verified_by_name_though_the_connection_is_by_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SNI, the certificate's name and Host are the URL's, not the address."""
    context, trusted = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with endpoint(tls=context) as there, Egress(DEMO) as out:
        outcome = await post(out, there.url)
    assert outcome.taken, outcome.what
    assert there.received[0].sni == "localhost"
    assert there.received[0].headers["host"] == f"localhost:{there.port}"


async def test_an_address_in_the_url_is_verified_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for the address itself is one."""
    context, trusted = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with endpoint(tls=context) as there, Egress(DEMO) as out:
        assert (await post(out, f"https://127.0.0.1:{there.port}/")).taken


@pytest.mark.parametrize(
    ("name", "days", "trusted", "why"),
    [
        ("localhost", 1, False, "it is self-signed"),
        ("someone-else.example", 1, True, "it is for another name"),
        ("localhost", -1, True, "it has expired"),
    ],
)
async def test_an_endpoint_that_lies_about_tls_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int, trusted: bool, why: str
) -> None:
    """Self-signed, another's or expired: not a byte of a request is sent, and the partner sees why."""
    context, file = certificate(tmp_path, name, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with endpoint(tls=context) as there, Egress(DEMO) as out:
        outcome = await post(out, there.url)
    assert outcome == Outcome(None, f"its TLS certificate could not be verified: {why}")
    assert there.received == []


async def test_a_server_that_speaks_no_tls_is_told_apart(out: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    """https to a server that speaks http, and waits for the end of what is none."""
    monkeypatch.setattr(egress, "CONNECT", 0.5)
    async with endpoint() as there:
        outcome = await post(out, f"https://localhost:{there.port}/")
    assert outcome == Outcome(None, "TLS could not be agreed on")


# --- answers


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirects_are_not_followed(out: Egress, code: int) -> None:
    """A redirect would lead past every check."""
    async with endpoint() as inside, endpoint(answer(status(code, f"Location: {inside.url}"))) as there:
        outcome = await post(out, there.url)
    assert outcome == Outcome(code, f"the endpoint answered {code}, a redirect; redirects are not followed")
    assert inside.connections == 0


async def test_a_gigabyte_is_not_read(out: Egress) -> None:
    """The answer's status counts; of what follows a few kB are read, whatever is sent."""
    sent = 0

    async def flood(_request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(1024):
            writer.write(bytes(1_048_576))
            await writer.drain()
            sent += 1_048_576

    async with endpoint(flood) as there:
        assert await post(out, there.url) == Outcome(200, "taken")
    assert sent < 64 * 1_048_576


async def test_headers_without_end_are_given_up(out: Egress) -> None:
    """Nor are headers read for ever."""

    async def flood(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1_000_000):
            writer.write(b"X-A: " + b"a" * 10_000 + b"\r\n")
            await writer.drain()

    async with endpoint(flood) as there:
        outcome = await post(out, there.url)
    assert outcome == Outcome(None, "the connection ended without an answer that is HTTP")


async def test_an_answer_counts_though_its_body_never_ends(out: Egress) -> None:
    """The status is the answer: a body that drips does not undo it."""

    async def drip(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with endpoint(drip) as there:
        assert (await post(out, there.url)).taken


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
async def test_an_endpoint_that_hangs_is_left(out: Egress, monkeypatch: pytest.MonkeyPatch, begins: bytes) -> None:
    """Without an answer, or with one byte of it now and then: the whole attempt has its end."""
    monkeypatch.setattr(egress, "WHOLE", 0.5)

    async def hang(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(begins)
        while True:
            if begins:
                writer.write(b"a")
                await writer.drain()
            await asyncio.sleep(0.05)

    async with endpoint(hang) as there:
        assert await post(out, there.url) == Outcome(None, "no answer within 10 seconds")


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "the connection ended without an answer that is HTTP"),
        (b"SSH-2.0-secret\r\n\r\n", "the connection ended without an answer that is HTTP"),
        (b"HTTP/1.1 503 secret\r\nX-Secret: secret\r\nContent-Length: 6\r\n\r\nsecret", "the endpoint answered 503"),
    ],
)
async def test_nothing_that_the_other_side_said_is_told(out: Egress, raw: bytes, what: str) -> None:
    """What the gateway can reach could be read by its partners otherwise."""
    async with endpoint(answer(raw)) as there:
        outcome = await post(out, there.url)
    assert outcome.what == what


async def test_nobody_there(out: Egress) -> None:
    """A port that nobody listens at."""
    async with endpoint() as there:
        url = there.url
    assert await post(out, url) == Outcome(None, "no connection: refused or unreachable")


async def test_no_cookie_is_kept(out: Egress) -> None:
    """Two partners on one host see nothing of each other."""
    async with endpoint(answer(status(200, "Set-Cookie: a=b"))) as there:
        await post(out, there.url)
        await post(out, there.url)
    assert all("cookie" not in received.headers for received in there.received)
