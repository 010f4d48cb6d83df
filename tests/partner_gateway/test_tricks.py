"""Odd headers and paths: a clear 4xx, never a fault, nothing of anybody else's, and nothing of it in the log."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from tests.partner_gateway import test_authorisation as house
from tests.partner_gateway.test_authorisation import HOST, NEEDS, SECRET, address

at, keys = house.at, house.keys

MARK = "Hartley-Osei"
"""Stands for personal data that somebody puts where it does not belong."""

Headers = list[tuple[bytes, bytes]]


@pytest.fixture
def app(gateway: Gateway) -> FastAPI:
    return application(gateway)


async def asked(app: FastAPI, method: str, target: bytes, headers: Headers, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body, of a request as the server hands it on: nothing is put right on the way."""
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path.decode("latin-1")), "raw_path": path, "query_string": query, "root_path": "",
        "headers": [(b"host", b"gateway.test"), *headers], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "state": {},
    }  # fmt: skip
    told: dict[str, Any] = {"status": 0, "body": b""}
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told["status"] = message.get("status", told["status"])
        told["body"] += message.get("body", b"")

    async with asyncio.timeout(20):
        await app(scope, receive, send)
    return told["status"], told["body"]


ODD = st.one_of(
    st.sampled_from(
        [
            b"..", b"../..", b"%2e%2e", b"%2E%2E%2f%2e%2e", b"..%2f", b"%2f", b"%5c..%5c", b"%00", b"1%00", b"%0d%0a",
            b"%ff", b"%c0%af", b"%ed%a0%80", b"%", b"%zz", b"'%20OR%201=1--", b"*", b"-1", b"0", b"1e9", b"1.0", b"+1",
            b"9" * 400, b"%F0%9F%98%80" * 50, b"x" * 9000, b"/", b"//", b";", b"{}", b"%7B%7D", b"\xd9\xa1", b"%D9%A1",
            b"null", b"undefined", b"true", b"wh_%00", b"0" * 64, b"%25%32%65", b".", MARK.encode(),
        ]
    ),
    st.binary(max_size=12).map(lambda raw: b"".join(b"%%%02x" % byte for byte in raw)),
)  # fmt: skip
SYSTEM = sorted(route for route in NEEDS if route[1] != "/v1/inbox/stream")  # which would go on, if it were allowed
ROUTES = st.sampled_from(SYSTEM)
NAMED = st.sampled_from([b"after", b"limit", b"wait", b"source", b"late", b"state", b"before", b"scope"])


@examples(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROUTES, st.lists(ODD, min_size=4, max_size=4), st.lists(st.tuples(NAMED, ODD), max_size=3), ODD)
async def test_no_path_and_no_parameter_makes_a_fault_or_shows_anothers(
    app: FastAPI, keys: dict[str, str], route: tuple[str, str], odd: list[bytes], query: list[Any], tail: bytes
) -> None:
    """By a caller who may do everything, to every route, with odd values in every place."""
    method, path = route
    target = address(path, **dict.fromkeys(("topic", "event_id", "number", "webhook_id", "notice", "sha256"), "\0"))
    parts = target.encode().split(b"\0")
    target_ = b"".join(part + value for part, value in zip(parts, [*odd, b""], strict=False))[: -len(odd[0]) or None]
    target_ = (target_ if len(parts) > 1 else target.encode()) + (b"/" + tail if len(tail) % 2 else b"")
    target_ += b"?" + b"&".join(name + b"=" + (b"0" if name == b"wait" else value) for name, value in query)
    headers = [(b"authorization", f"Bearer {keys['other']}".encode()), (b"content-type", b"application/json")]
    with capture_logs() as logged:
        status, body = await asked(app, method, target_, headers, b"{}")
    assert 200 <= status < 500, (status, target_)
    assert SECRET.encode() not in body
    assert MARK not in json.dumps(logged, default=str)


HEADER_NAMES = st.sampled_from(
    [
        b"authorization", b"content-type", b"content-length", b"last-event-id", b"ce-id", b"ce-source", b"ce-type",
        b"ce-time", b"ce-specversion", b"x-original-url", b"x-rewrite-url", b"x-forwarded-host",
        b"forwarded", b"host", b"cookie", b"accept", b"content-encoding", b"transfer-encoding", b"range", b"expect",
        b"traceparent", b"origin", b"x-http-method-override",
    ]
)  # fmt: skip
HEADER_VALUES = st.one_of(
    st.sampled_from(
        [
            b"", b" ", b"Bearer", b"Bearer ", b"bearer x", b"BEARER sbk_", b"Bearer " + b"x" * 30_000, b"/v1/inbox/3",
            b"GET", b"gzip", b"chunked", b"-1", b"1e9", b"application/json; charset=utf-7", b"\xff\xfe", b"a\tb",
            f"urn:safebus:{HOST}".encode(), b"bytes=0-", b"text/html", b"a=b; " * 500, MARK.encode(), b"../../x",
        ]
    ),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")),
)  # fmt: skip


