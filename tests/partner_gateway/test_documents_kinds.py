"""A document is what it is declared to be, from its first byte to its last, and nothing else besides."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.partner_gateway.documents.kinds import KINDS, Refused, check
from services.partner_gateway.door.context import Gateway
from tests.partner_gateway.papers import COUNCIL, acting, stored

PDF, PNG, JPEG, TEXT = "application/pdf", "image/png", "image/jpeg", "text/plain"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MAIN = '<Override PartName="/word/document.xml" ContentType="{type}.document.main+xml"/>'
TYPES = f"<Types>{MAIN.format(type='application/vnd.openxmlformats-officedocument.wordprocessingml')}</Types>"


def docx(parts: Mapping[str, str] | None = None, types: str = TYPES) -> bytes:
    """The least that a word processor opens, and `parts` besides."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in {
            "[Content_Types].xml": types,
            "word/document.xml": "<w:document/>",
            **(parts or {}),
        }.items():
            out.writestr(name, content)
    return made.getvalue()


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


GOOD = {
    PDF: b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n",
    DOCX: docx(),
    TEXT: "Agreed: the school calls Amélie’s aunt.\r\n\tBy Friday.\n".encode(),
    PNG: png(),
    JPEG: b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9",
}
PLAIN_ZIP = docx(types="<Types/>")


def refused(media_type: str, body: bytes) -> str:
    with pytest.raises(Refused) as why:
        check(media_type, io.BytesIO(body))
    return str(why.value)


@pytest.mark.parametrize("media_type", KINDS)
def test_each_kind_is_taken_as_itself_and_as_no_other(media_type: str) -> None:
    """By its bytes, against what it is declared to be."""
    check(media_type, io.BytesIO(GOOD[media_type]))
    for other in KINDS.keys() - {media_type}:
        refused(other, GOOD[media_type])


@pytest.mark.parametrize("media_type", KINDS)
def test_nothing_stands_before_or_after_a_document(media_type: str) -> None:
    """What comes first or last is what another program would read: a polyglot."""
    for other in KINDS.keys() - {media_type, TEXT}:
        refused(media_type, GOOD[media_type] + GOOD[other])
        refused(media_type, GOOD[other] + GOOD[media_type])
    refused(media_type, GOOD[media_type] + PLAIN_ZIP)
    refused(media_type, b"")


@pytest.mark.parametrize("media_type", KINDS)
@given(body=st.binary(max_size=200), cut=st.integers(0, 100))
def test_whatever_comes_is_taken_or_refused(media_type: str, body: bytes, cut: int) -> None:
    """No bytes make the check fail otherwise: begun rightly and gone on wrongly, cut short, or anything at all."""
    for whole in (body, GOOD[media_type][:cut] + body, GOOD[media_type][:-cut] if cut else body):
        with suppress(Refused):
            check(media_type, io.BytesIO(whole))


@pytest.mark.parametrize(
    "parts",
    [
        {"word/vbaProject.bin": "x"},
        {"word/VBAPROJECT.BIN": "x"},
        {"word/activeX/activeX1.xml": "<x/>"},
        {"word/embeddings/sheet.xlsm": "x"},
        {"word/_rels/settings.xml.rels": '<Relationship Type="…/attachedTemplate" Target="http://x/" />'},
    ],
)
def test_what_runs_or_fetches_what_runs_is_refused(parts: Mapping[str, str]) -> None:
    """Macros, controls, and a template from elsewhere, which may have macros, in whatever case they are written."""
    assert "save it without" in refused(DOCX, docx(parts))


def test_a_macro_enabled_document_is_refused_by_its_own_word() -> None:
    """DOCM declared as DOCX, with or without anything in it."""
    enabled = TYPES.replace("openxmlformats-officedocument.wordprocessingml", "ms-word.document.macroEnabled")
    refused(DOCX, docx(types=enabled))
    assert "macros" in refused(DOCX, docx(types=enabled + TYPES))


def _twice() -> bytes:
    """Two parts of one name: one for whoever checks, one for whoever opens."""
    made = io.BytesIO(docx())
    with zipfile.ZipFile(made, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("word/document.xml", "<another/>")
    return made.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        _twice,
        lambda: docx({"word/media/bomb": "0" * 3_000_000}, TYPES + " " * 2_000_000),
        lambda: docx({f"word/{n}": "" for n in range(10_001)}),
        lambda: docx().replace(b"PK\x01\x02", b"PK\x01\x03"),
        lambda: docx()[:-30],
        lambda: PLAIN_ZIP,
    ],
)
def test_a_docx_that_is_damaged_or_made_to_deceive_is_refused(make: Callable[[], bytes]) -> None:
    """Names twice, bombs, too many parts, cut off, or a ZIP of something else."""
    refused(DOCX, make())


def test_a_docx_that_unpacks_to_far_too_much_is_refused_without_unpacking() -> None:
    """By what its directory says; the part is never opened."""
    body = bytearray(docx({"word/media/bomb": "0"}))
    entry = body.rindex(b"PK\x01\x02")
    struct.pack_into("<I", body, entry + 24, 4_000_000_000)
    assert "unpacks" in refused(DOCX, bytes(body))


@pytest.mark.parametrize(
    "text",
    [
        b"<!DOCTYPE html><script>",
        b"  \n<html>",
        b"\xef\xbb\xbf<script>",
        b"{\\rtf1",
        b"caf\xe9",
        b"\xe2\x82",
        b"nul\x00",
        b"\x1b[2J",
        b"a" * 70_000 + b"\xff",
        b"MZ\x90\x00",
    ],
)
def test_plain_text_is_text_and_plain(text: bytes) -> None:
    """UTF-8 to the last byte, nothing that a browser or a word processor takes for more, nothing for a terminal."""
    refused(TEXT, text)


async def test_what_is_refused_at_the_door_is_not_kept(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Of a kind not taken: 415 before its body is read. Not what it says: 422, a sentence, and nothing left behind."""
    acting(client, COUNCIL)
    for media_type in ("text/html", "application/vnd.ms-word.document.macroEnabled.12", "multipart/form-data", ""):
        answer = await client.post("/v1/documents", content=GOOD[PDF], headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:safebus:problem:unsupported-type")
    for more in ({"Content-Type": "text/plain; charset=utf-16"}, {"Content-Type": PDF, "Content-Encoding": "gzip"}):
        assert (await client.post("/v1/documents", content=GOOD[PDF], headers=more)).status_code == 415
    lies = await client.post("/v1/documents", content=GOOD[PDF], headers={"Content-Type": PNG})
    assert (lies.status_code, lies.json()["type"]) == (422, "urn:safebus:problem:document-refused")
    assert stored(gateway) == []


@pytest.mark.parametrize("media_type", KINDS)
async def test_what_goes_up_comes_down(client: httpx.AsyncClient, media_type: str) -> None:
    """Byte for byte, of its kind; a parameter of the media type and a name that somebody sends are not kept."""
    said = {"Content-Type": media_type, "Content-Disposition": 'attachment; filename="A Child.pdf"'}
    if media_type == TEXT:
        said["Content-Type"] += "; charset=UTF-8"
    answer = await acting(client, COUNCIL).post("/v1/documents", content=GOOD[media_type], headers=said)
    assert answer.json()["media_type"] == media_type
    fetched = await client.get(answer.headers["location"])
    assert fetched.content == GOOD[media_type]
    assert fetched.headers["content-type"] == media_type
    assert fetched.headers["content-disposition"].endswith(f'.{KINDS[media_type][1]}"')
    assert "Child" not in str(fetched.headers)
