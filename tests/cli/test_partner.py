"""`safebus partner`: keys are shown once, kept by their hash, and saved for the owner only."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import UserMistake
from services.bus.settings import Settings, settings
from services.cli.partner import app
from services.partner_gateway.partners.identify import Identifier
from services.partner_gateway.person.site import SITE
from services.partner_gateway.tables import api_key, partner
from services.partner_gateway.wiring import SERVICE
from services.people import sessions

SCHOOL = "school:110394"


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SAFEBUS_GATEWAY_URL", "https://gateway.example")
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


def said(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def told(*arguments: str) -> Any:
    done = said(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def identified(at: Settings, key: str) -> bool:
    access = Access(at, SERVICE.name)
    try:
        return await Identifier(at, access, Clock()).identify(key) is not None
    finally:
        access.close()


async def test_a_partner_from_its_first_day_to_its_last(at: Settings) -> None:
    """Added before the gateway ever ran, with a key that works; rotated; removed, and nothing of it works any more."""
    made = told("add", SCHOOL, "--as", "agency")
    assert made["scopes"] == ["inbox", "mash.contacts.v1", "mash.information-responses.v1", "receipts.v1"]
    assert await identified(at, made["key"])
    new = told("rotate-key", SCHOOL)
    assert await identified(at, new["key"])
    assert await identified(at, made["key"]), "the former key goes on for a week"
    told("rotate-key", SCHOOL, "--overlap-days", "0")
    assert not await identified(at, made["key"])
    assert not await identified(at, new["key"])
    last = told("rotate-key", SCHOOL)
    told("remove", SCHOOL)
    assert not await identified(at, last["key"])
    assert told("list") == []


async def test_on_postgresql_too(at: Settings, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the gateway's own schema, made if the gateway has not run yet; nothing of it is made twice."""
    monkeypatch.setenv("SAFEBUS_STORE_URL", postgres)
    settings.cache_clear()
    key = told("add", SCHOOL, "--as", "agency")["key"]
    assert [one["organisation"] for one in told("list")] == [SCHOOL]
    assert await identified(settings(), key)


def test_a_key_is_shown_once(at: Settings) -> None:
    """In words it stands on a line of its own, to be copied; no later command shows it."""
    done = said("add", SCHOOL, "--as", "agency")
    key = done.stdout.splitlines()[-1]
    assert key.startswith("sbk_")
    secret = key.split("_", 2)[2]
    for arguments in (["list"], ["list", "--json"]):
        assert secret not in said(*arguments).output


def test_a_narrow_terminal_breaks_no_id(at: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next command asks for the person's id as it is shown."""
    told("add", SCHOOL, "--as", "agency", "--person", "A. Lead")
    monkeypatch.setenv("COLUMNS", "40")
    (person,) = told("list")[0]["people"]
    assert person["person_id"] in said("list").output.split()
    assert f"{SCHOOL} acts as agency" in said("list").output


def test_a_saved_key_is_in_the_file_alone(at: Settings, tmp_path: Path) -> None:
    """Only its owner can read it, and the terminal does not show it. A file that cannot be written makes no key."""
    file = tmp_path / "key"
    done = said("add", SCHOOL, "--as", "agency", "--save", str(file))
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = file.read_text().strip()
    assert key.startswith("sbk_")
    assert key not in done.output
    failed = said("rotate-key", SCHOOL, "--save", str(tmp_path / "nowhere" / "key"))
    assert isinstance(failed.exception, UserMistake)
    access = Access(at, SERVICE.name)
    rows = access.run(lambda c: c.execute(sa.select(api_key.c.key_id)).all())
    access.close()
    assert [row.key_id for row in rows] == [key.split("_")[1]]


def test_named_people_and_their_links(at: Settings) -> None:
    """A link signs its person in once; the list shows who may sign in, and no more after they have left."""
    person = told("add", SCHOOL, "--as", "agency", "--person", "R. Ashdown", "--post", "head teacher")["person_id"]
    other = told("person", SCHOOL, "P. Lindqvist")["person_id"]
    assert {one["person_id"]: one["post"] for one in told("list")[0]["people"]} == {
        person: "head teacher", other: "designated safeguarding lead",
    }  # fmt: skip
    url = told("link", SCHOOL, person)["url"]
    assert url.startswith("https://gateway.example/sign-in/link/")
    token, now_us = url.rpartition("/")[2], int(Clock().now().timestamp() * 1e6)
    access = Access(at, SERVICE.name)
    assert [access.run(lambda c: sessions.use_link(SITE, c, token, now_us)) for _ in range(2)] == [person, None]
    access.close()
    told("remove", SCHOOL, "--person", person)
    assert [one["person_id"] for one in told("list")[0]["people"]] == [other]
    assert isinstance(said("link", SCHOOL, person).exception, UserMistake)


def test_a_system_that_speaks_with_tokens(at: Settings) -> None:
    """The list shows it, and a client id speaks for one organisation alone."""
    told("add", SCHOOL, "--as", "agency")
    told("client", SCHOOL, "school-system")
    assert told("list")[0]["clients"] == ["school-system"]
    assert isinstance(said("client", SCHOOL, "school-system").exception, UserMistake)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "a school", "--as", "agency"], "as in the directory"),
        (["add", SCHOOL, "--as", "partner-door"], "there is no agency partner-door"),
        (["add", SCHOOL, "--as", "reader"], "there is no agency reader"),
        (["rotate-key", SCHOOL], "is no partner"),
        (["link", SCHOOL, "person-1"], "is no partner"),
        (["test", SCHOOL], "is no partner"),
        (["remove", SCHOOL], "is no partner"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(at: Settings, arguments: list[str], words: str) -> None:
    """And it says what to do."""
    done = said(*arguments)
    assert isinstance(done.exception, UserMistake)
    assert words in str(done.exception)
    access = Access(at, SERVICE.name)
    assert access.run(lambda c: c.execute(sa.select(partner)).all()) == []
    access.close()


def test_the_test_ends_with_1_where_a_hop_fails(at: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script can tell; the last line says what to do. All hops: tests/partner_gateway/test_sandbox.py."""
    monkeypatch.setenv("SAFEBUS_GATEWAY_URL", "http://127.0.0.1:1")
    settings.cache_clear()
    told("add", SCHOOL, "--as", "agency")
    done = said("test", SCHOOL)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1].split()[:2] == ["gateway", "FAILED"]
    done = said("test", SCHOOL, "--json")
    assert (done.exit_code, json.loads(done.stdout)["good"]) == (1, False)
