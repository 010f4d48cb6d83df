"""What a plan consists of: each change a value that says itself, in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from services.bus.catalogue.acls import Acl


@dataclass(frozen=True, slots=True)
class Change:
    """One step from what is to what should be."""

    kind: ClassVar[str]
    sign: ClassVar[str] = "+"
    """`+` comes, `~` changes, `-` goes."""

    def __str__(self) -> str:
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """For a program: the kind, the sentence and the fields."""
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.repr}
        return {"change": self.kind, "says": str(self), **said}


@dataclass(frozen=True, slots=True)
class CreateTopic(Change):
    kind = "create_topic"
    topic: str
    partitions: int
    replication: int
    config: Mapping[str, str]

    def __str__(self) -> str:
        kept = ", ".join(f"{key}={value}" for key, value in self.config.items())
        return f"topic {self.topic}: partitions={self.partitions}, replicas={self.replication}, {kept}"


@dataclass(frozen=True, slots=True)
class SetConfig(Change):
    kind = "set_config"
    sign = "~"
    topic: str
    key: str
    before: str | None
    after: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.key} from {self.before} to {self.after}"


@dataclass(frozen=True, slots=True)
class DeleteTopic(Change):
    kind = "delete_topic"
    sign = "-"
    topic: str

    def __str__(self) -> str:
        return f"topic {self.topic}, with every event in it"


@dataclass(frozen=True, slots=True)
class SetCompatibility(Change):
    kind = "set_compatibility"
    sign = "~"
    subject: str
    before: str | None
    after: str

    def __str__(self) -> str:
        return f"subject {self.subject}: compatibility {f'from {self.before} ' if self.before else ''}to {self.after}"


@dataclass(frozen=True, slots=True)
class RegisterSchema(Change):
    kind = "register_schema"
    subject: str
    record: str
    fingerprint: str
    evolves: bool
    """Whether the subject has an earlier version."""
    text: str = field(repr=False)

    def __str__(self) -> str:
        how = "a further version of" if self.evolves else "the first version of"
        return f"subject {self.subject}: {how} {self.record} ({self.fingerprint})"


@dataclass(frozen=True, slots=True)
class AddUser(Change):
    kind = "add_user"
    principal: str

    def __str__(self) -> str:
        return f"user {self.principal}"


@dataclass(frozen=True, slots=True)
class RenewPassword(Change):
    kind = "renew_password"
    sign = "~"
    principal: str

    def __str__(self) -> str:
        return f"user {self.principal}: a new password"


@dataclass(frozen=True, slots=True)
class AddAcl(Change):
    kind = "add_acl"
    acl: Acl

    def __str__(self) -> str:
        return f"access: {self.acl}"

    def as_json(self) -> dict[str, Any]:
        return {"change": self.kind, "says": str(self), **self.acl._asdict()}


@dataclass(frozen=True, slots=True)
class RemoveAcl(AddAcl):
    kind = "remove_acl"
    sign = "-"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a cluster differs from the catalogue."""

    cluster_id: str
    changes: tuple[Change, ...] = ()
    """In the order in which they are made."""
    held: tuple[Change, ...] = ()
    """Deletions, which wait for --allow-delete."""
    refused: tuple[str, ...] = ()
    """What cannot be done, and why, a sentence each. While there is one, nothing is done."""
    notices: tuple[str, ...] = ()
    """What stands there beside the catalogue, reported and left alone, a sentence each."""

    @property
    def drift(self) -> bool:
        return bool(self.changes or self.held or self.refused)

    def as_json(self) -> dict[str, Any]:
        return {
            "cluster_id": self.cluster_id,
            "drift": self.drift,
            "changes": [change.as_json() for change in self.changes],
            "held": [change.as_json() for change in self.held],
            "refused": list(self.refused),
            "notices": list(self.notices),
        }
