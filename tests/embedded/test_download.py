"""What is fetched is what artifacts.lock says, or does not count: over HTTP, from a repository of this test's own."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import pytest
from jgo.maven import _core

from services.bus.errors import Surroundings, UserMistake
from services.embedded.artifacts import Pinned, pinned
from services.embedded.download import fetch


def archive_of(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("lib/inner.jar")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


CONTENT = {
    "/made/up/one/1.0/one-1.0.jar": b"one" * 1000,
    "/made/up/two/1.0/two-1.0.jar": b"two" * 1000,
    "/made/up/three/1.0/three-1.0-all.tar.gz": archive_of(b"inner"),
}
FILES = [
    Pinned(hashlib.sha256(content).hexdigest(), len(content), coordinates)
    for coordinates, content in zip(
        ["made.up:one:1.0", "made.up:two:1.0", "made.up:three:1.0:all:tar.gz"], CONTENT.values(), strict=True
    )
]


class Repository:
    """A Maven repository that may be told to misbehave."""

    def __init__(self) -> None:
        self.content = dict(CONTENT)
        self.cut_short: set[str] = set()
        self.asked: Counter[str] = Counter()
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                repository.asked[self.path] += 1
                content = repository.content.get(self.path)
                self.send_response(200 if content else 404)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write((content or b"")[: 100 if self.path in repository.cut_short else None])

            def log_message(self, *_: object) -> None:
                """Not among the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository()
    monkeypatch.setattr(_core, "DEFAULT_REMOTE_REPOS", {"central": repository.url})
    Thread(target=repository.server.serve_forever, args=(0.01,), daemon=True).start()
    yield repository
    repository.server.shutdown()
    repository.server.server_close()


def test_the_second_time_nothing_is_fetched(repository: Repository, tmp_path: Path) -> None:
    """Everything arrives, verified and unpacked; then the repository is not asked again, not even if it is away."""
    got = fetch(tmp_path, files=FILES)
    assert [path.read_bytes()[:3] for path in got.kafka] == [b"one", b"two"]
    assert (got.registry / "lib/inner.jar").read_bytes() == b"inner"

    repository.asked.clear()
    assert fetch(tmp_path, files=FILES) == got
    assert not repository.asked
    assert not list(tmp_path.glob("partial-*"))


def test_an_altered_download_is_refused_and_named(repository: Repository, tmp_path: Path) -> None:
    """Other bytes than the pinned ones never reach the cache; one sentence says which file; the right ones do later."""
    repository.content["/made/up/two/1.0/two-1.0.jar"] = b"TWO" * 1000
    with pytest.raises(Surroundings, match=r"made\.up:two:1\.0 arrived with a checksum other than the pinned") as told:
        fetch(tmp_path, files=FILES)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "two-1.0.jar").exists()

    repository.content = dict(CONTENT)
    assert fetch(tmp_path, files=FILES).kafka[1].read_bytes() == b"two" * 1000


def test_a_half_finished_download_does_not_count(repository: Repository, tmp_path: Path) -> None:
    """A connection that breaks off leaves nothing that is taken for the file; the next start fetches it."""
    repository.cut_short = {"/made/up/two/1.0/two-1.0.jar"}
    with pytest.raises(Surroundings, match="could not be downloaded"):
        fetch(tmp_path, files=FILES)
    assert not (tmp_path / "two-1.0.jar").exists()

    repository.cut_short = set()
    assert all(path.stat().st_size == 3000 for path in fetch(tmp_path, files=FILES).kafka)


def test_a_damaged_jar_is_noticed_and_replaced(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A jar changed after it was verified, in its content alone, is fetched again, and a person is told."""
    jar = fetch(tmp_path, files=FILES).kafka[0]
    jar.write_bytes(b"0ne" * 1000)
    repository.asked.clear()
    assert fetch(tmp_path, files=FILES).kafka[0].read_bytes() == b"one" * 1000
    assert "one-1.0.jar in the cache is not what it should be" in capsys.readouterr().err
    assert not repository.asked["/made/up/two/1.0/two-1.0.jar"]


def test_a_damaged_unpacked_folder_is_unpacked_again(repository: Repository, tmp_path: Path) -> None:
    """A file missing from what was unpacked is there again, without a download."""
    inner = fetch(tmp_path, files=FILES).registry / "lib/inner.jar"
    inner.unlink()
    repository.asked.clear()
    fetch(tmp_path, files=FILES)
    assert inner.read_bytes() == b"inner"
    assert not repository.asked


def test_offline_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a way out, here a proxy that does not exist: what could not be done and what to do, in one line."""
    monkeypatch.setattr(_core, "DEFAULT_REMOTE_REPOS", {"central": "http://repository.invalid"})
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(Surroundings, match="could not be downloaded; connect to the internet") as told:
        fetch(tmp_path, files=FILES)
    assert "\n" not in str(told.value)


def test_a_full_disk_is_told_before_anything_is_fetched(repository: Repository, tmp_path: Path) -> None:
    """More than there is room for: the disk is named, with the setting that chooses another."""
    too_much = [replace(FILES[0], size=10**18)]
    with pytest.raises(Surroundings, match=f"the disk that holds {tmp_path} is full.*SAFEBUS_CACHE_DIR"):
        fetch(tmp_path, files=too_much)
    assert not repository.asked


def test_a_cache_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be: its path, and the setting that chooses another."""
    (tmp_path / "file").touch()
    with pytest.raises(UserMistake, match=r"cannot be used: .*SAFEBUS_CACHE_DIR"):
        fetch(tmp_path / "file" / "artifacts", files=FILES)


def test_processes_at_once_do_each_other_no_harm(repository: Repository, tmp_path: Path) -> None:
    """Four start together on an empty cache: all get everything, and each file was fetched once."""
    with ProcessPoolExecutor(4, get_context("fork")) as pool:  # so that they know this repository
        got = [future.result() for future in [pool.submit(fetch, tmp_path, files=FILES) for _ in range(4)]]
    assert all(one == got[0] for one in got)
    assert {path: repository.asked[path] for path in CONTENT} == dict.fromkeys(CONTENT, 1)


def test_a_cancelled_download_ends_and_leaves_nothing_behind(repository: Repository, tmp_path: Path) -> None:
    """Set from elsewhere, `cancelled` ends it with a sentence; no unverified file stays."""
    cancelled = Event()
    cancelled.set()
    with pytest.raises(Surroundings, match="stopped"):
        fetch(tmp_path, files=FILES, cancelled=cancelled)
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_the_lock_pins_one_consistent_kafka() -> None:
    """Each line is complete, no two files share a name, and all of Kafka's own jars are of one version."""
    files = pinned()
    assert all(len(bytes.fromhex(file.sha256)) == 32 and file.size > 0 for file in files)
    assert len({file.filename for file in files}) == len(files)
    kafka = [file.parts for file in files if file.parts[0] == "org.apache.kafka"]
    assert {"kafka_2.13", "kafka-clients"} <= {parts[1] for parts in kafka}
    assert {parts[2] for parts in kafka} == {"4.4.0"}
    assert [file.parts[1] for file in files if file.filename.endswith(".tar.gz")] == ["apicurio-registry-app"]
