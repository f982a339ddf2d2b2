"""Log events: `noun.past_verb` with fields; JSON for the journal, coloured text on a terminal.

No message text is logged, and numbers only as their last three digits. One event per message is
logged at debug level; what a person must know (a bind lost, an outcome unknown) above it.
"""

from __future__ import annotations

import logging
import sys

import structlog

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str = "info") -> None:
    """Send log events to stderr."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def masked(number: str) -> str:
    """A number as it may be logged: its last three digits."""
    return f"…{number[-3:]}"
