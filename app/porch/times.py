"""The steps of a timeline, and the one way times are written."""

from datetime import UTC, datetime
from typing import Any


def format_time(ms: int | None) -> str | None:
    """ISO 8601 UTC of a time in ms, or None; None too for one that no calendar holds."""
    if ms is None:
        return None
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_step(at: int, what: str, detail: str) -> dict[str, Any]:
    """One step: when (ISO 8601), in a word or two, in a sentence."""
    return {"at": format_time(at), "what": what, "detail": detail}
