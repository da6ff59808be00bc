"""When a report is sent again: pauses that follow a list, or grow, and an end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.porch.types import Schedule
from app.reporting.schedule import LONGEST_PAUSE, choose_due, choose_pause, is_schedule

NOW = 1_800_000_000_000
SECONDS = st.floats(0.001, 1e6)
GROWING = st.builds(Schedule, first=SECONDS, longest=SECONDS, give_up_after=SECONDS)


def test_it_works() -> None:
    listed, growing = Schedule(delays=[60, 60, 90]), Schedule(first=2, longest=30)

    assert [choose_pause(listed, sends) for sends in range(1, 6)] == [60, 60, 90, None, None]
    assert [choose_pause(growing, sends) for sends in range(1, 7)] == [2, 4, 8, 16, 30, 30]
    assert choose_due(listed, 3, NOW, NOW) == NOW + 90_000
    assert choose_due(listed, 4, NOW, NOW) is None


def test_a_list_is_kept_to_the_millisecond_however_long_it_takes() -> None:
    year = 365 * 86_400_000

    assert choose_due(Schedule(delays=[0.25]), 1, NOW - year, NOW) == NOW + 250
    assert choose_due(Schedule(delays=[], give_up_after=9), 1, NOW, NOW) is None


@given(schedule=GROWING, sends=st.integers(1, 10_000))
def test_growing_pauses_never_shrink_and_end_at_the_longest(schedule: Schedule, sends: int) -> None:
    pause, next_pause = choose_pause(schedule, sends), choose_pause(schedule, sends + 1)

    assert pause is not None
    assert next_pause is not None
    assert 0 < pause <= next_pause <= schedule.longest
    assert next_pause == min(schedule.longest, schedule.first * 2.0 ** min(sends, 60))


@given(schedule=GROWING, sends=st.integers(1, 100))
def test_jitter_is_a_fifth_at_most_and_never_beyond_the_longest(
    schedule: Schedule, sends: int
) -> None:
    due, pause = choose_due(schedule, sends, NOW, NOW), choose_pause(schedule, sends)

    assert due is not None
    assert pause is not None
    seconds = (due - NOW) / 1000
    assert min(0.8 * pause, schedule.give_up_after) - 0.001 <= seconds
    assert seconds <= min(1.2 * pause, schedule.longest, schedule.give_up_after)


def test_jitter_spreads_what_failed_together() -> None:
    dues = {choose_due(Schedule(first=100), 1, NOW, NOW) for _ in range(50)}

    assert len(dues) > 10


@pytest.mark.parametrize(
    ("age", "goes_on"), [(0, True), (99_999, True), (100_000, False), (10**9, False)]
)
def test_it_gives_up_after_its_time_and_not_before(age: int, goes_on: bool) -> None:
    schedule = Schedule(give_up_after=100)

    assert (choose_due(schedule, 5, NOW - age, NOW) is not None) is goes_on
    assert (choose_due(schedule, 5, NOW - age, NOW, 1.0) is not None) is goes_on


@pytest.mark.parametrize("schedule", [Schedule(delays=[60]), Schedule(first=60)])
@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [(0, 1), (7, 7), (1.5, 1.5), (0.5, 1), (-3, 1), (9000, 9000)],
)
def test_what_the_platform_wants_replaces_the_pause(
    schedule: Schedule, wanted: float, seconds: float
) -> None:
    assert choose_due(schedule, 1, NOW, NOW, wanted) == NOW + int(seconds * 1000)


def test_what_the_platform_wants_is_no_later_than_the_end() -> None:
    growing = Schedule(first=60, give_up_after=600)

    assert choose_due(growing, 3, NOW - 500_000, NOW, 3600) == NOW + 100_000
    assert choose_due(growing, 3, NOW - 600_000, NOW, 3600) is None
    assert choose_due(Schedule(delays=[60]), 1, NOW, NOW, 1e300) == NOW + LONGEST_PAUSE * 1000


@given(give_up=st.floats(0, 1e4), age=st.integers(0, 10**7), wanted=st.none() | st.floats(0, 1e5))
def test_the_last_send_is_at_the_end_and_another_never_due(
    give_up: float, age: int, wanted: float | None
) -> None:
    schedule = Schedule(first=1e6, longest=1e6, give_up_after=give_up)
    due = choose_due(schedule, 3, NOW - age, NOW, wanted)

    assert due is None or due > NOW
    if due is not None and (wanted is None or wanted > give_up):
        assert choose_due(schedule, 4, NOW - age, due, wanted) is None


def test_what_the_platform_wants_adds_no_send() -> None:
    assert choose_due(Schedule(delays=[60]), 2, NOW, NOW, 7) is None


@pytest.mark.parametrize("wanted", [None, float("nan"), float("inf"), float("-inf"), "7", [7]])
def test_a_wish_that_is_no_number_of_seconds_is_not_heard(wanted: Any) -> None:
    assert choose_due(Schedule(delays=[60]), 1, NOW, NOW, wanted) == NOW + 60_000


@given(
    schedule=GROWING | st.builds(Schedule, delays=st.lists(st.floats(-1e12, 1e12), max_size=3)),
    sends=st.integers(1, 5),
    wanted=st.none() | st.floats(),
)
def test_no_report_is_due_in_the_past_or_beyond_a_month(
    schedule: Schedule, sends: int, wanted: float | None
) -> None:
    due = choose_due(schedule, sends, NOW, NOW, wanted)

    assert due is None or NOW <= due <= NOW + LONGEST_PAUSE * 1000
    assert 0 <= (choose_pause(schedule, sends) or 0) <= LONGEST_PAUSE


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule(delays=[]),
        Schedule(delays=(1, 2.5), at_once=1),
        Schedule(first=0, longest=0, give_up_after=1e12),
    ],
)
def test_a_schedule_of_numbers_is_one(schedule: Schedule) -> None:
    assert is_schedule(schedule)


BAD: list[dict[str, Any]] = [
    {"delays": "abc"}, {"delays": 5}, {"delays": [None]}, {"delays": ["60"]}, {"delays": {60}},
    {"delays": [float("nan")]}, {"delays": [10**400]}, {"delays": [1, float("inf")]},
    {"first": "2"}, {"first": None}, {"longest": float("nan")}, {"give_up_after": None},
    {"give_up_after": float("inf")}, {"at_once": "many"}, {"at_once": 2.5},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD)
def test_a_schedule_of_anything_else_is_none(changes: dict[str, Any]) -> None:
    assert not is_schedule(Schedule(**changes))


@pytest.mark.parametrize("value", [None, {}, 60, [60], Schedule])
def test_what_is_no_schedule_is_none(value: Any) -> None:
    assert not is_schedule(value)
