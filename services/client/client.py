"""The client, asynchronous. `SyncClient` has the same face for programs that are not."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from services.client import documents
from services.client.batches import publish_each
from services.client.cursors import CursorStore
from services.client.errors import BadAnswer, object_of, refusal
from services.client.reading import read_inbox
from services.client.retrying import Patience, until_settled
from services.client.values import Disclosure, Document, Outgoing, Proof, Published

_TYPE = re.compile(r"[a-z][a-z0-9.-]{0,200}")


class Client:
    """One partner's way through the gateway. Use it as `async with Client(address, key) as client:`.

    It may be used by many tasks at once. Requests that fail without an answer, or with 429 or 503, are made again with
    the same id, so that each takes effect once, until `patience` ends.
    """

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
        """
        Args:
            base_url: the gateway's address, such as https://gateway.example.
            key: your API key (`sbk_…`), or an access token. Keep it out of code and logs.
            source: what your events say that they come from: `urn:safebus:` and your organisation's id, and after a
                `/`, if you like, the system within it. Each `publish` may give its own.
            patience: how long to try again.
            timeout: seconds for one answer.
            verify: as httpx's; give an `ssl.SSLContext` for an authority of your own.

        Raises:
            ValueError: the address is not one of http or https.
        """
        if httpx.URL(base_url).scheme not in ("http", "https") or not httpx.URL(base_url).host:
            raise ValueError("base_url must begin with https:// (or http://) and name a host")
        self._source = source
        self._patience = patience or Patience()
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"authorization": f"Bearer {key}", "user-agent": "safebus-client/1"},
            timeout=timeout,
            verify=verify,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def publish(
        self,
        event_type: str,
        data: Mapping[str, Any],
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents' own name for it
        source: str | None = None,
        time: datetime | None = None,
    ) -> Published:
        """Publish one event. When this returns, the event is durable and takes effect once.

        Args:
            event_type: such as `mash.contacts.v1`.
            data: the event's content, as /docs/events describes the type.
            id: unique within the source. Give your own record's, so that a repeat after a crash is recognised; without
                one a new one is made, which recognises the repeats of this call alone.
            source: instead of the client's.
            time: when it happened; without one, now.

        Raises:
            Refused: Invalid, NotAllowed, IdReused, …: the gateway says why.
            TryAgain: patience ended; its `id` is the one to use again.
            BadAnswer: what answered is no gateway.
        """
        event = self._cloud_event(event_type, Outgoing(data, id, source, time))
        response = await self._until_settled(
            "POST",
            f"/v1/events/{event_type}",
            json=event,
            headers={"content-type": "application/cloudevents+json"},
            names=event["id"],
        )
        said = _expect(response, 202)
        if said.get("id") != event["id"] or said.get("source") != event["source"]:
            raise BadAnswer("the gateway answered about another event than the one that was sent")
        return Published(event["id"], event["source"], event_type, said.get("state"), said.get("location"))

    async def publish_many(self, event_type: str, events: Iterable[Outgoing | Mapping[str, Any]]) -> list[Published]:
        """Publish many events of one type. Each has its own result, in their order; a wrong one holds no other back.

        Args:
            event_type: such as `mash.contacts.v1`.
            events: each an Outgoing, or the content alone.

        Raises:
            Refused: the whole request was refused, as with a wrong key.
            BadAnswer: what answered is no gateway.
        """
        outgoing = [event if isinstance(event, Outgoing) else Outgoing(event) for event in events]
        made = [self._cloud_event(event_type, event) for event in outgoing]
        return await publish_each(self._http, event_type, made, self._patience)

    def inbox(
        self,
        *,
        after: str | None = None,
        cursor_store: CursorStore | None = None,
        patience: Patience | None = None,
        silence: float = 45.0,
    ) -> AsyncGenerator[Disclosure, None]:
        """`async for disclosure in client.inbox(…)`: every disclosure from where reading stands, and each new one as it
        comes, in order, none left out and none twice. It does not end by itself.

        With a store, reading begins after the cursor that it holds, and a cursor is saved when the loop asks for the
        next disclosure: so when the body of your loop is done with the one before. A body that raises, or leaves by
        `break`, is not done: that disclosure comes again at the next start. File by `disclosure_id`, then this is
        harmless.

        The stream is opened again whenever it breaks. After a recovery of the gateway's database a new epoch begins and
        everything comes again from number 1, each with its old `disclosure_id`.

        Args:
            after: a cursor, `EPOCH.NUMBER`, to begin after when the store holds none; without either, the beginning.
            cursor_store: such as FileCursorStore.
            patience: raise TryAgain when there was no contact for its `total`; without it, try for ever.
            silence: seconds without even a heartbeat (there is one every 15 s) after which the stream is opened anew.

        Raises:
            Refused: NotIdentified, NotAllowed: trying again would not help.
            OutOfStep: a number is missing, though asked for again.
            BadAnswer: what answered is no gateway.
        """
        return read_inbox(self._http, after, cursor_store, patience or Patience(total=float("inf")), silence)

    async def receipt(
        self,
        disclosure_id: str | UUID,
        practitioner: str,
        state: Literal["READ", "ACTED"] = "READ",
        *,
        happened_at: datetime | None = None,
        hidden_from_online_access: bool | None = None,
        no_conflict: bool = False,
    ) -> None:
        """Say that a named practitioner has read a disclosure, or has acted on it. A machine's fetching is no reading.

        Args:
            practitioner: where your organisation has named people at the gateway, the id, the sign-in or the exact name
                of one of them; where it has none, the person's name.
            state: READ, or ACTED when what was asked is done, such as filed in the record.
            happened_at: when they did it; without it, now, by the gateway's clock.
            hidden_from_online_access: True where that person confirms that a health record's document is hidden.
            no_conflict: True where that person declares that no adult of concern is connected with them; then the
                content is no longer withheld.
        """
        said: dict[str, Any] = {"disclosure_id": str(disclosure_id), "state": state, "practitioner": practitioner}
        if happened_at is not None:
            said["happened_at"] = happened_at.isoformat()
        if hidden_from_online_access is not None:
            said["hidden_from_online_access"] = hidden_from_online_access
        if no_conflict:
            said["no_conflict"] = True
        _expect(await self._until_settled("POST", "/v1/receipts", json=said), 202)

    async def proof(self) -> Proof:
        """How many entries the own inbox has, with the first and last number: compare it with what you filed."""
        said = _expect(await self._until_settled("GET", "/v1/inbox/proof"), 200)
        try:
            return Proof(str(said["epoch"]), int(said["count"]), said["first"], said["last"])
        except (KeyError, TypeError, ValueError):
            raise BadAnswer("the gateway's proof is none") from None

    async def what_became_of(self, published: Published) -> Mapping[str, Any]:
        """Of an event that you published: `recipients`, each with its role, state and due_by; never who they are."""
        path, asked = f"/v1/events/{published.type}/{quote(published.id, safe='')}", {"source": published.source}
        return _expect(await self._until_settled("GET", path, params=asked), 200)

    async def sent(self, *, late: bool = False) -> AsyncGenerator[Mapping[str, Any], None]:
        """`async for event in client.sent(…)`: what your organisation has posted, newest first, each with what became
        of it, as `what_became_of` gives it. It ends with the oldest that the gateway remembers.

        Args:
            late: only those of which something was not read in time.
        """
        asked: dict[str, str] = {"late": "true"} if late else {}
        while True:
            said = _expect(await self._until_settled("GET", "/v1/sent", params=asked), 200)
            try:
                events, more, following = list(said["events"]), bool(said["more"]), said["next"]
            except (KeyError, TypeError):
                raise BadAnswer("the gateway's list of what was sent is none") from None
            for event in events:
                yield event
            if not more:
                return
            asked["after"] = str(following)

    async def upload(self, document: bytes | os.PathLike[str], media_type: str) -> Document:
        """Give the gateway a document, to be put into an event: its `claim` is what stands there.

        Args:
            document: its bytes, or the file that it is in, which is streamed. It must not change meanwhile.
            media_type: what it is: application/pdf, text/plain, image/png, image/jpeg, or Word's .docx.

        Raises:
            Invalid: it is not of that kind, or it is too large.
        """
        response = await documents.upload(self._http, document, media_type, self._patience)
        return await documents.of_answer(_expect(response, 201), document)

    async def download(self, document: str | Mapping[str, Any] | Document, to: os.PathLike[str]) -> None:
        """Fetch a document that your organisation may have at this moment, and compare it with its SHA-256.

        Args:
            document: its claim check as a disclosure has it, such as `disclosure.data["document"]`, or its SHA-256.
            to: the file to write, which its owner alone can read. It is there whole, or not at all.

        Raises:
            NotFound: there is none, or you may not have it, or no longer.
            BadAnswer: what came is another document.
        """
        await documents.download(self._http, document, to, self._patience)

    def _cloud_event(self, event_type: str, event: Outgoing) -> dict[str, Any]:
        source = event.source or self._source
        if source is None:
            raise ValueError(
                "say who publishes: Client(…, source='urn:safebus:YOUR-ORGANISATION') or publish(source=…)"
            )
        if not _TYPE.fullmatch(event_type):
            raise ValueError("an event type is a name such as mash.contacts.v1")
        time = event.time or datetime.now(UTC)
        if time.tzinfo is None:
            raise ValueError("time needs its offset from UTC, as datetime.now(UTC) has it")
        return {
            "specversion": "1.0",
            "id": event.id or str(uuid4()),
            "source": source,
            "type": event_type,
            "time": time.isoformat(),
            "datacontenttype": "application/json",
            "data": dict(event.data),
        }

    async def _until_settled(
        self, method: str, path: str, *, names: str | None = None, **request: Any
    ) -> httpx.Response:
        """The answer that settles it; every request made here takes effect once, however often it is made.

        `names`: the id to use again, for TryAgain.
        """
        return await until_settled(self._patience, lambda: self._http.request(method, path, **request), id=names)


def _expect(response: httpx.Response, status: int) -> dict[str, Any]:
    if response.status_code == status:
        return object_of(response)
    if response.status_code < 400:
        raise BadAnswer(f"the answer was {response.status_code} in place of {status}; is this a gateway's address?")
    raise refusal(response)
