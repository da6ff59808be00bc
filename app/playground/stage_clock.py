"""The clock of the stage: it stands still until somebody turns it, and only ever goes forward."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from app.porch.errors import GuerdonError
from app.rules.calendar import EPOCH, WEEKDAYS, Calendar, Unit

FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)  # days on which it may stand
LONGEST_TURN = timedelta(days=366)  # at once: each ranking in between is closed
NOON = 12 * 3_600_000  # ms


class Turn(StrEnum):
    """By what the clock is turned."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"  # to the end of it


STEPS = {Turn.DAY: timedelta(days=1), Turn.WEEK: timedelta(days=7)}  # by the clock on the wall


class StageClock:
    """Called, it says what time it is on the stage, in ms since the epoch."""

    def __init__(self) -> None:
        """Until it begins it stands at the epoch, by UTC."""
        self.calendar = Calendar()
        self._now = 0

    def __call__(self) -> int:
        return self._now

    def begin(self, calendar: Calendar, day: date) -> None:
        """Stand twelve hours after a day of this calendar begins. Raises GuerdonError for one too far off."""
        if not FIRST <= day <= LAST:
            raise GuerdonError(f"begin: {day} is not between {FIRST} and {LAST}")
        self.calendar = calendar
        self._now = calendar.begin_day(day) + NOON

    def turn(self, by: Turn) -> None:
        """Turn it forward. Raises GuerdonError at the end of its days."""
        if by is Turn.HOUR:
            self._set(self.read() + timedelta(hours=1), "by")
        elif by is Turn.MONTH:
            end = self.calendar.end_period(self.calendar.name_period(Unit.MONTH, self._now))
            assert end is not None
            self._set(EPOCH + timedelta(milliseconds=end), "by")
        else:
            wall = self.calendar.read_clock(self._now) + STEPS[by]
            self._set(wall.astimezone(UTC), "by")

    def turn_to(self, said: str) -> None:
        """Turn it forward to a time of its zone, as "2026-11-30T23:59".

        Raises GuerdonError for what is none, for one that is over, and for one too far off.
        """
        try:
            wall = datetime.fromisoformat(said)
            moment = (wall if wall.tzinfo else wall.replace(tzinfo=self.calendar.zone)).astimezone(
                UTC
            )
        except (ValueError, OverflowError):
            raise GuerdonError(
                "moment: it is written as a day and a time, as 2026-11-30T23:59"
            ) from None
        self._set(moment, "moment")

    def read(self) -> datetime:
        """What time it is, by UTC."""
        return EPOCH + timedelta(milliseconds=self._now)

    def _set(self, moment: datetime, field: str) -> None:
        """Go to a moment; the error names the field that asked for it."""
        if moment < self.read():
            raise GuerdonError(
                f"{field}: the clock shows a later time, and only goes forward: start over to go back"
            )
        if moment - self.read() > LONGEST_TURN:
            raise GuerdonError(f"{field}: the clock is turned by {LONGEST_TURN.days} days at most")
        if moment.date() > LAST:
            raise GuerdonError(f"{field}: the clock ends with {LAST}")
        self._now = (moment - EPOCH) // timedelta(milliseconds=1)


def write_moment(calendar: Calendar, moment: int) -> str:
    """A time (ms) by the clock on the wall, as "Sunday 1 November 2026, 12:00"."""
    wall = calendar.read_clock(moment)
    return f"{WEEKDAYS[wall.weekday()].capitalize()} {wall:%-d %B %Y, %H:%M}"


def write_period(period: str) -> str:
    """A period of the calendar in words, as "November 2026" of "month:2026-11"."""
    unit, _, said = period.partition(":")
    match unit:
        case Unit.DAY:
            return f"{date.fromisoformat(said):%-d %B %Y}"
        case Unit.WEEK:
            return f"the week from {date.fromisoformat(said):%-d %B %Y}"
        case Unit.MONTH:
            return f"{date.fromisoformat(f'{said}-01'):%B %Y}"
        case Unit.SEASON:
            return "the season"
    return said or "all time"
