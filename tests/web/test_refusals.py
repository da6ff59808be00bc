"""A flood of refusals is counted and not told line by line."""

import io
import json
from typing import Any

import pytest

from app.logs import set_up_logs
from app.testing.waiting import wait_until
from app.web.refusals import Refusals


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    set_up_logs([], stream)
    return stream


def read(stream: io.StringIO, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_it_works(stream: io.StringIO) -> None:
    Refusals().tell("gamemonitoring", 401, "the signature is wrong", "203.0.113.7")

    (line,) = read(stream, "refused")
    assert (line["source"], line["status"], line["address"]) == (
        "gamemonitoring", 401, "203.0.113.7",
    )  # fmt: skip
    assert line["reason"] == "the signature is wrong"


def test_of_a_flood_the_first_are_told_and_the_rest_counted(stream: io.StringIO) -> None:
    refusals = Refusals(told=3, window=0.2)
    for number in range(1000):
        refusals.tell("a", 401, f"reason {number}", "203.0.113.7")
        refusals.tell(f"invented-{number}", 404, "nobody", "203.0.113.7")
    refusals.tell("b", 401, "another", "203.0.113.8")

    wait_until(lambda: len(read(stream, "refused more")) >= 2)
    told, more = read(stream, "refused"), read(stream, "refused more")
    # A window that ends meanwhile has first ones of its own: none is missing or counted twice.
    assert sum(line["count"] for line in more) + len(told) == 2001
    assert len(told) < 100
    assert [line["status"] for line in told if line["source"] == "b"] == [401]


def test_few_are_all_told_however_long_it_goes_on(stream: io.StringIO) -> None:
    refusals = Refusals(told=3, window=0.0)
    for _ in range(50):
        refusals.tell("a", 401, "wrong", "")

    assert len(read(stream, "refused")) == 50
    assert read(stream, "refused more") == []
