"""The `safebus` command. What each subcommand needs is imported when it is called, so that help comes at once."""

from __future__ import annotations

import errno
import logging
import sys

from services.bus.errors import EXIT_MISTAKE, EXIT_TRY_AGAIN, SafebusError, Surroundings

EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command and end the process with its exit code; an error is one sentence on standard error."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _run() -> None:
    from services.cli.app import app, asked

    logging.lastResort = (
        logging.NullHandler()
    )  # what goes wrong is told in our own sentence, not in a library's besides
    try:
        app(prog_name="safebus")
    except Exception as error:
        if asked.debug:
            raise
        sentence, code = told(error)
        print(sentence, file=sys.stderr)  # noqa: T201
        sys.exit(code)


def told(error: BaseException) -> tuple[str, int]:
    """What a person is told of an error, and the exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Surroundings) and "`" not in str(error):  # it does not say itself what to do
        return f"{error}; `safebus doctor` looks for what is wrong", error.exit_code
    if isinstance(error, SafebusError):
        return str(error), error.exit_code
    if type(error).__name__ == "ValidationError" and getattr(error, "title", "") == "Settings":
        from services.bus.settings import wrong_settings

        return wrong_settings(error), EXIT_MISTAKE  # type: ignore[arg-type]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some of it, or choose another SAFEBUS_DATA_DIR", EXIT_TRY_AGAIN
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}", EXIT_MISTAKE
    # Never its text: that may hold what an event said.
    return (
        f"safebus met a fault of its own ({type(error).__name__}); the same with `safebus --debug` shows where",
        SafebusError.exit_code,
    )
