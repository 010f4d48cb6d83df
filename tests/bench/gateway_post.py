"""POSTs a second that the gateway accepts, beside the same application with a handler that does nothing.

Both in one process and one run, by turns; callers are a process of their own, so that they do not cost the door's time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import uuid4

import uvicorn
from fastapi import Depends
from fastapi.responses import JSONResponse

from services.bus.http import QuietServer
from services.bus.logs import configure
from services.bus.run import tune_the_interpreter
from services.bus.settings import Settings, settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import gateway_for
from services.partner_gateway.door.who import Caller, caller
from services.partner_gateway.partners.registry import add_key, add_partner, scopes_of
from services.web.limits import Unhurried

WHOLE, EMPTY = "/v1/events/mash.contacts.v1", "/v1/empty"


async def posts(seconds: float = 5.0, turns: int = 3, connections: int = 256) -> dict[str, float]:
    """Accepted POSTs a second on one process and SQLite: `whole` and `empty`, the best of each one's turns.

    Needs a broker and a registry with the catalogue applied, where the settings say.
    """
    best = {"whole": 0.0, "empty": 0.0}
    async with _process("door") as (door, told):
        for _ in range(turns):
            for side, path in (("empty", EMPTY), ("whole", WHOLE)):
                arguments = (told["port"], told["organisation"], told["key"], path, seconds, connections)
                async with _process("callers", *arguments) as (callers, found):
                    best[side] = max(best[side], found["accepted"] / seconds)
                    await callers.wait()
        assert door.stdin
        door.stdin.close()
        await door.wait()
    return best


@asynccontextmanager
async def _process(*arguments: Any) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """It and the first line that it says."""
    command = (sys.executable, "-m", "tests.bench.gateway_post", *map(str, arguments))
    environment = os.environ | {"SAFEBUS_LOG_LEVEL": "ERROR", "SAFEBUS_GATEWAY_RATE": "1e9"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe)
    assert process.stdout
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# --- the door's process ----------------------------------------------------------------------------------------------


async def _door(at: Settings) -> None:
    """Serves until its standard input ends."""
    async with gateway_for(at) as gateway:
        app = application(gateway)

        @app.post(EMPTY)
        async def nothing(who: Annotated[Caller, Depends(caller)]) -> JSONResponse:
            return JSONResponse({"organisation": who.organisation}, 202)

        config = uvicorn.Config(app, http=Unhurried, log_config=None, access_log=False, lifespan="off", port=0)
        server = QuietServer(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        organisation, key = await _key(gateway)
        _say({"port": port, "organisation": organisation, "key": key})
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


async def _key(gateway: Gateway) -> tuple[str, str]:
    """A new organisation and its key."""
    scopes, now_us = scopes_of("agency", gateway.catalogue), gateway.now_us
    own = f"school:{os.getpid()}"
    await gateway.access.write(lambda c: add_partner(c, own, "agency", now_us=now_us))
    return own, await gateway.access.write(lambda c: add_key(c, own, scopes, now_us=now_us))


# --- the callers' process --------------------------------------------------------------------------------------------


async def _callers(port: int, organisation: str, key: str, path: str, seconds: float, connections: int) -> None:
    """Each with its own connection, one event after another."""
    event = {
        "specversion": "1.0", "id": "ID", "source": f"urn:safebus:{organisation}", "type": "mash.contacts.v1",
        "data": {
            "contact_id": "ID", "enquiry_id": "ID", "child_id": "ID", "received_at": "2026-11-20T09:30:00Z",
            "referrer": {"role": "SCHOOL", "organisation_id": organisation, "professional": True}, "grading": "AMBER",
            "concern": "quiet and withdrawn since half term, tired, and often without lunch " * 4,
            "threshold": "LEVEL_3", "family_told": "TOLD", "location_confidential": False, "adults_of_concern": [],
        },
    }  # fmt: skip
    body = json.dumps(event).replace('"ID"', f'"{uuid4()}"')
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/cloudevents+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    ends = time.perf_counter() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        accepted = 0
        while time.perf_counter() < ends:
            writer.write((head + json.dumps(event).replace('"ID"', f'"{uuid4()}"')).encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            accepted += answer.startswith(b"HTTP/1.1 202")
        writer.close()
        return accepted

    _say({"accepted": sum(await asyncio.gather(*(one() for _ in range(connections))))})


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _run(doing: Any) -> None:
    import uvloop

    uvloop.run(doing)


if __name__ == "__main__":
    role, *given = sys.argv[1:]
    configure(settings())
    tune_the_interpreter()
    if role == "door":
        _run(_door(settings()))
    else:
        port, organisation, key, path, seconds, connections = given
        _run(_callers(int(port), organisation, key, path, float(seconds), int(connections)))
