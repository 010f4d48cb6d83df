"""The files that the embedded servers are made of, each pinned by its SHA-256 in artifacts.lock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.embedded.files import write_private

LOCK = Path(__file__).with_name("artifacts.lock")


@dataclass(frozen=True, slots=True)
class Pinned:
    """One line of artifacts.lock."""

    sha256: str
    size: int
    """Bytes."""
    coordinates: str
    """`group:artifact:version[:classifier:extension]`."""

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        """Group, artifact, version, classifier and extension."""
        group, artifact, version, *rest = self.coordinates.split(":")
        classifier, extension = rest or ("", "jar")
        return group, artifact, version, classifier, extension

    @property
    def filename(self) -> str:
        """Its name in the cache, as in a Maven repository."""
        _, artifact, version, classifier, extension = self.parts
        return "-".join(filter(None, (artifact, version, classifier))) + f".{extension}"


def pinned(lock: Path = LOCK) -> list[Pinned]:
    """Every file of the lock, in its order."""
    lines = (line.split() for line in lock.read_text(encoding="utf-8").splitlines())
    return [Pinned(sha256, int(size), coordinates) for sha256, size, coordinates in lines]


def sha256_of(file: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Cache:
    """A folder of verified files.

    A file's checksum is computed when it arrives and again whenever its size or time of change is another than then;
    otherwise a look at the folder is enough, some milliseconds.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp = folder / "verified.json"
        self._verified: dict[str, Any] = self._read()

    def holds(self, file: Pinned) -> bool:
        """The file is there and is what the lock says."""
        path = self.folder / file.filename
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        if self._verified.get(file.filename) == [file.sha256, stat.st_size, stat.st_mtime_ns]:
            return True
        if stat.st_size != file.size or sha256_of(path) != file.sha256:
            return False
        self.note(file)
        return True

    def note(self, file: Pinned) -> None:
        """Remember the file, which has just been verified, as it is now."""
        stat = (self.folder / file.filename).stat()
        self._verified[file.filename] = [file.sha256, stat.st_size, stat.st_mtime_ns]

    def holds_tree(self, name: str) -> bool:
        """The unpacked folder `name` has every file that it had when it was unpacked, in its size."""
        sizes: Mapping[str, int] = self._verified.get(f"{name}/", {})
        try:
            return bool(sizes) and all((self.folder / name / path).stat().st_size == sizes[path] for path in sizes)
        except FileNotFoundError:
            return False

    def note_tree(self, name: str) -> None:
        """Remember the unpacked folder `name` as it is now."""
        tree = self.folder / name
        files = (path for path in tree.rglob("*") if path.is_file())
        self._verified[f"{name}/"] = {path.relative_to(tree).as_posix(): path.stat().st_size for path in files}

    def save(self) -> None:
        """Keep what was verified for the next process."""
        if self._verified != self._read():
            write_private(self._stamp, json.dumps(self._verified))

    def _read(self) -> dict[str, Any]:
        try:
            known = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
