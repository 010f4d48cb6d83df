"""Who the partners are, in the gateway's own tables: plain SQL over a connection, the moment always given.

A secret (an API key, a one-time link) is made here from 256 random bits, returned once, and kept as its SHA-256 only:
there is nothing to guess, so nothing for a slow hash to slow down. What is closed or revoked stays, and is no longer
found; nothing here is deleted but what signs somebody in.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from services.bus.catalogue import Catalogue
from services.bus.errors import UserMistake
from services.partner_gateway.door.who import INBOX, RECEIPTS
from services.partner_gateway.notices.letter import is_address
from services.partner_gateway.tables import api_key, link, partner, person, session, token_client, webhook

SECRET_BYTES = 32
KEY_PREFIX = "sbk"
DAY_US = 86_400_000_000
KEY_DAYS = 365.0
DOOR = "partner-door"
SANDBOX = "sandbox"
"""The scope to have a test event sent into the own inbox."""

_ORGANISATION = re.compile(r"[a-z]{2,20}:[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


def scopes_of(acts_as: str, catalogue: Catalogue) -> frozenset[str]:
    """What a partner who acts as that principal may do: what both it and the gateway may write, its inbox, receipts.

    Raises:
        UserMistake: the catalogue has no such agency.
    """
    agencies = sorted(p.name for p in catalogue.principals.values() if p.kind == "agency" and p.name != DOOR)
    if acts_as not in agencies:
        raise UserMistake(f"there is no agency {acts_as} in the catalogue; there are {', '.join(agencies)}")
    both = {t.name for t in catalogue.topics.values() if acts_as in t.written_by and DOOR in t.written_by}
    return frozenset(both | {INBOX, RECEIPTS})


def granted(of: sa.Row[tuple[Any, ...]], catalogue: Catalogue) -> frozenset[str]:
    """What a new key of this partner may do.

    Raises:
        UserMistake: the catalogue no longer has the agency that it acts as.
    """
    return scopes_of(of.acts_as, catalogue) | (frozenset({SANDBOX}) if of.sandbox else frozenset())


def add_partner(
    connection: sa.Connection, organisation: str, acts_as: str, *, now_us: int, sandbox: bool = False
) -> None:
    """A partner from now on; one that was removed before is open again, without its former keys and people.

    Raises:
        UserMistake: it is one already, or the id has not the form of an organisation's.
    """
    if not _ORGANISATION.fullmatch(organisation):
        raise UserMistake(
            "an organisation's id is as in the directory: its kind, a colon, its code, such as school:110394"
        )
    stands = connection.execute(sa.select(partner).where(partner.c.organisation == organisation)).first()
    row = {"acts_as": acts_as, "sandbox": sandbox, "closed_us": None}
    if stands is None:
        connection.execute(partner.insert(), row | {"organisation": organisation, "created_us": now_us})
    elif stands.closed_us is None:
        raise UserMistake(f"{organisation} is a partner already; `safebus partner list` shows it")
    else:
        connection.execute(partner.update().where(partner.c.organisation == organisation).values(row))


def close_partner(connection: sa.Connection, organisation: str, *, now_us: int) -> None:
    """No longer a partner: no key, token, person, session, link or webhook of it works. Its inbox stays.

    Raises:
        UserMistake: it is none.
    """
    open_partner(connection, organisation)
    people = sa.select(person.c.person_id).where(person.c.organisation == organisation)
    connection.execute(session.delete().where(session.c.person_id.in_(people)))
    connection.execute(link.delete().where(link.c.person_id.in_(people)))
    connection.execute(token_client.delete().where(token_client.c.organisation == organisation))
    live = (api_key.c.organisation == organisation) & api_key.c.revoked_us.is_(None)
    connection.execute(api_key.update().where(live).values(revoked_us=now_us))
    for table in (person, webhook, partner):
        mine = (table.c.organisation == organisation) & table.c.closed_us.is_(None)
        more = {"why_closed": "the partner was removed"} if table is webhook else {}
        connection.execute(table.update().where(mine).values(closed_us=now_us, **more))


def open_partner(connection: sa.Connection, organisation: str) -> sa.Row[tuple[Any, ...]]:
    """Its row.

    Raises:
        UserMistake: there is no such partner now.
    """
    mine = (partner.c.organisation == organisation) & partner.c.closed_us.is_(None)
    found = connection.execute(sa.select(partner).where(mine)).first()
    if found is None:
        raise UserMistake(f"{organisation} is no partner; `safebus partner add {organisation} --as PRINCIPAL` makes it")
    return found


def add_key(
    connection: sa.Connection, organisation: str, scopes: Collection[str], *, now_us: int, days: float = KEY_DAYS
) -> str:
    """A new API key, `sbk_<key id>_<secret>`, with these scopes for so many days. It is shown here and never again.

    Raises:
        UserMistake: there is no such partner now.
    """
    open_partner(connection, organisation)
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES)
    row = {
        "key_id": key_id,
        "organisation": organisation,
        "hash": hash_of(secret),
        "scopes": " ".join(sorted(scopes)),
        "created_us": now_us,
        "expires_us": now_us + int(days * DAY_US),
        "revoked_us": None,
    }
    connection.execute(api_key.insert(), row)
    return f"{KEY_PREFIX}_{key_id}_{secret}"


def rotate_key(
    connection: sa.Connection,
    organisation: str,
    scopes: Collection[str],
    *,
    now_us: int,
    overlap_days: float = 7.0,
    days: float = KEY_DAYS,
) -> str:
    """A new key; the former ones work for `overlap_days` more, or until they expire if that is sooner.

    Raises:
        UserMistake: there is no such partner now.
    """
    until = now_us + int(overlap_days * DAY_US)
    live = (api_key.c.organisation == organisation) & api_key.c.revoked_us.is_(None) & (api_key.c.expires_us > until)
    connection.execute(api_key.update().where(live).values(expires_us=until))
    return add_key(connection, organisation, scopes, now_us=now_us, days=days)


def revoke(connection: sa.Connection, key_id: str, *, now_us: int) -> bool:
    """This key works no longer. Whether it did."""
    live = (api_key.c.key_id == key_id) & api_key.c.revoked_us.is_(None)
    return connection.execute(api_key.update().where(live).values(revoked_us=now_us)).rowcount == 1


def add_client(connection: sa.Connection, client_id: str, organisation: str, scopes: Collection[str]) -> None:
    """Access tokens that the issuer gives to this client speak for the organisation, with these scopes.

    Raises:
        UserMistake: there is no such partner now, or the client speaks for somebody already.
    """
    open_partner(connection, organisation)
    if connection.execute(sa.select(token_client).where(token_client.c.client_id == client_id)).first():
        raise UserMistake("this client id speaks for an organisation already; at the issuer each system has its own")
    row = {"client_id": client_id, "organisation": organisation, "scopes": " ".join(sorted(scopes))}
    connection.execute(token_client.insert(), row)


def add_person(
    connection: sa.Connection,
    organisation: str,
    name: str,
    post: str,
    *,
    subject: str | None = None,
    email: str | None = None,
) -> str:
    """A named person of a partner (DOMAIN.md H10); the person's id.

    `subject` is how the OpenID Connect issuer calls the person; `email` is where a notice says that something waits.

    Raises:
        UserMistake: there is no such partner now, the e-mail is no plain address, or the subject is somebody else's.
    """
    open_partner(connection, organisation)
    if email and not is_address(email):
        raise UserMistake("an e-mail address is written plainly, as in name@school.example")
    if not name.strip() or not post.strip():
        raise UserMistake("a person has a name and a post, such as designated safeguarding lead")
    if subject and connection.execute(sa.select(person.c.person_id).where(person.c.subject == subject)).first():
        raise UserMistake("this sign-in is another person's already")
    person_id = f"person-{secrets.token_hex(8)}"
    row = {
        "person_id": person_id,
        "organisation": organisation,
        "name": name.strip(),
        "post": post.strip(),
        "subject": subject,
        "email": email,
        "closed_us": None,
    }
    connection.execute(person.insert(), row)
    return person_id


def close_person(connection: sa.Connection, organisation: str, person_id: str, *, now_us: int) -> None:
    """This person of that partner signs in no more, and is signed out.

    Raises:
        UserMistake: it has no such person now.
    """
    mine = (person.c.organisation == organisation) & (person.c.person_id == person_id) & person.c.closed_us.is_(None)
    if connection.execute(person.update().where(mine).values(closed_us=now_us, subject=None)).rowcount != 1:
        raise UserMistake(f"{organisation} has no such person; `safebus partner list` shows whom it has")
    for table in (session, link):
        connection.execute(table.delete().where(table.c.person_id == person_id))


def people_of(connection: sa.Connection, organisation: str) -> Sequence[sa.Row[tuple[Any, ...]]]:
    """Its named people now, by name."""
    mine = (person.c.organisation == organisation) & person.c.closed_us.is_(None)
    return connection.execute(sa.select(person).where(mine).order_by(person.c.name, person.c.person_id)).all()


def one_time_link(connection: sa.Connection, person_id: str, *, now_us: int, minutes: float = 30.0) -> str:
    """The token of a link that signs this person in once, within so many minutes. Shown here and never again.

    Raises:
        UserMistake: there is no such person now.
    """
    mine = (person.c.person_id == person_id) & person.c.closed_us.is_(None)
    if connection.execute(sa.select(person.c.person_id).where(mine)).first() is None:
        raise UserMistake("there is no such person; `safebus partner list` shows who there is")
    token = secrets.token_urlsafe(SECRET_BYTES)
    expires_us = now_us + int(minutes * 60_000_000)
    row = {"hash": hash_of(token), "person_id": person_id, "expires_us": expires_us, "used_us": None}
    connection.execute(link.insert(), row)
    return token


def partners(connection: sa.Connection) -> Sequence[sa.Row[tuple[Any, ...]]]:
    """Every partner now, by id."""
    now = sa.select(partner).where(partner.c.closed_us.is_(None))
    return connection.execute(now.order_by(partner.c.organisation)).all()


def keys_of(connection: sa.Connection, organisation: str, *, now_us: int) -> Sequence[sa.Row[tuple[Any, ...]]]:
    """Its keys that work now, the newest first."""
    mine = (api_key.c.organisation == organisation) & api_key.c.revoked_us.is_(None) & (api_key.c.expires_us > now_us)
    query = sa.select(api_key).where(mine).order_by(api_key.c.created_us.desc(), api_key.c.key_id)
    return connection.execute(query).all()


def clients_of(connection: sa.Connection, organisation: str) -> Sequence[str]:
    """Ids of the systems that speak for it with access tokens."""
    query = sa.select(token_client.c.client_id).where(token_client.c.organisation == organisation)
    return connection.execute(query.order_by(token_client.c.client_id)).scalars().all()


def hash_of(secret: str) -> bytes:
    """How a secret stands in the tables."""
    return sha256(secret.encode()).digest()
