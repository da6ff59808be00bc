"""Keys of events, and the migration that gave the ledger those it has."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from app.database.keys import LEADING, hash_parts, make_event_key, make_report_key
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player

TABLES = ("guerdon_attempts", "guerdon_inbox", "guerdon_events")
VOTE = ("gamemonitoring", "server.vote")
LONG, WAITING = "9824cabb-2203-437e-9b6c-aba43dde3e4b", "waits"
PAID = ("7", LONG, "a\0b", "яяяяяяяяx", "x" + "я" * 8, "日本語\U0001f5f3 vote ")
migration = import_module("app.database.migrations.0003_ordered_keys")


def test_it_works() -> None:
    key = make_event_key(*VOTE, LONG)

    assert len(key) == 32
    assert key[:LEADING] == b"9824cabb-220"
    assert key[LEADING:] == hash_parts(*VOTE, LONG)[:20]


def test_keys_sort_like_ids_that_begin_with_a_clock() -> None:
    ids = [f"9824ca{second:02x}-2203-437e-9b6c-{255 - second:012x}" for second in range(256)]

    assert sorted(ids, key=lambda id: make_event_key(*VOTE, id)) == ids


@pytest.mark.parametrize("id", ["", "7", "9824cabb-220", LONG, "я" * 255, "\ud800"])
def test_every_id_has_a_key_of_32_bytes(id: str) -> None:
    assert len(make_event_key(*VOTE, id)) == 32


def test_events_that_differ_anywhere_have_other_keys() -> None:
    events = [
        (*VOTE, LONG), (*VOTE, LONG + "b"), (*VOTE, LONG[:-1]), (*VOTE, LONG[:LEADING]),
        (*VOTE, LONG[:LEADING] + "\0"), (*VOTE, ""), (*VOTE, "\0"), (VOTE[0], "server", LONG),
        ("", VOTE[1], LONG), ("gamemonitoringserver", ".vote", LONG),
    ]  # fmt: skip

    assert len({make_event_key(*event) for event in events}) == len(events)


def test_reports_that_differ_anywhere_have_other_keys() -> None:
    reports = [
        ("g123", "level_up", "1"), ("g123", "level_up", "2"), ("g123", "level", "1"),
        ("sud", "level_up", "1"), ("g123level", "_up", "1"), ("g123", "level_up1", ""),
    ]  # fmt: skip

    assert len({make_report_key(*report) for report in reports}) == len(reports)


def read_rows(guerdon: Guerdon) -> dict[str, list[Any]]:
    with guerdon.database.connection_context():
        run = guerdon.database.execute_sql
        return {table: run(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in TABLES}


def list_indexes(guerdon: Guerdon) -> set[Any]:
    with guerdon.database.connection_context():
        return {
            (table, index.name, index.unique)
            for table in TABLES
            for index in guerdon.database.get_indexes(table)
        }


def name_event(id: str) -> Event:
    return Event(*VOTE, id, nickname="Bob", server_id="1")


@pytest.fixture
def lived(open_service: Callable[..., Guerdon], vote_api: Any) -> Guerdon:
    """One with votes paid, far apart in the ledger, and one that waits for its player."""
    guerdon = open_service()
    for id in PAID:
        [outcome] = guerdon.settler.settle([Work([name_event(id)])])
        assert outcome.state == "settled"
    vote_api.votes[WAITING] = {"id": WAITING, "nickname": "Alice", "server": {"id": 1}}
    for _ in range(2):
        assert post_vote(guerdon, WAITING).status_code == 503
    with guerdon.database.connection_context():
        for before, after in ((6, 30_000), (5, 10_001), (4, 10_000)):
            for table, column in (("guerdon_events", "id"), ("guerdon_grants", "event")):
                sql = f"UPDATE {table} SET {column} = {after} WHERE {column} = {before}"
                guerdon.database.execute_sql(sql)
    return guerdon


def turn_back(guerdon: Guerdon) -> None:
    """To the tables of version 0.1: its columns, its indexes, its keys."""
    run, mark = guerdon.database.execute_sql, guerdon.database.param
    is_mysql = guerdon.database.family == "mysql"
    with guerdon.database.connection_context():
        run("DELETE FROM guerdon_migrations WHERE name = '0003_ordered_keys'")
        for table in TABLES:
            for id in (*PAID, WAITING):
                run(
                    f"UPDATE {table} SET ordered_key = {mark} WHERE ordered_key = {mark}",
                    (hash_parts(*VOTE, id), make_event_key(*VOTE, id)),
                )
            name = {"attempts": "attempt", "inbox": "waiting", "events": "event"}[table[8:]]
            kind = "INDEX" if name == "attempt" else "UNIQUE INDEX"
            run(f"DROP INDEX {name}_ordered_key" + (f" ON {table}" if is_mysql else ""))
            run(f"ALTER TABLE {table} RENAME COLUMN ordered_key TO event_key")
            run(f"CREATE {kind} {name}_event_key ON {table} (event_key)")


def count_gold(guerdon: Guerdon) -> dict[str, int]:
    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql("SELECT nickname, gold FROM players").fetchall()
        return {name: int(gold) for name, gold in rows}


def test_an_old_ledger_keeps_what_is_paid_and_what_waits(lived: Guerdon) -> None:
    rows, indexes = read_rows(lived), list_indexes(lived)
    event = get_v1(lived, f"/events/{VOTE[1]}/{WAITING}")
    turn_back(lived)
    assert read_rows(lived) != rows

    assert lived.migrate() == ["migration 0003_ordered_keys"]

    assert lived.inspect() == []
    assert (read_rows(lived), list_indexes(lived)) == (rows, indexes)
    assert get_v1(lived, f"/events/{VOTE[1]}/{WAITING}") == event
    again = lived.settler.settle([Work([name_event(id)]) for id in PAID])
    assert [outcome.state for outcome in again] == ["known"] * len(PAID)
    add_player(lived, "Alice")
    assert post_vote(lived, WAITING).status_code == 204
    assert count_gold(lived) == {"Alice": 100, "Bob": 100 * len(PAID)}


def test_without_it_nothing_is_taken(lived: Guerdon) -> None:
    """What an upgrade forgets; an older worker fares as badly with the tables of a newer one."""
    turn_back(lived)
    gold, before = count_gold(lived), read_rows(lived)

    assert "run `guerdon migrate`" in lived.inspect()[0]
    assert post_vote(lived, LONG).status_code == 503
    assert post_vote(lived, "new").status_code == 503
    assert (count_gold(lived), read_rows(lived)) == (gold, before)


class Killed(BaseException):
    pass


def test_killed_before_any_statement_it_is_finished_by_the_next(
    lived: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, indexes = read_rows(lived), list_indexes(lived)
    database, kills = lived.database, 0
    run = database.execute_sql
    while True:
        turn_back(lived)
        left = iter(range(kills))

        def run_or_die(sql: str, params: Any = None, left: Any = left) -> Any:
            if next(left, None) is None:
                raise Killed
            return run(sql, params)

        with database.connection_context(), monkeypatch.context() as patch:
            patch.setattr(database, "execute_sql", run_or_die)
            try:
                migration.up(None, database)
            except Killed:
                is_killed = True
            else:
                is_killed = False
        lived.migrate()

        assert (read_rows(lived), list_indexes(lived)) == (rows, indexes), kills
        if not is_killed:
            break
        kills += 1
    assert kills > 15
