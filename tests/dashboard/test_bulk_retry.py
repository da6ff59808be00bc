"""A person has thousands tried again while others die: in a browser, and by plain forms alone."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.database.models import Attempt, Report, Waiting
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.waiting import wait_until
from tests.dashboard.conftest import Scene
from tests.dashboard.looking import BUSY, Looking
from tests.world.piles import pile_events, pile_reports

MANY = 10_000
AT_ONCE = 10  # that die together
WHY = "answered 503 after {n} ms"
WORDS = "answered 503 after … ms"


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def scene(request: Any, make_scene: Callable[[str, str], Scene]) -> Scene:
    return make_scene(request.param, "small")


@pytest.fixture
def guerdon(scene: Scene) -> Iterator[Guerdon]:
    """The service beside the dashboard."""
    guerdon = open_guerdon(scene.config)
    yield guerdon
    guerdon.close()


@contextmanager
def keep_doing(do: Callable[[int], Any]) -> Iterator[list[int]]:
    """Have it done again and again, in a thread of its own, until the end; how often it was, as a list."""
    ended, done = threading.Event(), []

    def go_on() -> None:
        while not ended.wait(0.05):
            do(len(done))
            done.append(len(done))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()
    assert done


def confirm(looking: Looking, of: str) -> int:
    """From the first page by the cause's own form to the plan, and yes; how many the plan has counted."""
    looking.open("/")
    row = f"//tr[contains(., '{of}') and contains(., '{WORDS}')]"
    looking.find_path(f"{row}//button").click()
    looking.find(".ask")
    counted = int(re.sub(r"\D", "", looking.find("h1").text))
    assert WORDS in looking.find(".reasons td.why").text
    looking.press(".ask button")
    looking.find(".progress")
    assert "begins soon" in looking.find("h1").text
    return counted


def list_counted(prefix: str, counted: int, late: int) -> set[str]:
    """Those that were dead when it was counted, which is while others died: not all that are dead now."""
    assert MANY < counted < MANY + AT_ONCE * late
    batches, rest = divmod(counted - MANY, AT_ONCE)
    assert rest == 0
    names = [f"late{batch}-{number}" for batch in range(batches) for number in range(AT_ONCE)]
    return {*names, *(f"{prefix}{number}" for number in range(MANY))}


def test_it_works(scene: Scene, guerdon: Guerdon, look_at: Callable[..., Looking]) -> None:
    """Dead reports: the page follows by itself how far it is, and just those that were counted are sent."""
    looking = look_at(scene)
    pile_reports(guerdon, MANY, last_error=WHY)
    looking.forget()

    with keep_doing(lambda n: pile_reports(guerdon, AT_ONCE, f"late{n}-", last_error=WHY)) as late:
        wait_until(lambda: bool(late))
        counted = confirm(looking, "reports to studio")
        with keep_doing(lambda n: guerdon.acts.runner.run_turn()):
            looking.wait_for(".progress", f"{counted:,} of {counted:,} (100 %)")
            looking.wait_for("h1", "done")

    looking.check_quiet(BUSY)  # the page asks by itself, and asks again
    with guerdon.database.connection_context():
        mine = Report.reporter == "studio"
        ready: Any = Report.select(Report.key).where(mine, Report.state == "ready").tuples()
        keys = [row[0] for row in ready]
        dead = Report.select().where(mine, Report.state == "dead").count()
    assert len(keys) == counted
    assert set(keys) == list_counted("r", counted, len(late))
    assert dead == MANY + AT_ONCE * len(late) - counted
    act = guerdon.acts.list_acts().rows[0]
    assert (act.person, act.done, act.state) == ("anna", counted, "done")


def test_without_javascript_the_same_is_done(
    scene: Scene, guerdon: Guerdon, look_at: Callable[..., Looking]
) -> None:
    """Dead events, by forms and links alone."""
    looking = look_at(scene)
    pile_events(guerdon, MANY, last_error=WHY)

    with (
        looking.without_javascript(),
        keep_doing(lambda n: pile_events(guerdon, AT_ONCE, f"late{n}-", last_error=WHY)) as late,
    ):
        wait_until(lambda: bool(late))
        counted = confirm(looking, "events from elsewhere")
        while guerdon.acts.runner.run_turn():
            pass
        looking.press("noscript a")
        looking.find_path("//h1[contains(., 'done')]")
        assert f"{counted:,} of {counted:,} (100 %)" in looking.find(".progress").text

    with guerdon.database.connection_context():
        tries: Any = Attempt.select(Attempt.ordered_key).where(Attempt.what == "retry by hand")
        names = [bytes(row[0]).rstrip(b"\0").decode() for row in tries.tuples()]
        left = Waiting.select().where(Waiting.source == "elsewhere", Waiting.state == "dead")
        assert left.count() == MANY + AT_ONCE * len(late) - counted
    assert len(names) == counted
    assert set(names) == list_counted("d", counted, len(late))
