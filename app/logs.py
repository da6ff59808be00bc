"""JSON logs on standard error, a line an event; a secret that strays into one is masked."""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import structlog

from app.masking import SHORTEST_MASKED, mask_secrets
from app.secret import Secret


def set_up_logs(secrets: Iterable[Secret], stream: Any = None) -> None:
    """Send structlog and the standard library's logging to `stream` as JSON lines."""
    hidden = [s.reveal() for s in secrets if len(s.reveal()) >= SHORTEST_MASKED]

    def mask(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in line.items():
            line[key] = mask_secrets(value, hidden)
        return line

    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, mask, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


def find_secrets(value: Any) -> Iterable[Secret]:
    """Every Secret in a settled config, however deep."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, dict) or hasattr(value, "values"):
        for inner in value.values():
            yield from find_secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from find_secrets(inner)
