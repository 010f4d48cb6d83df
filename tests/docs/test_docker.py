"""docker/ agrees with the catalogue and the code. No container engine is at hand here, so nothing is started."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from typer.core import TyperGroup
from typer.main import get_group

from services.bus import catalogue
from services.bus.settings import Settings
from services.cli.app import app
from services.embedded.properties import SMALL, server
from services.lag_monitor.ops.targets import targets
from services.supervisor.rooms import room_of
from tests.docs.copy import ROOT

DOCKER = ROOT / "docker"
BROKERS = ("kafka-1", "kafka-2", "kafka-3")
RUNS = (*BROKERS, "postgres", "registry", "apply", "safebus", "prometheus", "grafana")
"""What compose.yaml has besides the processes of the bus."""
ONCE = ("apply", "safebus")
"""What runs a command and ends."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
    return found


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    """By the schema of the Compose Specification; and a key that it does not know would be found."""
    schema = json.loads((Path(__file__).parent / "data" / "compose-spec.json").read_text("utf-8"))
    check = Draft7Validator(schema)
    assert [f"{error.json_path}: {error.message}" for error in check.iter_errors(compose)] == []
    compose["services"]["kafka-1"]["helthcheck"] = {}
    assert list(check.iter_errors(compose))


def test_every_process_of_the_catalogue_is_run_and_nothing_else(compose: dict[str, Any]) -> None:
    """A room that is added to topics.yaml is missing here until compose.yaml runs it, by the name that it has."""
    processes = catalogue.load(ROOT / "topics.yaml").processes
    assert set(compose["services"]) - set(RUNS) == set(processes)
    for name in processes:
        assert compose["services"][name]["command"] == ["run", name]
        assert find_spec(f"{room_of(name)}.__main__")


def test_every_command_is_one_of_ours(compose: dict[str, Any]) -> None:
    """Read by the command line's own parser, without running it."""
    group = get_group(app)
    for name in set(compose["services"]) - {*BROKERS, "postgres", "registry", "prometheus", "grafana"}:
        first, *rest = compose["services"][name]["command"]
        if first == "--help":
            continue
        assert isinstance(group, TyperGroup)
        command = group.get_command(group.make_context("safebus", ["--help"], resilient_parsing=True), first)
        assert command is not None, f"{name}: there is no command {first}"
        assert command.make_context(first, list(rest)).args in ([], rest)


def test_three_brokers_are_told_what_three_without_containers_are(tmp_path: Path) -> None:
    """Each node's configuration is that of `safebus up --brokers 3`, but for addresses, folders, passwords and what
    makes a small machine's node small."""
    text = (DOCKER / "kafka" / "server.properties").read_text("utf-8")
    told = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    ours = server(
        data=tmp_path,
        listen=":9092",
        advertised="kafka-@NODE@:9092",
        controllers=[f"{name}:9093" for name in BROKERS],
        admin_password="@KAFKA_ADMIN_PASSWORD@",
        controller_password="@KAFKA_CONTROLLER_PASSWORD@",
    )
    wanted = dict(line.split("=", 1) for line in ours.splitlines() if line)
    differ = {"node.id", "log.dirs", "listeners"} | (SMALL.keys() - told.keys())
    assert {name: value for name, value in wanted.items() if name not in differ} == {
        name: value for name, value in told.items() if name not in differ
    }
    assert told["node.id"] == "@NODE@"
    assert set(re.findall(r"@([A-Z_]+)@", text)) == set(
        re.findall(r"@([A-Z_]+)@", (DOCKER / "kafka" / "start.sh").read_text("utf-8"))
    )


