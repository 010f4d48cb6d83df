"""aiokafka's errors in our own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import errors as kafka_errors

from services.bus.errors import MustStop, NotPermitted, SafebusError, Surroundings

_REFUSED = (
    kafka_errors.AuthenticationFailedError,
    kafka_errors.SaslAuthenticationFailed,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
)


@asynccontextmanager
async def translated(principal: str, doing: str, within: float | None = None) -> AsyncIterator[None]:
    """The broker's errors in our own tree; the cause is kept for the log, the message tells a person what to do.

    Args:
        within: seconds until the broker is away; of itself aiokafka tries for ever: measured.
    """
    try:
        async with asyncio.timeout(within):
            yield
    except SafebusError:
        raise
    except _REFUSED as error:
        raise NotPermitted(f"the broker refused {principal} when {doing}: {_why(error)}") from error
    except kafka_errors.OffsetOutOfRangeError as error:
        raise MustStop(f"an offset of {principal} is no longer in the log; see `safebus recover`") from error
    except (kafka_errors.KafkaError, OSError, TimeoutError) as error:
        if "uthentication" in str(error):
            raise NotPermitted(f"the broker refused {principal}: wrong user or password") from error
        raise Surroundings(f"the broker is away when {doing} ({type(error).__name__})") from error


def _why(error: Exception) -> str:
    if "uthentication" in type(error).__name__:
        return "wrong user or password"
    return f"{type(error).__name__}: topics.yaml does not allow it, or `safebus topics apply` has not been run"
