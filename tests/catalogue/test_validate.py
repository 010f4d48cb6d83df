"""`safebus topics validate`: each fault is told in one sentence with its line, and all of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.bus.catalogue import load
from services.bus.catalogue.validate import validate
from services.bus.errors import CatalogueInvalid, UserMistake
from services.bus.settings import Settings
from tests.catalogue.places import CATALOGUE, SCHEMAS, lay_out, line_of, record


def findings(config: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What validate finds, told as in the catalogue's own folder."""
    monkeypatch.chdir(config.catalogue.parent)
    try:
        validate(config)
    except CatalogueInvalid as invalid:
        return invalid.findings
    return []


def test_our_own_catalogue_is_valid() -> None:
    """topics.yaml agrees with itself and with every schema."""
    assert len(validate(Settings()).topics) == 33


def test_a_good_catalogue_has_no_findings(tmp_path: Path) -> None:
    """Defaults are filled in, compaction replaces retention, and no more replicas are in sync than there are."""
    catalogue = validate(lay_out(tmp_path))
    seen, known, lost = (catalogue.topics[name] for name in ("child.seen.v1", "child.known.v1", "lost.v1"))
    assert seen.partitions == 2
    assert dict(seen.config) == {
        "cleanup.policy": "delete",
        "retention.ms": "2592000000",
        "min.insync.replicas": "1",
        "message.timestamp.type": "LogAppendTime",
    }
    assert seen.record == "safebus.child.ChildSeen"
    assert known.config["cleanup.policy"] == "compact"
    assert "retention.ms" not in known.config
    assert lost.key is None
    assert lost.config["retention.ms"] == "43200000"
    assert catalogue.topics_written_by("teller") == ("child.told.v1", "lost.v1")
    assert catalogue.topics_read_by("teller") == ("child.seen.v1", "child.known.v1")


def test_the_setting_overrides_every_replication(tmp_path: Path) -> None:
    """A topic's own too; and as many replicas are in sync as the catalogue says, if there are so many."""
    own = CATALOGUE.replace("    compaction: true", "    compaction: true\n    replication: 2")
    config = lay_out(tmp_path, own)
    assert validate(config).topics["child.known.v1"].replication == 2
    config.replication_factor = 3
    for topic in validate(config).topics.values():
        assert topic.replication == 3
        assert topic.config["min.insync.replicas"] == "2"


