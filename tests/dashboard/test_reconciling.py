"""Compared and healed from the dashboard: by who may act, once at a time, and kept as his act."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.database.models import Waiting
from app.database.reconciliation_models import Reconciliation
from app.guerdon import Guerdon
from app.reconciling.reconciler import CUT_OFF
from app.testing.books import Books
from app.testing.clock import Clock
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from tests.dashboard.test_access import send, sign_in
from tests.world.running_dashboards import USERS
from tests.world.vote_list import VoteSite

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]
HOUR = 3_600_000  # ms
FORM = {"source": "gamemonitoring", "heal": "0"}


@pytest.fixture
def site(vote_api: VoteApi, deliver: Any, clock: Clock) -> VoteSite:
    """It has a vote that came, and one that was lost."""
    site = VoteSite(vote_api)
    for id in ("came", "lost"):
        site.add(id, clock.now - 1000)
    assert deliver("came").status_code == 204
    clock.advance(7200)
    site.add("later", clock.now - HOUR)
    return site


def count_running(guerdon: Guerdon) -> int:
    def count() -> int:
        return int(Reconciliation.select().where(Reconciliation.state == "running").count())

    return int(guerdon.database.read(count))


def wait_for_end(guerdon: Guerdon, number: int) -> Any:
    """The last of so many comparisons, once it has ended."""

    def is_over() -> bool:
        rows = guerdon.database.read(lambda: list(Reconciliation.select()))
        acts = guerdon.acts.list_acts().rows
        return (
            len(rows) == number and all(one.ended_at for one in rows)
            and len(acts) == number and acts[0].is_over
        )  # fmt: skip

    wait_until(is_over)
    rows = guerdon.database.read(lambda: list(Reconciliation.select().order_by(Reconciliation.id)))
    return rows[-1]


def test_it_works(
    client: Any, guerdon: Guerdon, site: VoteSite, books: Callable[[], Books]
) -> None:
    """First only a look, then what is missing is fetched and paid; both are acts of hers."""
    sign_in(client)
    assert "Never compared yet." in client.get("/reconciliation").text

    answer = send(client, "/reconciliation", "/reconciliation/compare", FORM)
    row = wait_for_end(guerdon, 1)

    assert "It is being compared" in client.get(answer.location).text
    assert (row.person, row.missing, row.healed) == ("anna", 1, 0)
    page = client.get("/reconciliation").text
    assert "votes missing" in page
    found = client.get(f"/reconciliation/comparison?id={row.id}").text
    assert ">later<" in found
    assert ">came<" not in found

    send(client, "/reconciliation", "/reconciliation/compare", {**FORM, "heal": "1"})
    row = wait_for_end(guerdon, 2)
    with ThreadPoolExecutor(4) as pool:
        guerdon.dispatcher.serve_once(pool)

    assert (row.missing, row.healed) == (1, 1)
    assert books().events == ["came", "later"]
    acts = [
        (one.what, one.person, one.about, one.number, one.done)
        for one in guerdon.acts.list_acts().rows
    ]
    assert acts == [
        ("reconcile and heal", "anna", "gamemonitoring", 1, 1),
        ("reconcile", "anna", "gamemonitoring", 1, 0),
    ]


def test_one_at_a_time_and_a_failure_is_told(client: Any, guerdon: Guerdon, site: VoteSite) -> None:
    sign_in(client)
    asked, go_on = threading.Event(), threading.Event()

    def hang(handler: Any, page: int) -> bool:
        asked.set()
        return not go_on.wait(30)

    site.fail = hang
    send(client, "/reconciliation", "/reconciliation/compare", FORM)
    assert asked.wait(30)
    assert "under way" in client.get("/reconciliation").text
    again = send(client, "/reconciliation", "/reconciliation/compare", FORM)
    assert (again.status_code, "being done already" in again.text) == (409, True)
    guerdon.reconciler.stop()  # as when the process ends
    go_on.set()
    row = wait_for_end(guerdon, 1)

    assert (row.state, row.reason) == ("not known", CUT_OFF)
    assert count_running(guerdon) == 0
    assert guerdon.acts.list_acts().rows[0].error == CUT_OFF
    wait_until(lambda: "The last comparison failed" in client.get("/reconciliation").text)


@pytest.mark.parametrize(
    "fields",
    [{"source": "none"}, {"since": "yesterday"}, {"since": "99999-01-01"}, {"server": "1" * 65}],
)
def test_what_makes_no_sense_is_refused(
    client: Any, guerdon: Guerdon, fields: dict[str, str]
) -> None:
    sign_in(client)

    answer = send(client, "/reconciliation", "/reconciliation/compare", {**FORM, **fields})

    assert answer.status_code == 409
    assert guerdon.database.read(Reconciliation.select().count) == 0


def test_who_may_only_look_compares_nothing(client: Any, guerdon: Guerdon, site: VoteSite) -> None:
    sign_in(client, "luke")
    assert "/reconciliation/compare" not in client.get("/reconciliation").text

    answer = send(client, "/", "/reconciliation/compare", {**FORM, "heal": "1"})

    assert answer.status_code == 403
    assert guerdon.database.read(Reconciliation.select().count) == 0
    assert guerdon.database.read(Waiting.select().count) == 0
