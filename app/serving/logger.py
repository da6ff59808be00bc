"""gunicorn's own log lines, in JSON as the app's are; a flood of what is no HTTP writes no line each."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger

INVALID = re.compile(r"Invalid request from ip=(\S*): (.*)", re.DOTALL)
LONGEST_REASON = 200  # characters of what a stranger wrote


class JsonFormatter(logging.Formatter):
    """A line of JSON, as the app's are; for the master, which does not load the app."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"event": record.getMessage(), "level": record.levelname.lower()}
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | {"pid": record.process})


class JsonLogger(Logger):
    """gunicorn's log lines in JSON; a flood of what is no HTTP writes no line each."""

    refusals: Any = None  # of the app, in a worker

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.format_by(JsonFormatter())

    def format_by(self, formatter: logging.Formatter) -> None:
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter)

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        found = self.refusals and INVALID.fullmatch(msg)
        if found:
            address, reason = found.groups()
            self.refusals.tell("", 400, f"no HTTP: {reason[:LONGEST_REASON]}", address)
        else:
            super().warning(msg, *args, **kwargs)
