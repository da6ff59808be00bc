"""The studio's clock: each moment belongs to one day, and days, weeks and months follow each other."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from app.rules.calendar import Calendar, Unit, choose_moment

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"]
FIRST, LAST = date(2020, 1, 1), date(2030, 12, 31)
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
HOUR = 3_600_000


def at(text: str, zone: str = "UTC") -> int:
    """A moment by the wall clock of a zone, in ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def test_it_works() -> None:
    berlin = Calendar(ZoneInfo("Europe/Berlin"))

    moment = at("2026-11-30T23:30:00")  # UTC, and December in Berlin

    assert berlin.name_period(Unit.DAY, moment) == "day:2026-12-01"
    assert berlin.name_period(Unit.WEEK, moment) == "week:2026-11-30"
    assert berlin.name_period(Unit.MONTH, moment) == "month:2026-12"
    assert berlin.name_period(Unit.YEAR, moment) == "year:2026"
    assert berlin.name_period(Unit.EVER, moment) == "ever"


@pytest.mark.parametrize("starts", ["00:00", "06:00"])
@pytest.mark.parametrize("zone", ZONES)
def test_day_by_day_for_eleven_years(zone: str, starts: str) -> None:
    """A day begins where the one before ends, and its first and last ms are of it."""
    calendar = Calendar(ZoneInfo(zone), time.fromisoformat(starts))
    begins = [calendar.begin_day(day) for day in DAYS]
    for day, begin, end in zip(DAYS, begins, begins[1:], strict=False):
        assert 23 * HOUR <= end - begin <= 25 * HOUR
        assert calendar.find_day(begin) == calendar.find_day(end - 1) == day
        assert calendar.find_day(begin - 1) == day - timedelta(days=1)
        assert calendar.end_period(f"day:{day}") == end


@pytest.mark.parametrize("week_starts", [0, 6])
def test_weeks_and_months_are_numbered_without_a_gap(week_starts: int) -> None:
    """Years of 52 and 53 weeks, and 29 February, leave none out."""
    calendar = Calendar(week_starts=week_starts)
    noons = [calendar.begin_day(day) + 12 * HOUR for day in DAYS]
    for unit in (Unit.DAY, Unit.WEEK, Unit.MONTH):
        numbers = [calendar.number_period(unit, noon) for noon in noons]
        steps = {later - sooner for sooner, later in pairwise(numbers)}
        assert steps <= {0, 1}
        names = [calendar.name_period(unit, noon) for noon in noons]
        assert len(set(names)) == len(set(numbers)) == numbers[-1] - numbers[0] + 1
        assert [calendar.name_number(unit, number) for number in numbers] == names


def test_a_week_ends_where_the_next_begins() -> None:
    calendar = Calendar(ZoneInfo("America/Sao_Paulo"), time(6))
    for day in DAYS[:800]:
        moment = calendar.begin_day(day)
        for unit in (Unit.WEEK, Unit.MONTH, Unit.YEAR):
            end = calendar.end_period(calendar.name_period(unit, moment))
            assert end is not None
            assert calendar.name_period(unit, end - 1) == calendar.name_period(unit, moment)
            assert calendar.name_period(unit, end) != calendar.name_period(unit, moment)


def test_a_day_that_begins_at_six_holds_the_night_after_it() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"), time(6))

    assert calendar.find_day(at("2026-03-29T05:59", "Europe/Berlin")) == date(2026, 3, 28)
    assert calendar.find_day(at("2026-03-29T06:00", "Europe/Berlin")) == date(2026, 3, 29)
    assert (
        calendar.begin_day(date(2026, 3, 29)) - calendar.begin_day(date(2026, 3, 28)) == 23 * HOUR
    )


def test_a_midnight_that_does_not_exist() -> None:
    """In Sao Paulo the clock went from 23:59 to 01:00 on 4 November 2018."""
    calendar = Calendar(ZoneInfo("America/Sao_Paulo"))

    begin = calendar.begin_day(date(2018, 11, 4))

    assert datetime.fromtimestamp(begin / 1000, UTC).isoformat() == "2018-11-04T03:00:00+00:00"
    assert calendar.find_day(begin) == date(2018, 11, 4)
    assert calendar.find_day(begin - 1) == date(2018, 11, 3)


@pytest.mark.parametrize(
    ("occurred_at", "moment"),
    [(None, 1_000_000), (5, 5), (1_000_000 + 300_000, 1_300_000), (1_000_000 + 300_001, 1_000_000)],
)
def test_an_event_counts_by_its_own_time_unless_it_has_none_or_a_future_one(
    occurred_at: int | None, moment: int
) -> None:
    assert choose_moment(occurred_at, 1_000_000) == moment
