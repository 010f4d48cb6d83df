"""A document goes up and comes down whole, whatever happens on the way, and is compared at both ends."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from services.client import BadAnswer, Client, Document, Invalid, NotFound, Patience
from tests.client.stand_in import dies, problem, says, standing_in

HASTY = Patience(total=20.0, first=0.01, longest=0.05)
TEXT = b"Minutes of a meeting that never was.\n" * 5000
HASH = sha256(TEXT).hexdigest()
CLAIM = {"sha256": HASH, "size": len(TEXT), "media_type": "text/plain", "location": f"/v1/documents/{HASH}"}
GIVEN = says(200, TEXT.decode(), "text/plain", content_length=str(len(TEXT)))


async def breaks_off(_request: httpx.Request, writer: object) -> None:
    """Half of it, and then nothing."""
    await says(200, TEXT[:3000].decode(), "text/plain", content_length=str(len(TEXT)))(_request, writer)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_file", [True, False])
async def test_a_document_is_sent_whole_again_until_it_is_taken(tmp_path: Path, as_file: bool) -> None:
    """From its beginning each time; what stands in an event is the answer, word for word."""
    file = tmp_path / "minutes.txt"
    file.write_bytes(TEXT)
    answers = dies, problem(503, "try-again"), says(201, CLAIM)
    async with standing_in(*answers) as here, Client(here.url, "k", patience=HASTY) as client:
        made = await client.upload(file if as_file else TEXT, "text/plain")
    assert made == Document(**CLAIM)  # type: ignore[arg-type]
    assert made.claim == CLAIM
    assert [request.content for request in here.asked[1:]] == [TEXT, TEXT]
    assert here.asked[-1].headers["content-type"] == "text/plain"


@pytest.mark.parametrize("said", [CLAIM | {"sha256": "0" * 64}, {"sha256": HASH}, {}])
async def test_an_answer_about_another_document_is_not_believed(said: dict[str, object]) -> None:
    async with standing_in(says(201, said)) as here, Client(here.url, "k", patience=HASTY) as client:
        with pytest.raises(BadAnswer):
            await client.upload(TEXT, "text/plain")


async def test_a_document_of_a_wrong_kind_is_refused() -> None:
    refused = problem(422, "document-refused")
    async with standing_in(refused) as here, Client(here.url, "k", patience=HASTY) as client:
        with pytest.raises(Invalid):
            await client.upload(TEXT, "application/pdf")


@pytest.mark.parametrize("named", [HASH, CLAIM, Document(**CLAIM)])  # type: ignore[arg-type]
async def test_a_document_comes_whole_or_not_at_all(tmp_path: Path, named: object) -> None:
    """Broken off, it is fetched again; its file is the owner's alone, and nothing else is left beside it."""
    to = tmp_path / "here.txt"
    async with standing_in(breaks_off, GIVEN) as here, Client(here.url, "k", patience=HASTY) as client:
        await client.download(named, to)  # type: ignore[arg-type]
    assert to.read_bytes() == TEXT
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [to.name]  # noqa: PTH208
    assert [request.url.path for request in here.asked] == [CLAIM["location"]] * 2


async def test_another_document_in_its_place_is_not_kept(tmp_path: Path) -> None:
    """What stood in the file before stands there still."""
    (to := tmp_path / "here.txt").write_text("before")
    for answer, error in ((says(200, "another", "text/plain"), BadAnswer), (problem(404, "not-found"), NotFound)):
        async with standing_in(answer) as here, Client(here.url, "k", patience=HASTY) as client:
            with pytest.raises(error):
                await client.download(HASH, to)
    assert to.read_text() == "before"
    assert os.listdir(tmp_path) == [to.name]  # noqa: PTH208


@pytest.mark.parametrize("name", ["", "../secrets", HASH.upper(), {"sha256": 7}])
async def test_what_names_no_document_is_not_asked_for(tmp_path: Path, name: object) -> None:
    async with standing_in(GIVEN) as here, Client(here.url, "k") as client:
        with pytest.raises(ValueError, match="SHA-256"):
            await client.download(name, tmp_path / "x")  # type: ignore[arg-type]
    assert not here.asked
