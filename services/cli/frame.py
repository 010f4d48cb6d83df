"""What all commands have in common: the program, its options, exit codes, and how a room's own commands are called."""

from __future__ import annotations

import os
from inspect import cleandoc
from types import SimpleNamespace
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

EXIT_CODES = """\
Exit codes:

  0  done

  1  a fault, or not everything is ready

  2  your mistake; the sentence says what to do

  3  it was looked at, and something is not as it should be

 70  going on could lose or repeat an event, so a person has to act

 75  something is away; try again

130  Ctrl-C"""
RUN, SET_UP, EVENTS, SERVICES = "Run the bus", "Set it up", "Send an event", "One service"
FIGURES = "Performance data"
LOOK = "Look into it"

asked = SimpleNamespace(debug=False)
"""What was asked of all commands alike."""

HELP = {"help_option_names": ["-h", "--help"]}


def _flow(group: TyperGroup) -> None:
    """Let each paragraph of the commands' help fill the terminal's width: typer keeps a docstring's line ends."""
    for command in group.commands.values():
        paragraphs = cleandoc(command.help or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        if isinstance(command, TyperGroup):
            _flow(command)


class Commands(TyperGroup):
    """The program's commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        _flow(self)


app = typer.Typer(
    name="safebus",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=HELP,
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


PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""For commands whose own options are read elsewhere."""


def pass_on(room: typer.Typer, context: typer.Context) -> None:
    """Have a room's own command read what stands after its name. Ends the process as that command does."""
    group = get_group(room)
    _flow(group)
    group(context.args, prog_name=context.command_path, **HELP)


def as_the_running_one() -> None:
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
