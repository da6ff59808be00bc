"""Counters made anew: verify finds what is wrong, rebuild mends it, both while votes are paid."""

import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app.counting.shared_uses import SharedCount, replace_shared
from app.database.models import bind_models
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.rules.selecting import hash_names
from app.testing.players import add_player
from tests.counting.test_counting import DAY, NOON, make_rule, read_verdicts, vote
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
COUNTING = (
    make_rule("every 3rd", "count = { every = 3 }")
    + make_rule("row", "streak = { every = 2 }")
    + make_rule("once", 'limit = { player = "1 per day", all = "100 per month" }')
    + make_rule("sites", 'count = { at = 2, in = "day", of = "site" }')
    + make_rule("seldom", 'limit = { player = "1 per 5 hours" }')
)
PLAIN = make_rule("plain", "")


def run_sql(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        cursor = guerdon.database.execute_sql(sql)
        return list(cursor.fetchall()) if sql.startswith("SELECT") else []


def vote_for_days(guerdon: Guerdon) -> None:
    add_player(guerdon, "Eve")
    for number in range(12):
        name = ["Bob", "Eve"][number % 2]
        vote(guerdon, f"v{number}", number // 3, nickname=name, data={"site": str(number % 3)})


SPOILS = [
    "UPDATE guerdon_tallies SET votes = votes + 1 WHERE period = 'ever'",
    "DELETE FROM guerdon_seen",
    "UPDATE guerdon_streaks SET length = 9",
    "UPDATE guerdon_streaks SET paid = '{}'",
    "UPDATE guerdon_limits SET used = 0 WHERE player_id <> ''",
    "UPDATE guerdon_limits SET used = 77 WHERE player_id = ''",
    "DELETE FROM guerdon_limit_moments",
    "INSERT INTO guerdon_tallies (counter, period, player_id, votes, last_at)"
    " SELECT counter, 'day:1999-01-01', player_id, 1, 1 FROM guerdon_tallies WHERE period = 'ever'",
]


def test_it_works(open_service: Open) -> None:
    guerdon = open_service(rewards=COUNTING)
    vote_for_days(guerdon)

    assert guerdon.bookkeeping.recounter.verify() == []


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_wrong_is_found_and_mended(open_service: Open, spoil: str) -> None:
    guerdon = open_service(rewards=COUNTING)
    vote_for_days(guerdon)
    run_sql(guerdon, spoil)

    assert guerdon.bookkeeping.recounter.verify() != []
    assert guerdon.bookkeeping.rebuild() == 2
    assert guerdon.bookkeeping.recounter.verify() == []


def test_rebuilding_while_votes_are_paid_loses_none(
    open_service: Open, write_config: Callable[..., Path]
) -> None:
    guerdon = open_service(rewards=COUNTING)
    other = open_guerdon(write_config(rewards=COUNTING))
    ended = threading.Event()

    def rebuild_on() -> None:
        while not ended.is_set():
            other.bookkeeping.rebuild()

    rebuilding = threading.Thread(target=rebuild_on)
    rebuilding.start()
    for number in range(60):
        [outcome] = settle(guerdon, make_work(f"v{number:02}", occurred_at=NOON + number))
        assert outcome.state == "settled"
    ended.set()
    rebuilding.join()

    assert guerdon.bookkeeping.recounter.verify() == []
    paid = [read_verdicts(guerdon, f"v{number:02}")["every 3rd"]["paid"] for number in range(60)]
    assert paid == [0, 0, 1] * 20
    other.close()


def test_counters_of_an_earlier_layout_are_kept(open_service: Open) -> None:
    """Also what all share, which whoever pays meanwhile must meet as far as it is used."""
    guerdon = open_service(rewards=COUNTING)
    vote_for_days(guerdon)
    before = import_module("app.database.migrations.0007_counters")
    tables = (before.TallyRow, before.SeenRow, before.ChainRow, before.UseRow, before.MomentRow)
    bind_models(guerdon.database, tables)
    with guerdon.database.connection_context():
        for model in tables:
            kept = list(guerdon.database.execute_sql(read_all(model)).fetchall())
            model._schema.drop_all()
            model._schema.create_all()
            if kept:
                model.insert_many(kept, fields=model._meta.sorted_fields).execute()
    run_sql(guerdon, "DELETE FROM guerdon_migrations WHERE name = '0008_player_first'")

    assert guerdon.migrate()[0] == "migration 0008_player_first"
    assert guerdon.inspect() == []
    assert guerdon.bookkeeping.recounter.verify() == []
    assert guerdon.migrate() == []


def read_all(model: Any) -> str:
    columns = ", ".join(field.column_name for field in model._meta.sorted_fields)
    return f"SELECT {columns} FROM {model._meta.table_name}"


@pytest.mark.parametrize("had_turns", [True, False])
def test_who_pays_before_all_are_counted_counts_first(
    open_service: Open, write_config: Callable[..., Path], had_turns: bool
) -> None:
    """`migrate` was killed between the ledger's filling and the counting of its players.

    Some of them were paid before there were turns; SQLite has no rows of those in any case.
    """
    guerdon = open_service(rewards=PLAIN)
    settle(guerdon, make_work("v0", occurred_at=NOON), make_work("v1", occurred_at=NOON + 1))
    if not had_turns:
        run_sql(guerdon, "DELETE FROM guerdon_turns")
    first = make_rule("first", "count = { at = 1 }", "50.00")
    later = open_guerdon(write_config(rewards=PLAIN + first))
    later.bookkeeping.recounter.count_stale = fail  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        later.migrate()

    settle(later, make_work("v2", occurred_at=NOON + 2))

    assert read_verdicts(later, "v2")["first"]["paid"] == 0
    assert later.bookkeeping.recounter.verify() == []
    later.close()


def fail(*args: Any) -> int:
    raise KeyboardInterrupt


def test_a_ledger_of_before_is_filled_in_by_migrate(
    open_service: Open, write_config: Callable[..., Path]
) -> None:
    """Events settled before rules counted: neither their player nor their time was kept then."""
    guerdon = open_service(rewards=PLAIN)
    for number in range(5):
        settle(guerdon, make_work(f"v{number}", occurred_at=NOON + number * DAY))
    run_sql(guerdon, "UPDATE guerdon_events SET player_id = NULL, counted_at = NULL")
    run_sql(guerdon, "DELETE FROM guerdon_grants WHERE event < 3")  # these earned nothing

    later = open_guerdon(write_config(rewards=PLAIN + COUNTING))
    faults = later.inspect()
    done = later.migrate()

    assert faults == ["the rules count, and the ledger was never counted: run `guerdon migrate`"]
    assert "5 events were given their player" in done
    assert later.inspect() == []
    assert vote(later, "next", 5)["every 3rd"]["why"] == "6 of 6"
    assert read_verdicts(later, "next")["row"]["why"] == "day 6 of 6"
    later.close()


def test_another_calendar_is_refused_until_all_is_counted_by_it(
    open_service: Open, write_config: Callable[..., Path]
) -> None:
    guerdon = open_service(rewards=COUNTING)
    vote_for_days(guerdon)
    berlin = '[calendar]\ntime_zone = "Europe/Berlin"\n' + COUNTING

    moved = open_guerdon(write_config(rewards=berlin))

    assert moved.inspect() == [
        "[calendar] says Europe/Berlin 00:00 monday, and votes were counted by UTC 00:00 monday: put it"
        " back, or run `guerdon counters rebuild`"
    ]
    moved.bookkeeping.rebuild()
    assert moved.inspect() == []
    assert moved.bookkeeping.recounter.verify() == []
    moved.close()


def test_what_an_event_was_counted_by_stays_when_its_player_is_filled_in(
    open_service: Open, write_config: Callable[..., Path]
) -> None:
    """It has no time of its own, and had waited for days when it was settled."""
    guerdon = open_service(rewards=make_rule("elsewhere", 'server = "9"\ncount = { every = 2 }'))
    work = make_work("v1", server_id="1")
    work.received_at = NOON
    settle(guerdon, work)

    later = open_guerdon(write_config(rewards=COUNTING))
    later.migrate()

    said = run_sql(later, "SELECT player_id, counted_at FROM guerdon_events")
    assert said == [("1", NOON)]
    later.close()


SHARED = (
    make_rule("all", 'limit = { all = "100 per month" }')
    + make_rule("often", 'limit = { all = "50 per 100 hours" }')
    + '[[budgets]]\nname = "gold"\nreward = "gold"\nsum = "amount"\nat_most = "1000 per month"\n'
)


def test_what_is_settled_while_all_is_counted_anew_is_counted_too(open_service: Open) -> None:
    """Also the first of a month, of which nothing was there when it began."""
    guerdon = open_service(rewards=SHARED)
    for number in range(3):
        vote(guerdon, f"v{number}")
    with guerdon.database.connection_context():
        begun = SharedCount(guerdon.programme).go_on(guerdon.database)
    vote(guerdon, "meanwhile")
    vote(guerdon, "next month", 40)

    guerdon.database.transact(lambda is_retry: replace_shared(guerdon.database, begun))

    assert guerdon.bookkeeping.recounter.verify() == []
    budget = hash_names("budget", "gold")
    kept = run_sql(guerdon, f"SELECT used FROM guerdon_limits WHERE owner = '{budget}'")
    assert sorted(row[0] for row in kept) == [2_000_000, 8_000_000]  # two rewards a vote
    moments = run_sql(guerdon, "SELECT SUM(payments) FROM guerdon_limit_moments")
    assert moments == [(5,)]
