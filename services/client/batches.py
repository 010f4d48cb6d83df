"""Many events of one type, in batches; what is not settled is sent again, alone and with the same ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from services.client.errors import BadAnswer, ClientError, Refused, TryAgain, object_of, refusal, refusal_of
from services.client.retrying import UNSETTLED, Patience, Tries, retry_after
from services.client.values import Published

LARGEST_COUNT = 100
LARGEST_BYTES = 1_000_000
"""Of one batch: well below what a gateway takes."""

CloudEvent = dict[str, Any]


async def publish_each(
    http: httpx.AsyncClient, event_type: str, events: Sequence[CloudEvent], patience: Patience
) -> list[Published]:
    """One result for each event, in their order."""
    results: list[Published] = []
    for batch in _batches(events):
        results += await _publish(http, event_type, batch, Tries(patience))
    return results


def _batches(events: Sequence[CloudEvent]) -> Iterator[list[tuple[CloudEvent, bytes]]]:
    batch, size = list[tuple[CloudEvent, bytes]](), 0
    for event in events:
        body = json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
        if batch and (len(batch) == LARGEST_COUNT or size + len(body) > LARGEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((event, body))
        size += len(body)
    if batch:
        yield batch


async def _publish(
    http: httpx.AsyncClient, event_type: str, batch: list[tuple[CloudEvent, bytes]], tries: Tries
) -> list[Published]:
    settled: dict[int, Published] = {}
    waiting = list(range(len(batch)))
    why = "the gateway did not answer"
    while waiting:
        response = await _send(http, event_type, [batch[i][1] for i in waiting])
        if response is not None and response.status_code not in UNSETTLED:
            for i, said in zip(list(waiting), _results(response, len(waiting)), strict=True):
                if said.get("status") not in UNSETTLED:
                    settled[i] = _published(batch[i][0], said)
                    waiting.remove(i)
        if response is not None:
            why = "the gateway asked to try again later"
        if waiting:
            try:
                await tries.pause(why, retry_after(response))
            except TryAgain as error:
                for i in waiting:
                    unknown = TryAgain(why, id=batch[i][0]["id"], retry_after=error.retry_after)
                    settled[i] = _result(batch[i][0], error=unknown)
                break
    return [settled[i] for i in range(len(batch))]


async def _send(http: httpx.AsyncClient, event_type: str, bodies: Sequence[bytes]) -> httpx.Response | None:
    try:
        return await http.post(
            f"/v1/events/{event_type}",
            content=b"[" + b",".join(bodies) + b"]",
            headers={"content-type": "application/cloudevents-batch+json"},
        )
    except httpx.TransportError:
        return None
    except httpx.HTTPError as error:
        raise BadAnswer("what answered does not speak HTTP as a gateway does") from error


def _results(response: httpx.Response, expected: int) -> list[dict[str, Any]]:
    """The result of each item, in the order of the batch."""
    if response.status_code >= 400:
        raise refusal(response)
    listed = object_of(response).get("results") if response.status_code == 207 else None
    if not isinstance(listed, list) or [r.get("index") if isinstance(r, dict) else r for r in listed] != list(
        range(expected)
    ):
        raise BadAnswer("the gateway's answer to a batch does not have one result for each event, in their order")
    return listed


def _published(event: CloudEvent, said: dict[str, Any]) -> Published:
    problem = said.get("problem")
    if said.get("status") == 202 and problem is None:
        if said.get("id") != event["id"]:
            raise BadAnswer("the gateway answered about another event than the one that was sent")
        return _result(event, state="accepted", location=said.get("location"))
    error = refusal_of(int(said.get("status") or 0), problem if isinstance(problem, dict) else {})
    if not isinstance(error, Refused):
        raise error
    return _result(event, error=error)


def _result(
    event: CloudEvent, *, state: str | None = None, location: str | None = None, error: ClientError | None = None
) -> Published:
    return Published(event["id"], event["source"], event["type"], state, location, error)
