"""A setting that is a time to pass, as a person says it: "90 seconds", "6 hours", "3 days"."""

import re
from typing import Any

from marshmallow import ValidationError, fields

from app.porch.fields import ReferableString

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
is_duration = re.compile(r"([0-9]{1,6}) (second|minute|hour|day|week)s?").fullmatch


class DurationField(fields.Field[int]):
    """A number and a unit; it becomes whole seconds, at least `shortest` of them."""

    def __init__(self, shortest: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shortest = shortest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = is_duration(ReferableString().deserialize(value, attr, data))
        if found is None:
            raise ValidationError('must be as "90 seconds", "6 hours" or "3 days"')
        seconds = int(found[1]) * SECONDS[found[2]]
        if seconds < self._shortest:
            raise ValidationError(f"must be at least {self._shortest} seconds")
        return seconds
