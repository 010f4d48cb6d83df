"""Fetches Kafka and the schema registry into the user's cache, once.

jgo knows where artifacts are published; what arrives is compared with artifacts.lock and only then moved to its place,
so a half-finished or altered download never counts.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from jgo.maven import MavenContext, PythonResolver
from requests import RequestException
from rich.console import Console

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import settings
from services.embedded.artifacts import Cache, Pinned, pinned, sha256_of
from services.embedded.files import locked
from services.embedded.progress import MEGABYTE, Arrived, arriving

ATTEMPTS = 3
UNPACKED = 1.2  # times the size of the archive, measured: its jars are compressed already
WHAT = "Kafka and the schema registry"


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Where the verified files are."""

    kafka: tuple[Path, ...]
    """Kafka's class path."""
    registry: Path
    """The folder that holds quarkus-run.jar."""


async def artifacts() -> Artifacts:
    """`fetch` in a thread of its own, which ends soon if the waiting task is cancelled."""
    cancelled = Event()
    try:
        return await asyncio.to_thread(fetch, cancelled=cancelled)
    finally:
        cancelled.set()


def fetch(
    folder: Path | None = None,
    *,
    files: Sequence[Pinned] | None = None,
    cancelled: Event | None = None,
    what: str = WHAT,
) -> Artifacts:
    """Make sure that every file of the lock is in the cache, and say where.

    Some milliseconds if they are there; else some 200 MB are fetched, shown on standard error. Processes that call at
    once wait for one another.

    Args:
        folder: default `artifacts` in `SAFEBUS_CACHE_DIR`.
        files: default all of artifacts.lock.
        cancelled: gives up soon after this is set.
        what: how the files are called together.

    Raises:
        Surroundings: offline, the disk is full, or a download is not what the lock says.
        UserMistake: the folder cannot be written.
    """
    folder = folder or settings().cache_dir / "artifacts"
    files = pinned() if files is None else files
    archives = [file for file in files if file.filename.endswith(".tar.gz")]
    with _told_in_one_sentence(folder, what):
        cache = Cache(folder)
        if not (all(map(cache.holds, files)) and all(cache.holds_tree(_tree(archive)) for archive in archives)):
            folder.mkdir(parents=True, exist_ok=True)
            _complete(folder, files, archives, cancelled or Event(), what)
    jars = tuple(folder / file.filename for file in files if file not in archives)
    return Artifacts(kafka=jars, registry=folder / _tree(archives[0]) if archives else folder)


def _complete(folder: Path, files: Sequence[Pinned], archives: Sequence[Pinned], cancelled: Event, what: str) -> None:
    console = Console(stderr=True)
    with locked(folder / ".lock", cancelled=cancelled, waiting=console.print):
        for left_over in folder.glob("partial-*"):
            shutil.rmtree(left_over, ignore_errors=True)  # of a process that was killed; we hold the lock
        cache = Cache(folder)
        missing = [file for file in files if not cache.holds(file)]
        unpack = [file for file in archives if file in missing or not cache.holds_tree(_tree(file))]
        _room_for(missing, unpack, folder)
        for damaged in (file.filename for file in missing if (folder / file.filename).exists()):
            console.print(f"{damaged} in the cache is not what it should be and is fetched again", highlight=False)
        try:
            if missing:
                _fetch(missing, cache, console, cancelled, what)
            for archive in unpack:
                _unpack(archive, cache)
        finally:
            cache.save()  # what did arrive need not arrive again


def _fetch(missing: Sequence[Pinned], cache: Cache, console: Console, cancelled: Event, what: str) -> None:
    logging.getLogger("jgo").setLevel(logging.ERROR)  # its warnings would stand beside our sentence
    with (
        arriving(f"fetching {what}", sum(file.size for file in missing), console) as arrived,
        tempfile.TemporaryDirectory(dir=cache.folder, prefix="partial-", ignore_cleanup_errors=True) as partial,
        ThreadPoolExecutor(6) as pool,
    ):
        downloads = [pool.submit(_fetch_one, file, Path(partial), cache, arrived, cancelled) for file in missing]
        try:
            for download in as_completed(downloads):
                download.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch_one(file: Pinned, partial: Path, cache: Cache, arrived: Arrived, cancelled: Event) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            came = _download(file, partial / f"{file.sha256}-{attempt}", arrived, cancelled)
            break
        except RequestException:
            if attempt == ATTEMPTS or cancelled.wait(attempt / 2):
                raise
        except RuntimeError as error:
            # What jgo says when the repository answers, and not with the file.
            if attempt == ATTEMPTS or cancelled.wait(attempt / 2):
                raise Surroundings(f"the repository did not give {file.coordinates}; try again later") from error
    if sha256_of(came) != file.sha256:
        raise Surroundings(
            f"{file.coordinates} arrived with a checksum other than the pinned one and was thrown away; "
            "something between here and the repository alters downloads"
        )
    came.replace(cache.folder / file.filename)
    cache.note(file)


def _download(file: Pinned, repository: Path, arrived: Arrived, cancelled: Event) -> Path:
    """The file as jgo fetches it into `repository`, unverified."""

    @contextmanager
    def progress(_filename: str, _size: int) -> Iterator[Arrived]:
        def count(size: int) -> None:
            if cancelled.is_set():
                raise Surroundings("the download was stopped; the next start goes on where it ended")
            arrived(size)

        yield count

    context = MavenContext(resolver=PythonResolver(progress_callback=progress), repo_cache=repository)
    group, artifact, version, classifier, extension = file.parts
    path: Path = context.project(group, artifact).at_version(version).artifact(classifier, extension).resolve()
    return path


def _tree(archive: Pinned) -> str:
    return archive.filename.removesuffix(".tar.gz")


def _unpack(archive: Pinned, cache: Cache) -> None:
    target = cache.folder / _tree(archive)
    with tempfile.TemporaryDirectory(dir=cache.folder, prefix="partial-", ignore_cleanup_errors=True) as partial:
        with tarfile.open(cache.folder / archive.filename) as tar:
            # Absent in Python 3.11.0 to 3.11.3; the archive is verified, the filter is a second bolt.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
            tar.extractall(Path(partial) / "new")  # noqa: S202
        if target.exists():
            shutil.rmtree(target)
        (Path(partial) / "new").replace(target)
    cache.note_tree(target.name)


def _room_for(missing: Sequence[Pinned], unpack: Sequence[Pinned], folder: Path) -> None:
    needed = sum(file.size for file in missing) + int(UNPACKED * sum(file.size for file in unpack))
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, f"{needed // MEGABYTE} MB are needed")


@contextmanager
def _told_in_one_sentence(folder: Path, what: str) -> Iterator[None]:
    """Turn what a download meets into a sentence that says what to do."""
    elsewhere = "or set SAFEBUS_CACHE_DIR to a folder elsewhere"
    try:
        yield
    except RequestException as error:
        raise Surroundings(
            f"{what} could not be downloaded; connect to the internet (a proxy is read from "
            f"HTTPS_PROXY) and start again: {type(error).__name__}"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Surroundings(f"the disk that holds {folder} is full; free some 400 MB, {elsewhere}") from error
        raise UserMistake(f"{folder} cannot be used: {error.strerror}; make it writable, {elsewhere}") from error
