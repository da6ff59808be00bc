"""Lanes: so many sends at once and no more, and a pause while nobody is there."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.guerdon import Guerdon
from app.porch.hookspecs import Schedule
from app.reporting.lanes import FAILURES, PAUSES, Lane, Lanes
from tests.conftest import Clock

PLANS = """
from app import Schedule, hookimpl

@hookimpl
def plan_sending(reporter):
    if reporter == "broken":
        raise RuntimeError("no plan")
    plans = {"odd": "soon", "slip": Schedule(delays=["7"]), "many": Schedule(at_once="many")}
    return {"studio": Schedule(delays=[7], at_once=2), **plans}.get(reporter)
"""


@pytest.fixture
def lane(clock: Clock) -> Iterator[Lane]:
    lane = Lane("studio", Schedule(at_once=8), 32, clock)
    yield lane
    lane.stop()


def fail(lane: Lane, times: int) -> None:
    for _ in range(times):
        lane.end(is_down=True)


def knock_out(lane: Lane) -> None:
    """Ten sends in a row find nobody there."""
    for _ in range(FAILURES):
        assert lane.reserve(1)
        lane.end(is_down=True)


def test_it_works(lane: Lane, clock: Clock) -> None:
    assert lane.reserve(5) == 5
    assert lane.reserve(5) == 3
    assert lane.reserve(5) == 0
    lane.end(is_down=False)
    lane.give_back(7)
    assert lane.reserve(9) == 8
    lane.give_back(8)

    knock_out(lane)

    assert not lane.is_served
    assert lane.reserve(8) == 0
    clock.advance(PAUSES[0])
    assert lane.reserve(8) == 1
    lane.end(is_down=False)
    assert lane.is_served
    assert lane.reserve(8) == 8


def test_places_are_spared_for_those_who_wait(lane: Lane) -> None:
    assert lane.reserve(8, spare=2, at_least=2) == 6
    assert lane.reserve(8, spare=2, at_least=2) == 0
    assert lane.reserve(1) == 1
    assert lane.reserve(1) == 1
    assert lane.reserve(1) == 0


def test_a_few_places_are_not_worth_a_commit_while_more_come_free(lane: Lane) -> None:
    lane.reserve(7)
    assert lane.reserve(8, at_least=2) == 0
    lane.give_back(1)
    assert lane.reserve(8, at_least=2) == 2
    lane.give_back(8)
    assert lane.reserve(1, at_least=2) == 1  # nothing is under way that could come free


@pytest.mark.parametrize("at_once", [-1, 0, 1])
def test_one_can_always_be_sent(clock: Clock, at_once: int) -> None:
    lane = Lane("studio", Schedule(at_once=at_once), 1, clock)

    assert lane.reserve(lane.at_once, spare=lane.at_once // 4, at_least=lane.at_once // 4) == 1
    assert lane.reserve(1) == 0
    lane.stop()


def test_failures_count_only_in_a_row(lane: Lane) -> None:
    lane.reserve(8)
    for _ in range(3):
        fail(lane, FAILURES - 1)
        lane.end(is_down=False)

    assert lane.is_served
    fail(lane, FAILURES)
    assert not lane.is_served


def test_looks_are_ever_further_apart_and_one_at_a_time(lane: Lane, clock: Clock) -> None:
    knock_out(lane)

    for pause in [*PAUSES, PAUSES[-1], PAUSES[-1]]:
        clock.advance(pause - 0.001)
        assert lane.reserve(8) == 0
        clock.advance(0.001)
        assert lane.reserve(8, spare=2, at_least=2) == 1
        assert lane.reserve(8) == 0  # it is still looking
        clock.advance(3600)
        assert lane.reserve(8) == 0
        lane.end(is_down=True)
        assert lane.reserve(8) == 0


def test_the_pauses_begin_anew_once_somebody_was_there(lane: Lane, clock: Clock) -> None:
    knock_out(lane)
    clock.advance(PAUSES[0])
    lane.reserve(1)
    lane.end(is_down=True)
    clock.advance(PAUSES[1])
    lane.reserve(1)
    lane.end(is_down=False)

    knock_out(lane)

    clock.advance(PAUSES[0])
    assert lane.reserve(8) == 1


def test_those_that_fail_together_lengthen_the_pause_once(clock: Clock) -> None:
    lane = Lane("studio", Schedule(at_once=32), 8, clock)
    assert lane.reserve(32) == 32
    fail(lane, 32)

    clock.advance(PAUSES[0])
    assert lane.reserve(8) == 1
    lane.stop()


def test_a_look_that_did_not_begin_leaves_it_to_the_next(lane: Lane, clock: Clock) -> None:
    knock_out(lane)
    clock.advance(PAUSES[0])
    assert lane.reserve(8) == 1

    lane.give_back(1)

    assert lane.reserve(8) == 1


@given(steps=st.lists(st.tuples(st.sampled_from("rgdu"), st.integers(0, 20)), max_size=60))
def test_never_more_than_at_once_whatever_happens(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    lane = Lane("studio", Schedule(at_once=5), 32, clock)
    under_way = 0
    for step, number in steps:
        if step == "r":
            under_way += lane.reserve(number, spare=number % 3, at_least=number % 2)
        elif step == "g":
            back = min(number, under_way)
            lane.give_back(back)
            under_way -= back
        else:
            for _ in range(min(number, under_way)):
                lane.end(is_down=step == "d")
            under_way -= min(number, under_way)
        assert 0 <= under_way <= 5
        clock.advance(number)
    lane.stop()


def test_many_threads_reserve_no_place_twice(lane: Lane) -> None:
    barrier, granted = threading.Barrier(8), []

    def race() -> None:
        barrier.wait()
        granted.append(sum(lane.reserve(1) for _ in range(50)))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(granted) == 8


def test_a_lane_that_is_stopped_begins_nothing_and_waits_for_nothing(clock: Clock) -> None:
    lane, release = Lane("studio", Schedule(), 1, clock), threading.Event()
    sending = lane.submit(release.wait, 20)
    began = time.monotonic()

    lane.stop()

    assert time.monotonic() - began < 5
    with pytest.raises(RuntimeError):
        lane.submit(release.set)
    release.set()
    assert sending.result(20) is True


def test_one_that_no_plugin_sends_shuts_the_lane_for_a_minute(lane: Lane, clock: Clock) -> None:
    lane.reserve(1)
    lane.end(is_down=False, is_unsent=True)

    for _ in range(3):
        assert lane.reserve(8) == 0
        clock.advance(59.999)
        assert lane.reserve(8) == 0
        clock.advance(0.001)
        assert lane.reserve(8) == 1
        lane.end(is_down=False, is_unsent=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_reporter_has_the_lane_its_plugin_plans(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], clock: Clock
) -> None:
    guerdon = open_service(plugins=add_plugin(PLANS), rewards="")
    lanes = Lanes(guerdon.plugins, 9, clock)

    assert lanes.open("studio").schedule == Schedule(delays=[7], at_once=2)
    assert lanes.open("studio").at_once == 2
    assert lanes.open("studio") is lanes.open("studio")
    for name in ("broken", "odd", "slip", "many", "nobody"):
        assert (lanes.open(name).schedule, lanes.open(name).at_once) == (Schedule(), 9)
    lanes.stop()
