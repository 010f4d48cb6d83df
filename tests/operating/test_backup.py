"""A backup is whole or not there, and what it puts back is what was taken."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.embedded.files import FileLock
from services.operating.backup import MANIFEST, OF_THIS_RUN, back_up, elsewhere, put_back
from services.supervisor.status import Status, lock_path, run_dir, status_path

SERVICES = Path(__file__).parents[2] / "services"


@pytest.fixture
def at(tmp_path: Path) -> Settings:
    """A data directory with a database that is open, a password, a document, an embedded Kafka's log and a run."""
    at = Settings(data_dir=tmp_path / "data")
    for name, text in (
        ("secrets.json", "{}"),
        ("claims/abc", "a document"),
        ("kafka/log/x.log", "events"),
        ("kafka/log/x.index", "made anew"),
        ("run/gp-updates.json", "{}"),
        ("logs/up.log", "said"),
    ):
        (at.data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (at.data_dir / name).write_text(text)
    (at.data_dir / "stores").mkdir()
    with closing(sqlite3.connect(at.data_dir / "stores" / "gp-updates.db")) as database:
        database.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)")
    return at


def numbers(home: Path) -> list[int]:
    with closing(sqlite3.connect(home / "stores" / "gp-updates.db")) as database:
        return [row[0] for row in database.execute("SELECT n FROM t ORDER BY n")]


def quiet(_sentence: str) -> None:
    """Nobody looks on."""


def lose(home: Path) -> None:
    home.rename(home.with_name("lost"))


def test_what_was_taken_is_put_back_for_its_owner_alone(at: Settings, tmp_path: Path) -> None:
    """Databases, passwords, documents and the log of a bus that is down; not what belonged to that run."""
    made = back_up(at, tmp_path / "backup", quiet)
    lose(at.data_dir)
    put_back(at, tmp_path / "backup", quiet)
    kept = {str(path.relative_to(at.data_dir)) for path in at.data_dir.rglob("*") if path.is_file()}
    assert kept == set(made.files) == {"secrets.json", "claims/abc", "kafka/log/x.log", "stores/gp-updates.db"}
    assert numbers(at.data_dir) == [1]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "backup").rglob("*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in (at.data_dir, *at.data_dir.rglob("*")))


def test_where_a_door_was_is_no_part_of_a_backup() -> None:
    """Put back, it would send commands to an address of a run that is over. A new door's file is missing here."""
    sources = [path.read_text("utf-8") for path in SERVICES.rglob("*.py")]
    doors = {name for text in sources for name in re.findall(r'^DOOR = "(.+[.]json)"$', text, re.MULTILINE)}
    assert len(doors) >= 4
    assert doors <= set(OF_THIS_RUN)


def test_a_database_is_taken_as_it_is_at_one_moment(at: Settings, tmp_path: Path) -> None:
    """What a writer has committed is in it though it stands in the write-ahead log; what it has not is not."""
    with closing(sqlite3.connect(at.data_dir / "stores" / "gp-updates.db", isolation_level=None)) as writer:
        writer.execute("INSERT INTO t VALUES (2)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (3)")
        back_up(at, tmp_path / "backup", quiet)
        writer.execute("COMMIT")
    assert numbers(tmp_path / "backup") == [1, 2]


def test_the_log_of_a_kafka_that_runs_is_left_out(at: Settings, tmp_path: Path) -> None:
    """Its files may only be copied while nobody writes them, and the manifest says that they are not there."""
    status = Status(
        pid=1,
        since="2026-11-23T09:00:00Z",
        state="up",
        embedded=True,
        bootstrap_servers="127.0.0.1:1",
        registry_url="http://127.0.0.1:2",
        data_dir=at.data_dir,
    )
    run_dir(at).mkdir(exist_ok=True)
    status_path(at).write_text(status.model_dump_json())
    lock = FileLock(lock_path(at))
    assert lock.acquire()
    try:
        made = back_up(at, tmp_path / "backup", quiet)
        with pytest.raises(UserMistake, match="safebus is up"):
            put_back(at, tmp_path / "backup", quiet)
    finally:
        lock.release()
    assert made.running
    assert not (tmp_path / "backup" / "kafka").exists()


def test_a_backup_that_died_is_none(at: Settings, tmp_path: Path) -> None:
    """Killed on its way it leaves no folder of that name, and the next one begins anew."""

    class Killed(BaseException):
        """In place of kill -9."""

    def kill(sentence: str) -> None:
        if "stores" in sentence:
            raise Killed

    with pytest.raises(Killed):
        back_up(at, tmp_path / "backup", kill)
    with pytest.raises(UserMistake, match="no backup"):
        put_back(at, tmp_path / "backup", quiet)
    back_up(at, tmp_path / "backup", quiet)
    lose(at.data_dir)
    with pytest.raises(Killed):
        put_back(at, tmp_path / "backup", kill)
    assert not at.data_dir.exists()
    put_back(at, tmp_path / "backup", quiet)
    assert numbers(at.data_dir) == [1]


def test_nothing_is_overwritten_and_nothing_damaged_is_put_back(at: Settings, tmp_path: Path) -> None:
    """Each refusal is a sentence that says what to do, and leaves everything as it was."""
    backup = tmp_path / "backup"
    back_up(at, backup, quiet)
    with pytest.raises(UserMistake, match="is there already"):
        back_up(at, backup, quiet)
    with pytest.raises(UserMistake, match="on another disk"):
        back_up(at, at.data_dir / "backup", quiet)
    with pytest.raises(UserMistake, match="not empty"):
        put_back(at, backup, quiet)
    lose(at.data_dir)
    (backup / "claims" / "abc").write_text("another document")
    with pytest.raises(UserMistake, match="SHA-256 differs"):
        put_back(at, backup, quiet)
    (backup / "claims" / "abc").unlink()
    with pytest.raises(UserMistake, match="is missing from the backup"):
        put_back(at, backup, quiet)
    told = json.loads((backup / MANIFEST).read_text())
    (backup / MANIFEST).write_text(json.dumps(told | {"files": {"../outside": "0"}}))
    with pytest.raises(UserMistake, match="outside the backup"):
        put_back(at, backup, quiet)
    assert not at.data_dir.exists()
    with pytest.raises(UserMistake, match="nothing to back up"):
        back_up(at, tmp_path / "other", quiet)


def test_what_lies_elsewhere_is_named(tmp_path: Path) -> None:
    """PostgreSQL's databases, documents and passwords that are kept elsewhere are not silently left out."""
    assert not elsewhere(Settings(data_dir=tmp_path))
    far = Settings(
        data_dir=tmp_path,
        store_url="postgresql+psycopg://db/safebus",
        claims_url="s3://claims",
        secrets_file=Path("/run/secrets/safebus.json"),
    )
    assert len(elsewhere(far)) == 3
