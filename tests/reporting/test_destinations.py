"""Destinations: so many sends at once and no more, and a pause while nobody is there."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.guerdon import Guerdon
from app.porch.types import Schedule
from app.reporting.circuit_breaker import FAILURES, PAUSES
from app.reporting.destinations import Destination, Destinations
from app.testing.clock import Clock

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
def destination(clock: Clock) -> Iterator[Destination]:
    destination = Destination("studio", Schedule(at_once=8), 32, clock)
    yield destination
    destination.stop()


def fail(destination: Destination, times: int) -> None:
    for _ in range(times):
        destination.end(is_down=True)


def knock_out(destination: Destination) -> None:
    """Ten sends in a row find nobody there."""
    for _ in range(FAILURES):
        assert destination.reserve(1)
        destination.end(is_down=True)


def test_it_works(destination: Destination, clock: Clock) -> None:
    assert destination.reserve(5) == 5
    assert destination.reserve(5) == 3
    assert destination.reserve(5) == 0
    destination.end(is_down=False)
    destination.give_back(7)
    assert destination.reserve(9) == 8
    destination.give_back(8)

    knock_out(destination)

    assert not destination.is_served
    assert destination.reserve(8) == 0
    clock.advance(PAUSES[0])
    assert destination.reserve(8) == 1
    destination.end(is_down=False)
    assert destination.is_served
    assert destination.reserve(8) == 8


def test_places_are_spared_for_those_who_wait(destination: Destination) -> None:
    assert destination.reserve(8, spare=2, at_least=2) == 6
    assert destination.reserve(8, spare=2, at_least=2) == 0
    assert destination.reserve(1) == 1
    assert destination.reserve(1) == 1
    assert destination.reserve(1) == 0


def test_a_few_places_are_not_worth_a_commit_while_more_come_free(destination: Destination) -> None:
    destination.reserve(7)
    assert destination.reserve(8, at_least=2) == 0
    destination.give_back(1)
    assert destination.reserve(8, at_least=2) == 2
    destination.give_back(8)
    assert destination.reserve(1, at_least=2) == 1  # nothing is under way that could come free


@pytest.mark.parametrize("at_once", [-1, 0, 1])
def test_one_can_always_be_sent(clock: Clock, at_once: int) -> None:
    destination = Destination("studio", Schedule(at_once=at_once), 1, clock)

    assert (
        destination.reserve(
            destination.at_once, spare=destination.at_once // 4, at_least=destination.at_once // 4
        )
        == 1
    )
    assert destination.reserve(1) == 0
    destination.stop()


def test_failures_count_only_in_a_row(destination: Destination) -> None:
    destination.reserve(8)
    for _ in range(3):
        fail(destination, FAILURES - 1)
        destination.end(is_down=False)

    assert destination.is_served
    fail(destination, FAILURES)
    assert not destination.is_served


def test_looks_are_ever_further_apart_and_one_at_a_time(
    destination: Destination, clock: Clock
) -> None:
    knock_out(destination)

    for pause in [*PAUSES, PAUSES[-1], PAUSES[-1]]:
        clock.advance(pause - 0.001)
        assert destination.reserve(8) == 0
        clock.advance(0.001)
        assert destination.reserve(8, spare=2, at_least=2) == 1
        assert destination.reserve(8) == 0  # it is still looking
        clock.advance(3600)
        assert destination.reserve(8) == 0
        destination.end(is_down=True)
        assert destination.reserve(8) == 0


def test_the_pauses_begin_anew_once_somebody_was_there(
    destination: Destination, clock: Clock
) -> None:
    knock_out(destination)
    clock.advance(PAUSES[0])
    destination.reserve(1)
    destination.end(is_down=True)
    clock.advance(PAUSES[1])
    destination.reserve(1)
    destination.end(is_down=False)

    knock_out(destination)

    clock.advance(PAUSES[0])
    assert destination.reserve(8) == 1


def test_those_that_fail_together_lengthen_the_pause_once(clock: Clock) -> None:
    destination = Destination("studio", Schedule(at_once=32), 8, clock)
    assert destination.reserve(32) == 32
    fail(destination, 32)

    clock.advance(PAUSES[0])
    assert destination.reserve(8) == 1
    destination.stop()


def test_a_look_that_did_not_begin_leaves_it_to_the_next(
    destination: Destination, clock: Clock
) -> None:
    knock_out(destination)
    clock.advance(PAUSES[0])
    assert destination.reserve(8) == 1

    destination.give_back(1)

    assert destination.reserve(8) == 1


@given(steps=st.lists(st.tuples(st.sampled_from("rgdu"), st.integers(0, 20)), max_size=60))
def test_never_more_than_at_once_whatever_happens(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    destination = Destination("studio", Schedule(at_once=5), 32, clock)
    under_way = 0
    for step, number in steps:
        if step == "r":
            under_way += destination.reserve(number, spare=number % 3, at_least=number % 2)
        elif step == "g":
            back = min(number, under_way)
            destination.give_back(back)
            under_way -= back
        else:
            for _ in range(min(number, under_way)):
                destination.end(is_down=step == "d")
            under_way -= min(number, under_way)
        assert 0 <= under_way <= 5
        clock.advance(number)
    destination.stop()


def test_many_threads_reserve_no_place_twice(destination: Destination) -> None:
    barrier, granted = threading.Barrier(8), []

    def race() -> None:
        barrier.wait()
        granted.append(sum(destination.reserve(1) for _ in range(50)))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(granted) == 8


def test_a_destination_that_is_stopped_begins_nothing_and_waits_for_nothing(clock: Clock) -> None:
    destination, release = Destination("studio", Schedule(), 1, clock), threading.Event()
    sending = destination.submit(release.wait, 20)
    began = time.monotonic()

    destination.stop()

    assert time.monotonic() - began < 5
    with pytest.raises(RuntimeError):
        destination.submit(release.set)
    release.set()
    assert sending.result(20) is True


def test_one_that_no_plugin_sends_shuts_the_destination_for_a_minute(
    destination: Destination, clock: Clock
) -> None:
    destination.reserve(1)
    destination.end(is_down=False, is_unsent=True)

    for _ in range(3):
        assert destination.reserve(8) == 0
        clock.advance(59.999)
        assert destination.reserve(8) == 0
        clock.advance(0.001)
        assert destination.reserve(8) == 1
        destination.end(is_down=False, is_unsent=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_reporter_has_the_destination_its_plugin_plans(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str], clock: Clock
) -> None:
    guerdon = open_service(plugins=add_plugin(PLANS), rewards="")
    destinations = Destinations(guerdon.plugins, 9, clock)

    assert destinations.open("studio").schedule == Schedule(delays=[7], at_once=2)
    assert destinations.open("studio").at_once == 2
    assert destinations.open("studio") is destinations.open("studio")
    for name in ("broken", "odd", "slip", "many", "nobody"):
        assert (destinations.open(name).schedule, destinations.open(name).at_once) == (
            Schedule(),
            9,
        )
    destinations.stop()
