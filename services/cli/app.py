"""The commands that run the bus and set it up, with their options and help. What they do stands beside this module."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.frame import (
    EVENTS,
    PASSED_ON,
    RUN,
    SERVICES,
    SET_UP,
    AsJson,
    Service,
    app,
    as_the_running_one,
    asked,
    pass_on,
)

__all__ = ["app", "asked"]


@app.command(rich_help_panel=RUN)
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once all is ready; go on behind.")] = False,
    external: Annotated[
        bool, typer.Option("--external", help="Kafka and the registry are run by somebody else.")
    ] = False,
    brokers: Annotated[
        int, typer.Option(help="Kafka's nodes, 1 or 3: with 3 each event stands on two at least, and one may be lost.")
    ] = 1,
) -> None:
    """Start everything and keep it running: Kafka, the schema registry, every service.

    Where SAFEBUS_BOOTSTRAP_SERVERS or SAFEBUS_REGISTRY_URL is another machine's, that server is used as it is, and its
    topics are left to `safebus topics apply`. Ctrl-C, or `safebus down`, stops everything.
    """
    from services.cli import up as room

    raise typer.Exit(room.detached(external, brokers) if detach else room.foreground(external, brokers))


@app.command(rich_help_panel=RUN)
def down() -> None:
    """Stop what `safebus up` started."""
    from services.cli import down as room

    raise typer.Exit(room.down())


@app.command(rich_help_panel=RUN)
def status(
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it, until Ctrl-C.")] = False,
) -> None:
    """Show how each process is, how often it was started again, and why.

    Exit code 0 if everything is ready, 1 if not.
    """
    from services.cli import status as room

    raise typer.Exit(room.watch(as_json) if watch else room.once(as_json))


@app.command(rich_help_panel=RUN)
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End when it is played; without a terminal it does so anyway.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for what reaches somebody.")] = False,
) -> None:
    """Play a Friday evening's incident through to Monday, and show who learns what, when and why.

    Starts everything, or uses the demo that is up already. Exit code 0 only if everyone who had to learn did.
    """
    from services.cli.demo import demo as room

    raise typer.Exit(room(once=once, as_json=as_json))


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def topics(context: typer.Context) -> None:
    """The catalogue of topics: validate, plan, apply."""
    as_the_running_one()
    from services.cli.topics import app as room

    pass_on(room, context)


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def directory(context: typer.Context) -> None:
    """Who is who: import schools, practices, teams and children."""
    from services.registers.cli import directory as room

    pass_on(room, context)


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def partner(context: typer.Context) -> None:
    """The gateway's partners: add, rotate their keys, list, test."""
    from services.cli.partner import app as room

    pass_on(room, context)


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def board(context: typer.Context) -> None:
    """The handover board's people: name them, sign them in, end it."""
    from services.cli.board import app as room

    pass_on(room, context)


@app.command(rich_help_panel=SET_UP)
def config(as_json: AsJson = False) -> None:
    """Show every setting: its value, where that comes from, what it means. Secrets stay hidden."""
    from services.cli import config as room

    room.show(as_json)


@app.command(rich_help_panel=RUN)
def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; it must not be there yet.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Copy what this machine alone holds: databases, passwords, documents; Kafka too if the bus is down."""
    from services.cli import backup as room

    room.backup(folder, as_json)


@app.command(rich_help_panel=RUN)
def restore(
    folder: Annotated[Path, typer.Argument(help="What `safebus backup` made.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Put a backup back, whole or not at all, into a data directory that is empty."""
    from services.cli import backup as room

    room.restore(folder, as_json)


@app.command(rich_help_panel=EVENTS)
def publish(
    kind: Annotated[
        str, typer.Argument(metavar="TYPE", help="police.incidents.v1, or IncidentReported.", show_default=False)
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE.json", help="The event's body; - reads standard input.", show_default=False)
    ],
    principal: Annotated[str, typer.Option("--as", help="Who says it, as in topics.yaml.", show_default=False)],
    event_id: Annotated[
        str | None,
        typer.Option("--id", help="Its id; the same id again has no second effect.", show_default="a new one"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say one event: check it against its schema, send it, wait until Kafka has it.

    Every field that is wrong is named, by its JSON pointer, and nothing is sent. Times are ISO 8601 with an offset.
    """
    from services.cli import publish as room

    room.publish(kind, file, principal, event_id, as_json)


@app.command(rich_help_panel=SERVICES)
def run(service: Service) -> None:
    """Run one service in the foreground, until Ctrl-C or SIGTERM."""
    if sys.stderr.isatty():
        os.environ.setdefault("SAFEBUS_LOG_FORMAT", "console")
    from services.cli import service as room

    room.run(service)


@app.command(rich_help_panel=SERVICES)
def restart(
    process: Annotated[str, typer.Argument(help="As `safebus status` names it.", show_default=False)],
) -> None:
    """End one process of `safebus up` in good order, and wait until its successor is ready.

    After a new password, certificate or setting. Nothing is lost meanwhile: it waits in Kafka.
    """
    from services.cli import restart as room

    room.restart(process)


@app.command(rich_help_panel=SERVICES)
def recover(service: Service, as_json: AsJson = False) -> None:
    """Rebuild a service's lost or restored database from the log. Nobody is told anything twice.

    The service must have stopped; one that needs this has stopped by itself, and `safebus status` says so.
    """
    from services.cli import recover as room

    room.recover(service, as_json)


from services.cli import looking  # noqa: E402, F401 - after these, as its commands stand after these in the help