SPOILT: list[tuple[str, str, str, str, int, str]] = [
    (
        "no YAML",
        "[council]\n    read_by: [teller]",
        "[council\n    read_by: [teller]",
        "read_by: [teller]",
        1,
        "is not YAML",
    ),
    ("unknown key", "owner: front door", "ownr: front door", "ownr", 1, "child.seen.v1: ownr is unknown; known here: "),
    ("missing key", "    owner: operators\n", "", "lost.v1:", 1, "lost.v1 lacks `owner`"),
    ("unknown top", "deleted: []", "removed: []", "removed", 1, "removed is unknown; known here: defaults, deleted"),
    (
        "topic twice",
        "  lost.v1:",
        "  child.seen.v1:",
        "child.seen.v1:",
        2,
        "child.seen.v1 stands twice, first in line 9",
    ),
    (
        "key twice",
        "    key: origin",
        "    key: origin\n    key: child_id",
        "key: child_id",
        4,
        "lost.v1: key stands twice",
    ),
    ("no topic", "  lost.v1:", "  lost dogs.v1:", "lost dogs", 1, "Kafka allows at most 249 letters"),
    ("no version", "  lost.v1:", "  lost:", "  lost:", 1, "a topic's name ends in its version"),
    ("collision", "  child.told.v1:", "  child_seen.v1:", "child_seen", 1, "the same name as child.seen.v1"),
    ("no schema", "child/ChildSeen", "child/ChildSen", "ChildSen", 1, "there is no schema schemas/child/ChildSen.avsc"),
    ("key is no field", "key: child_id", "key: kid", "key: kid", 1, "kid is no field of safebus.child.ChildSeen"),
    (
        "stranger writes",
        "written_by: [council]",
        "written_by: [county]",
        "county",
        1,
        "`written_by` names county, which",
    ),
    ("nobody reads", "read_by: [teller]", "read_by: []", "read_by: []", 1, "nobody reads it"),
    ("nobody writes", "    written_by: [council]\n", "", "child.seen.v1", 1, "child.seen.v1: nobody writes it"),
    ("named twice", "[teller]", "[teller, teller]", "teller, teller", 1, "read_by names teller twice"),
    (
        "agency reads",
        "[reader]",
        "[reader, council]",
        "reader, council",
        1,
        "council may not read a topic that discloses",
    ),
    ("silent", "    discloses: true\n", "", "child.told.v1", 1, "carries a Disclosure: say `discloses: true`"),
    (
        "discloses",
        "    partitions: 1",
        "    discloses: true",
        "discloses: true",
        2,
        "safebus.lost.Lost carries no Disclosure",
    ),
    ("none", "partitions: 1", "partitions: 0", "partitions: 0", 1, "partitions must be a whole number from 1 up"),
    ("a text", "partitions: 1", "partitions: '1'", "partitions: '1'", 1, "partitions must be a whole number from 1 up"),
    ("apart", "compaction: true", "partitions: 3", "partitions: 3", 1, "3 partitions, but child.seen.v1 has 2"),
    ("both", "compaction: true", "compaction: true\n    retention: 3d", "retention: 3d", 1, "one or the other"),
    ("unit", "retention: 12h", "retention: 12", "retention: 12", 1, "lost.v1: retention must be a text"),
    ("unit", "retention: 12h", "retention: 12s", "retention: 12s", 1, "retention must be days or hours, such as 365d"),
    ("too long", "retention: 12h", "retention: 400d", "retention: 400d", 1, "lost.v1: kept for 400 days, but ids only"),
    ("not true", "compaction: true", "compaction: often", "often", 1, "compaction must be true or false"),
    (
        "own word",
        "min.insync.replicas: 2",
        "retention.ms: 2",
        "retention.ms",
        1,
        "retention.ms is said with `retention`",
    ),
    ("no list", "[council]", "council", "written_by: council", 1, "written_by must be a list of names"),
    (
        "no kind",
        "kind: agency",
        "kind: school",
        "kind: school",
        1,
        "kind must be one of service, monitor, room, agency, person, operator, retries",
    ),
    ("dots", "  council: {", "  coun.cil: {", "coun.cil", 1, "a principal's name is small letters, digits and hyphens"),
    ("taken", "  council: {", "  admin: {", "admin: {", 1, "admin: this name is taken"),
    ("both ways", "deleted: []", "deleted: [lost.v1]", "deleted:", 1, "deleted: lost.v1 stands under `topics` too"),
    ("a list", "  lost.v1:\n", "  lost.v1: [a]\n  also.v1:\n", "[a]", 1, "lost.v1 must hold names and values"),
]


@pytest.mark.parametrize(
    ("old", "new", "where", "nth", "sentence"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT]
)
def test_a_fault_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, where: str, nth: int, sentence: str
) -> None:
    """One spoilt place gives a finding that begins with the file and the line of that place."""
    assert old in CATALOGUE
    spoilt = CATALOGUE.replace(old, new, 1)
    found = findings(lay_out(tmp_path, spoilt), monkeypatch)
    expected = f"topics.yaml:{line_of(spoilt, where, nth)}: "
    assert any(line.startswith(expected) and sentence in line for line in found), found


def test_all_faults_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults in one topic, in two topics, in the principals and in a schema: all in one answer, in the lines' order."""
    spoilt = (
        CATALOGUE.replace("key: child_id\n    owner", "key: kid\n    ownr", 1)
        .replace("written_by: [council]", "written_by: [county]", 1)
        .replace("[reader]", "[council]")
        .replace("kind: service", "kind: robot")
    )
    found = findings(lay_out(tmp_path, spoilt, schemas={"lost/Lost.avsc": "{"}), monkeypatch)
    for sentence in (
        "ownr is unknown",
        "child.seen.v1 lacks `owner`",
        "kid is no field",
        "names county",
        "council may not read",
        "kind must be one of",
        "schemas/lost/Lost.avsc: not a JSON object",
    ):
        assert any(sentence in line for line in found), sentence
    numbers = [int(line.split(":")[1]) for line in found if line.startswith("topics.yaml:")]
    assert numbers == sorted(numbers)


