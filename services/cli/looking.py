"""The commands by which operators and analysts look into what happens, with their options and help."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from services.cli.frame import FIGURES, LOOK, PASSED_ON, SERVICES, AsJson, Service, app, as_the_running_one, pass_on


@app.command(rich_help_panel=LOOK)
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


@app.command(rich_help_panel=LOOK)
def doctor(as_json: AsJson = False) -> None:
    """Check this machine and its servers, and say how to mend what is wrong. Changes nothing.

    Useful before anything runs, too. Exit code 3 if something is wrong.
    """
    with suppress(Exception):  # what is wrong with the settings is the doctor's to tell
        as_the_running_one()
    from services.cli import doctor as room

    raise typer.Exit(room.doctor(as_json))


@app.command(name="dead-letters", rich_help_panel=LOOK, context_settings=PASSED_ON)
def dead_letters(context: typer.Context) -> None:
    """What could not be processed: list, show, retry, discard, export."""
    from services.cli.dead_letters import app as room

    pass_on(room, context)


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

    pass_on(room, context)


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