@examples(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROUTES, st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=6), st.booleans(), st.binary(max_size=30))
async def test_no_header_makes_a_fault_or_opens_the_door(
    app: FastAPI, keys: dict[str, str], route: tuple[str, str], odd: Headers, proved: bool, body: bytes
) -> None:
    """Without a proof always 4xx, whatever else is said; with one never a fault."""
    method, path = route
    proof = [(b"authorization", f"Bearer {keys['other']}".encode())] if proved else []
    with capture_logs() as logged:
        status, answer = await asked(app, method, address(path).encode() + b"?source=x", [*odd, *proof], body)
    assert (200 if proved else 400) <= status < 500, (status, path, odd)
    assert SECRET.encode() not in answer
    assert MARK not in json.dumps(logged, default=str)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'"' + b"x" * 100, b"null", b"[" * 100_000, b'{"a":1e999}']
)
async def test_a_body_is_not_looked_at_before_the_proof(app: FastAPI, body: bytes) -> None:
    """Whoever has proved nothing hears of that first, whatever they send."""
    for method, path in SYSTEM:
        for kind in (b"application/json", b"application/cloudevents+json", b"text/plain"):
            status, _ = await asked(app, method, address(path).encode(), [(b"content-type", kind)], body)
            assert status == 401, (method, path, kind)


async def test_what_is_no_json_is_said_to_be_none(app: FastAPI, keys: dict[str, str]) -> None:
    """In the words of a person, and by no place that a parser counted."""
    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {keys['other']}".encode())]
    status, answer = await asked(app, "POST", b"/v1/receipts", headers, b'{"state": ')
    assert (status, json.loads(answer)["errors"]) == (422, [{"pointer": "#", "detail": "is not JSON"}])


async def test_the_log_of_decisions_holds_ids_only(app: FastAPI, keys: dict[str, str]) -> None:
    """Who, by which key, what: and never the key, a path, a name or anything else that was sent."""
    good = [(b"authorization", f"Bearer {keys['other']}".encode())]
    with capture_logs() as logged:
        for method, path in SYSTEM:
            named = dict.fromkeys(("topic", "event_id", "webhook_id", "notice", "sha256"), MARK)
            for headers in (good, []):
                for target in (address(path), address(path, **named)):
                    await asked(app, method, f"{target}?source={MARK}&x={MARK}".encode(), headers, MARK.encode())
    told = [entry for entry in logged if entry["event"] in ("allowed", "denied")]
    assert {frozenset(entry) - {"event", "log_level"} for entry in told} == {
        frozenset({"action", "organisation", "by"}), frozenset({"action", "path"}),
    }  # fmt: skip
    assert {entry["path"] for entry in told if "path" in entry} <= {path for _, path in NEEDS}
    text = json.dumps(logged, default=str)
    assert MARK not in text
    assert keys["other"].split("_", 2)[2] not in text


async def test_a_fault_of_ours_is_told_and_logged_by_its_place(app: FastAPI) -> None:
    """A traceback's text may hold what was sent; and whoever asked learns that they may not have been heard."""

    async def fails() -> None:
        raise ValueError(MARK)

    app.add_api_route("/fails", fails)
    with capture_logs() as logged:
        status, body = await asked(app, "GET", b"/fails", [])
    assert (status, json.loads(body)["type"]) == (500, "urn:safebus:problem:fault")
    [fault] = logged
    assert (fault["event"], fault["error"]) == ("fault", "ValueError")
    assert __file__ in fault["where"][-1]
    assert MARK not in json.dumps(logged) + body.decode()


WIRE = {
    "two proofs": b"GET /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nAuthorization: Bearer x\r\n\r\n",
    "folded header": b"GET /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Basic\r\n  Bearer KEY\r\n\r\n",
    "NUL in a header": b"GET /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\0\r\n\r\n",
    "NUL in the path": b"GET /v1/in\0box HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n",
    "space before the colon": b"GET /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer KEY\r\n\r\n",
    "dots": b"GET /v1/docs/../inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n",
    "encoded slash": b"GET /v1%2finbox%2f3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n",
    "double slash": b"GET //v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n",
    "unknown method": b"INBOX /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n",
    "overridden method": b"GET /v1/sandbox/event HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\n"
    b"Authorization: Bearer KEY\r\n\r\n",
    "no host": b"GET /v1/inbox HTTP/1.1\r\nAuthorization: Bearer KEY\r\n\r\n",
    "two lengths": b"POST /v1/receipts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 30\r\n"
    b"Authorization: Bearer KEY\r\n\r\n{}",
    "length and chunks": b"POST /v1/receipts HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: xchunked\r\nAuthorization: Bearer KEY\r\n\r\n{}",
    "very long path": b"GET /v1/inbox/" + b"1" * 60_000 + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\n\r\n",
    "very long header": b"GET /v1/inbox HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "very many headers": b"GET /v1/inbox HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("trick", WIRE)
async def test_tricks_on_the_wire_get_a_clear_4xx(keys: dict[str, str], door: str, trick: str) -> None:
    """By a socket, so that the server's own reading of a request is tried too."""
    where = urlsplit(door)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(WIRE[trick].replace(b"KEY", keys["other"].encode()))
    try:
        async with asyncio.timeout(20):
            first = await reader.readline()
    finally:
        writer.close()
    assert first.startswith(b"HTTP/1.1 4"), first


async def test_settings_of_the_test_are_the_doors(at: Settings, door: str, keys: dict[str, str]) -> None:
    """The door that is tricked is the one that knows the key: with nothing odd about it, it opens."""
    where = urlsplit(door)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"GET /v1/inbox HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {keys['other']}\r\n\r\n".encode())
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
