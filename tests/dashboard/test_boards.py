"""Leaderboards that take long to count: what is kept of them says the same, and of when it is."""

import threading
from typing import Any

import pytest

from app.dashboard.kept_boards import BoardKey, KeptBoards
from app.database.keys import make_event_key
from app.database.models import Event
from app.guerdon import Guerdon
from app.paying.showing import Showing
from app.rules.calendar import Unit
from app.testing.clock import Clock
from app.testing.players import add_player
from tests.dashboard.test_access import sign_in
from tests.world.running_dashboards import USERS

pytestmark = pytest.mark.guerdon(more=USERS)
PLAYERS = ("Bob", "Ann", "Eve", "Zoe")
DAY = 86_400_000  # ms
# Each row of the ledger takes some 10 ms to read.
SLOW = (
    "CREATE VIEW guerdon_events AS SELECT * FROM kept_events AS one WHERE (WITH RECURSIVE n(i) AS"
    " (SELECT one.id UNION ALL SELECT i + 1 FROM n WHERE i < one.id + 100000) SELECT COUNT(*) FROM n) > 0"
)


@pytest.fixture
def ledger(guerdon: Guerdon) -> Guerdon:
    """Fifty votes on two servers in three days: Ann and Eve have as many, and Ann had them first."""
    for name in PLAYERS[1:]:
        add_player(guerdon, name)
    keys = [guerdon.find_player(name).key for name in PLAYERS]
    turns = [keys[0]] * 20 + [keys[1]] * 12 + [keys[2]] * 12 + [keys[3]] * 6
    now = guerdon.now()
    with guerdon.database.connection_context():
        for number, key in enumerate(turns):
            at = now - 3 * DAY + number * 5_000_000
            Event.insert(
                ordered_key=make_event_key("gamemonitoring", "server.vote", str(number)),
                source="gamemonitoring", type="server.vote", event_id=str(number), nickname="x",
                server_id=str(number % 2), user_id="", token="", settled_at=at, data="{}", earns=True,
                player_id=key, counted_at=at,
            ).execute()  # fmt: skip
    return guerdon


def read_board(guerdon: Guerdon, server: str | None = None) -> list[tuple[str, int]]:
    with guerdon.database.connection_context():
        showing = Showing(guerdon.database, guerdon.rules, guerdon.showing._finder)
        board = showing.list_board(Unit.EVER, None, server, 3, guerdon.now())
    return [(one["nickname"], one["votes"]) for one in board]


def name_rows(guerdon: Guerdon, rows: list[tuple[str, int]]) -> list[tuple[str, int]]:
    with guerdon.database.connection_context():
        names = guerdon.showing.name_players([key for key, _ in rows])
    return [(names[key], votes) for key, votes in rows]


def test_it_works(ledger: Guerdon) -> None:
    """Some rows at a time, it comes to what is counted at once."""
    boards = KeptBoards(ledger.database, ledger.now, 3, rows_at_once=7)
    assert boards.find(BoardKey(0, None, None)) is None

    for server in (None, "1"):
        kept = boards.keep(BoardKey(0, None, server))
        boards.wait()
        assert kept.counted_at == ledger.now()
        assert kept.percent is None
        assert name_rows(ledger, kept.rows) == read_board(ledger, server)
    assert read_board(ledger) == [("Bob", 20), ("Ann", 12), ("Eve", 12)]


def test_a_time_that_has_an_end_is_counted_to_it(ledger: Guerdon) -> None:
    boards = KeptBoards(ledger.database, ledger.now, 3, rows_at_once=7)
    begin = ledger.now() - 3 * DAY

    kept = boards.keep(BoardKey(begin, begin + 15 * 5_000_000, None))
    boards.wait()

    assert name_rows(ledger, kept.rows) == [("Bob", 15)]


def test_it_is_counted_again_only_once_it_is_due(ledger: Guerdon, clock: Clock) -> None:
    boards, key = KeptBoards(ledger.database, ledger.now, 3), BoardKey(0, None, None)
    kept = boards.keep(key)
    boards.wait()
    before = kept.counted_at

    clock.advance(100)
    assert boards.find(key) is kept
    boards.wait()
    assert kept.counted_at == before

    kept.due_at = 0.0
    boards.find(key)
    boards.wait()
    assert kept.counted_at == ledger.now()


def test_one_that_could_not_be_counted_stays_as_it_was(ledger: Guerdon) -> None:
    boards, key = KeptBoards(ledger.database, ledger.now, 3), BoardKey(0, None, None)
    kept = boards.keep(key)
    boards.wait()
    rows, kept.due_at = list(kept.rows), 0.0
    with ledger.database.connection_context():
        ledger.database.execute_sql("ALTER TABLE guerdon_events RENAME TO kept_events")
    try:
        boards.find(key)
        boards.wait()
        assert kept.rows == rows
        assert kept.percent is None
    finally:
        with ledger.database.connection_context():
            ledger.database.execute_sql("ALTER TABLE kept_events RENAME TO guerdon_events")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_shows_the_last_one_that_was_counted(client: Any, ledger: Guerdon) -> None:
    """Where counting takes long, the first who looks is told that it is under way."""
    sign_in(client)
    address = "/leaderboards?unit=ever"
    with ledger.database.connection_context():
        ledger.database.execute_sql("ALTER TABLE guerdon_events RENAME TO kept_events")
        ledger.database.execute_sql(SLOW)

    first = client.get(address).text

    assert "counted in the background just now" in first
    assert "Nobody has voted" not in first
    wait_for_threads()
    page = client.get(address).text
    assert "As of" in page
    assert "this board is kept for some minutes" in page
    assert page.index(">Bob<") < page.index(">Ann<") < page.index(">Eve<")
    assert "Bob" in client.get(address, headers={"Part": "live"}).text


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if "_count" in thread.name:
            thread.join()
