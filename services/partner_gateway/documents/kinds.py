"""What kinds of document are taken, and whether bytes are what they are declared to be and nothing else besides.

A file that two programs read as two things (a polyglot) shows one of them to whoever checks and the other to whoever
opens. So each kind has to fill its file from the first byte to the last, and no file but a DOCX may also be a ZIP.
"""

from __future__ import annotations

import codecs
import os
import re
import struct
import zipfile
from collections.abc import Callable
from typing import BinaryIO
from zlib import error as ZlibError  # noqa: N812

EDGE = 66_000
"""Bytes at a file's end in which readers look for the directory of a ZIP."""

MOST_PARTS = 10_000
"""Of a PNG or a DOCX."""

MOST_UNPACKED = 500_000_000
"""Bytes that a DOCX may unpack to: more is a bomb."""

MOST_DESCRIBING = 1_000_000
"""Bytes of the one part of a DOCX that describes the others."""

_MAIN = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_ACTIVE_NAMES = re.compile(r"vbaproject|vbadata|/activex/|\.(bin|docm|dotm|xlsm|pptm)$", re.IGNORECASE)
_ACTIVE_TYPES = re.compile(rb"macroenabled|vbaproject|ms-office\.activex", re.IGNORECASE)
_REMOTE_TEMPLATE = re.compile(rb"attachedTemplate", re.IGNORECASE)
_NOT_PLAIN = re.compile(rb"\s*(<!doctype|<html|<script|<svg|<\?xml|\{\\rtf|%pdf-|%!ps)", re.IGNORECASE)
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class Refused(Exception):
    """The document is not taken. The message is a sentence, and has nothing of the document in it."""


def check(media_type: str, whole: BinaryIO) -> None:
    """The file, from its first byte to its last, is of this kind, one of `KINDS`.

    Raises:
        Refused: it is not, or it is something else as well.
    """
    size = whole.seek(0, os.SEEK_END)
    if not size:
        raise Refused("the document is empty")
    whole.seek(0)
    head = whole.read(1024)
    whole.seek(max(0, size - EDGE))
    tail = whole.read()
    check_kind, _ = KINDS[media_type]
    if check_kind is not _pdf and b"%PDF-" in head:
        raise Refused("the document can be read as PDF, which is not what it is declared to be")
    if check_kind is not _docx and b"PK\x05\x06" in tail:
        raise Refused("the document can be read as ZIP, which is not what it is declared to be")
    whole.seek(0)
    check_kind(whole, head, tail, size)


def _pdf(_whole: BinaryIO, head: bytes, tail: bytes, _size: int) -> None:
    if not re.match(rb"%PDF-[12]\.\d", head):
        raise Refused("the document is not the PDF that it is declared to be")
    if not re.search(rb"%%EOF[\s\x00]*\Z", tail[-1024:]):
        raise Refused("the PDF does not end where its file ends")


def _png(whole: BinaryIO, head: bytes, _tail: bytes, size: int) -> None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"):
        raise Refused("the document is not the PNG that it is declared to be")
    at, kind = 8, b""
    for _ in range(MOST_PARTS):
        whole.seek(at)
        start = whole.read(8)
        if len(start) < 8:
            break
        length, kind = struct.unpack(">I4s", start)
        at += length + 12
        if kind == b"IEND":
            break
    if kind != b"IEND" or at != size:
        raise Refused("the PNG does not end where its file ends")


def _jpeg(_whole: BinaryIO, head: bytes, tail: bytes, _size: int) -> None:
    if not head.startswith(b"\xff\xd8\xff"):
        raise Refused("the document is not the JPEG that it is declared to be")
    if not tail.endswith(b"\xff\xd9"):
        raise Refused("the JPEG does not end where its file ends")


def _text(whole: BinaryIO, head: bytes, _tail: bytes, _size: int) -> None:
    if _NOT_PLAIN.match(head.removeprefix(codecs.BOM_UTF8)):
        raise Refused("the document is not the plain text that it is declared to be")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := whole.read(1 << 16):
            decoder.decode(chunk)
            if _CONTROLS.search(chunk):
                raise Refused("the plain text has control characters in it")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Refused("the plain text is not UTF-8") from None


def _docx(whole: BinaryIO, head: bytes, tail: bytes, size: int) -> None:
    """Nothing before it, nothing after it, and nothing in it that runs."""
    if not head.startswith(b"PK\x03\x04"):
        raise Refused("the document is not the DOCX that it is declared to be")
    end = tail[-22:]
    fits = len(end) == 22 and end.startswith(b"PK\x05\x06")
    directory_size, directory_at = struct.unpack("<II", end[12:20]) if fits else (0, 0)
    if not fits or directory_at + directory_size + 22 != size:
        raise Refused("the DOCX does not begin and end where its file does")
    try:
        with zipfile.ZipFile(whole) as parts:
            _parts(parts)
    except (zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, ValueError, OSError, EOFError):
        raise Refused("the DOCX is damaged or encrypted") from None


def _parts(parts: zipfile.ZipFile) -> None:
    every = parts.infolist()
    names = [part.filename for part in every]
    if len(set(map(str.lower, names))) != len(every) or len(every) > MOST_PARTS:
        raise Refused("the DOCX has too many parts, or two of one name")
    if sum(part.file_size for part in every) > MOST_UNPACKED:
        raise Refused("the DOCX unpacks to more than is taken")
    describing = _small_part(parts, "[Content_Types].xml")
    if _MAIN not in describing:
        raise Refused("the document is not the DOCX that it is declared to be")
    if _ACTIVE_TYPES.search(describing) or any(map(_ACTIVE_NAMES.search, names)):
        raise Refused("the document has macros or active content in it; save it without")
    for name in names:
        if name.lower().endswith("settings.xml.rels") and _REMOTE_TEMPLATE.search(_small_part(parts, name)):
            raise Refused("the document fetches a template, which may hold macros; save it without")


def _small_part(parts: zipfile.ZipFile, name: str) -> bytes:
    if name not in parts.namelist():
        raise Refused("the document is not the DOCX that it is declared to be")
    with parts.open(name) as part:
        content = part.read(MOST_DESCRIBING + 1)
    if len(content) > MOST_DESCRIBING:
        raise Refused("the DOCX unpacks to more than is taken")
    return content


Check = Callable[[BinaryIO, bytes, bytes, int], None]

KINDS: dict[str, tuple[Check, str]] = {
    "application/pdf": (_pdf, "pdf"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (_docx, "docx"),
    "text/plain": (_text, "txt"),
    "image/png": (_png, "png"),
    "image/jpeg": (_jpeg, "jpg"),
}
"""Every kind that is taken: how it is checked, and the ending of a file of that kind."""
