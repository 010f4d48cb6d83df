"""`safebus dead-letters`: what could not be processed: look at it, have it tried again, discard it, take it away.

Exit codes: 0 done; 2 a mistake, in one sentence; 3 something was not retried, died again or has not been heard yet;
75 Kafka, the registry or the document store is away.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from services.bus.errors import UserMistake

if TYPE_CHECKING:
    from services.operating.letters import Filter, Letter

T = TypeVar("T")

app = typer.Typer(
    name="dead-letters",
    help="What could not be processed: look at it, have it tried again, discard it, take it away.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.", show_default=False)]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, or how they begin.", show_default=False)]
AnyIds = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Ids, or how they begin.")]
Codes = Annotated[
    list[str] | None,
    typer.Option("--reason", "--code", metavar="CODE", help="Only these: invalid, held, held:H3. May be repeated."),
]
Services = Annotated[
    list[str] | None, typer.Option("--service", help="Only those of this service. May be repeated.", show_default=False)
]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Such as 30m, 12h or 3d.", show_default=False)
]
StateOption = Annotated[str, typer.Option("--state", help="open, retried, discarded or any.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show personal fields; logged first, with the reason.")]
Because = Annotated[
    str | None,
    typer.Option(
        "--reason", "--because", metavar="TEXT", help="Why, for the log; name nobody in it.", show_default=False
    ),
]


@app.command(name="list")
def list_(
    reason: Codes = None,
    service: Services = None,
    older_than: OlderThan = None,
    state: StateOption = "open",
    everything: Annotated[bool, typer.Option("--all", help="Every line, however many.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is open, worst first, with counts by service and reason."""
    wanted = _filter(reason, service, older_than, state)

    async def look() -> None:
        from services.cli import letters_shown
        from services.operating.letters import worst_first
        from services.operating.shown import summary

        found, now = await _gathered()
        _services_are_some(wanted, found)
        chosen = worst_first(one for one in found if wanted.takes(one, now))
        if as_json:
            from services.operating.letters import counts

            by = [
                {"service": who, "reason": code, "count": number, "immediate": immediate}
                for who, code, number, immediate in counts(chosen)
            ]
            _tell({"counts": by, "dead_letters": [summary(one, now) for one in chosen]})
        else:
            letters_shown.listed(chosen, now, state, len(found), everything=everything)

    _run(look())


@app.command()
def show(beginning: Id, reveal: Reveal = False, because: Because = None, as_json: AsJson = False) -> None:
    """One of them: why, what that means, what to do, what was done; and its content, masked."""
    _reason_fits(reveal, because)

    async def look() -> None:
        from services.bus.events import OperatorAct
        from services.bus.settings import settings
        from services.cli import letters_shown
        from services.operating import acts
        from services.operating.letters import ABOUT, find
        from services.operating.reading import Log
        from services.operating.shown import content, same_event, whole

        at = settings()
        found, now = await _gathered()
        one = find(found, beginning)
        if reveal:
            # Before anything is shown: if it cannot be logged, this raises.
            await acts.record(OperatorAct.REVEALED, f"{ABOUT}{one.id}", because, at=at, service=one.said.service)
        async with Log(at) as log:
            said = whole(one, now, same_event(one, found)) | await content(log, one, at, reveal=reveal)
        if as_json:
            _tell(said | {"revealed": reveal})
        else:
            letters_shown.shown(said, revealed=reveal)

    _run(look())


