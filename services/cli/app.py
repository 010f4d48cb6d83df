"""Every subcommand with its options and its help. What they do stands in the modules beside this one."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import typer
from typer.main import get_group

EXIT_CODES = """\
Exit codes:

 0  done

 1  a fault, or not everything is ready

 2  your mistake; the sentence says what to do

 3  the cluster differs from the catalogue; for `lag`: not everything is ok

70  going on could lose or repeat an event, so a person has to act

75  something is away; try again"""
RUN, SET_UP, EVENTS, SERVICES = "Run the bus", "Set it up", "Send an event", "One service"
FIGURES = "Performance data"
LOOK = "Look into it"

asked = SimpleNamespace(debug=False)
"""What was asked of all commands alike."""

app = typer.Typer(
    name="safebus",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]
Service = Annotated[str, typer.Argument(help="Its name, as in topics.yaml.", show_default=False)]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"safebus {version('safebus')}")
        raise typer.Exit


@app.callback()
def safebus(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Carry safeguarding events between agencies, each to whom it concerns, once.

    Settings are environment variables SAFEBUS_...; `safebus config` lists them.
    """
    asked.debug = debug


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
def lag(
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it, until Ctrl-C.")] = False,
    partitions: Annotated[
        bool, typer.Option("--partitions", "-p", help="Every partition with something unread.")
    ] = False,
) -> None:
    """Show how far each service is behind, worst first, and what waits in recipients' inboxes.

    Exit code 0 if everything is ok, 3 if not, 75 if Kafka cannot be asked. Without a lag monitor on this machine it
    asks Kafka itself, over a few seconds, as SAFEBUS_PRINCIPAL, by default lag-monitor.
    """
    from services.cli import lag as room

    raise typer.Exit(room.watch(as_json, partitions) if watch else room.once(as_json, partitions))


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


PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""For commands whose own options are read elsewhere."""


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def topics(context: typer.Context) -> None:
    """The catalogue of topics: validate, plan, apply."""
    _as_the_running_one()
    from services.cli.topics import app as room

    _pass_on(room, context)


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def directory(context: typer.Context) -> None:
    """Who is who: import schools, practices, teams and children."""
    from services.registers.cli import directory as room

    _pass_on(room, context)


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def partner(context: typer.Context) -> None:
    """The gateway's partners: add, rotate their keys, list, test."""
    from services.cli.partner import app as room

    _pass_on(room, context)


@app.command(rich_help_panel=SET_UP, context_settings=PASSED_ON)
def board(context: typer.Context) -> None:
    """The handover board's people: name them, sign them in, end it."""
    from services.cli.board import app as room

    _pass_on(room, context)


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


@app.command(rich_help_panel=LOOK)
def trace(
    event_id: Annotated[
        str | None, typer.Argument(metavar="[EVENT_ID]", help="An event's id, as in ce_id.", show_default=False)
    ] = None,
    child: Annotated[str | None, typer.Option(metavar="ID", help="All that was said about this child.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what led to an event and what followed, as a tree with times. Personal fields are masked.

    Exit code 3 if something that belongs to it could not be had.
    """
    from services.cli import trace as room

    raise typer.Exit(room.trace(event_id, child, as_json))


@app.command(rich_help_panel=LOOK)
def tail(
    topic: Annotated[
        str | None, typer.Argument(metavar="[TOPIC]", help="police.incidents, for instance.", show_default=False)
    ] = None,
    child: Annotated[str | None, typer.Option(metavar="ID", help="Follow one child through every topic.")] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show personal fields; logged with your name and reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, in words that name nobody.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: 15min, 2h, 3d, or an ISO 8601 time.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Follow a topic or a child live, decoded, until Ctrl-C. Personal fields are masked."""
    from services.cli import tail as room

    raise typer.Exit(room.tail(topic, child, reveal=reveal, reason=reason, since=since, as_json=as_json))


@app.command(name="dead-letters", rich_help_panel=RUN, context_settings=PASSED_ON)
def dead_letters(context: typer.Context) -> None:
    """What could not be processed: list, show, retry, discard, export."""
    from services.cli.dead_letters import app as room

    _pass_on(room, context)


@app.command(rich_help_panel=LOOK)
def doctor(as_json: AsJson = False) -> None:
    """Check this machine and its servers, and say how to mend what is wrong. Changes nothing.

    Useful before anything runs, too. Exit code 3 if something is wrong.
    """
    with suppress(Exception):  # what is wrong with the settings is the doctor's to tell
        _as_the_running_one()
    from services.cli import doctor as room

    raise typer.Exit(room.doctor(as_json))


@app.command(rich_help_panel=FIGURES)
def report(
    month: Annotated[
        str | None, typer.Option(help="Which, as in 2026-10.", show_default="the last whole month")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The last of several months.", show_default="the same")] = None,
    every_number: Annotated[
        bool, typer.Option("--inside", help="With numbers under 5: it must not leave the partnership.")
    ] = False,
    as_html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.", show_default=False)
    ] = None,
    as_csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write its figures as CSV.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How well the partnership shares: the measures of a month, to be read or passed on.

    Numbers under 5 are suppressed, and those by which one could be worked out.
    """
    from services.cli import performance as room

    room.report(month, to, every_number=every_number, as_html=as_html, as_csv=as_csv, as_json=as_json)


@app.command(rich_help_panel=FIGURES, context_settings=PASSED_ON)
def performance(context: typer.Context) -> None:
    """The performance data: rebuild them from the log, and say who may see their pages."""
    from services.cli.performance import app as room

    _pass_on(room, context)


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


@app.command(rich_help_panel=SERVICES)
def replay(
    service: Service,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Send its stored outputs again instead, as they stand.")
    ] = False,
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="With --outputs: only this one. May be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --outputs: count them, and send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild a service's state from the log, beside the one it has, and say whether both are the same.

    Nothing is sent and nothing is changed; the service may run. Exit code 3 if they differ.
    """
    from services.bus.errors import UserMistake
    from services.cli import replay as room

    if (topic or dry_run) and not outputs:
        raise UserMistake("--topic and --dry-run go with --outputs; without that nothing is ever sent")
    code = room.replay(service, outputs=outputs, topics=topic or (), dry_run=dry_run, as_json=as_json)
    raise typer.Exit(code)


def _pass_on(room: typer.Typer, context: typer.Context) -> None:
    get_group(room)(context.args, prog_name=context.command_path)


def _as_the_running_one() -> None:
    """An embedded Kafka may be one broker: what `safebus up` applied to it must not look like a difference."""
    from services.bus.settings import settings
    from services.supervisor.status import running

    told = running(settings())
    if told is None or not told.embedded:
        return
    if settings().bootstrap_servers in (told.bootstrap_servers, told.bootstrap_servers.partition(",")[0]):
        os.environ["SAFEBUS_BOOTSTRAP_SERVERS"] = told.bootstrap_servers
        os.environ.setdefault("SAFEBUS_REPLICATION_FACTOR", str(told.brokers))
        settings.cache_clear()
