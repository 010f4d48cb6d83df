"""What a person sees while files arrive: a bar at a terminal, a line every tenth otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

MEGABYTE = 1_000_000

Arrived = Callable[[int], None]
"""Called with the number of bytes that have just arrived, from any thread."""


@contextmanager
def arriving(what: str, total: int, console: Console) -> Iterator[Arrived]:
    """Show `what` arriving, `total` bytes in all, until the block ends."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(20), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(what, total=total)
            yield lambda size: progress.update(task, advance=size)
        return
    console.print(f"{what}: {total // MEGABYTE} MB", highlight=False)
    yield _lines(what, total, console)


def _lines(what: str, total: int, console: Console) -> Arrived:
    lock = Lock()
    done = said = 0
    step = max(total // 10, 10 * MEGABYTE)

    def arrived(size: int) -> None:
        nonlocal done, said
        with lock:
            done += size
            if done >= said + step:
                said = done
                console.print(f"{what}: {done // MEGABYTE} of {total // MEGABYTE} MB", highlight=False)

    return arrived
