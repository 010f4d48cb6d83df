"""`safebus topics`: check the catalogue, compare it with the cluster, make the cluster so.

Exit codes: 0 nothing is wrong and nothing differs, or it was applied; 2 a finding or a mistake, in one sentence; 3 the
cluster differs from the catalogue (plan); 75 Kafka or the registry is away.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from services.bus.catalogue.changes import AddAcl, AddUser, Change, CreateTopic, Plan, SetCompatibility
from services.bus.errors import EXIT_DRIFT, SafebusError
from services.bus.settings import settings

app = typer.Typer(help="The catalogue of topics: validate, plan, apply.", no_args_is_help=True)

_STYLES: Final = {"+": "green", "~": "yellow", "-": "red", "!": "bold red", ".": "dim"}

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]
AllowDelete = Annotated[
    bool, typer.Option("--allow-delete", help="Delete the topics that the catalogue lists under `deleted`.")
]


@app.command()
def validate() -> None:
    """Check topics.yaml and the schemas, offline. Every fault at once, each with its line; then exit code 2."""
    from services.bus.catalogue.validate import validate as check

    found = check()
    say = f"{settings().catalogue.name} is valid: {len(found.topics)} topics, {len(found.principals)} principals"
    typer.echo(say)


@app.command()
def plan(as_json: AsJson = False, allow_delete: AllowDelete = False) -> None:
    """Show how Kafka and the schema registry differ from the catalogue. Changes nothing; exit code 3 if they differ."""
    from services.bus.catalogue import plan as planning
    from services.bus.catalogue.validate import validate as check

    config = settings()
    found = planning.plan(
        check(),
        planning.admin_config_of(config),
        config.registry_url,
        cluster_id=config.cluster_id,
        allow_delete=allow_delete,
    )
    if as_json:
        _print_json(found.as_json())
    else:
        _print(found, "differs from the catalogue" if found.drift else "is as the catalogue says")
    if found.drift:
        raise typer.Exit(EXIT_DRIFT)


@app.command()
def apply(
    as_json: AsJson = False,
    allow_delete: AllowDelete = False,
    rotate: Annotated[
        list[str] | None,
        typer.Option(help="Give this principal a new password and store it in the secrets file. May be repeated."),
    ] = None,
) -> None:
    """Make Kafka and the schema registry what the catalogue says. Applying twice changes nothing.

    Creates topics, sets the settings that the catalogue names, registers schemas, gives and takes access, makes users
    with a password of their own. Never deletes a topic without --allow-delete, never changes a topic's partition count.
    """
    from services.bus.catalogue import apply as applying
    from services.bus.catalogue import plan as planning
    from services.bus.catalogue.validate import validate as check

    config = settings()
    done = applying.apply(
        check(),
        planning.admin_config_of(config),
        config.registry_url,
        cluster_id=config.cluster_id,
        allow_delete=allow_delete,
        rotate=rotate or (),
        secrets_path=config.secrets_path,
    )
    if as_json:
        _print_json(done.as_json())
    else:
        _print(done, "is now as the catalogue says" if done.changes else "was as the catalogue says; nothing changed")


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _print(found: Plan, verdict: str) -> None:
    """In colour at a terminal, the same lines plain otherwise."""
    console = Console(highlight=False, soft_wrap=True)
    for sign, sentence in _lines(found):
        console.print(Text(f"{sign} {sentence}", style=_STYLES[sign]))
    changes = "1 change" if len(found.changes) == 1 else f"{len(found.changes)} changes"
    counts = [changes] if found.changes else []
    counts += [f"{len(found.held)} held for --allow-delete"] if found.held else []
    counts += [f"{len(found.refused)} refused"] if found.refused else []
    console.print(Text(f"cluster {found.cluster_id} {verdict}" + "".join(f", {count}" for count in counts)))


def _lines(found: Plan) -> Iterator[tuple[str, str]]:
    yield from _told(found.changes)
    yield from ((change.sign, f"{change} (held: needs --allow-delete)") for change in found.held)
    yield from (("!", f"refused: {sentence}") for sentence in found.refused)
    yield from ((".", sentence) for sentence in found.notices)


def _told(changes: Iterable[Change]) -> Iterator[tuple[str, str]]:
    """Changes of one sort in one line: three hundred lines would hide the one that matters."""
    created = [change for change in changes if isinstance(change, CreateTopic)]
    common = dict(set.intersection(*(set(change.config.items()) for change in created))) if created else {}
    if created:
        yield "+", f"settings of each new topic: {_settings(common)}"
    sorts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for change in changes:
        sort, name = _sorted_out(change, common)
        sorts[change.sign, sort].append(name)
    yield from ((sign, f"{sort} {', '.join(names)}".rstrip()) for (sign, sort), names in sorts.items())


def _sorted_out(change: Change, common: Mapping[str, str]) -> tuple[str, str]:
    """What sort of change it is, and what it is about."""
    match change:
        case AddAcl(acl):  # and RemoveAcl
            name = acl.name + ("*" if acl.pattern == "PREFIXED" else "")
            return f"access: {acl.principal} may {acl.operation} {acl.resource.lower()}", name
        case SetCompatibility():
            before = f" from {change.before}" if change.before else ""
            return f"compatibility{before} to {change.after}: subject", change.subject
        case AddUser():
            return "user", change.principal
        case CreateTopic():
            own = {key: value for key, value in change.config.items() if key not in common}
            size = f"topic {change.topic}: partitions={change.partitions}, replicas={change.replication}"
            return f"{size}, {_settings(own)}" if own else size, ""
        case _:
            return str(change), ""


def _settings(config: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(config.items()))


if __name__ == "__main__":
    try:
        app()
    except SafebusError as told:
        typer.echo(str(told), err=True)
        sys.exit(told.exit_code)
