"""A person's inbox: most urgent first, opened only to whom it may open, read and acted on in the reader's own name."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.bus import events as e
from services.bus.envelope import Event
from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox.tables import entry
from services.partner_gateway.person import listing
from services.partner_gateway.person.explain import TITLES, explain
from services.partner_gateway.tables import conflict, opening
from services.partner_gateway.wiring import SERVICE
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.people import MASH, NAMES, NOW, OTHER_SCHOOL, PRACTICE, SCHOOL, signed_in


@pytest.fixture
def at(stack: Settings, tmp_path: Path) -> Settings:
    """A gateway whose clock stands at NOW until a test steps it."""
    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    return stack.model_copy(update={"data_dir": tmp_path, "gateway_port": 0, "clock_file": clock})


@pytest.fixture
async def published(gateway: Gateway) -> list[e.DisclosureRead]:
    """The receipts that the gateway has published, in order."""
    said: list[e.DisclosureRead] = []
    post = gateway.postbox.post

    async def watched(events: Any, organisation: str) -> Any:
        answer = await post(events, organisation)
        said.extend(event for event in events if isinstance(event, e.DisclosureRead))
        return answer

    gateway.postbox.post = watched  # type: ignore[method-assign]
    return said


def headings(page: httpx.Response) -> list[str]:
    return [re.sub(r"<[^>]+>", "", found) for found in re.findall(r"<h[23][^>]*>(.*?)</h[23]>", page.text)]


async def test_most_urgent_first(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H7: danger stands before what is late, then what is due soonest, then information; whoever wrote first."""
    information, tomorrow = people.outcome(MASH, None), people.outcome(MASH, timedelta(days=1))
    late, soon = people.alert(MASH, timedelta(hours=-1)), people.alert(MASH, timedelta(hours=1))
    safe, danger = people.notified(danger="NO"), people.notified(danger="UNKNOWN")
    escalated, read = people.missed(), people.alert(MASH, timedelta(hours=-9))
    told = [read, information, tomorrow, soon, late, safe, danger, escalated]
    await tell(gateway, *told)
    await tell(gateway, people.done(read))
    await signed_in(gateway, client, MASH)
    page = await client.get("/inbox")
    numbers = [int(number) for number in re.findall(r'href="/inbox/(\d+)"', page.text)]
    expected = [danger, late, escalated, safe, soon, tomorrow, information, read]
    assert [told[number - 1] for number in numbers] == expected
    assert "A child is or may be in danger now" in page.text


