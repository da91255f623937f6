"""One way to log for every process: structlog and the standard library through the same renderer, to standard error."""

from __future__ import annotations

import logging.config
import sys
from typing import Any

from proxy_project.absences import absent, forgo
from proxy_project.environment import Environment

with absent("rich", "twisted", "greenlet"):
    import structlog
# Its command line, with which come rich and pygments.
forgo("httpx._main")
# Uvicorn's way to start again when a file changes.
forgo("watchfiles")

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

# What they tell of each event that goes well is noise at our level.
TALKATIVE = ("asyncio", "celery", "daphne", "httpcore", "httpx", "kombu", "uvicorn")

METRICS = "turnlog.metrics"
"""The logger of `request_completed` (`gateway/recording/completed_log.py`)."""


def logging_settings(environment: Environment) -> dict[str, Any]:
    level = environment.log_level.upper()
    quiet = level if level in ("DEBUG", "ERROR") else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "proxy_project.logs.formatter", "style": environment.log_format}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {name: {"level": quiet} for name in TALKATIVE}
        # Switched by its own setting alone, whatever the level of all others.
        | {METRICS: {"level": "INFO" if environment.metrics_log else "CRITICAL"}},
    }


def formatter(style: str) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers(style)],
    )


def renderers(style: str) -> list[structlog.typing.Processor]:
    if style == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    ]


def configure(settings: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG."""
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
