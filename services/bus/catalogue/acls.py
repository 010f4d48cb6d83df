"""Who may do what in Kafka, derived from written_by and read_by. Deny by default is the broker's part.

Tried against Kafka 4.4: a cluster's id, idempotent writing and `describe_topics` on a topic of one's own need nothing
beyond these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from services.bus.catalogue.model import Catalogue, Principal

EVERYTHING: Final = "*"


class Acl(NamedTuple):
    """One line of Kafka's access list, in Kafka's words."""

    principal: str
    """Without Kafka's `User:`."""
    resource: str
    """TOPIC or GROUP; in lines of others also CLUSTER and the rest."""
    name: str
    pattern: str
    """LITERAL or PREFIXED."""
    operation: str
    permission: str = "ALLOW"
    host: str = EVERYTHING

    def __str__(self) -> str:
        verb = "may" if self.permission == "ALLOW" else "may not"
        what = f"{self.resource.lower()} {self.name}{'*' if self.pattern == 'PREFIXED' else ''}"
        where = "" if self.host == EVERYTHING else f" from {self.host}"
        return f"{self.principal} {verb} {self.operation} {what}{where}"


def acls_of(catalogue: Catalogue) -> frozenset[Acl]:
    """Every right that the catalogue gives, and no other.

    A service may also read what it writes: to recover, it reuses the outputs that already stand (DESIGN.md §1, rule 3).
    Whoever is of kind operator sees, but does not read, every topic and every service's group; of kind monitor, every
    topic and everyone's groups. Of kind retries, it writes where dead letters came from, and reads nothing.
    """
    return frozenset(acl for who in catalogue.principals.values() for acl in _of(who, catalogue))


def removable(acl: Acl, catalogue: Catalogue) -> bool:
    """Whether a right that the catalogue does not give is ours to take away: one of our principals', on what is ours.

    Somebody's emergency brake, a DENY, is never taken off by a routine run.
    """
    if acl.permission != "ALLOW" or acl.principal not in catalogue.principals:
        return False
    if acl.resource == "TOPIC":
        return acl.pattern == "LITERAL" and acl.name in (catalogue.logs.keys() | catalogue.deleted)
    return acl.resource == "GROUP" and any(
        (acl.pattern == "LITERAL" and acl.name == who) or acl.name.startswith(f"{who}.") for who in catalogue.principals
    )


def concerns(acl: Acl, catalogue: Catalogue) -> bool:
    """Whether it bears on what is ours: held by one of our principals, or about one of our topics."""
    return acl.principal in catalogue.principals or (
        acl.resource == "TOPIC" and any(_covers(acl, topic) for topic in catalogue.logs)
    )


def _covers(acl: Acl, name: str) -> bool:
    if acl.pattern == "PREFIXED":
        return name.startswith(acl.name)
    return acl.name in (name, EVERYTHING)


def _of(who: Principal, catalogue: Catalogue) -> Iterator[Acl]:
    written, read = catalogue.topics_written_by(who.name), catalogue.topics_read_by(who.name)
    yield from _on_topics(who.name, written, "WRITE", "DESCRIBE")
    yield from _on_topics(who.name, read, "READ", "DESCRIBE")
    if who.kind == "service":
        yield from _on_topics(who.name, written, "READ")
        yield Acl(who.name, "GROUP", who.name, "LITERAL", "READ")
    elif read:
        yield Acl(who.name, "GROUP", who.name, "LITERAL", "READ")
        yield Acl(who.name, "GROUP", f"{who.name}.", "PREFIXED", "READ")
    kept = [topic.name for topic in catalogue.internal.values() if who.name in topic.written_by]
    yield from _on_topics(who.name, kept, "DELETE")
    if who.kind == "operator":
        yield from _on_topics(who.name, catalogue.logs, "DESCRIBE")
        yield from (Acl(who.name, "GROUP", service, "LITERAL", "DESCRIBE") for service in catalogue.services)
    if who.kind == "retries":
        yield from _on_topics(who.name, catalogue.retried, "WRITE", "DESCRIBE")
    if who.kind == "monitor":
        yield from _on_topics(who.name, catalogue.logs, "DESCRIBE")
        for reader in (other for other in catalogue.principals.values() if other != who):
            yield Acl(who.name, "GROUP", reader.name, "LITERAL", "DESCRIBE")
            if reader.kind != "service":
                yield Acl(who.name, "GROUP", f"{reader.name}.", "PREFIXED", "DESCRIBE")


def _on_topics(who: str, topics: Iterable[str], *operations: str) -> Iterator[Acl]:
    return (Acl(who, "TOPIC", topic, "LITERAL", operation) for topic in topics for operation in operations)
