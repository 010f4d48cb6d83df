"""A partner's server for webhooks: a real one, that behaves as a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Header names in lower case."""

    headers: dict[str, str]
    body: bytes
    sni: str | None

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def answer(raw: bytes) -> Answer:
    """Always the same bytes."""

    async def say(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return say


def status(code: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {code} X", *headers, "Content-Length: 0", "", ""]).encode()


@dataclass
class Endpoint:
    """What came in, in order, and the highest number of requests that were under way at once."""

    behave: Answer = field(default_factory=lambda: answer(TAKEN))
    port: int = 0
    scheme: str = "http"
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0
    under_way: int = 0
    sni: str | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [r.id for r in self.received]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            received = Received(headers, body, self.sni)
            self.received.append(received)
            await self.behave(received, writer)
            await writer.drain()
        self.under_way -= 1
        writer.close()


@asynccontextmanager
async def endpoint(
    behave: Answer | None = None, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """Listens on loopback until the block ends."""
    made = Endpoint(scheme="https" if tls else "http")
    if behave is not None:
        made.behave = behave
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: setattr(made, "sni", name)
    server = await asyncio.start_server(made.handle, host, port, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def certificate(folder: Path, name: str, *, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a self-signed certificate for that name or address; and the certificate, to be trusted.

    Args:
        days: how long it is valid; a negative number makes one that has expired.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    return context, cert_file
