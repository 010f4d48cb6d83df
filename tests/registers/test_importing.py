"""`safebus directory import` on a real broker and registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from typer.testing import CliRunner, Result

from services.bus.catalogue import load
from services.bus.catalogue.apply import apply
from services.bus.errors import NotPermitted
from services.bus.events import ChildRecorded, OrganisationRecorded
from services.bus.publish import read_all
from services.bus.settings import settings
from services.embedded import EmbeddedKafka
from services.embedded.ports import free_port
from services.registers.cli import directory
from tests.embedded.broker import SECONDS, Broker
from tests.registers.test_demo_data import DATA

TOPICS = (OrganisationRecorded.topic, ChildRecorded.topic)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One of these tests' own, where nobody else has the directory's topics."""
    folder = tmp_path_factory.mktemp("importing")
    server = EmbeddedKafka(folder / "kafka", free_port(), folder / "secrets.json", stop_timeout=0.5)
    asyncio.run(server.start())
    yield Broker(server.bootstrap_servers, server.secrets_path, server=server)
    asyncio.run(server.stop())


@pytest.fixture
def bus(broker: Broker, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Both directory topics, empty, and every principal with the rights that topics.yaml gives it there."""
    monkeypatch.setenv("SAFEBUS_REPLICATION_FACTOR", "1")
    settings.cache_clear()
    catalogue = load()
    directory_only = replace(catalogue, topics={topic: catalogue.topics[topic] for topic in TOPICS})
    apply(directory_only, broker.confluent(), registry, secrets_path=broker.secrets_path)
    for name, value in broker.environment.items():
        if name.startswith("SAFEBUS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("SAFEBUS_REGISTRY_URL", registry)
    monkeypatch.setenv("SAFEBUS_CACHE_DIR", str(tmp_path / "cache"))
    settings.cache_clear()
    yield broker
    settings.cache_clear()
    for gone in broker.admin.delete_topics(list(TOPICS)).values():
        gone.result(SECONDS)


async def import_(*arguments: object) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, directory, ["import", *map(str, arguments)])


async def counted(*arguments: object) -> tuple[int, int, int]:
    """New, changed and unchanged of an import that leaves nothing out."""
    result = await import_(*arguments, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["left_out"] == []
    return said["new"], said["changed"], said["unchanged"]


async def test_the_demos_registers_go_in_once_and_a_change_goes_in_with_the_next_version(
    bus: Broker, tmp_path: Path
) -> None:
    """Importing again publishes nothing; one changed name is one record, and keeps what only the calendar knew. What is
    waited for is told beside the result.
    """
    gias = ("gias", DATA / "schools.csv", "--calendar", DATA / "school-calendar.yaml")
    ods = ("ods", DATA / "practices.csv", "--authority", "825")
    told = await import_("teams", DATA / "organisations.yaml")
    assert (told.stdout, "publishing 8 records" in told.stderr) == ("8 new, 0 changed, 0 unchanged\n", True)
    assert await counted("teams", DATA / "organisations.yaml") == (0, 0, 8)
    assert await counted(*gias) == (5, 0, 0)
    assert await counted(*ods) == (50, 0, 0)
    assert await counted("children", DATA / "children.csv") == (8, 0, 0)
    assert await counted(*gias) == (0, 0, 5)
    assert await counted(*ods) == (0, 0, 50)
    assert await counted("children", DATA / "children.csv") == (0, 0, 8)

    renamed = tmp_path / "schools.csv"
    renamed.write_bytes((DATA / "schools.csv").read_bytes().replace(b"Hollin Vale School", b"Hollin Vale Academy"))
    assert await counted("gias", renamed) == (0, 1, 4)
    assert await counted("gias", renamed) == (0, 0, 5)
    records = [event async for event in read_all(OrganisationRecorded.topic, "importer")]
    assert len(records) == 8 + 5 + 50 + 1
    latest = records[[getattr(r, "version", 0) for r in records].index(2)]
    assert isinstance(latest, OrganisationRecorded)
    assert (latest.name, latest.holiday_cover) == ("Hollin Vale Academy", "la:825")
    assert (latest.weekly_hours[4].closes, latest.envelope.source) == ("14:30", "urn:safebus:importer")


async def test_bad_lines_are_listed_the_others_go_in_and_the_exit_code_says_so(bus: Broker, tmp_path: Path) -> None:
    """Nothing is lost, and nothing personal is printed."""
    lines = (DATA / "children.csv").read_text("utf-8").splitlines()
    lines[2] = lines[2].replace("9994684876", "9994684877")
    lines.append(lines[1].replace("child-7qm2", "child 7"))
    file = tmp_path / "children.csv"
    file.write_text("\n".join(lines), "utf-8")
    result = await import_("children", file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "7 new, 0 changed, 0 unchanged",
        "2 left out:",
        "  line 3: nhs_number is not an NHS number: its check digit is wrong",
        "  line 10: child_id is more than letters, digits and . _ -, or longer than 64",
    ]


async def test_a_principal_without_rights_in_the_directory_imports_nothing(
    bus: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker refuses it; the refusal is a user's mistake, told in a sentence. What was opened to read is closed."""
    stop, stopped = AIOKafkaConsumer.stop, list[AIOKafkaConsumer]()

    async def stops(consumer: AIOKafkaConsumer) -> None:
        stopped.append(consumer)
        await stop(consumer)

    monkeypatch.setattr(AIOKafkaConsumer, "stop", stops)
    result = await import_("teams", DATA / "organisations.yaml", "--as", "agency")
    assert (type(result.exception), len(stopped)) == (NotPermitted, 1)
    assert [event async for event in read_all(OrganisationRecorded.topic, "importer")] == []
