"""What differs between the sites that people sign in to: each has its own cookie, tables, pages and words."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import sqlalchemy as sa
from fastapi import Request
from pydantic import SecretStr

from services.bus.access import Access
from services.bus.settings import Settings

LOCKED, HAND_ON = "/locked", "/hand-on"
"""Where a site that lets nobody leave what they hold sends people (locking.py)."""

Seen = Literal["SIGNED_IN", "SIGNED_OUT", "LOCKED"]


class Named(Protocol):
    """Somebody who is signed in."""

    @property
    def person_id(self) -> str: ...
    @property
    def csrf(self) -> str:
        """What each of their forms must carry."""


P = TypeVar("P", bound=Named)


class Ground(Protocol):
    """What a site's routes work with."""

    @property
    def settings(self) -> Settings: ...
    @property
    def access(self) -> Access: ...
    @property
    def now_us(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of the site."""

    url: str | None
    """Its address as browsers see it, if that is not where it listens."""
    cert: Path | None
    """Its own certificate, if it has one."""
    minutes: float
    """A session ends, or is locked, after so long unused,"""
    hours: float
    """and after so long however much it was used."""
    client_id: str | None
    """The site's name at the issuer of OpenID Connect, and its secret there."""
    client_secret: SecretStr | None

    @property
    def https(self) -> bool:
        """Whether browsers come by HTTPS, here or at what stands before it."""
        return bool(self.cert) or (self.url or "").startswith("https://")


@dataclass(frozen=True, slots=True)
class Words:
    """How its pages speak of it."""

    name: str
    """In full, as in `the safeguarding inbox`."""
    short: str
    """As in `the inbox`."""
    whom: str
    """A sentence: whom it is for."""
    stranger: str
    """A sentence to somebody whose account was proved, and who is nobody here."""
    ask: str
    """Who adds people, as in `ask …`."""
    nothing: str
    """A sentence: that an address leads nowhere."""
    home: str
    """The link to its first page."""


@dataclass(frozen=True)
class Site(Generic[P]):
    """One site. Its cookies are of no use at another: they have other names, and the sessions stand in other tables."""

    cookie: str
    """The session cookie's name, and the beginning of the others'."""
    home: str
    goes_to: str
    """The path of one entry, its id in place of `{}`."""
    entry: re.Pattern[str]
    """How an entry's id is written: all that is taken along through a sign-in, and never an address."""
    ground: Callable[[Request], Ground]
    terms: Callable[[Settings], Terms]
    people: sa.Select[Any]
    """Who may sign in now, with `person_id` and `subject`, the issuer's name for them."""
    person: Callable[[sa.Row[Any]], P]
    """Of a row of `people` with `csrf`."""
    session: sa.Table
    """hash, person_id, csrf, used_us, began_us."""
    link: sa.Table
    """hash, person_id, expires_us, used_us."""
    folder: Path
    """Where `templates` (with a base.html, which extends page.html) and `static` stand."""
    words: Words
    filters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    problems: tuple[type[Exception], ...] = ()
    """What its own parts raise besides, with a `status`."""
    holds: Callable[[sa.Connection, str], Sequence[str]] | None = None
    """For a site where a session that is not used is locked (locking.py): ids of what this person holds and must not
    leave. As long as there is any, a session never ends, and nobody signs out."""
    held: str = ""
    """The path of the page that shows it."""
    danger: Callable[[sa.Connection], int] | None = None
    """In how many matters somebody is in danger whom nobody sees to: a locked page says so, by the number alone."""
    seen: Callable[[Request, Seen, str], Awaitable[None]] | None = None
    """Told who signs in and out and whose session is locked, by their id, before the browser is answered: what it
    raises is answered instead."""

    def valid(self, entry: object) -> str | None:
        """The id of an entry, if it is written as one."""
        return entry if isinstance(entry, str) and self.entry.fullmatch(entry) else None

    def after(self, entry: str | None) -> str:
        """Where to go once signed in."""
        return self.goes_to.format(entry) if entry else self.home
