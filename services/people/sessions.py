"""A person's session: its secret is in a cookie alone; the table holds its hash and ends it (DOMAIN.md H10)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic

import sqlalchemy as sa
from starlette.responses import Response

from services.bus.settings import Settings
from services.people.site import P, Site

SECOND = 1_000_000
NOTED_AFTER = 30 * SECOND
"""Use is noted no more often than this: a page would be a write otherwise."""


@dataclass(frozen=True, slots=True)
class Found(Generic[P]):
    """Whose session it is."""

    person: P
    to_note: bool
    """Whether its use should be noted."""
    left: float
    """Seconds until it ends, or is locked: then it shows nothing until this person signs in again."""

    @property
    def locked(self) -> bool:
        return self.left <= 0


def cookie_name(site: Site[Any], at: Settings, part: str = "") -> str:
    """`__Host-` binds a cookie to this host and to HTTPS; a browser refuses it without (RFC 6265bis)."""
    return ("__Host-" if site.terms(at).https else "") + "-".join(filter(None, (site.cookie, part)))


def keep(
    site: Site[Any], at: Settings, answer: Response, value: str, part: str = "", seconds: int | None = None
) -> None:
    """The browser's part. Lax, not Strict: a notice's link is followed from a mail program."""
    answer.set_cookie(
        cookie_name(site, at, part), value, max_age=seconds, path="/", httponly=True,
        secure=site.terms(at).https, samesite="lax",
    )  # fmt: skip


def forget(site: Site[Any], at: Settings, answer: Response, part: str = "") -> None:
    secure = site.terms(at).https
    answer.delete_cookie(cookie_name(site, at, part), path="/", httponly=True, secure=secure, samesite="lax")


def hash_of(token: str) -> bytes:
    return sha256(token.encode()).digest()


def begin(
    site: Site[Any], connection: sa.Connection, at: Settings, person_id: str, now_us: int, former: str | None
) -> str:
    """A new session's secret. The one that this browser had before ends, and so do all that have expired."""
    if former:
        end(site, connection, former)
    _forget_ended(site, connection, at, now_us)
    token = secrets.token_urlsafe(32)
    row = {"person_id": person_id, "csrf": secrets.token_urlsafe(32), "used_us": now_us, "began_us": now_us}
    connection.execute(site.session.insert(), row | {"hash": hash_of(token)})
    return token


def end(site: Site[Any], connection: sa.Connection, token: str) -> None:
    connection.execute(site.session.delete().where(site.session.c.hash == hash_of(token)))


def lock(site: Site[Any], connection: sa.Connection, token: str) -> bool:
    """For good: it shows nothing any more. Whether that is new."""
    mine = (site.session.c.hash == hash_of(token)) & (site.session.c.used_us > 0)
    return connection.execute(site.session.update().where(mine).values(used_us=0)).rowcount == 1


def find(site: Site[P], connection: sa.Connection, at: Settings, token: str, now_us: int) -> Found[P] | None:
    """Whose session this is; None if it has ended, or they have left."""
    people, of = site.people.subquery(), site.session.c
    query = sa.select(people, of.csrf, of.used_us, of.began_us).join(site.session, of.person_id == people.c.person_id)
    row = connection.execute(query.where(of.hash == hash_of(token))).first()
    if row is None:
        return None
    unused_since, begun_since = _since(site, at, now_us)
    whole_us = row.began_us - begun_since
    left_us = min(row.used_us - unused_since, whole_us)
    if left_us <= 0 and not (site.holds and (whole_us > 0 or site.holds(connection, row.person_id))):
        return None
    return Found(site.person(row), now_us - row.used_us > NOTED_AFTER, left_us / SECOND)


def note_use(site: Site[Any], connection: sa.Connection, at: Settings, token: str, now_us: int) -> None:
    """Only of one that lives: a use does not unlock."""
    mine = (site.session.c.hash == hash_of(token)) & _lives(site, at, now_us)
    connection.execute(site.session.update().where(mine).values(used_us=now_us))


def _lives(site: Site[Any], at: Settings, now_us: int) -> sa.ColumnElement[bool]:
    """Used not long ago, and not begun too long ago."""
    unused_since, begun_since = _since(site, at, now_us)
    return (site.session.c.used_us > unused_since) & (site.session.c.began_us > begun_since)


def _since(site: Site[Any], at: Settings, now_us: int) -> tuple[int, int]:
    """What was used last, or begun, before these has ended."""
    terms = site.terms(at)
    return now_us - int(terms.minutes * 60 * SECOND), now_us - int(terms.hours * 3600 * SECOND)


def _forget_ended(site: Site[Any], connection: sa.Connection, at: Settings, now_us: int) -> None:
    ended = sa.not_(_lives(site, at, now_us))
    if site.holds:
        ended = site.session.c.began_us <= _since(site, at, now_us)[1]
        of = connection.scalars(sa.select(site.session.c.person_id).where(ended).distinct()).all()
        ended &= site.session.c.person_id.not_in([one for one in of if site.holds(connection, one)])
    connection.execute(site.session.delete().where(ended))


def by_subject(site: Site[Any], connection: sa.Connection, subject: str) -> str | None:
    """The id of the person whom the issuer calls so, if they may sign in now."""
    people = site.people.subquery()
    return connection.execute(sa.select(people.c.person_id).where(people.c.subject == subject)).scalar()


def new_link(site: Site[Any], connection: sa.Connection, person_id: str, *, now_us: int, minutes: float) -> str:
    """The token of a link that signs this person in once, within so many minutes. Shown here and never again."""
    token = secrets.token_urlsafe(32)
    row = {"hash": hash_of(token), "person_id": person_id, "expires_us": now_us + int(minutes * 60 * SECOND)}
    connection.execute(site.link.insert(), row | {"used_us": None})
    return token


def of_link(site: Site[Any], connection: sa.Connection, token: str, now_us: int) -> str | None:
    """The id of the person whom this one-time link would sign in; None if it is used, expired or nobody's."""
    people, of = site.people.subquery(), site.link.c
    query = sa.select(people.c.person_id).join(site.link, of.person_id == people.c.person_id)
    works = (of.hash == hash_of(token)) & of.used_us.is_(None) & (of.expires_us > now_us)
    return connection.execute(query.where(works)).scalar()


def use_link(site: Site[Any], connection: sa.Connection, token: str, now_us: int) -> str | None:
    """As `of_link`, and uses it up: of two at once, one succeeds."""
    person_id = of_link(site, connection, token, now_us)
    unused = (site.link.c.hash == hash_of(token)) & site.link.c.used_us.is_(None)
    if person_id and connection.execute(site.link.update().where(unused).values(used_us=now_us)).rowcount == 1:
        return person_id
    return None
