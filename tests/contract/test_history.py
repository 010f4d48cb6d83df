"""What was promised is kept: every frozen version and the current schema can read each other (FULL_TRANSITIVE)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.bus.contract import load
from services.bus.contract.__main__ import main
from services.bus.contract.compatibility import incompatibilities
from services.bus.contract.history import broken_promises, freeze, versions
from services.bus.errors import UserMistake
from tests.contract.conftest import SCHEMAS, Change, Edit

FILE = "gp/HealthUpdated.avsc"
TOPIC = "gp.updates.v1"


def field(body: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in body["fields"] if one["name"] == name)
    return found


def added(**more: Any) -> Change:
    return lambda body: body["fields"].append({"name": "extra", "doc": "More. Absent when there is none.", **more})


def retyped(name: str, kind: Any) -> Change:
    return lambda body: field(body, name).update(type=kind)


def without(name: str) -> Change:
    return lambda body: body["fields"].remove(field(body, name))


def test_the_contract_keeps_what_it_promised() -> None:
    """Every version in schemas/history/ against every later one and the current schema."""
    assert broken_promises(SCHEMAS) == []


@pytest.mark.parametrize(
    ("file", "change", "reasons"),
    [
        pytest.param(
            FILE,
            added(type="string"),
            ["extra is new and has no default", "reader field missing default"],
            id="required field",
        ),
        pytest.param(FILE, without("title"), ["title was removed although"], id="removed field"),
        pytest.param(
            "common/Outcome.avsc",
            lambda body: body["symbols"].remove("ADVICE"),
            ["the symbol ADVICE was removed"],
            id="symbol",
        ),
        pytest.param(
            FILE,
            retyped("decided_at", {"type": "long", "logicalType": "timestamp-millis"}),
            ["decided_at changed its type from long timestamp-micros to long timestamp-millis"],
            id="micros to millis",
        ),
        pytest.param(
            FILE, retyped("decided_at", "long"), ["from long timestamp-micros to long"], id="lost logical type"
        ),
        pytest.param(FILE, retyped("title", "bytes"), ["from string to bytes"], id="bytes read strings, yet it breaks"),
        pytest.param(
            FILE, retyped("title", ["null", "string"]), ["from string to null or string"], id="may be null now"
        ),
        pytest.param(
            FILE,
            retyped("title", {"type": "string", "safebus.identifier": "upn"}),
            ["from string to string upn"],
            id="stricter identifier",
        ),
        pytest.param(
            "common/Outcome.avsc",
            lambda body: body.update(default="ADVICE"),
            ["default changed from UNKNOWN to ADVICE"],
            id="enum's default",
        ),
    ],
)
def test_a_breaking_change_is_found(folder: Path, edit: Edit, file: str, change: Change, reasons: list[str]) -> None:
    """Each with a reason that names the field; also what Apache's checker and registries let pass."""
    freeze(folder)
    edit(file, change)
    found = broken_promises(folder)
    for reason in reasons:
        assert [
            finding for finding in found if reason in finding and finding.startswith(f"{TOPIC}, version 1 against")
        ], found


@pytest.mark.parametrize(
    ("file", "change"),
    [
        pytest.param(FILE, added(type=["null", "string"], default=None), id="optional field"),
        pytest.param(FILE, added(type="boolean", default=False), id="field with a default"),
        pytest.param("common/Outcome.avsc", lambda body: body["symbols"].append("SECTION_20"), id="symbol"),
        pytest.param(FILE, lambda body: body.update(doc="Said better."), id="doc"),
        pytest.param(FILE, lambda body: body["fields"].reverse(), id="order of fields"),
    ],
)
def test_a_sound_change_passes(folder: Path, edit: Edit, file: str, change: Change) -> None:
    """What both sides can read is no breach, and can be frozen as the next version."""
    freeze(folder)
    edit(file, change)
    assert broken_promises(folder) == []
    freeze(folder)
    assert broken_promises(folder) == []


def test_a_renamed_type_breaks_what_refers_to_it() -> None:
    """The record itself and what it is made of keep their names, the namespace included."""
    older = load()[TOPIC].definition
    renamed = {**older, "name": "HealthTold"}
    assert "the record safebus.gp.HealthUpdated was renamed to safebus.gp.HealthTold" in incompatibilities(
        older, renamed
    )
    moved = json.loads(
        json.dumps(older).replace('"name": "Outcome", "namespace": "safebus.common"', '"name": "Outcome"')
    )
    assert incompatibilities(older, moved) == [
        "safebus.gp.HealthUpdated.outcome changed its type from safebus.common.Outcome to safebus.gp.Outcome"
    ]


def test_every_version_counts_not_only_the_last(folder: Path, edit: Edit) -> None:
    """A field that came with a default and lost it breaks the version that never had it."""
    freeze(folder)
    edit(FILE, added(type="string", default=""))
    freeze(folder)
    edit(FILE, lambda body: field(body, "extra").pop("default"))
    found = broken_promises(folder)
    assert [finding for finding in found if "version 1 against the current" in finding and "has no default" in finding]


def test_freezing_twice_writes_once(folder: Path, edit: Edit) -> None:
    """The first time everything, then only what changed in more than its docs, with the next number."""
    assert f"history/{TOPIC}/1.avsc" in freeze(folder)
    assert freeze(folder) == []
    edit(FILE, lambda body: body.update(doc="Said better."))
    assert freeze(folder) == []
    edit(FILE, added(type=["null", "string"], default=None))
    assert freeze(folder) == [f"history/{TOPIC}/2.avsc"]
    assert len(versions(folder, TOPIC)) == 2


def test_a_breach_is_not_frozen_unless_in_place(folder: Path, edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 with the reason and nothing written; before 1.0 `--in-place` begins that topic's history anew."""
    assert main(["--freeze"], folder=folder) == 0
    edit(FILE, added(type=["null", "string"], default=None))
    assert main(["--freeze"], folder=folder) == 0
    edit(FILE, added(name="title_too", type="string"))
    capsys.readouterr()
    assert main(["--freeze"], folder=folder) == 2
    assert "safebus.gp.HealthUpdated.title_too is new and has no default" in capsys.readouterr().err
    assert len(versions(folder, TOPIC)) == 2
    assert main(["--freeze", "--in-place"], folder=folder) == 0
    assert len(versions(folder, TOPIC)) == 1
    assert broken_promises(folder) == []


def test_in_place_ends_with_1_0(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Since 1.0 a breaking change is a new topic."""
    monkeypatch.setattr("services.bus.contract.__main__.version", lambda _: "1.0.0")
    assert main(["--freeze", "--in-place"], folder=folder) == 2
    assert "make a new topic" in capsys.readouterr().err


def test_a_gap_in_the_history_is_told(folder: Path) -> None:
    """A version that was lost or put elsewhere is a mistake of a person's, with the place."""
    freeze(folder)
    (folder / "history" / TOPIC / "1.avsc").rename(folder / "history" / TOPIC / "2.avsc")
    with pytest.raises(UserMistake, match=r"gp\.updates\.v1 has no version 1"):
        broken_promises(folder)


def test_a_promised_topic_does_not_vanish(folder: Path) -> None:
    """A schema that was frozen and is gone is told."""
    freeze(folder)
    (folder / FILE).unlink()
    assert any(f"history/{TOPIC} has no current schema" in finding for finding in broken_promises(folder))
