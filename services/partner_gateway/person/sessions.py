"""A person's session: its secret is in a cookie alone; the table holds its hash and ends it (DOMAIN.md H10)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from starlette.responses import Response

from services.bus.settings import Settings
from services.partner_gateway.tables import link, partner, person, session

SECOND = 1_000_000
NOTED_AFTER = 30 * SECOND
"""Use is noted no more often than this: a page would be a write otherwise."""

OPEN = person.c.closed_us.is_(None) & partner.c.closed_us.is_(None)


@dataclass(frozen=True, slots=True)
class Person:
    """The named person who is signed in."""

    person_id: str
    organisation: str
    name: str
    post: str
    csrf: str
    """What each of their forms must carry."""
    sandbox: bool


def by_https(at: Settings) -> bool:
    """Whether browsers come by HTTPS, here or at what stands before the gateway."""
    return bool(at.gateway_tls_cert) or (at.gateway_url or "").startswith("https://")


def cookie_name(at: Settings, name: str = "safebus") -> str:
    """`__Host-` binds a cookie to this host and to HTTPS; a browser refuses it without (RFC 6265bis)."""
    return f"__Host-{name}" if by_https(at) else name


def keep(response: Response, at: Settings, token: str) -> None:
    """The browser's part of a session. Lax, not Strict: a notice's link is followed from a mail program."""
    response.set_cookie(cookie_name(at), token, path="/", httponly=True, secure=by_https(at), samesite="lax")


def forget(response: Response, at: Settings) -> None:
    response.delete_cookie(cookie_name(at), path="/", httponly=True, secure=by_https(at), samesite="lax")


def hash_of(token: str) -> bytes:
    return sha256(token.encode()).digest()


def begin(connection: sa.Connection, at: Settings, person_id: str, now_us: int, former: str | None) -> str:
    """A new session's secret. The one that this browser had before ends, and so do all that have expired."""
    if former:
        end(connection, former)
    connection.execute(session.delete().where(sa.not_(_lives(at, now_us))))
    token = secrets.token_urlsafe(32)
    row = {"person_id": person_id, "csrf": secrets.token_urlsafe(32), "used_us": now_us, "began_us": now_us}
    connection.execute(session.insert(), row | {"hash": hash_of(token)})
    return token


def end(connection: sa.Connection, token: str) -> None:
    connection.execute(session.delete().where(session.c.hash == hash_of(token)))


def find(connection: sa.Connection, at: Settings, token: str, now_us: int) -> tuple[Person, bool] | None:
    """Whose session this is, and whether its use should be noted; None if it has ended, or they have left."""
    query = (
        sa.select(person, partner.c.sandbox, session.c.csrf, session.c.used_us)
        .join(session, session.c.person_id == person.c.person_id)
        .join(partner, partner.c.organisation == person.c.organisation)
        .where(session.c.hash == hash_of(token), _lives(at, now_us), OPEN)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    found = Person(row.person_id, row.organisation, row.name, row.post, row.csrf, row.sandbox)
    return found, now_us - row.used_us > NOTED_AFTER


def note_use(connection: sa.Connection, token: str, now_us: int) -> None:
    connection.execute(session.update().where(session.c.hash == hash_of(token)).values(used_us=now_us))


def _lives(at: Settings, now_us: int) -> sa.ColumnElement[bool]:
    """Used not long ago, and not begun too long ago."""
    unused = int(at.gateway_session_minutes * 60 * SECOND)
    whole = int(at.gateway_session_hours * 3600 * SECOND)
    return (session.c.used_us > now_us - unused) & (session.c.began_us > now_us - whole)


def by_subject(connection: sa.Connection, subject: str) -> str | None:
    """The id of the person whom the issuer calls so, if they are a named person of a partner now."""
    query = sa.select(person.c.person_id).join(partner, partner.c.organisation == person.c.organisation)
    return connection.execute(query.where(person.c.subject == subject, OPEN)).scalar()


def of_link(connection: sa.Connection, token: str, now_us: int) -> str | None:
    """The id of the person whom this one-time link would sign in; None if it is used, expired or nobody's."""
    query = (
        sa.select(person.c.person_id)
        .join(link, link.c.person_id == person.c.person_id)
        .join(partner, partner.c.organisation == person.c.organisation)
        .where(link.c.hash == hash_of(token), link.c.used_us.is_(None), link.c.expires_us > now_us, OPEN)
    )
    return connection.execute(query).scalar()


def use_link(connection: sa.Connection, token: str, now_us: int) -> str | None:
    """As `of_link`, and uses it up: of two at once, one succeeds."""
    person_id = of_link(connection, token, now_us)
    unused = (link.c.hash == hash_of(token)) & link.c.used_us.is_(None)
    if person_id and connection.execute(link.update().where(unused).values(used_us=now_us)).rowcount == 1:
        return person_id
    return None
