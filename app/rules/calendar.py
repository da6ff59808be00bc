"""Which day, week or month a moment belongs to, by the studio's one clock; pure.

A day begins where the wall clock shows `day_starts`, also on the days of 23 and 25 hours. A week is known
by its first day and never by a number: years have 52 or 53.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UTC_ZONE = ZoneInfo("UTC")
EARLY = 300_000  # ms that an event may be ahead of us


class Unit(StrEnum):
    """What counting may begin anew with."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    SEASON = "season"  # the rule's own `when`
    EVER = "ever"


ENDLESS = (Unit.SEASON, Unit.EVER)
MOST_KNOWN = 2000


@dataclass(frozen=True)
class Calendar:
    """The clock of `[calendar]`: `week_starts` is 0 for Monday."""

    zone: ZoneInfo = UTC_ZONE
    day_starts: time = time(0)
    week_starts: int = 0
    # Of one event each is asked several times.
    _days: dict[int, date] = field(default_factory=dict, compare=False, repr=False)
    _names: dict[tuple[Unit, date], str] = field(default_factory=dict, compare=False, repr=False)
    _ends: dict[str, int | None] = field(default_factory=dict, compare=False, repr=False)

    def read_clock(self, moment: int) -> datetime:
        """What the wall clock shows at a moment (ms since the epoch)."""
        return (EPOCH + timedelta(milliseconds=moment)).astimezone(self.zone)

    def find_day(self, moment: int) -> date:
        """The day that a moment (ms since the epoch) belongs to."""
        day = self._days.get(moment)
        if day is None:
            clock = self.read_clock(moment)
            day = clock.date()
            if clock.time() < self.day_starts:
                day -= timedelta(days=1)
            remember(self._days, moment, day)
        return day

    def find_week(self, day: date) -> date:
        """The first day of the week of a day."""
        return day - timedelta(days=(day.weekday() - self.week_starts) % 7)

    def name_period(self, unit: Unit, moment: int) -> str:
        """The key of the period of a moment, as "month:2026-11"; two moments of one period share it."""
        if unit in ENDLESS:
            return unit.value
        day = self.find_day(moment)
        name = self._names.get((unit, day))
        if name is None:
            name = name_period_of_day(self, unit, day)
            remember(self._names, (unit, day), name)
        return name

    def number_period(self, unit: Unit, moment: int) -> int:
        """The number of the day, week or month of a moment: that of the next one is one more."""
        day = self.find_day(moment)
        match unit:
            case Unit.WEEK:
                return self.find_week(day).toordinal() // 7
            case Unit.MONTH:
                return day.year * 12 + day.month - 1
            case _:
                return day.toordinal()

    def name_number(self, unit: Unit, number: int) -> str:
        """The key of the period of this number."""
        return name_period_of_day(self, unit, self.find_first_day(unit, number))

    def find_first_day(self, unit: Unit, number: int) -> date:
        """The first day of the period of this number."""
        match unit:
            case Unit.WEEK:
                week = date.fromordinal(number * 7)
                return week + timedelta(days=(self.week_starts - week.weekday()) % 7)
            case Unit.MONTH:
                return date(number // 12, number % 12 + 1, 1)
            case _:
                return date.fromordinal(number)

    def begin_day(self, day: date) -> int:
        """When a day begins, in ms since the epoch."""
        # Where the clock jumps over this hour, the hour before it counts, as at the moment of the jump.
        begins = datetime.combine(day, self.day_starts, self.zone).astimezone(UTC)
        return (begins - EPOCH) // timedelta(milliseconds=1)

    def end_period(self, period: str) -> int | None:
        """When the period of this key is over, in ms since the epoch; None: never by the calendar."""
        end = self._ends.get(period)
        if end is None:
            end = self._find_end(period)
            remember(self._ends, period, end)
        return end

    def _find_end(self, period: str) -> int | None:
        unit, _, said = period.partition(":")
        match unit:
            case Unit.DAY:
                return self.begin_day(date.fromisoformat(said) + timedelta(days=1))
            case Unit.WEEK:
                return self.begin_day(date.fromisoformat(said) + timedelta(days=7))
            case Unit.MONTH:
                year, month = map(int, said.split("-"))
                return self.begin_day(date(year + month // 12, month % 12 + 1, 1))
            case Unit.YEAR:
                return self.begin_day(date(int(said) + 1, 1, 1))
        return None

    @property
    def text(self) -> str:
        """All that it says, in one word: another one means that votes belong to other days."""
        return f"{self.zone.key} {self.day_starts:%H:%M} {WEEKDAYS[self.week_starts]}"


def remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep what was found, but not for ever."""
    if len(known) > MOST_KNOWN:
        known.clear()
    known[key] = value


def name_period_of_day(calendar: Calendar, unit: Unit, day: date) -> str:
    match unit:
        case Unit.DAY:
            return f"day:{day.isoformat()}"
        case Unit.WEEK:
            return f"week:{calendar.find_week(day).isoformat()}"
        case Unit.MONTH:
            return f"month:{day.year:04}-{day.month:02}"
        case Unit.YEAR:
            return f"year:{day.year:04}"
    return str(unit)


def choose_moment(occurred_at: int | None, received_at: int) -> int:
    """The time by which an event counts: its own, or when it came where it has none or a future one.

    All are in ms since the epoch.
    """
    if occurred_at is None or occurred_at > received_at + EARLY:
        return received_at
    return occurred_at
