"""Deadlines without a timer each: one look finds all that is late, and nothing else."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from app.deadlines import Deadlines
from app.testing.waiting import wait_until


def test_it_works() -> None:
    deadlines, done = Deadlines(), threading.Event()

    deadlines.begin("late", time.monotonic() + 0.1, done.set)

    assert done.wait(60)
    assert not deadlines.end("late")


def test_all_that_is_late_is_done_in_one_look_and_nothing_else() -> None:
    deadlines, begun, done = Deadlines(), time.monotonic(), []
    for number in range(8):
        deadlines.begin(number, begun + 60 + number, lambda n=number: done.append(n))
    deadlines.begin("patient", begun + 3600, lambda: done.append("patient"))

    deadlines.act_on_late(begun + 300)
    deadlines.act_on_late(begun + 300)

    assert done == list(range(8))
    assert deadlines.end("patient")
    assert not deadlines.end("patient")
    deadlines.act_on_late(begun + 7200)
    assert done == list(range(8))
    assert not deadlines._begun


def test_whoever_calls_off_too_late_goes_on_once_the_act_is_done() -> None:
    """What it acts on, as a connection, may be closed then, and its number be another's."""
    deadlines, may_end, done = Deadlines(), threading.Event(), []

    def act() -> None:
        may_end.wait(60)
        done.append("acted")

    deadlines.begin("late", time.monotonic(), act)
    wait_until(lambda: not deadlines._begun)
    threading.Timer(0.2, may_end.set).start()

    assert not deadlines.end("late")
    assert done == ["acted"]


def test_one_look_that_fails_is_followed_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(dict[Any, Any]):
        looks = 0

        def copy(self) -> Any:
            self.looks += 1
            if self.looks == 1:
                raise MemoryError
            return dict(self)

    deadlines, done = Deadlines(), threading.Event()
    monkeypatch.setattr(deadlines, "_begun", failing := Failing())

    deadlines.begin("late", time.monotonic(), done.set)

    assert done.wait(60)
    assert failing.looks > 1


def test_where_no_thread_can_be_started_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("can't start new thread")

    deadlines, done = Deadlines(), threading.Event()
    with monkeypatch.context() as poor:
        poor.setattr("app.deadlines.threading.Thread.start", refuse)
        with pytest.raises(RuntimeError):
            deadlines.begin("first", time.monotonic(), done.set)

    deadlines.begin("next", time.monotonic(), done.set)

    assert done.wait(60)


FORKING = """
import os, time, threading
from app.deadlines import DEADLINES

def is_late():
    done = threading.Event()
    DEADLINES.begin("late", time.monotonic(), done.set)
    return done.wait(30)

assert is_late()  # from here on a thread of this process looks, and of no child
child = os.fork()
if not child:
    os._exit(0 if is_late() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_child_looks_for_what_is_late_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING], start_new_session=True
    ) as process:
        try:
            assert process.wait(90) == 0
        finally:
            with suppress(ProcessLookupError):  # a child that waits for ever ends with it
                os.killpg(process.pid, signal.SIGKILL)