def test_each_broker_is_another_node_with_a_volume_of_its_own(compose: dict[str, Any]) -> None:
    """Its number, its name and its data go together; who connects is told of all three; nothing overrides that a topic
    stands on three."""
    for number, name in enumerate(BROKERS, 1):
        broker = compose["services"][name]
        assert broker["environment"]["NODE"] == str(number)
        assert f"{name}:/var/lib/kafka/data" in broker["volumes"]
    settings = compose["x-settings"]
    assert settings["SAFEBUS_BOOTSTRAP_SERVERS"] == ",".join(f"{name}:9092" for name in BROKERS)
    assert "SAFEBUS_REPLICATION_FACTOR" not in settings


def test_settings_are_taken_by_settings(compose: dict[str, Any]) -> None:
    """Every value that a process is given fits its setting, and a published port is the one that its setting has."""
    for name in catalogue.load(ROOT / "topics.yaml").processes:
        process = compose["services"][name]
        given = {key.removeprefix("SAFEBUS_").lower(): value for key, value in process["environment"].items()}
        at = Settings(**given)
        ports = {field: known for field, known in Settings.model_fields.items() if field.endswith("_port")}
        listens = {getattr(at, field) if field in given else known.default for field, known in ports.items()}
        for port in process.get("ports", ()):
            host, outside, inside = port.split(":")
            assert (host, outside, int(inside) in listens) == ("127.0.0.1", inside, True), f"{name}: {port}"


def test_each_process_is_watched(compose: dict[str, Any]) -> None:
    """Whatever goes on has a health check; Prometheus and the operators' page ask each process at its port."""
    for name, service in compose["services"].items():
        checked = "healthcheck" in service or "build" in service
        assert checked, name
        assert (service.get("healthcheck") == {"disable": True}) == (name in ONCE), name
    port = re.search(r"SAFEBUS_HTTP_PORT=(\d+)", (DOCKER / "Dockerfile").read_text("utf-8"))
    assert port
    processes = set(catalogue.load(ROOT / "topics.yaml").processes)
    asked = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]
    assert {one["targets"][0] for one in asked["static_configs"]} == {f"{name}:{port[1]}" for name in processes}
    monitor = compose["services"]["lag-monitor"]["environment"]
    shown = targets(Settings(ops_targets=monitor["SAFEBUS_OPS_TARGETS"]))
    assert set(shown) == {(name, f"http://{name}:{port[1]}") for name in processes}
    assert monitor["SAFEBUS_LAG_RECIPIENTS_URL"] == f"http://partner-gateway:{port[1]}"


def test_nothing_secret_stands_in_it() -> None:
    """Each password is a variable, wherever one is given; no file beside it holds one."""
    for file in sorted(DOCKER.rglob("*")):
        if not file.is_file() or file.name == ".env" or "tests" in file.parts:
            continue
        for line in file.read_text("utf-8").splitlines():
            said = re.sub(r"\$\{[^}]*\}|\$[A-Z_]+|@[A-Z_]+@|:'[a-z]+'", "", line)  # variables, of each kind
            found = re.search(r"(?i)(?:password|secret)[\"']?\s*[:=]\s*[\"']?([a-z0-9+/_-]{4,})", said)
            assert found is None or line.lstrip().startswith("#"), f"{file.name}: {line.strip()}"


