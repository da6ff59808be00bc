"""The section [retention]: after how long old rows lose what is not needed for ever."""

import re
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields

from app.config.sections import SectionSchema
from app.porch.fields import ReferableString

DAY = 86_400_000  # ms
SPAN = re.compile(r"([1-9][0-9]{0,4}) days?")


@dataclass(frozen=True)
class Retention:
    """How long `data` of events, and `answers` of platforms, are kept, in ms; None: for ever."""

    data: int | None = None
    answers: int | None = None


class SpanField(fields.Field[int]):
    """A number of days, as "400 days"; in ms once it is read."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        text = ReferableString().deserialize(value, attr, data)
        if not (found := SPAN.fullmatch(text)):
            raise ValidationError('must be a number of days, as "400 days"')
        return int(found[1]) * DAY


class RetentionSchema(SectionSchema):
    makes = Retention
    data = SpanField()
    answers = SpanField()
