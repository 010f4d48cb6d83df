"""Who calls: keys and tokens, and everything about them that is no good."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey, OctKey, RSAKey

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.clock import Clock
from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings
from services.partner_gateway.door.who import Caller
from services.partner_gateway.partners import identify, jwks, registry
from services.partner_gateway.partners.identify import Identifier
from services.partner_gateway.tables import api_key, metadata, partner
from tests.partner_gateway.tokens import EC, NAME, RSA, Issuer, claims, issuing, signed

SCHOOL, PRACTICE, CLIENT = "school:110394", "practice:K82007", "practice-system"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SCOPES = registry.scopes_of("agency", load(Settings().catalogue))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    made = Clock(tmp_path / "clock")
    made.step(NOW)
    return made


@pytest.fixture
def at(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, clock_file=tmp_path / "clock")


@pytest.fixture
async def access(at: Settings) -> AsyncIterator[Access]:
    made = Access(at, "partner-gateway")
    await made.write(metadata.create_all)
    yield made
    made.close()


@pytest.fixture
def identifier(at: Settings, access: Access, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Identifier:
    """One that asks the database each time."""
    monkeypatch.setattr(identify, "KEPT", 0.0)
    access.run(lambda c: registry.add_partner(c, SCHOOL, "agency", now_us=now_us(clock)))
    return Identifier(at, access, clock)


def now_us(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1_000_000)


def new_key(access: Access, clock: Clock, **more: Any) -> str:
    return access.run(lambda c: registry.add_key(c, SCHOOL, SCOPES, now_us=now_us(clock), **more))


async def test_a_key_says_whose_it_is_and_what_it_may(identifier: Identifier, access: Access, clock: Clock) -> None:
    """A school's key may post what its principal may, read the inbox, and write receipts: nothing else."""
    key = new_key(access, clock)
    found = await identifier.identify(key)
    assert found == Caller(
        SCHOOL,
        frozenset({"inbox", "receipts.v1", "mash.contacts.v1", "mash.information-responses.v1"}),
        f"key {key.split('_')[1]}",
    )


async def test_no_secret_is_stored(access: Access, identifier: Identifier, clock: Clock) -> None:
    """Whoever reads the database learns no key; two keys never have the same secret, of 256 bits."""
    first, second = new_key(access, clock), new_key(access, clock)
    secret = first.split("_", 2)[2]
    assert len(secret) == 43
    assert secret != second.split("_", 2)[2]
    rows = access.run(lambda c: c.execute(sa.select(api_key)).all())
    assert secret not in repr(rows)


async def test_a_wrong_secret_an_unknown_key_and_a_form_that_is_none_are_nobody(
    identifier: Identifier, access: Access, clock: Clock
) -> None:
    """Nothing that merely looks like a key is taken for one."""
    key = new_key(access, clock)
    _, key_id, secret = key.split("_", 2)
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    tried = [
        f"sbk_{key_id}_{wrong}", f"sbk_{'0' * 16}_{secret}", f"sbk_{key_id}_", f"sbk_{key_id}", "sbk_", "", secret,
        key + "=", key.upper(), f" {key}", f"{key}\n", key.replace("sbk", "SBK"), "ü" * 50, "\udcff", "x" * 100_000,
        f"sbk_{key_id}_{'%' * 43}",
    ]  # fmt: skip
    assert [await identifier.identify(token) for token in tried] == [None] * len(tried)
    assert await identifier.identify(key)


async def test_keys_end(identifier: Identifier, access: Access, clock: Clock) -> None:
    """An expired key, a revoked one and one of a partner who is none any more are nobody's."""
    expires, revoked, closed = new_key(access, clock, days=1), new_key(access, clock), new_key(access, clock)
    assert all([await identifier.identify(key) for key in (expires, revoked, closed)])
    access.run(lambda c: registry.revoke(c, revoked.split("_")[1], now_us=now_us(clock)))
    clock.step(NOW + timedelta(days=1))
    assert await identifier.identify(expires) is None
    assert await identifier.identify(revoked) is None
    assert await identifier.identify(closed)
    access.run(lambda c: registry.close_partner(c, SCHOOL, now_us=now_us(clock)))
    assert await identifier.identify(closed) is None
    access.run(lambda c: registry.add_partner(c, SCHOOL, "agency", now_us=now_us(clock)))
    assert await identifier.identify(closed) is None, "a partner who comes back gets new keys"


