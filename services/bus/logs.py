"""structlog, set up once per process. Lines carry ids, names of types and rules, never an event's content."""

from __future__ import annotations

import logging
import sys

import structlog

from services.bus.settings import Settings


def configure(settings: Settings) -> None:
    """JSON lines on stderr, or readable ones with SAFEBUS_LOG_FORMAT=console."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    # Libraries speak only when something is wrong; none of them is given an event's content to speak about.
    logging.basicConfig(
        stream=sys.stderr, level=max(level, logging.WARNING), format="%(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = settings.log_format == "console"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
