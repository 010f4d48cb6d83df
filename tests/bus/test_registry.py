"""The registry's answers: only its own no means no, and what is known is kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.bus.errors import Surroundings
from services.bus.registry import Registry
from tests.bus.plain import LETTERS, MATCHES, Bus, MemoryRegistry, match


@asynccontextmanager
async def answering(status: int | None, body: str) -> AsyncIterator[str]:
    """A server that answers every request so; None: it takes the connection and says nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if status is None:
            await asyncio.sleep(60)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


NO_SCHEMA = '{"error_code": 40403, "message": "Schema not found"}'


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (404, NO_SCHEMA, None),
        (404, "", Surroundings),
        (404, "<html>no such page</html>", Surroundings),
        (404, '{"error_code": 404, "message": "HTTP 404 Not Found"}', Surroundings),
        (500, '{"error_code": 50001}', Surroundings),
        (503, "", Surroundings),
        (401, '{"error_code": 401}', Surroundings),
        (429, "", Surroundings),
        (200, "<html>", Surroundings),
        (200, '{"schema": "\\"string\\""}', {}),
        (200, '{"schema": "[\\"null\\", \\"string\\"]"}', {}),
        (200, '{"schema": "{\\"type\\": \\"object\\"}", "schemaType": "JSON"}', {}),
        (200, '{"schema": "syntax = \\"proto3\\";", "schemaType": "PROTOBUF"}', {}),
    ],
)
async def test_only_the_registrys_own_no_means_no(tmp_path: Path, status: int, body: str, answer: Any) -> None:
    """It knows no such schema: the event dies. It, or something before it, fails: the event waits. It is a schema of
    another kind: the event is of the wrong type."""
    async with answering(status, body) as url:
        registry = Registry(url, tmp_path)
        if answer is Surroundings:
            with pytest.raises(Surroundings):
                await registry.schema(1)
        else:
            assert await registry.schema(1) == answer
        await registry.close()


async def test_a_registry_that_says_nothing_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and never answers; and nobody listens at all."""
    monkeypatch.setattr("services.bus.registry.ANSWER_WITHIN", 0.5)
    async with answering(None, "") as url:
        registry = Registry(url, tmp_path)
        with pytest.raises(Surroundings, match="away"):
            await asyncio.wait_for(registry.schema(1), 30)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Surroundings, match="away"):
        await Registry(nobody, tmp_path).id_of("s", {"type": "string"}, "0")


async def test_a_schema_of_another_kind_is_a_dead_letter(bus: Bus) -> None:
    """The number in the body leads to a schema that is no record of ours, or none that can be read."""

    class Strange(MemoryRegistry):
        async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
            strange: dict[int, dict[str, Any]] = {
                900: {},
                901: {"type": "record", "name": "x", "fields": [{"type": "?"}]},
            }
            return strange.get(schema_id) or await super().schema(schema_id, fresh=fresh)

    bus.registry = Strange()
    for number in (900, 901):
        key, value, headers = await bus.encoded(match("i", "a"))
        await bus.send(MATCHES, key, value[:1] + number.to_bytes(4, "big") + value[5:], headers)
    await bus.publish(match("i", "good"))
    async with bus.running():
        await bus.quiet()
    codes = [letter.reason_code for letter in await bus.said(LETTERS)]
    assert codes[1] == "wrong_type"
    assert await bus.subjects() == ["good.0"]


async def test_known_schemas_are_kept_on_disk(tmp_path: Path) -> None:
    """A service that has its schemas starts and goes on without a registry, even if a file was half written."""
    schema = '{"type": "record", "name": "R", "fields": []}'
    body = '{"subject": "s", "id": 7, "version": 1, "schema": "' + schema.replace('"', '\\"') + '"}'
    async with answering(200, body) as url:
        first = Registry(url, tmp_path)
        assert (await first.schema(7) or {})["name"] == "R"
        assert await first.id_of("s", {"type": "record", "name": "R", "fields": []}, "f") == 7
        await first.close()
    again = Registry(url, tmp_path)
    assert (await again.schema(7) or {})["name"] == "R"
    assert await again.id_of("s", {"type": "record", "name": "R", "fields": []}, "f") == 7
    for cached in list(tmp_path.rglob("*.json")):  # noqa: ASYNC240 - a test may
        cached.write_text("{")
    with pytest.raises(Surroundings):
        await again.schema(7)
    with pytest.raises(Surroundings):
        await again.id_of("s", {"type": "record", "name": "R", "fields": []}, "f")


async def test_a_renumbered_registry_is_asked_anew(tmp_path: Path) -> None:
    """What a number led to before it was set up anew is not believed for ever, in memory or on disk."""

    def body(name: str) -> str:
        return '{"schema": "{\\"type\\": \\"record\\", \\"name\\": \\"' + name + '\\", \\"fields\\": []}"}'

    answers = [body("Old"), body("New")]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = answers.pop(0)
        writer.write(f"HTTP/1.1 200 X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    registry = Registry(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path)
    names = [(await registry.schema(1, fresh=fresh) or {})["name"] for fresh in (False, False, True, False)]
    assert names == ["Old", "Old", "New", "New"]
    server.close()


async def test_a_real_registry_says_no_in_its_own_words(registry: str, tmp_path: Path) -> None:
    """An id that it has never given."""
    real = Registry(registry, tmp_path)
    assert await real.schema(987654) is None
    with pytest.raises(Surroundings, match="topics apply"):
        await real.id_of("nobody.registered.this-value", {"type": "string"}, "0")
    with pytest.raises(Surroundings):
        await Registry(f"{registry}/wrong", tmp_path / "other").schema(1)
    await real.close()