@app.command()
def retry(
    ids: AnyIds = None,
    reason: Codes = None,
    service: Services = None,
    older_than: OlderThan = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent and what not; send nothing.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds to hear what became of them.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send the original again, as it came, where it came from: one, several, or all of a kind.

    Each can be decided once more. Killed in the middle, the same command goes on: nothing has an effect twice.
    """
    if not ids and not (reason or service or older_than):
        raise UserMistake("say which: ids, or all of a kind by --reason, --service or --older-than")
    wanted = _filter(reason, service, older_than, "any")

    async def send() -> int:
        from services.cli import letters_retried
        from services.operating.letters import State, find

        found, now = await _gathered()
        _services_are_some(wanted, found)
        if ids:
            named = {find(found, beginning).id for beginning in ids}
            chosen = [one for one in found if one.id in named and wanted.takes(one, now)]
        else:
            waiting = [one for one in found if one.state is State.RETRIED and one.became is None]
            chosen = [one for one in found if wanted.takes(one, now) and (one.state is State.OPEN or one in waiting)]
        by_name = bool(ids or reason)
        return await letters_retried.retried(found, chosen, named=by_name, dry_run=dry_run, wait=wait, as_json=as_json)

    code = _run(send())
    if code:
        raise typer.Exit(code)


@app.command()
def discard(ids: Ids, because: Because = None, as_json: AsJson = False) -> None:
    """Decide that they are not to be processed. They stay in the log, with the reason."""

    async def put_away() -> None:
        from services.bus.events import OperatorAct
        from services.bus.settings import settings
        from services.operating.acts import Acts, fit
        from services.operating.letters import ABOUT, State, find

        fit(OperatorAct.DISCARDED, because)
        at = settings()
        found, _ = await _gathered()
        chosen = list({(one := find(found, beginning)).id: one for beginning in ids}.values())
        new = [one for one in chosen if one.state is not State.DISCARDED]
        async with Acts(at) as acts:
            await acts.log(
                [
                    acts.acted(OperatorAct.DISCARDED, f"{ABOUT}{one.id}", because, service=one.said.service)
                    for one in new
                ]
            )
        if as_json:
            _tell({"discarded": [one.id for one in new], "before": [one.id for one in chosen if one not in new]})
            return
        for one in chosen:
            before = one.last(OperatorAct.DISCARDED)
            how = f"{before.by} had discarded it already" if before and one not in new else "discarded, and logged"
            typer.echo(f"{one.id[:8]} {one.code} of {one.said.service}: {how}")

    _run(put_away())


@app.command()
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="- writes to standard output.", show_default=False)
    ],
    code: Annotated[
        list[str] | None,
        typer.Option("--code", metavar="CODE", help="Only these: invalid, held, held:H3. May be repeated."),
    ] = None,
    service: Services = None,
    older_than: OlderThan = None,
    state: StateOption = "open",
    reveal: Reveal = False,
    because: Because = None,
) -> None:
    """Write them as JSON Lines for a review, masked; the file is for its owner alone. Logged before it is written."""
    _reason_fits(reveal, because)
    wanted = _filter(code, service, older_than, state)

    async def write() -> None:
        from services.bus.settings import settings
        from services.operating.exporting import export as lines_of
        from services.operating.letters import worst_first

        found, now = await _gathered()
        _services_are_some(wanted, found)
        chosen = worst_first(one for one in found if wanted.takes(one, now))
        text = await lines_of(settings(), chosen, found, now, reveal=reveal, because=because)
        if str(file) == "-":
            typer.echo(text, nl=False)
            return
        from services.cli.writing import written

        written(file, text)
        number = "1 dead letter" if len(chosen) == 1 else f"{len(chosen)} dead letters"
        typer.echo(f"{number} in {file}, {'revealed' if reveal else 'masked'}, and logged")

    _run(write())


async def _gathered() -> tuple[list[Letter], datetime]:
    from services.bus.clock import Clock
    from services.bus.settings import settings
    from services.cli.letters_shown import reading
    from services.operating.letters import gather
    from services.operating.reading import Log

    at = settings()
    async with Log(at) as log:
        with reading() as progress:
            return await gather(log, progress), Clock.of(at).now()


def _filter(reason: Sequence[str] | None, service: Sequence[str] | None, older_than: str | None, state: str) -> Filter:
    from services.operating.letters import Filter, State

    if state not in ("any", *State):
        raise UserMistake(f"--state is open, retried, discarded or any, not {state}")
    states = tuple(State) if state == "any" else (State(state),)
    names = tuple(name.replace("_", "-") for name in service or ())
    return Filter(tuple(reason or ()), names, _age(older_than), states)


def _services_are_some(wanted: Filter, found: Sequence[Letter]) -> None:
    """A name that is misspelt must not read as if nothing waited there; one of a service that is gone may be asked."""
    from services.bus.catalogue import load
    from services.bus.settings import settings

    known = sorted({*load(settings().catalogue).services, *(one.said.service for one in found)})
    if strange := [name for name in wanted.services if name not in known]:
        raise UserMistake(f"there is no service {strange[0]}; there are {', '.join(known)}")


def _age(said: str | None) -> timedelta | None:
    if said is None:
        return None
    match = re.fullmatch(r"(\d{1,5})\s*([smhd])", said.strip())
    if match is None:
        raise UserMistake(f"{said} is no age; write 30m, 12h or 3d")
    return timedelta(seconds=int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]])


def _reason_fits(reveal: bool, because: str | None) -> None:
    from services.bus.events import OperatorAct
    from services.operating.acts import fit

    if reveal:
        fit(OperatorAct.REVEALED, because)
    elif because:
        raise UserMistake("a --reason is for --reveal; without that nothing personal is shown")


def _run(doing: Awaitable[T]) -> T:
    async def run() -> T:
        return await doing

    return asyncio.run(run())


def _tell(said: Any) -> None:
    typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
