"""The first page: what is stuck and why, and who is not told of it."""

import subprocess
import sys
from typing import Any

import pytest

from app.dashboard.frame import PART
from app.dashboard.screens import home
from app.database.opening import Database
from app.guerdon import Guerdon
from tests.dashboard.test_access import sign_in
from tests.dashboard.test_patience import ENDLESS
from tests.world.piles import pile_events, pile_reports
from tests.world.running_dashboards import USERS
from tests.world.servers import ROOT

pytestmark = pytest.mark.guerdon(more=USERS)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAUSE = """
import sys
from pathlib import Path
from app.metrics.families import REPORTER_PAUSED
from app.metrics.measuring import start_measuring
start_measuring(Path(sys.argv[1]) / sys.argv[2], [(REPORTER_PAUSED, [("g123",), ("sud",)])])
REPORTER_PAUSED["g123"].set(float(sys.argv[3]))
"""


def test_it_works(client: Any, guerdon: Guerdon) -> None:
    """A line a cause, the dead ones first, each with its numbers and an example."""
    sign_in(client)
    pile_events(guerdon, 1200, last_error='no player is called "Bob{n}"')
    pile_events(
        guerdon, 3, "w", state="ready", last_error="", received_at=guerdon.now() - 7_200_000
    )
    pile_reports(guerdon, 7, last_error="answered 500 after {n} ms")

    page = client.get("/").text

    rows = page.split("Trouble by cause</h2>")[1].split("<tr>")[2:]
    assert ["1,200 dead" in rows[0], "7 dead" in rows[1], "3 waiting" in rows[2]] == [True] * 3
    assert "no player is called …" in rows[0]
    assert "no player is called &#34;Bob" in rows[0]
    assert "1970-01-01 00:00:01" in rows[0]
    assert "2 h ago" in rows[2]
    assert "no try yet" in rows[2]
    cards = page.split("Trouble by cause</h2>")[0]
    assert "the oldest for 2 h" in cards
    assert cards.count("the oldest for") == 1  # what is dead waits for nobody
    assert ["Retry these" in row for row in rows] == [True, True, False]  # its turn comes anyway


@on_sqlite
def test_nothing_is_stuck(client: Any) -> None:
    sign_in(client)

    assert (
        "Every event that came is settled, and every report is delivered." in client.get("/").text
    )


@on_sqlite
def test_it_admits_what_it_leaves_out(client: Any, guerdon: Guerdon) -> None:
    sign_in(client)
    for cause in range(27):
        pile_events(
            guerdon, 1, f"e{cause}", last_error=f"cause {chr(97 + cause % 26)}{'x' * cause}"
        )

    page = client.get("/").text

    assert "and 2 causes more, of fewer rows" in page


@on_sqlite
def test_what_is_known_is_shown_where_the_causes_take_too_long(
    client: Any, guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy database, which is when somebody looks: a statement of hours is ended by the page's time."""
    sign_in(client)
    pile_events(guerdon, 12)

    def read_slowly(database: Database, **_: Any) -> Any:
        return database.execute_sql(ENDLESS).fetchall()

    monkeypatch.setattr(home, "list_causes", read_slowly)

    answer = client.get("/")

    assert answer.status_code == 503
    assert "This took too long" in answer.text
    assert "Votes can be paid." in answer.text
    assert "events are dead" in answer.text
    assert "Every event that came is settled" not in answer.text
    part = client.get("/", headers={PART: "live"})
    assert (part.status_code, "This took too long" in part.text) == (200, True)


@on_sqlite
def test_who_takes_no_reports_is_told_by_name(client: Any, guerdon: Guerdon) -> None:
    """As any process of this host has found, until each has found somebody there."""

    def run(kind: str, is_paused: int) -> None:
        subprocess.run(
            [sys.executable, "-c", PAUSE, str(guerdon.metrics_folder), kind, str(is_paused)],
            cwd=ROOT, check=True,
        )  # fmt: skip

    sign_in(client)
    assert "Paused" not in client.get("/").text

    run("serve", 0)
    run("dispatch", 1)
    page = client.get("/").text
    assert page.count("Paused:") == 1
    assert "Paused: <bdi>g123</bdi>" in page
    assert 'href="/reports?state=waiting&amp;reporter=g123"' in page

    run("dispatch", 0)
    assert "Paused" not in client.get("/").text