def test_what_is_referred_to_is_there(compose: dict[str, Any]) -> None:
    """Volumes are declared, mounted folders exist, and whoever is waited for is in the file."""
    for name, service in compose["services"].items():
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DOCKER / source).is_dir() if source.startswith(".") else source in compose["volumes"], volume
    used = {
        volume.partition(":")[0] for service in compose["services"].values() for volume in service.get("volumes", ())
    }
    assert set(compose["volumes"]) <= used
    build = compose["services"]["apply"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()


def test_every_setting_is_one() -> None:
    """No SAFEBUS_ name in docker/ is misspelt."""
    known = {f"SAFEBUS_{name.upper()}" for name in Settings.model_fields}
    for name in ("compose.yaml", "Dockerfile", "README.md"):
        said = set(re.findall(r"\bSAFEBUS_[A-Z_]+\b", (DOCKER / name).read_text("utf-8")))
        assert said <= known, name


def test_every_password_is_made_as_the_readme_says() -> None:
    """Each variable that compose.yaml needs is one that the README's command writes; git leaves that file out."""
    wanted = set(re.findall(r"\$\{([A-Z_]+)", (DOCKER / "compose.yaml").read_text("utf-8")))
    made = re.search(r'"((?:[A-Z_]+ ?)+)"\.split\(\)', (DOCKER / "README.md").read_text("utf-8"))
    assert made
    assert set(made[1].split()) == wanted
    assert ".env" in (DOCKER / ".gitignore").read_text("utf-8").split()


def test_what_the_image_copies_exists() -> None:
    """Each COPY from the context is a path of the repository, and the context lets it through."""
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    copied = [words.split() for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    sources = [source.rstrip("/") for *names, _target in copied for source in names]
    assert {"services", "schemas", "topics.yaml", "pyproject.toml"} <= set(sources)
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").split()
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_the_image_is_ready_and_stops_as_a_service_does() -> None:
    """It runs as somebody who is not root, starts `safebus`, and asks /livez at the port that it sets."""
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER (?!root)\w+$", text, re.MULTILINE)
    assert 'ENTRYPOINT ["safebus"]' in text
    port = re.search(r"SAFEBUS_HTTP_PORT=(\d+)", text)
    assert port
    assert f"127.0.0.1:{port[1]}/livez" in text
    assert "curl" not in re.sub(r"#.*", "", text)


def _locked(name: str) -> dict[str, str]:
    """Each package of a lock with its lines, version, marker and hashes."""
    text = (ROOT / name).read_text("utf-8")
    found = re.finditer(r"^([a-z0-9._-]+)==.*\n(?:    --hash=.*\n?)+", text, re.MULTILINE)
    return {match[1]: match[0].rstrip("\n") for match in found}


def test_the_images_lock_is_a_part_of_the_repositorys() -> None:
    """The same versions with the same hashes, so that what was tested is what is packed."""
    image, ours = _locked("docker/requirements.lock"), _locked("requirements.lock")
    assert {name: lines for name, lines in image.items() if ours.get(name) != lines} == {}


def test_the_images_lock_holds_what_a_service_needs() -> None:
    """Everything that safebus and its packages require on this machine, hatchling too, and no test tool."""
    image = _locked("docker/requirements.lock")
    left, seen = [Requirement("safebus[statistics,tracing]"), Requirement("hatchling")], set()
    while left:
        wanted = left.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if (name, *sorted(wanted.extras)) in seen:
            continue
        seen.add((name, *sorted(wanted.extras)))
        assert name == "safebus" or name in image, f"{name}: make the lock as docker/README.md says"
        for line in requires(name) or ():
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(needed)
    assert not {"pytest", "mypy", "ruff"} & image.keys()


@pytest.mark.soak
def test_the_images_steps_run_in_a_clean_folder(tmp_path: Path) -> None:
    """What the Dockerfile copies, and nothing else, is installed with its hashes into a fresh environment, and runs."""
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _target = words.split()
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (tmp_path / source).parent.mkdir(exist_ok=True)
                shutil.copy(ROOT / source, tmp_path / source)
    subprocess.run([sys.executable, "-m", "venv", "opt"], cwd=tmp_path, check=True)
    for command in re.findall(r"^RUN (pip install .+)$", text, re.MULTILINE):
        subprocess.run([tmp_path / "opt/bin/python", "-m", *command.split()], cwd=tmp_path, check=True)
    shutil.rmtree(tmp_path / "services")  # what runs is what was packed
    for arguments in (["--version"], ["topics", "validate"], ["run", "--help"]):
        said = subprocess.run(
            [tmp_path / "opt/bin/safebus", *arguments], cwd=tmp_path / "opt", capture_output=True, check=False
        )
        assert (said.returncode, said.stderr) == (0, b""), said
