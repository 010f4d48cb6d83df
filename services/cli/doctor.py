"""`safebus doctor`: whether this machine and its servers are as the bus needs them, and how to mend what is not."""

from __future__ import annotations

import json
from typing import Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.bus.errors import EXIT_DRIFT
from services.bus.settings import Settings, settings
from services.cli import told
from services.cli.screen import Screen
from services.operating.doctoring import Finding, State, examine
from services.operating.doctoring.finding import wrong

_SIGNS: Final = {State.OK: ("ok", "green"), State.NOTE: ("note", "yellow"), State.WRONG: ("wrong", "bold red")}


def doctor(as_json: bool) -> int:
    """Look at everything, say it, and the exit code: 3 if something is wrong."""
    findings = _findings(as_json)
    if as_json:
        typer.echo(json.dumps([finding.as_object() for finding in findings], indent=2, ensure_ascii=False))
    else:
        _print(findings)
    return EXIT_DRIFT if any(finding.state is State.WRONG for finding in findings) else 0


def _findings(as_json: bool) -> list[Finding]:
    try:
        at: Settings = settings()
    except ValidationError as error:
        return [wrong("settings", told(error)[0], "set it anew; `safebus config` says what each means")]
    if as_json:
        return list(examine(at))
    with Screen() as screen:
        # Only a moving line is of use: a pipe has no need to hear of each step.
        moving = Console(stderr=True).is_terminal
        return list(examine(at, screen.doing if moving else lambda _: None))


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(findings) if console.is_terminal else "\n".join(map(_line, findings)), markup=False)
    checks = "1 check" if len(findings) == 1 else f"{len(findings)} checks"
    ill = sum(finding.state is State.WRONG for finding in findings)
    verdict = "nothing is wrong" if not ill else "1 thing is wrong" if ill == 1 else f"{ill} things are wrong"
    console.print(Text(f"\n{checks}: {verdict}", "green" if not ill else "bold red"))


def _line(finding: Finding) -> str:
    return f"{_SIGNS[finding.state][0]:5}  {finding.name}: {finding.says}" + (
        f" → {finding.mend}" if finding.mend else ""
    )


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for finding in findings:
        word, style = _SIGNS[finding.state]
        says = Text(finding.says)
        if finding.mend:
            says.append(f"\n→ {finding.mend}", "bold" if finding.state is State.WRONG else "dim")
        table.add_row(finding.name, Text(word, style), says)
    return table
