"""A browser that meets a problem gets a page that says what to do, wherever it happens; a program gets a problem."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.person.site import PAGES
from services.people.errors import ErrorPages
from services.web.problems import Problem

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROBLEM = "application/problem+json"


def heading(answer: httpx.Response) -> str:
    """Of a whole page, with the protection that every page has."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "call 999" in answer.text
    return answer.text.partition("<h1>")[2].partition("</h1>")[0]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/no/such/page", 404, "Page not found"),
        ("GET", "/v12", 404, "Page not found"),
        ("GET", "/" + "x" * 5000, 414, "Page not found"),
        ("DELETE", "/inbox", 405, "The page could not be sent"),
        ("PUT", "/sign-in", 405, "The page could not be sent"),
    ],
)
async def test_a_browser_is_told_in_a_page_and_a_program_in_json(
    client: httpx.AsyncClient, method: str, path: str, status: int, said: str
) -> None:
    """404, 405 and 414 at any address outside the programs' interface."""
    page = await client.request(method, path, headers=BROWSER)
    assert (page.status_code, heading(page)) == (status, said)
    assert page.headers.get("allow") == (await client.request(method, path)).headers.get("allow")
    assert (await client.request(method, path)).headers["content-type"] == PROBLEM


@pytest.mark.parametrize("path", ["/v1", "/v1/no-such", "/docs/no-such"])
async def test_the_interface_of_programs_answers_everybody_as_programs(client: httpx.AsyncClient, path: str) -> None:
    """A developer who looks at it in a browser sees what a program sees."""
    answer = await client.get(path, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


async def test_too_much_of_a_form_is_a_page(client: httpx.AsyncClient, at: Settings) -> None:
    page = await client.post("/sign-in/link", headers=BROWSER, content=b"x" * (at.gateway_max_body + 1))
    assert (page.status_code, heading(page)) == (413, "The page could not be sent")


async def test_too_many_pages_is_a_page_with_when_to_try_again(gateway: Gateway) -> None:
    gateway.settings = gateway.settings.model_copy(update={"gateway_burst": 1, "gateway_rate": 0.1})
    transport = httpx.ASGITransport(application(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test", headers=BROWSER) as client:
        await client.get("/sign-in")
        page = await client.get("/sign-in")
    assert (page.status_code, heading(page)) == (429, "Please wait a moment")
    assert int(page.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("status", "words"), [(408, "did not arrive in time"), (500, "something went wrong"), (503, "in a few minutes")]
)
async def test_a_fault_anywhere_is_a_page(gateway: Gateway, status: int, words: str) -> None:
    """Also of what answers before any page's route does."""
    app = FastAPI()
    app.state.gateway = gateway

    @app.get("/{path:path}")
    async def fails() -> object:
        return Problem(status, "x", "a detail for programs", headers={"Retry-After": "2"}).response()

    app.add_middleware(ErrorPages, pages=PAGES, programs=("/v1",))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test") as client:
        page, told = await client.get("/x", headers=BROWSER), await client.get("/v1/x", headers=BROWSER)
    assert (page.status_code, page.headers["retry-after"]) == (status, "2")
    assert words in page.text
    assert "detail for programs" not in page.text
    assert told.json()["detail"] == "a detail for programs"


async def test_a_page_that_is_no_problem_passes_untouched(client: httpx.AsyncClient) -> None:
    page = await client.get("/sign-in", headers=BROWSER)
    assert page.status_code == 200
    assert page.content == (await client.get("/sign-in")).content
