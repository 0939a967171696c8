"""Structured logs: one line of JSON an event (or a readable line in development), from structlog and the standard library alike.

What must never happen here: a password, token, key or seed in a line, whoever wrote it: fields that are named like one are masked
before rendering, and what looks like one in the finished line after (config/redaction.py). No logger keeps a handler of its own.
"""

from __future__ import annotations

import logging
import logging.config
import sys
import threading
from typing import Any

import structlog

from config import redaction


def mask_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    # What is behind an underscore is structlog's own, and goes before the line is made.
    own = {key: value for key, value in event.items() if key.startswith("_") or key == "exc_info"}
    return {**redaction.named(event), **own}


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG hook; options: {"level": "INFO", "json": bool}."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if options.get("json") else structlog.dev.ConsoleRenderer(colors=False)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        redaction.scrubbing(renderer),
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": options.get("level", "INFO")},
            "loggers": {
                # Those that come with handlers of their own; their lines go our way.
                "django": {"handlers": [], "level": "INFO", "propagate": True},
                "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
                "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
                "uvicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
                "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
                "httpx": {"level": "WARNING"},
                "BitcoinRPC": {"level": "WARNING"},
                "web3": {"level": "WARNING"},
                "urllib3": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if options.get("json"):
        sys.excepthook = _log_uncaught
        threading.excepthook = lambda found: _log_uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def _log_uncaught(kind: Any, error: Any, traceback: Any) -> None:
    """The last words of a process or a thread are a line like any other."""
    if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        logging.getLogger("uncaught").critical("uncaught", exc_info=(kind, error, traceback))
