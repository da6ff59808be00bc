"""A counter's row that somebody else has made first is no sign that an event is settled.

Only the ledger's key says that. A row that is there by the time we write is changed; and where a database
says of a counter's table that a key is taken, the votes wait, and are paid and counted once when it works.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from tests.counting.test_counting import NOON, make_rule, read_verdicts, vote
from tests.world.books import make_work, settle
from tests.world.racing import count_tries

Open = Callable[..., Guerdon]
TABLES = (
    "guerdon_tallies", "guerdon_seen", "guerdon_streaks", "guerdon_limits", "guerdon_limit_moments",
)  # fmt: skip
COUNTING = (
    make_rule("every 2nd", "count = { every = 2 }")
    + make_rule("row", "streak = { every = 2 }")
    + make_rule("sites", 'count = { at = 1, in = "day", of = "site" }')
    + make_rule("once", 'limit = { player = "1 per day", all = "100 per month" }')
    + make_rule("seldom", 'limit = { player = "1 per 5 hours", all = "100 per 5 hours" }')
    + '[[budgets]]\nname = "gold"\nreward = "gold"\nsum = "amount"\nat_most = "90 per month"\n'
)


def run_all(guerdon: Guerdon, *statements: str) -> list[Any]:
    """The rows of the last of these statements, where it asks for some."""
    with guerdon.database.connection_context():
        for sql in statements:
            cursor = guerdon.database.execute_sql(sql)
        return sorted(cursor.fetchall()) if sql.startswith("SELECT") else []


def add_trigger(guerdon: Guerdon, on: str, deed: str, player: str | None = None) -> None:
    """Have the database do something as often as a row, or a row of one player, is inserted."""
    is_sqlite = guerdon.database.family == "sqlite"
    if player is None:
        when, done = "", f"BEGIN {deed}; END"
    elif is_sqlite:
        when, done = f"WHEN NEW.player_id = '{player}'", f"BEGIN {deed}; END"
    else:
        when, done = "", f"IF NEW.player_id = '{player}' THEN {deed}; END IF"
    run_all(guerdon, f"CREATE TRIGGER meanwhile {on} FOR EACH ROW {when} {done}")


def forget(guerdon: Guerdon) -> None:
    """As if nobody had ever voted."""
    run_all(guerdon, *[f"DELETE FROM {table}" for table in
            (*TABLES, "guerdon_grants", "guerdon_events", "guerdon_turns")])  # fmt: skip
    run_all(guerdon, "UPDATE players SET gold = 0")


def test_it_works(open_service: Open) -> None:
    """The rows that a vote is about to make are all there once it writes: it is paid at the first try."""
    guerdon = open_service(rewards=COUNTING)
    first = vote(guerdon, "v1", data={"site": "a"})
    made = {table: run_all(guerdon, f"SELECT * FROM {table}") for table in TABLES}
    assert all(made.values())
    copies = [f"CREATE TABLE new_{table} AS SELECT * FROM {table}" for table in TABLES]
    run_all(guerdon, *copies, "UPDATE new_guerdon_limits SET used = 0 WHERE player_id = ''")
    run_all(guerdon, "CREATE TABLE noticed (events INTEGER)", "INSERT INTO noticed VALUES (0)")
    forget(guerdon)
    deeds = [f"INSERT INTO {table} SELECT * FROM new_{table}" for table in TABLES]
    deeds.append("UPDATE noticed SET events = events + 1")
    add_trigger(guerdon, "AFTER INSERT ON guerdon_events", "; ".join(deeds))
    tries = count_tries(guerdon.settler)

    again = vote(guerdon, "v1", data={"site": "a"})

    assert run_all(guerdon, "SELECT events FROM noticed") == [(1,)]
    assert tries == {"first": 1}
    assert again == first
    assert {table: run_all(guerdon, f"SELECT * FROM {table}") for table in TABLES} == made
    assert read_books(guerdon).gold == {"Bob": "3.00"}
    assert guerdon.bookkeeping.recounter.verify() == []


@pytest.mark.parametrize("table", TABLES)
def test_a_taken_key_of_a_counter_is_not_a_settled_event(open_service: Open, table: str) -> None:
    """Whoever meets one each time waits; his batch is paid without him, and he once that is mended."""
    guerdon = open_service(rewards=COUNTING)
    add_player(guerdon, "Eve")
    run_all(guerdon, "CREATE TABLE taken (id INTEGER PRIMARY KEY)", "INSERT INTO taken VALUES (1)")
    add_trigger(guerdon, f"BEFORE INSERT ON {table}", "INSERT INTO taken VALUES (1)", player="1")
    votes = [make_work(f"v{n}", nickname=name, occurred_at=NOON, data={"site": "a"})
             for n, name in enumerate(["Eve", "Bob"])]  # fmt: skip

    eve, bob = settle(guerdon, *votes)
    [again] = settle(guerdon, votes[1])

    assert (eve.state, bob.state, again.state) == ("settled", "waiting", "waiting")
    books = read_books(guerdon)
    assert (books.events, books.gold) == (["v0"], {"Bob": "0.00", "Eve": "3.00"})
    run_all(guerdon, "DROP TRIGGER meanwhile")
    assert [one.state for one in settle(guerdon, *votes)] == ["known", "settled"]
    assert read_verdicts(guerdon, "v1")["every 2nd"]["why"] == "1 of 2"
    assert read_books(guerdon).gold == {"Bob": "3.00", "Eve": "3.00"}
    assert guerdon.bookkeeping.recounter.verify() == []


WAITING = """
import os, time, uuid
from pathlib import Path
from app import hookimpl

@hookimpl
def grant_reward(reward, player, batch, now):
    folder = Path({folder!r})
    (folder / uuid.uuid4().hex).touch()
    deadline = time.monotonic() + 10
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return None
"""


@pytest.mark.on_servers
def test_two_hosts_are_both_the_first_of_a_month_at_their_first_try(
    open_service: Open, write_config: Any, add_plugin: Callable[..., str], tmp_path: Path
) -> None:
    """Both have read that there is no row yet, and both make it: neither has to try again."""
    folder = tmp_path / "given"
    folder.mkdir()
    more = add_plugin(WAITING.format(folder=str(folder)))
    rules = make_rule("all", 'limit = { all = "2 per month" }')
    guerdon = open_service(rewards=rules, more=more)
    add_player(guerdon, "Eve")
    other = open_guerdon(write_config(rewards=rules, more=more), guerdon.now)
    tries = [count_tries(one.settler) for one in (guerdon, other)]
    works = [make_work("v1", occurred_at=NOON), make_work("v2", nickname="Eve", occurred_at=NOON)]

    with ThreadPoolExecutor(2) as pool:
        settled = list(pool.map(settle, (guerdon, other), works))
    other.close()

    assert [one.state for [one] in settled] == ["settled", "settled"]
    assert tries == [{"first": 1}, {"first": 1}]
    assert len(list(folder.iterdir())) == 2
    assert run_all(guerdon, "SELECT used FROM guerdon_limits") == [(2,)]
    assert vote(guerdon, "v3")["all"]["why"].startswith("at most 2 per month for all, used up by")
    assert guerdon.bookkeeping.recounter.verify() == []