async def test_a_partner_who_is_closed_is_nobody_whatever_its_keys_say(tokens: Identifier, access: Access) -> None:
    """Somebody who closes it in the database alone has closed it."""
    key = access.run(lambda c: registry.add_key(c, PRACTICE, SCOPES, now_us=int(time.time() * 1e6)))
    assert all([await tokens.identify(key), await tokens.identify(GOOD)])
    access.run(lambda c: c.execute(partner.update().values(closed_us=1)))
    assert [await tokens.identify(key), await tokens.identify(GOOD)] == [None, None]


async def test_rotation_overlaps(identifier: Identifier, access: Access, clock: Clock) -> None:
    """The former key works for as long as was said, so that nobody is locked out at the change; never longer."""
    short, old = new_key(access, clock, days=1), new_key(access, clock)
    new = access.run(lambda c: registry.rotate_key(c, SCHOOL, SCOPES, now_us=now_us(clock), overlap_days=7))
    assert all([await identifier.identify(key) for key in (short, old, new)])
    clock.step(NOW + timedelta(days=6))
    assert [bool(await identifier.identify(key)) for key in (short, old, new)] == [False, True, True]
    clock.step(NOW + timedelta(days=7))
    assert [bool(await identifier.identify(key)) for key in (short, old, new)] == [False, False, True]


