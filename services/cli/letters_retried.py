"""`safebus dead-letters retry`, at a terminal: what will be sent, a bar while it is, and what became of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import typer
from rich.text import Text

from services.bus.errors import EXIT_DRIFT, UserMistake
from services.bus.run import broker_for
from services.bus.settings import settings
from services.cli.letters_shown import BECAME, bar, columns, console
from services.operating.acts import OPERATOR
from services.operating.letters import SHORT, Letter
from services.operating.plan import Plan, plan
from services.operating.retrying import DONE, Outcome, Retrying

SOME: Final = 5
"""Ids in a line that tells of several."""
STYLES: Final = {"done": "green", "repeated": "green", "dead": "bold red"}


async def retried(
    everything: Sequence[Letter],
    chosen: Sequence[Letter],
    *,
    named: bool,
    dry_run: bool,
    wait: float,
    as_json: bool,
) -> int:
    """Do it and say what came of it; the exit code: 0 if all of them are done, else 3.

    Raises:
        UserMistake: the only one that was asked for cannot be retried.
    """
    at = settings()
    planned = plan(chosen, everything, await broker_for(at, OPERATOR).partition_counts(), named=named)
    if len(chosen) == 1 and planned.refused and not as_json and not dry_run:
        one, why = planned.refused[0]
        raise UserMistake(f"{one.id[:SHORT]} was not retried: {why}")
    if dry_run:
        _say_plan(planned, as_json=as_json)
        return 0
    outcomes = await _sent_and_heard(planned, wait)
    _say(planned, outcomes, as_json=as_json)
    return 0 if all(one.good for one in outcomes) and not planned.refused else EXIT_DRIFT


async def _sent_and_heard(planned: Plan, wait: float) -> list[Outcome]:
    number = sum(len(one.letters) for one in planned.send)
    if not number and not planned.waiting:
        return []
    async with Retrying(settings()) as retrying:
        with bar("sending", number) as told:
            await retrying.send(planned, _counting(told, number))
        with bar("hearing what became of them", number + len(planned.waiting)) as told:
            return await retrying.hear(wait, _counting(told, number + len(planned.waiting)))


def _counting(told: Any, of: int) -> Any:
    so_far = 0

    def more(number: int) -> None:
        nonlocal so_far
        so_far += number
        told(so_far, of)

    return more


def _say_plan(planned: Plan, *, as_json: bool) -> None:
    sent = [(letter, one) for one in planned.send for letter in one.letters]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "would_send": [{"id": letter.id, **_of(letter)} for letter, _ in sent],
                    "sent_before": [{"id": letter.id, **_of(letter)} for letter in planned.waiting],
                    "refused": [{"id": letter.id, "why": why, **_of(letter)} for letter, why in planned.refused],
                },
                indent=2,
            )
        )
        return
    out = console()
    if sent:
        table = columns("id", "reason", "service", "would be sent to")
        for letter, one in sent:
            again = ", begun before" if one.begun_before else ""
            where = f"{letter.said.origin_topic}[{letter.said.origin_partition}]{again}"
            table.add_row(letter.id[:SHORT], letter.code, letter.said.service, where)
        out.print(table)
    for letter in planned.waiting:
        out.print(Text(f"{letter.id[:SHORT]} was sent before; what became of it would be heard, and nothing sent"))
    _say_refused(planned)
    records = f"{len(planned.send)} original{'' if len(planned.send) == 1 else 's'} would be sent"
    out.print(f"{records}, {len(planned.refused)} refused; nothing was sent", style="bold")


def _of(letter: Letter) -> dict[str, str]:
    return {"reason": letter.code, "service": letter.said.service, "origin_topic": letter.said.origin_topic}


def _say_refused(planned: Plan) -> None:
    """Those that are alike in one line: five hundred would hide the one that matters."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for letter, why in planned.refused:
        alike.setdefault((letter.code, letter.said.service, why), []).append(letter.id[:SHORT])
    for (code, service, why), ids in alike.items():
        some = ", ".join(ids[:SOME]) + (f" and {len(ids) - SOME} more" if len(ids) > SOME else "")
        line = Text.assemble((some, "bold"), f" {code} of {service} not retried: {why}")
        console().print(line)


def _say(planned: Plan, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    if as_json:
        told = [{"id": one.letter.id, "became": one.became, "why": one.why, **_of(one.letter)} for one in outcomes]
        refused = [{"id": letter.id, "why": why, **_of(letter)} for letter, why in planned.refused]
        typer.echo(json.dumps({"retried": told, "refused": refused}, indent=2))
        return
    out = console()
    for one in outcomes:
        line = Text.assemble((one.letter.id[:SHORT], "bold"), f" {one.letter.code} of {one.letter.said.service}: ")
        line.append(BECAME.get(one.became, one.became), STYLES.get(one.became, "yellow"))
        if one.became != DONE and one.why:
            line.append(f", {one.why}")
        out.print(line)
    _say_refused(planned)
    number = Counter(BECAME.get(one.became, one.became) for one in outcomes)
    said = ", ".join(f"{count} {became}" for became, count in number.items()) or "nothing was sent"
    out.print(f"{said}" + (f", {len(planned.refused)} not retried" if planned.refused else ""), style="bold")