def test_a_finding_does_not_hide_another_of_the_same_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic without a description is still checked against its schema."""
    spoilt = CATALOGUE.replace("    description: To one recipient.\n", "").replace("    discloses: true\n", "")
    found = findings(lay_out(tmp_path, spoilt), monkeypatch)
    assert [line.split(": ", 1)[1] for line in found] == [
        "child.told.v1 lacks `description`",
        "child.told.v1: safebus.child.ChildTold carries a Disclosure: say `discloses: true`",
    ]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            record("ChildSeen", "other.v1", SCHEMAS["child/ChildSeen.avsc"]["fields"][0]),
            "says that its topic is other.v1",
        ),
        (record("ChildSeen", None, SCHEMAS["child/ChildSeen.avsc"]["fields"][0]), "does not say `safebus.topic`"),
        (record("ChildSeen", "child.seen.v1", {"name": "child_id", "type": "int"}), "child_id is not a string of"),
        ({"type": "enum", "name": "ChildSeen", "namespace": "safebus.child", "symbols": []}, "is not a record"),
    ],
    ids=["another topic", "no topic", "key is a number", "no record"],
)
def test_a_schema_that_does_not_fit_its_topic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], sentence: str
) -> None:
    """The finding stands at the topic's entry."""
    found = findings(lay_out(tmp_path, schemas={"child/ChildSeen.avsc": body}), monkeypatch)
    at_the_entry = tuple(f"topics.yaml:{line_of(CATALOGUE, text)}: " for text in ("ChildSeen.avsc", "key: child_id"))
    assert any(line.startswith(at_the_entry) and sentence in line for line in found), found


def test_an_event_without_a_topic_in_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema whose topic nobody listed is found, with the schema's file."""
    found = findings(lay_out(tmp_path, schemas={"child/Extra.avsc": record("Extra", "child.extra.v1")}), monkeypatch)
    assert found == ["schemas/child/Extra.avsc: its topic child.extra.v1 is not in topics.yaml"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "topics.yaml:1: is empty"),
        ("- a\n", "topics.yaml:1: the file must hold names and values"),
        ("a: b\n---\nc: d\n", "topics.yaml:2: is not YAML: expected a single document"),
        ("topics:\n\tx: y\n", "topics.yaml:2: is not YAML"),
        ("topics: \x07\n", "topics.yaml:1: is not YAML"),
    ],
    ids=["empty", "list", "two documents", "tab", "control character"],
)
def test_a_file_that_is_no_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str) -> None:
    """One sentence, never a traceback, and no guesses about what else may be wrong."""
    [finding] = findings(lay_out(tmp_path, text), monkeypatch)
    assert finding.startswith(sentence)


def test_a_file_in_another_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the first byte that is not UTF-8 is named."""
    config = lay_out(tmp_path)
    config.catalogue.write_bytes(b"topics:\n  caf\xe9: {}\n")
    assert findings(config, monkeypatch) == ["topics.yaml:2: is not UTF-8 text"]


def test_a_missing_catalogue_is_one_sentence(tmp_path: Path) -> None:
    """No traceback, and the path that was tried."""
    with pytest.raises(UserMistake, match=r"nowhere\.yaml cannot be read"):
        validate(Settings(catalogue=tmp_path / "nowhere.yaml"))


def test_load_refuses_a_misshapen_catalogue_without_reading_schemas(tmp_path: Path) -> None:
    """What a service starts with is well formed; the schemas are `validate`'s matter."""
    config = lay_out(tmp_path, schemas=dict.fromkeys(SCHEMAS))
    assert load(config.catalogue).topics.keys() == {"child.seen.v1", "child.told.v1", "child.known.v1", "lost.v1"}
    config.catalogue.write_text(CATALOGUE.replace("partitions: 2", "partitions: many"))
    with pytest.raises(CatalogueInvalid, match=r"topics\.yaml:2: defaults: partitions must be"):
        load(config.catalogue)