async def test_a_revocation_passes_within_seconds_and_an_expiry_at_once(
    at: Settings, access: Access, clock: Clock, identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered is remembered for two seconds, and never past the key's own end."""
    monkeypatch.setattr(identify, "KEPT", 2.0)
    moment = [100.0]
    monkeypatch.setattr("services.partner_gateway.partners.identify.time.monotonic", lambda: moment[0])
    key, short = new_key(access, clock), new_key(access, clock, days=1)
    assert await identifier.identify(key)
    assert await identifier.identify(short)
    clock.step(NOW + timedelta(days=1))
    assert await identifier.identify(short) is None
    access.run(lambda c: registry.revoke(c, key.split("_")[1], now_us=now_us(clock)))
    moment[0] += 2.0
    assert await identifier.identify(key) is None


async def test_many_who_ask_at_once_share_one_answer(identifier: Identifier, access: Access, clock: Clock) -> None:
    """One who hangs up while it is looked for does not take the answer from the others."""
    key = new_key(access, clock)
    asking = [asyncio.create_task(identifier.identify(key)) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    found = await asyncio.gather(*asking[1:])
    assert all(found)


async def test_the_catalogue_takes_scopes_away(
    at: Settings, access: Access, clock: Clock, identifier: Identifier, tmp_path: Path
) -> None:
    """A key never may more than the catalogue says today, whatever it was made with."""
    key = new_key(access, clock)
    changed = tmp_path / "topics.yaml"
    changed.write_text(at.catalogue.read_text().replace("[agency, local-authority, police, partner-door]", "[agency]"))
    found = await Identifier(at.model_copy(update={"catalogue": changed}), access, clock).identify(key)
    assert found is not None
    assert "mash.contacts.v1" not in found.scopes
    assert "mash.information-responses.v1" in found.scopes


# --- access tokens ----------------------------------------------------------------------------------------------------


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


@pytest.fixture
def tokens(issuer: Issuer, tmp_path: Path, access: Access, monkeypatch: pytest.MonkeyPatch) -> Identifier:
    """An identifier on the real clock that trusts the issuer, with one client known."""
    monkeypatch.setattr(identify, "KEPT", 0.0)

    def known(connection: sa.Connection) -> None:
        registry.add_partner(connection, PRACTICE, "agency", now_us=1)
        registry.add_client(connection, CLIENT, PRACTICE, SCOPES)

    access.run(known)
    return Identifier(Settings(data_dir=tmp_path, jwt_issuer=NAME, jwks_url=issuer.url), access, Clock())


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256")])
async def test_a_good_token_speaks_for_its_clients_organisation(tokens: Identifier, key: Any, alg: str) -> None:
    """With each of the three algorithms that are taken."""
    found = await tokens.identify(signed(claims(CLIENT), key=key, alg=alg))
    assert found == Caller(PRACTICE, SCOPES, f"token {CLIENT}")
    assert await tokens.identify(signed(claims(CLIENT, client_id=None, azp=CLIENT), key=key, alg=alg)) == found


def crafted(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(said).encode(), signature]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def by_public_key(said: dict[str, Any]) -> str:
    """HS256, with what everybody can read as the secret (RFC 8725 §2.1)."""
    signing = crafted({"alg": "HS256", "kid": "rsa-1"}, said).rpartition(".")[0]
    signature = hmac.digest(RSA.as_pem(private=False), signing.encode(), "sha256")
    return f"{signing}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
GOOD = signed(claims(CLIENT))
BAD = {
    "expired": signed(claims(CLIENT, exp=int(datetime.now(UTC).timestamp()) - 31)),
    "never expires": signed(claims(CLIENT, exp=None)),
    "expires at no number": signed(claims(CLIENT, exp="tomorrow")),
    "expires at NaN": signed(claims(CLIENT, exp=float("nan"))),
    "expires at infinity": signed(claims(CLIENT, exp=float("inf"))),
    "not yet": signed(claims(CLIENT, nbf=int(datetime.now(UTC).timestamp()) + 86_400)),
    "another issuer": signed(claims(CLIENT, iss="https://evil.test")),
    "no issuer": signed(claims(CLIENT, iss=None)),
    "another audience": signed(claims(CLIENT, aud="other")),
    "no audience": signed(claims(CLIENT, aud=None)),
    "audiences without ours": signed(claims(CLIENT, aud=["a", "b"])),
    "unknown client": signed(claims("nobody")),
    "no client": signed(claims(CLIENT, client_id=None)),
    "two clients": signed(claims(CLIENT, azp="other")),
    "client is no text": signed(claims(CLIENT, client_id=["practice-system"])),
    "alg none": crafted({"alg": "none", "kid": "rsa-1"}, claims(CLIENT)),
    "alg None": crafted({"alg": "None", "kid": "rsa-1"}, claims(CLIENT)),
    "alg missing": crafted({"kid": "rsa-1"}, claims(CLIENT)),
    "alg a list": crafted({"alg": ["RS256"], "kid": "rsa-1"}, claims(CLIENT)),
    "HS256 with the public key": by_public_key(claims(CLIENT)),
    "RS384": signed(claims(CLIENT), alg="RS384"),
    "unknown kid": signed(claims(CLIENT), kid="rsa-9"),
    "no kid": signed(claims(CLIENT), kid=""),
    "kid is a path": signed(claims(CLIENT), kid="../../../../dev/null"),
    "kid is SQL": signed(claims(CLIENT), kid="' UNION SELECT 'x"),
    "kid is an object": crafted({"alg": "RS256", "kid": {"a": 1}}, claims(CLIENT), b"x"),
    "kid of another kind of key": signed(claims(CLIENT), kid="ec-1"),
    "another's key under this kid": signed(claims(CLIENT), key=OTHER_RSA),
    "a key that it brings along": signed(claims(CLIENT), key=OTHER_RSA, jwk=OTHER_RSA.as_dict(private=False)),
    "an address that it brings along": signed(claims(CLIENT), key=OTHER_RSA, jku="http://127.0.0.1:1/jwks"),
    "something that must be understood": crafted(
        {"alg": "RS256", "kid": "rsa-1", "crit": ["b64"], "b64": False}, claims(CLIENT), b"x"
    ),
    "an ID token's type": signed(claims(CLIENT), typ="logout+jwt"),
    "no signature": GOOD.rpartition(".")[0] + ".",
    "two parts": GOOD.rpartition(".")[0],
    "four parts": GOOD + ".x",
    "another's content": ".".join([GOOD.split(".")[0], signed(claims("other")).split(".")[1], GOOD.split(".")[2]]),
    "too long": signed(claims(CLIENT, filler="x" * 9000)),
    "deeply nested": urlsafe_b64encode(b"[" * 6000).decode() + ".e30.x",
    "not JSON": "a.b.c",
    "only dots": "..",
    "NUL": "\0.\0.\0",
    "not ASCII": "é.é.é",
}


@pytest.mark.parametrize("why", BAD)
async def test_a_token_that_is_not_good_is_nobody(tokens: Identifier, why: str) -> None:
    """RFC 8725: each of these is an attack or a mistake, and each gets the same nothing."""
    assert await tokens.identify(BAD[why]) is None


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_a_weak_symmetric_or_encryption_key_of_the_issuer_is_not_used(tokens: Identifier, issuer: Issuer) -> None:
    """The one bad key in a set does not take the good ones with it."""
    weak, enc, bound = (
        RSAKey.generate_key(bits, {"kid": kid}) for bits, kid in ((1024, "weak"), (2048, "enc"), (2048, "bound"))
    )
    oct_ = OctKey.generate_key(256, {"kid": "oct"})
    issuer.document["keys"] += [
        weak.as_dict(private=False), enc.as_dict(private=False, use="enc"), bound.as_dict(private=False, alg="PS256"),
        oct_.as_dict(private=True), {"kty": "RSA", "kid": "broken"}, "text", {"kty": []},
    ]  # fmt: skip
    assert await tokens.identify(signed(claims(CLIENT)))
    for key, alg in ((weak, "RS256"), (enc, "RS256"), (oct_, "HS256"), (bound, "RS256")):
        assert await tokens.identify(signed(claims(CLIENT), key=key, alg=alg)) is None
    assert await tokens.identify(signed(claims(CLIENT), key=bound, alg="PS256"))


async def test_the_issuers_new_key_is_found_and_inventors_of_kids_do_not_hammer_it(
    tokens: Identifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown key ids cause one fetch in 30 seconds, however many there are; a withdrawn key falls away."""
    moment = [100.0]
    monkeypatch.setattr("services.partner_gateway.partners.jwks.time.monotonic", lambda: moment[0])
    new = ECKey.generate_key("P-256", {"kid": "ec-2"})
    by_new = signed(claims(CLIENT), key=new, alg="ES256")
    for n in range(20):
        assert await tokens.identify(signed(claims(CLIENT), kid=f"made-up-{n}")) is None
    assert await tokens.identify(by_new) is None
    assert issuer.asked == 1
    issuer.document = {"keys": [new.as_dict(private=False)]}
    moment[0] += jwks.PAUSE
    assert await tokens.identify(by_new)
    assert issuer.asked == 2
    assert await tokens.identify(GOOD) is None, "the issuer has withdrawn this key"


async def test_an_issuer_that_is_away_is_waited_for_no_longer_than_an_hour(
    tokens: Identifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known keys go on for a while; then nobody is let in, which is said as `try again`, not as `unknown`."""
    moment = [100.0]
    monkeypatch.setattr("services.partner_gateway.partners.jwks.time.monotonic", lambda: moment[0])
    assert await tokens.identify(GOOD)
    issuer.status = 500
    moment[0] += jwks.FRESH + 1
    assert await tokens.identify(GOOD)
    issuer.status, issuer.document = 200, ["nonsense"]
    moment[0] += jwks.USABLE
    with pytest.raises(Surroundings):
        await tokens.identify(GOOD)


async def test_a_client_that_is_removed_is_nobody(tokens: Identifier, access: Access) -> None:
    """However long its token is still good at the issuer."""
    assert await tokens.identify(GOOD)
    access.run(lambda c: registry.close_partner(c, PRACTICE, now_us=2))
    assert await tokens.identify(GOOD) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"jwt_issuer": NAME},
        {"jwks_url": "https://issuer.test/jwks"},
        {"jwt_issuer": NAME, "jwks_url": "http://issuer.test/jwks"},
        {"jwt_issuer": NAME, "jwks_url": "http://127.0.0.1.evil.test/jwks"},
        {"jwt_issuer": NAME, "jwks_url": "file:///etc/passwd"},
    ],
)
async def test_settings_that_are_not_safe_are_a_mistake(wrong: dict[str, str], tmp_path: Path, access: Access) -> None:
    """Keys come by https, or from this machine itself."""
    with pytest.raises(UserMistake):
        Identifier(Settings(data_dir=tmp_path, **wrong), access, Clock())  # type: ignore[arg-type]


