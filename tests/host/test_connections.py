"""What a plugin's hook opens in a thread of ours goes back to the pool, however long that thread lives."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.database.models import Report
from app.guerdon import Guerdon
from app.testing.deliveries import post_vote
from app.testing.waiting import wait_until
from tests.world.looking_hooks import LOOKS_UP

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LOOKS = (
    LOOKS_UP
    + """
from app import Schedule, hookimpl

@hookimpl
def build_report(event):
    return app.Report("looks", event.type, event.id, b"{}")

@hookimpl
def plan_sending(reporter):
    look()
    return Schedule([60])

@hookimpl
def send_report(report):
    look()
    both.wait(20)  # in two threads, each with its connection
    return {}

@hookimpl
def list_votes():
    look()
    return []
"""
)


@pytest.fixture
def guerdon(open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]) -> Guerdon:
    return open_service(more=add_plugin(LOOKS, "looks"))


def run_apart(function: Callable[[], object], guerdon: Guerdon) -> int:
    """In a thread that lives on, as ours do; how many connections are taken then."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(function).result()
        return guerdon.database.pool.count_taken()


def test_it_works(guerdon: Guerdon) -> None:
    """Threads that send reports, and the one that looks which are due."""
    for id in ("v1", "v2"):
        assert post_vote(guerdon, id).status_code == 204
    guerdon.database.close()
    before = guerdon.database.pool.count_taken()

    def are_sent() -> bool:
        with guerdon.database.connection_context():
            return not Report.select().where(Report.state != "delivered").exists()

    assert run_apart(guerdon.outbox.serve_once, guerdon) <= before + 3  # two send meanwhile
    wait_until(are_sent)
    wait_until(lambda: guerdon.outbox.under_way.count() == 0)
    # One more is that of the thread that notes what was sent.
    assert guerdon.database.pool.count_taken() == before + 1


def test_a_list_of_votes_that_is_compared(guerdon: Guerdon) -> None:
    assert post_vote(guerdon, "v1").status_code == 204
    reconciler: Any = guerdon.reconciler
    guerdon.database.close()
    before = guerdon.database.pool.count_taken()
    row = reconciler.results.begin("looks", guerdon.now() - 60_000, False, "", 1)

    assert run_apart(lambda: reconciler.work(row), guerdon) == before
