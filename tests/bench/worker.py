"""One side of a comparison, as a process of its own: a bare aiokafka loop, or a service doing its whole work.

`python -m tests.bench.worker bare FROM TO...` and `... whole ROOM`; the last line that it prints is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import murmur2
from fastavro import schemaless_reader, schemaless_writer

from services.bus.broker import Header, Partition, Record
from services.bus.clock import Clock
from services.bus.contract import load
from services.bus.loop import Loop
from services.bus.metrics import SAID
from services.bus.run import broker_for, codec_for, tune_the_interpreter
from services.bus.service import Service
from services.bus.settings import settings
from services.bus.store import Store


async def bare(source: str, targets: Sequence[str], count: int, batch: int, *, explicit: bool) -> float:
    """Decode each event, encode as many as the service would send, await every acknowledgement. Seconds it took.

    What it encodes are events that the service sent before, read back: the same bytes, the same headers. `explicit`
    builds the producer's batches itself and has the service's interpreter (uvloop, its collector), as the loop does:
    the fastest that can be. Otherwise it is what anybody would write: asyncio, and `send` for each event.
    """
    at, schemas = settings(), load()
    broker = broker_for(at, "admin")
    samples = [await _sample(broker.scan([target])) for target in targets]
    values = [
        schemaless_reader(BytesIO(body[5:]), schemas[t].parsed) for (body, _), t in zip(samples, targets, strict=True)
    ]
    outputs = list(zip(targets, samples, values, strict=True))
    common = broker.aiokafka()
    reading = {"enable_auto_commit": False, "fetch_max_wait_ms": 100, "max_partition_fetch_bytes": 4 << 20}
    consumer = AIOKafkaConsumer(source, **common, **reading, auto_offset_reset="earliest" if count else "latest")
    writing = {"enable_idempotence": True, "acks": "all", "compression_type": "lz4"}
    producer = AIOKafkaProducer(**common, **writing, max_batch_size=1 << 20, max_request_size=1 << 21)
    await producer.start()
    await consumer.start()
    sizes = {target: len(await producer.partitions_for(target)) for target in targets}
    print("ready", flush=True)
    started, done = 0.0, 0
    while not count or done < count:
        polled = await consumer.getmany(max_records=batch, timeout_ms=200)
        started = started or (time.perf_counter() if polled else 0.0)
        flying, batches = [], {}
        for record in (record for records in polled.values() for record in records):
            schemaless_reader(BytesIO(record.value[5:]), schemas[source].parsed)
            done += 1
            for target, (body, headers), value in outputs:
                out = BytesIO()
                out.write(body[:5])
                schemaless_writer(out, schemas[target].parsed, value)
                if not explicit:
                    flying.append(await producer.send(target, out.getvalue(), key=record.key, headers=headers))
                    continue
                to = (target, (murmur2(record.key) & 0x7FFFFFFF) % sizes[target])
                if to not in batches:
                    batches[to] = producer.create_batch()
                batches[to].append(timestamp=None, key=record.key, value=out.getvalue(), headers=headers)
        for (target, number), built in batches.items():
            built.close()
            flying.append(await producer.send_batch(built, target, partition=number))
        await asyncio.gather(*flying)
    seconds = time.perf_counter() - started
    await consumer.stop()
    await producer.stop()
    return seconds


async def _sample(records: AsyncIterator[Record]) -> tuple[bytes, list[Header]]:
    found = [(record.value or b"", list(record.headers)) async for record in records]
    if found:
        return found[0]
    raise SystemExit("nothing to read back; run the whole service first")


class Timed(Loop):
    """A loop that knows when its first event that is no directory row came."""

    began = 0.0

    async def _commit(self, polled: Mapping[Partition, Sequence[Record]]) -> None:
        if not self.began and any(topic not in self._directory_topics for topic, _ in polled):
            self.began = time.perf_counter()
        await super()._commit(polled)


async def whole(room: str, count: int, tag: str) -> float:
    """Run a room's service over everything there is, until `count` outputs are acknowledged. Seconds it took."""
    at = settings()
    service: Service = importlib.import_module(room).SERVICE
    named = replace(service, name=f"{service.name}.{tag}")
    loop = Timed(
        named,
        broker_for(at, "admin"),
        Store(at.store_for(named.name), named.name),
        codec_for(at),
        settings=at,
        clock=Clock.of(at),
    )
    running = asyncio.create_task(loop.run())
    print("ready", flush=True)
    while _said(named) < count and not running.done():
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - loop.began
    loop.stop()
    await running
    return seconds


def _said(service: Service) -> float:
    return float(sum(SAID.labels(service.name, kind.topic)._value.get() for kind in service.emits))


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("kind", choices=["bare", "batched", "whole"])
    given.add_argument("what", nargs="+")
    given.add_argument("--count", type=int, default=0)
    given.add_argument("--batch", type=int, default=500)
    given.add_argument("--tag", default="bench")
    said = given.parse_args()
    sides = {"whole": lambda: whole(said.what[0], said.count, said.tag)}
    for kind in ("bare", "batched"):
        sides[kind] = partial(bare, said.what[0], said.what[1:], said.count, said.batch, explicit=kind == "batched")
    if said.kind == "bare":
        seconds = asyncio.run(sides["bare"]())
    else:
        tune_the_interpreter()
        seconds = uvloop.run(sides[said.kind]())
    json.dump({"seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