async def test_a_health_record_is_owed_until_it_is_filed(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H11: read is not enough; it stays late until somebody has acted on it, and then it is finished."""
    told = people.record(due_in=timedelta(hours=-1))
    await tell(gateway, told)
    await tell(gateway, people.done(told))
    await signed_in(gateway, client, PRACTICE)
    assert "Late" in headings(await client.get("/inbox"))
    await tell(gateway, people.done(told, "ACTED"))
    assert "Nothing is waiting" in (await client.get("/inbox")).text
    assert "Acted on" in (await client.get("/inbox/finished")).text


async def test_lists_tell_nothing_of_a_child(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H10: what can be seen over a shoulder names nobody; neither does any address on it."""
    told: list[Event] = [people.alert(), people.outcome(), people.minutes(), people.request()]
    await tell(gateway, *told)
    await tell(gateway, people.done(told[1], "ACTED"))
    await signed_in(gateway, client)
    for path in ("/inbox", "/inbox/finished"):
        page = await client.get(path)
        assert not [name for name in NAMES if name in page.text]
        assert set(re.findall(r'(?:href|action)="(/[^"]*)"', page.text)) <= {
            "/inbox", "/inbox/finished", "/sign-out", *(f"/inbox/{n}" for n in range(1, 5)),
            *re.findall(r'"(/static/(?:inbox|look).css\?v=[0-9a-f]+)"', page.text),
        }  # fmt: skip


async def test_long_inboxes_have_pages(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Each message stands on exactly one page, of what waits and of what is finished."""
    many = [people.outcome(due_in=timedelta(hours=hour)) for hour in range(listing.PAGE + 3)]
    await tell(gateway, *many)
    await signed_in(gateway, client)

    def numbers(page: httpx.Response) -> list[str]:
        return re.findall(r'href="/inbox/(\d+)"', page.text)

    waiting = numbers(await client.get("/inbox")) + numbers(await client.get("/inbox?page=2"))
    assert sorted(map(int, waiting)) == list(range(1, len(many) + 1))
    assert numbers(await client.get("/inbox?page=99999999999999999999")) == numbers(await client.get("/inbox"))
    await tell(gateway, *[people.done(one, "ACTED") for one in many])
    first = await client.get("/inbox/finished")
    (older,) = re.findall(r'href="(/inbox/finished\?before=\d+)"', first.text)
    finished = numbers(first) + numbers(await client.get(older))
    assert [int(number) for number in finished] == list(range(len(many), 0, -1))


@pytest.mark.parametrize("type_", [each for each in SERVICE.on if "disclosure" in each.model_fields])
def test_each_disclosure_has_a_title_and_an_account(type_: type[Event]) -> None:
    """Whatever falls into an inbox can be listed and opened."""
    told = (
        people.alert(), people.outcome(), people.record(), people.minutes(), people.request(), people.notified(),
        people.missed(), people.rehearsal(),
    )  # fmt: skip
    made: dict[type[Event], Event] = {type(one): one for one in told}
    account = explain(made[type_])
    assert account.title == TITLES[type_.topic]
    assert account.to_do
    assert account.meaning


async def test_an_opened_alert_says_who_what_and_what_to_do(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """N13: everything that the school may know, in London time, and nothing to be looked up."""
    await tell(gateway, people.alert())
    await signed_in(gateway, client)
    page = (await client.get("/inbox/1")).text
    for said in (
        "Maya Hartley-Osei", "14 March 2018", "Sunday 22 November 2026 at 7:40pm", "today at 8:45am",
        "Was there when it happened, and lives there", "Do not ask the child about it", "Operation Encompass",
        "by nobody at your organisation yet",
    ):  # fmt: skip
        assert said in page
    assert "secret" not in page


async def test_a_secret_place_is_warned_of(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H2: who is told of a child in hiding must keep that to themselves, and is told so first."""
    await tell(gateway, people.alert(location_confidential=True))
    await signed_in(gateway, client)
    page = (await client.get("/inbox/1")).text
    assert page.index("Where this child lives or stays is secret") < page.index("Maya")


async def test_protective_instructions_are_their_own_item(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H8: who must not collect the child stands apart; what no officer has released goes to nobody."""
    await tell(gateway, people.notified())
    await signed_in(gateway, client, MASH)
    page = await client.get("/inbox/1")
    assert "Who must not collect or approach the child" in headings(page)
    assert "The stepfather must not collect her." in page.text
    assert "Not released to anybody." not in page.text


async def test_what_others_write_is_only_text(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """A script in a name or in a text is shown, and never run."""
    told = people.outcome().model_copy(update={"reason": "<script>alert(1)</script>{{ 7 * 7 }}"})
    await tell(gateway, told)
    await signed_in(gateway, client)
    page = (await client.get("/inbox/1")).text
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in page


async def test_foreign_unknown_and_absurd_numbers_are_one_page(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """One organisation never learns whether another has an entry: the same 404, byte for byte."""
    await tell(gateway, people.alert(), people.alert(OTHER_SCHOOL), people.alert(OTHER_SCHOOL))
    csrf = await signed_in(gateway, client)
    assert (await client.get("/inbox/1")).status_code == 200
    numbers = ("2", "99", "0", "-1", "1e3", "９", "9" * 40, "..%2F1", "1%00")
    for suffix in ("", "/document", "/recorded"):
        answers = [await client.get(f"/inbox/{number}{suffix}") for number in numbers]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers if "Page not found" in answer.text}) == 1
    for action in ("read", "acted", "conflict"):
        for number in ("2", "99", "0"):
            answer = await client.post(f"/inbox/{number}/{action}", data={"csrf": csrf, "conflict": "no"})
            assert answer.status_code == 404
            assert answer.text == answers[0].text or "Page not found" in answer.text


async def test_an_address_of_a_form_is_no_dead_end(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Typed in or loaded again, it leads back to the entry; what is no address at all is a page."""
    await signed_in(gateway, client)
    for path in ("read", "acted", "conflict"):
        assert (await client.get(f"/inbox/1/{path}")).headers["location"] == "/inbox/1"
    assert (await client.get("/sign-out")).headers["location"] == "/inbox"
    for path in ("/inbox/1/other", "/inbox/x/read"):
        answer = await client.get(path)
        assert (answer.status_code, "Page not found" in answer.text) == (404, True)


async def test_read_is_published_in_the_readers_name(
    gateway: Gateway, client: httpx.AsyncClient, published: list[e.DisclosureRead]
) -> None:
    """N1: a named person has read it, and Kafka has it before the page says so; twice pressed is once said."""
    told = people.alert()
    await tell(gateway, told)
    csrf = await signed_in(gateway, client)
    for _ in range(2):
        answer = await client.post("/inbox/1/read", data={"csrf": csrf}, follow_redirects=True)
        assert "Recorded as read" in answer.text
        assert str(answer.url.path) == "/inbox/1/recorded"
    first, second = published
    assert first == second
    assert first.envelope.id == second.envelope.id
    assert (first.disclosure_id, first.state, first.practitioner) == (told.disclosure.id, "READ", "Ines Okafor")
    assert first.happened_at == NOW
    await tell(gateway, people.done(told))
    page = (await client.get("/inbox/1")).text
    assert "by somebody at your organisation, Monday 23 November 2026 at 7:30am" in page
    assert "I have read this" not in page
    assert "I have acted on this" in page


async def test_opening_alone_is_not_reading(
    gateway: Gateway, client: httpx.AsyncClient, published: list[e.DisclosureRead]
) -> None:
    """A page that somebody looked at says nothing in anybody's name."""
    await tell(gateway, people.alert())
    await signed_in(gateway, client)
    await client.get("/inbox/1")
    assert not published


async def test_no_name_leaves_when_the_place_is_secret(
    gateway: Gateway, client: httpx.AsyncClient, published: list[e.DisclosureRead]
) -> None:
    """H2: the receipt of a child in hiding shows neither who read it nor where."""
    await tell(gateway, people.alert(location_confidential=True))
    csrf = await signed_in(gateway, client)
    await client.post("/inbox/1/read", data={"csrf": csrf})
    (receipt,) = published
    assert receipt.practitioner is None
    assert SCHOOL not in receipt.envelope.source


async def test_a_health_record_needs_the_confirmation(
    gateway: Gateway, client: httpx.AsyncClient, published: list[e.DisclosureRead]
) -> None:
    """H11: acted on only once a named person confirms that it is hidden; the error says what to do."""
    await tell(gateway, people.record())
    csrf = await signed_in(gateway, client, PRACTICE)
    refused = await client.post("/inbox/1/acted", data={"csrf": csrf})
    assert refused.status_code == 422
    assert "<title>Error: " in refused.text
    assert 'href="#hidden"' in refused.text
    assert not published
    await client.post("/inbox/1/acted", data={"csrf": csrf, "hidden": "yes"})
    assert [(receipt.state, receipt.hidden_from_online_access) for receipt in published] == [("ACTED", True)]


async def test_a_possible_conflict_is_asked_first(
    gateway: Gateway, client: httpx.AsyncClient, published: list[e.DisclosureRead]
) -> None:
    """H3: nothing of the content shows, and nothing can be recorded, before this very person has declared."""
    await tell(gateway, people.alert(declare_no_conflict=True))
    csrf = await signed_in(gateway, client)
    asked = await client.get("/inbox/1")
    assert "Before you open this" in asked.text
    assert not [name for name in NAMES if name in asked.text]
    await client.post("/inbox/1/read", data={"csrf": csrf})
    assert not published
    assert (await client.get("/inbox/1/document")).status_code == 404
    unanswered = await client.post("/inbox/1/conflict", data={"csrf": csrf})
    assert unanswered.status_code == 422
    assert "There is a problem" in unanswered.text
    assert not [name for name in NAMES if name in unanswered.text]
    opened = await client.post("/inbox/1/conflict", data={"csrf": csrf, "conflict": "no"}, follow_redirects=True)
    assert "Maya Hartley-Osei" in opened.text
    assert len(await gateway.access.read(lambda c: c.execute(sa.select(opening)).all())) == 1


async def test_no_form_opens_what_is_withheld(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H3: a form that was filled in wrongly leads to the question, and never shows the content with an error."""
    await tell(gateway, people.record(declare_no_conflict=True))
    csrf = await signed_in(gateway, client, PRACTICE)
    for action in ("read", "acted"):
        answer = await client.post(f"/inbox/1/{action}", data={"csrf": csrf})
        assert answer.headers["location"] == "/inbox/1"
        assert not [name for name in NAMES if name in answer.text]


async def test_one_persons_word_does_not_open_it_to_another(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H3: each reader declares for themselves."""
    await tell(gateway, people.alert(declare_no_conflict=True))
    csrf = await signed_in(gateway, client)
    await client.post("/inbox/1/conflict", data={"csrf": csrf, "conflict": "no"})
    await client.post("/sign-out", data={"csrf": csrf})
    await signed_in(gateway, client, name="Jo Brandt")
    assert "Before you open this" in (await client.get("/inbox/1")).text


async def test_who_may_be_connected_never_sees_it(
    gateway: Gateway, client: httpx.AsyncClient, published: list[e.DisclosureRead]
) -> None:
    """H3: it stays closed to that person whatever they answer later, and open to a colleague who is not connected."""
    await tell(gateway, people.alert(declare_no_conflict=True))
    csrf = await signed_in(gateway, client)
    stopped = await client.post("/inbox/1/conflict", data={"csrf": csrf, "conflict": "yes"}, follow_redirects=True)
    assert stopped.status_code == 403
    assert "Telephone the MASH" in stopped.text
    for path, more in (("conflict", {"conflict": "no"}), ("read", {}), ("acted", {})):
        answer = await client.post(f"/inbox/1/{path}", data={"csrf": csrf, **more}, follow_redirects=True)
        assert answer.status_code == 403
    assert not [name for name in NAMES if name in (await client.get("/inbox/1")).text]
    assert not published
    assert len(await gateway.access.read(lambda c: c.execute(sa.select(conflict)).all())) == 1
    await client.post("/sign-out", data={"csrf": csrf})
    csrf = await signed_in(gateway, client, name="Jo Brandt")  # named after that, as the MASH has it done
    opened = await client.post("/inbox/1/conflict", data={"csrf": csrf, "conflict": "no"}, follow_redirects=True)
    assert "Maya Hartley-Osei" in opened.text


async def test_who_is_told_of_a_missed_deadline_learns_that_another_may_be_named(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """H3: nobody there may be free of a conflict, and the one to whom it escalates is not told that."""
    await tell(gateway, people.missed())
    await signed_in(gateway, client, MASH)
    assert "have somebody else there named who may" in (await client.get("/inbox/1")).text


async def test_minutes_as_a_document_only_while_they_may_be_had(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """H4: entitlement is checked at every fetch: a later, smaller release takes the document back."""

    async def body() -> AsyncIterator[bytes]:
        yield b"%PDF-1.7 the minutes"

    stored = await gateway.claims.put_stream(body(), "application/pdf", lambda _chunk: None)
    given = people.minutes(release="FULL", document=stored.model_dump())
    await tell(gateway, given)
    await signed_in(gateway, client)
    assert "/inbox/1/document" in (await client.get("/inbox/1")).text
    got = await client.get("/inbox/1/document")
    assert got.content == b"%PDF-1.7 the minutes"
    assert got.headers["content-disposition"].startswith("attachment")
    await tell(gateway, people.minutes(release="ACTIONS_ONLY", supersedes=given.disclosure.id))
    assert (await client.get("/inbox/1/document")).status_code == 404


async def test_headers_of_every_page(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Nothing of an inbox is kept by a browser or a proxy, framed, or told to another site; only the stylesheet is."""
    await tell(gateway, people.alert())
    await signed_in(gateway, client)
    for path in ("/inbox", "/inbox/1", "/inbox/2", "/sign-in", "/signed-out"):
        headers = (await client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["referrer-policy"] == "no-referrer"
    page = (await client.get("/inbox/1")).text
    assert "style=" not in page
    assert "<script" not in page
    (sheet,) = re.findall(r'href="(/static/inbox.css\?v=\w+)"', page)
    assert "immutable" in (await client.get(sheet)).headers["cache-control"]


async def test_a_broken_database_is_a_page(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Surroundings that are away are told in plain words, with what to do."""
    await signed_in(gateway, client)
    await gateway.access.write(lambda c: entry.drop(c))
    answer = await client.get("/inbox")
    assert answer.status_code == 503
    assert "Try again in a few minutes" in answer.text


def test_pages_and_stylesheet_are_in_the_package() -> None:
    """The wheel holds all of `services`: what the pages are made of stands within."""
    import services.partner_gateway.person as person

    here = Path(person.__path__[0])
    assert (here / "static" / "inbox.css").stat().st_size > 1000
    assert len(list((here / "templates").glob("*.html"))) >= 7
