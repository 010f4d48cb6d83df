"""What can go wrong, as one small tree. No error holds the content of an event.

ClientError
├── Refused              the gateway said no, and would say it again; has its code, detail and wrong fields
│   ├── Invalid          400, 413, 415, 422: the request or the event is wrong
│   ├── NotIdentified    401: the key or token is unknown, expired or revoked
│   ├── NotAllowed       403: the key lacks the scope, or the source is not yours
│   ├── NotFound         404: not there, or not yours, which is the same
│   ├── IdReused         409: this source and id, or this disclosure's id, stand for something else already
│   └── EpochChanged     410: the cursor is of before a recovery; `epoch` is the new one
├── TryAgain             no answer, or the gateway asked for patience, until patience ended: unknown, so use the same id
├── BadAnswer            what answered does not speak as a gateway does
│   └── OutOfStep        the inbox's numbers do not follow one another
└── ForgedWebhook        the signature or the time of a webhook is wrong: do not act on it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class ClientError(Exception):
    """Anything that this client raises itself."""


class Refused(ClientError):
    """The gateway's problem details (RFC 9457).

    `code` is stable, for programs; `detail` one sentence for a person; `errors` maps the JSON pointer of each wrong
    field to the reason against it.
    """

    def __init__(self, status: int, code: str, detail: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}" + "".join(f"; {at} {why}" for at, why in (errors or {}).items()))
        self.status, self.code, self.detail, self.errors = status, code, detail, dict(errors or {})


class Invalid(Refused):
    """The request, or the event in it, is wrong: `errors` says which fields."""


class NotIdentified(Refused):
    """The key or token is unknown, expired or revoked."""


class NotAllowed(Refused):
    """The key lacks the scope that this needs, or the source is not yours."""


class NotFound(Refused):
    """It is not there, or it is another organisation's: the gateway tells no difference."""


class IdReused(Refused):
    """This source and id stand for other content already: never send a changed event with an id that was used. Or, with
    the code `disclosure-id-reused`, the id that you gave a disclosure stands for another one."""


class EpochChanged(Refused):
    """The cursor is of before a recovery of the gateway. Begin at the start of `epoch`: cursor `EPOCH.0`."""

    epoch: str = ""


class TryAgain(ClientError):
    """Patience ended before there was an answer that settles it.

    What was asked may have been done or not. Ask again with the same `id`: it takes effect once. `retry_after` is how
    many seconds the gateway asked for, if it did.
    """

    def __init__(self, why: str, *, id: str | None = None, retry_after: float | None = None) -> None:  # noqa: A002
        super().__init__(why + (f"; send it again with the same id, {id}" if id else ""))
        self.id, self.retry_after = id, retry_after


class BadAnswer(ClientError):
    """What answered does not speak as a gateway does: a proxy's page, a wrong address, or worse."""


class OutOfStep(BadAnswer):
    """A number of the inbox is missing, although it was asked for again."""


class ForgedWebhook(ClientError):
    """The signature is wrong, or the message is too old or too new. Answer 400 and do nothing."""


_BY_STATUS = {
    400: Invalid,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    401: NotIdentified,
    403: NotAllowed,
    404: NotFound,
    409: IdReused,
    410: EpochChanged,
}


def object_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON object that an answer carries.

    Raises:
        BadAnswer: it carries none.
    """
    try:
        said = response.json()
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BadAnswer(f"the answer {response.status_code} carries no JSON object; is this a gateway's address?")
    return said


def refusal(response: httpx.Response) -> ClientError:
    """The error that an answer other than success stands for."""
    try:
        return refusal_of(response.status_code, object_of(response))
    except BadAnswer as error:
        return error


def refusal_of(status: int, problem: Mapping[str, Any]) -> ClientError:
    """The error that problem details stand for."""
    if not str(problem.get("type", "")).startswith("urn:safebus:problem:"):
        return BadAnswer(f"the answer {status} is no problem details of a gateway; is this a gateway's address?")
    code = str(problem["type"]).removeprefix("urn:safebus:problem:")
    listed = problem.get("errors")
    wrong = [w for w in listed if isinstance(w, dict)] if isinstance(listed, list) else []
    errors = {str(w.get("pointer", "")).removeprefix("#"): str(w.get("detail", "")) for w in wrong}
    kind = _BY_STATUS.get(status, Refused)
    if kind is IdReused and not code.endswith("id-reused"):
        kind = Refused  # something else stands against it, such as a conflict that must be denied first
    refused = kind(status, code, str(problem.get("detail", "")), errors)
    if isinstance(refused, EpochChanged):
        refused.epoch = str(problem.get("epoch", ""))
    return refused
