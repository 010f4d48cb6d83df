"""docker/ agrees with the catalogue and the code. No container engine is at hand here, so nothing is started."""

from __future__ import annotations

import re
from importlib.metadata import requires
from importlib.util import find_spec
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from services.bus import catalogue
from services.bus.settings import Settings
from services.cli.service import service_of
from services.supervisor.rooms import room_of
from tests.docs.copy import ROOT

DOCKER = ROOT / "docker"
RUNS = ("kafka", "postgres", "registry", "apply", "safebus")
"""What compose.yaml has besides the services."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
    return found


def test_every_service_of_the_catalogue_is_run_and_nothing_else(compose: dict[str, Any]) -> None:
    """A room that is added to topics.yaml is missing here until compose.yaml runs it, by the name that it has."""
    services = catalogue.load(ROOT / "topics.yaml").services
    assert set(compose["services"]) - set(RUNS) == set(services)
    for name in services:
        assert compose["services"][name]["command"] == ["run", name]
        assert service_of(name).name == name
        assert find_spec(f"{room_of(name)}.__main__")


def test_what_is_referred_to_is_there(compose: dict[str, Any]) -> None:
    """Volumes are declared, mounted folders exist, and whoever is waited for is in the file."""
    for name, service in compose["services"].items():
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DOCKER / source).is_dir() if source.startswith(".") else source in compose["volumes"], volume
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
    left, seen = [Requirement("safebus"), Requirement("hatchling")], set()
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
