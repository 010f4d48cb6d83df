"""Two small sites on one host, as people use them: each its own tables and cookie, on a real database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import Depends, FastAPI, Request
from pydantic import SecretStr
from starlette.responses import Response

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.settings import Settings
from services.people import locking, sessions, sign_in
from services.people.pages import Pages
from services.people.sign_in import link_path
from services.people.site import Seen, Site, Terms, Words
from services.people.tables import link_table, session_table
from services.people.visit import form_of, left, signed_in
from services.web.protect import Protect

BASE = """{% extends "page.html" %}{% block name %}Test site{% endblock %}
{% block style %}<link rel="stylesheet" href="{{ static('site.css') }}">{% endblock %}
{% block footer %}<h2>If you need help</h2>{% endblock %}"""
SECRET = "Maya Hartley-Osei"
"""On every page of an entry, and nowhere else."""


@dataclass(frozen=True, slots=True)
class Someone:
    person_id: str
    name: str
    csrf: str
    post: str = "social worker"


@dataclass
class Place:
    """One site's application, with everything that it works with and what it was told."""

    name: str
    settings: Settings
    access: Access
    clock: Clock
    holding: dict[str, list[str]] = field(default_factory=dict)
    """By person: what they hold."""
    seen: list[tuple[Seen, str]] = field(default_factory=list)
    in_danger: int = 0
    minutes: float = 15.0
    """A session is locked after so long unused."""
    acted: list[str] = field(default_factory=list)
    """The entries that somebody acted on."""

    @property
    def now_us(self) -> int:
        return int(self.clock.now().timestamp() * 1_000_000)

    def __post_init__(self) -> None:
        metadata = sa.MetaData()
        self.table = sa.Table(
            f"{self.name}_person",
            metadata,
            sa.Column("person_id", sa.Text, primary_key=True),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("subject", sa.Text),
        )
        folder = self.settings.data_dir / self.name
        for part, file, text in (("templates", "base.html", BASE), ("static", "site.css", "h1 { color: navy }")):
            (folder / part).mkdir(parents=True)
            (folder / part / file).write_text(text)
        (folder / "templates" / "entry.html").write_text(
            "{% extends 'base.html' %}{% block main %}<h1>" + SECRET + "</h1>{% endblock %}"
        )
        self.site = Site(
            cookie=f"safebus-{self.name}",
            home="/",
            goes_to="/entries/{}",
            entry=re.compile(r"[a-z0-9][a-z0-9:-]{0,39}"),
            ground=lambda request: self,
            terms=self._terms,
            people=sa.select(self.table),
            person=lambda row: Someone(row.person_id, row.name, row.csrf),
            session=session_table(f"{self.name}_session", metadata, self.table.c.person_id),
            link=link_table(f"{self.name}_link", metadata, self.table.c.person_id),
            folder=folder,
            words=Words("test site", "site", "For tests.", "You are nobody here.", "a friend", "Nothing.", "Go on"),
            holds=lambda _connection, person_id: self.holding.get(person_id, []),
            held="/mine",
            danger=lambda _connection: self.in_danger,
            seen=self._note,
        )
        self.access.run(metadata.create_all)
        self.pages = Pages(self.site)
        self.app = self._application()

    def _terms(self, at: Settings) -> Terms:
        return Terms(f"http://{self.name}.test", None, self.minutes, 10.0, f"client-{self.name}", SecretStr("s"))

    async def _note(self, _request: Request, what: Seen, person_id: str) -> None:
        self.seen.append((what, person_id))

    def _application(self) -> FastAPI:
        async def visited(request: Request) -> Any:
            return await signed_in(self.site, request, request.path_params.get("entry_id"))

        async def watched(request: Request) -> Any:
            return await signed_in(self.site, request, by_hand=False)

        async def entry(request: Request, entry_id: str) -> Response:
            if entry_id == "too-many":
                return self.pages.error(request, 429)
            return self.pages.render(request, "entry.html")

        async def act(request: Request, entry_id: str) -> Response:
            await form_of(self.site, request, request.state.person.csrf)
            self.acted.append(entry_id)
            return Response(status_code=204)

        async def stream(request: Request) -> Response:
            return Response(str(await left(self.site, request)))

        app = FastAPI()
        app.router.route_class = self.pages.route
        for path, route, method, who in (
            ("/", entry_of_nothing, "GET", visited),
            ("/entries/{entry_id}", entry, "GET", visited),
            ("/entries/{entry_id}", act, "POST", visited),
            ("/stream", stream, "GET", watched),
        ):
            app.router.add_api_route(path, route, methods=[method], dependencies=[Depends(who)])
        for router in (sign_in.routes(self.pages, visited), locking.routes(self.pages, visited)):
            app.include_router(router)
        app.include_router(self.pages.static.router())
        app.add_middleware(Protect)
        return app

    async def name_one(self, name: str, subject: str | None = None) -> str:
        """A person who may sign in; their id."""
        person_id = f"id-{name.lower()}"
        row = {"person_id": person_id, "name": name, "subject": subject}
        await self.access.write(lambda c: c.execute(self.table.insert(), row))
        return person_id

    async def link_for(self, person_id: str) -> str:
        now_us = self.now_us
        token = await self.access.write(lambda c: sessions.new_link(self.site, c, person_id, now_us=now_us, minutes=30))
        return link_path(token)

    async def signs_in(self, client: httpx.AsyncClient, person_id: str) -> str:
        """By a new link; the CSRF token of the session."""
        button = await client.get(await self.link_for(person_id), follow_redirects=True)
        page = await client.post("/sign-in/link", data={"csrf": csrf_of(button)}, follow_redirects=True)
        assert page.status_code == 200, page.text
        return csrf_of(page)

    def browser(self) -> httpx.AsyncClient:
        """With cookies of its own."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://sites.test")


async def entry_of_nothing(request: Request) -> Response:
    csrf = request.state.person.csrf
    return Response(f'name="csrf" value="{csrf}"', media_type="text/html")


def csrf_of(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, f"the page has no form: {page.text}"
    return found[1]


@asynccontextmanager
async def a_place(name: str, folder: Path, **more: Any) -> AsyncIterator[Place]:
    """One that ends with the block, whose clock a test steps."""
    at = Settings(data_dir=folder, clock_file=folder / "clock", **more)
    access = Access(at, name)
    try:
        yield Place(name, at, access, Clock.of(at))
    finally:
        access.close()
