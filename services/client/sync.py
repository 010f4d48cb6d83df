"""The same client for programs that are not asynchronous: it drives `Client` in a loop on a thread of its own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from services.client.client import Client
from services.client.retrying import Patience

P = ParamSpec("P")
T = TypeVar("T")

AsyncMethod = Callable[Concatenate[Client, P], Coroutine[Any, Any, T]]


def _driven(method: AsyncMethod[P, T]) -> Callable[Concatenate[SyncClient, P], T]:
    """The same method, that waits."""

    @wraps(method)
    def drive(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._portal.call(partial(method, self._client, *args, **kwargs))

    return drive


def _driven_stream(
    method: Callable[Concatenate[Client, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[SyncClient, P], Generator[T, None, None]]:
    """The same sequence, for an ordinary `for`."""

    @wraps(method)
    def drive(self: SyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        each = self._each(method(self._client, *args, **kwargs))
        self._open.callback(each.close)  # before the client itself, should the loop have left it open
        return each

    return drive


class SyncClient:
    """`Client` without `async`: `with SyncClient(address, key) as client:`, then every method as there, and
    `for disclosure in client.inbox(…)`. One thread may use it at a time.
    """

    _portal: BlockingPortal

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        source: str | None = None,
        patience: Patience | None = None,
        timeout: float = 15.0,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """As Client's."""
        self._client = Client(base_url, key, source=source, patience=patience, timeout=timeout, verify=verify)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._portal = opening.enter_context(start_blocking_portal())
            opening.enter_context(self._portal.wrap_async_context_manager(self._client))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    publish = _driven(Client.publish)
    publish_many = _driven(Client.publish_many)
    inbox = _driven_stream(Client.inbox)
    receipt = _driven(Client.receipt)
    proof = _driven(Client.proof)
    what_became_of = _driven(Client.what_became_of)
    sent = _driven_stream(Client.sent)
    upload = _driven(Client.upload)
    download = _driven(Client.download)

    def _each(self, sequence: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """One after another; an interrupt ends the wait for the next one first, and then the sequence."""
        waiting: Future[T] | None = None
        try:
            while True:
                waiting = self._portal.start_task_soon(sequence.__anext__)
                try:
                    following = waiting.result()
                except StopAsyncIteration:
                    return
                yield following
        finally:
            if waiting is not None and not waiting.cancel():
                self._portal.call(sequence.aclose)
