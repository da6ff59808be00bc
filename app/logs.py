"""JSON logs on standard error, a line an event; a secret that strays into one is masked."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import structlog

from app.porch.fields import Secret
from app.porch.masking import MASK, SHORTEST_MASKED, list_spellings

ENCODER = json.JSONEncoder(default=str)


class StandardError:
    """Standard error as it is when something is written, whoever has put another in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def set_up_logs(secrets: Iterable[Secret], stream: Any = None) -> None:
    """Send structlog and the standard library's logging to `stream` as JSON lines."""
    write_line, stream = make_writer(secrets), stream or StandardError()
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, write_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, write_line],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)


def make_writer(secrets: Iterable[Secret]) -> Callable[[Any, str, MutableMapping[str, Any]], str]:
    """The last processor: an event's line, with these secrets masked."""
    known = [s.reveal() for s in secrets if len(s.reveal()) >= SHORTEST_MASKED]
    # As they stand in a line of JSON; the longest first: one may be a part of another.
    plain = sorted((ENCODER.encode(one)[1:-1] for one in known), key=len, reverse=True)
    spelt = list_spellings([*known, *plain])

    def write_line(logger: Any, method: str, line: MutableMapping[str, Any]) -> str:
        try:
            text = ENCODER.encode(line)
        except (TypeError, ValueError, RecursionError):  # a log never fails who writes it
            text = ENCODER.encode({key: repr(value) for key, value in line.items()})
        # Our own words are known to be plain; an error or a warning may quote a stranger's.
        for secret in plain if line.get("level") == "info" else spelt:
            text = text.replace(secret, MASK)
        return text

    return write_line


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
