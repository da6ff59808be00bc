"""When a rule holds: dates, days of the week, hours, by the time of the event on the studio's clock."""

from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from typing import Any

from marshmallow import ValidationError, fields

from app.config.checking import StrictSchema
from app.rules.calendar import WEEKDAYS, Calendar


@dataclass(frozen=True)
class When:
    """`first` and `last` are days, both included; `hours` begin and end by the wall clock."""

    first: date | None = None
    last: date | None = None
    days: tuple[int, ...] = ()  # 0 is Monday; none: every day
    hours: tuple[time, time] | None = None

    @cached_property
    def means(self) -> list[Any]:
        """All that it says, as JSON."""
        return [
            str(self.first) if self.first else None,
            str(self.last) if self.last else None,
            list(self.days),
            [f"{one:%H:%M}" for one in self.hours or ()],
        ]

    def find_fault(self, calendar: Calendar, moment: int) -> str:
        """Why it does not hold at this moment (ms); "" where it does."""
        day = calendar.find_day(moment)
        if self.first and day < self.first:
            return f"it begins on {self.first}"
        if self.last and day > self.last:
            return f"it ended on {self.last}"
        if self.days and day.weekday() not in self.days:
            return f"not on a {WEEKDAYS[day.weekday()]}"
        if self.hours and not self._is_within(calendar.read_clock(moment).time()):
            return "not from {:%H:%M} to {:%H:%M}".format(*self.hours)
        return ""

    def _is_within(self, clock: time) -> bool:
        begin, end = self.hours or (time(0), time(0))
        if begin < end:
            return begin <= clock < end
        return clock >= begin or clock < end  # over midnight


class DayField(fields.Field[date]):
    """A date as TOML writes it, 2026-12-01, or the same as text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if type(value) is date:
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValidationError("must be a day, as 2026-12-31") from None


class ClockField(fields.Field[time]):
    """An hour of the wall clock, as "18:00"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:
        return read_clock(value)


def read_clock(value: Any) -> time:
    """The time of "18:00", or of TOML's 18:00:00. Raises ValidationError for anything else."""
    if isinstance(value, time) and not (value.second or value.microsecond):
        return value
    try:
        hour, minute = value.split(":")
        if len(hour) == len(minute) == 2 and (hour + minute).isdecimal():
            return time(int(hour), int(minute))
    except (AttributeError, ValueError):
        pass
    raise ValidationError('must be an hour, as "18:00"')


class WhenSchema(StrictSchema):
    first = DayField(data_key="from")
    last = DayField(data_key="to")
    days = fields.List(fields.String())
    hours = fields.List(ClockField())


class WhenField(fields.Nested):
    """`when = { from = 2026-12-01, to = 2026-12-31, days = [...], hours = ["18:00", "22:00"] }`"""

    def __init__(self) -> None:
        super().__init__(WhenSchema)

    def _deserialize(self, *args: Any, **kwargs: Any) -> When:
        said = super()._deserialize(*args, **kwargs)
        first, last, hours = said.get("first"), said.get("last"), said.get("hours")
        if not said:
            raise ValidationError("asks nothing: say from, to, days or hours, or leave it out")
        if first and last and first > last:
            raise ValidationError("from is later than to: it would never hold")
        if hours is not None and (len(hours) != 2 or hours[0] == hours[1]):
            raise ValidationError('hours are two, as ["18:00", "22:00"]')
        return When(first, last, read_days(said.get("days")), tuple(hours) if hours else None)


def read_days(names: list[str] | None) -> tuple[int, ...]:
    """The numbers of these days of the week. Raises ValidationError for what is none."""
    if names is None:
        return ()
    unknown = [name for name in names if name not in WEEKDAYS]
    if unknown or not names:
        raise ValidationError(f"days are of {', '.join(WEEKDAYS)}")
    return tuple(sorted({WEEKDAYS.index(name) for name in names}))