async def test_without_an_issuer_no_token_is_good(identifier: Identifier) -> None:
    """Deny by default."""
    assert await identifier.identify(GOOD) is None


@contextmanager
def _mistake(words: str) -> Iterator[None]:
    with pytest.raises(UserMistake, match=words):
        yield


def test_the_registry_refuses_what_cannot_be(access: Access, clock: Clock) -> None:
    """A user's mistake is told in a sentence that says what to do."""

    def tried(c: sa.Connection) -> None:
        registry.add_partner(c, SCHOOL, "agency", now_us=1)
        with _mistake("already"):
            registry.add_partner(c, SCHOOL, "agency", now_us=2)
        with _mistake("as in the directory"):
            registry.add_partner(c, "A School", "agency", now_us=2)
        with _mistake("is no partner"):
            registry.add_key(c, PRACTICE, SCOPES, now_us=2)
        with _mistake("there is no such person"):
            registry.one_time_link(c, "person-0", now_us=2)
        registry.add_client(c, CLIENT, SCHOOL, SCOPES)
        with _mistake("speaks for an organisation already"):
            registry.add_client(c, CLIENT, SCHOOL, SCOPES)
        registry.add_person(c, SCHOOL, "R. Ashdown", "designated safeguarding lead", subject="s-1")
        with _mistake("another person's"):
            registry.add_person(c, SCHOOL, "P. Lindqvist", "deputy", subject="s-1")
        with _mistake("a name and a post"):
            registry.add_person(c, SCHOOL, " ", "deputy")

    access.run(tried)
    for name in ("partner-door", "reader", "nobody", "mash-outcomes"):
        with _mistake("there is no agency"):
            registry.scopes_of(name, load(Settings().catalogue))
