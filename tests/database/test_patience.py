"""Reading ends in time, says so, and leaves the connection as it was."""

import sqlite3
import time
from typing import Any

import pytest
from peewee import PeeweeException

from app.database.patience import TookTooLong
from app.guerdon import Guerdon


def write_long(tables: int) -> str:
    """A question with 9 to the power of `tables` steps to its answer; MySQL's hint stands behind a SELECT."""
    joined = ", ".join(f"n AS n{number}" for number in range(tables))
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
    return f"SELECT * FROM ({numbers} SELECT COUNT(*) FROM {joined}) AS long_one"


LONG = write_long(10)


def ask(guerdon: Guerdon, sql: str) -> Any:
    return guerdon.database.execute_sql(sql).fetchall()


def ask_in(guerdon: Guerdon, seconds: float, *statements: str) -> None:
    with guerdon.database.limit_time(seconds):
        for statement in statements:
            ask(guerdon, statement)


def read_limits(guerdon: Guerdon) -> Any:
    """What the session itself is limited to."""
    if guerdon.database.family == "sqlite":
        return None
    name = "max_statement_time" if guerdon.database.returns_rows else "max_execution_time"
    return ask(guerdon, f"SELECT @@SESSION.{name}")


def test_it_works(guerdon: Guerdon) -> None:
    with guerdon.database.connection_context():
        limits = read_limits(guerdon)
    began = time.monotonic()
    with pytest.raises(TookTooLong, match=r"took longer than the 0\.3 s"):
        ask_in(guerdon, 0.3, "SELECT 1", LONG)

    assert time.monotonic() - began < 8  # it would take far longer
    with guerdon.database.connection_context():
        assert read_limits(guerdon) == limits
        assert ask(guerdon, "SELECT 2")[0][0] == 2


def test_the_connection_goes_back_and_is_good_for_the_next(guerdon: Guerdon) -> None:
    """The same connection: one that may take as long as it takes again."""
    for _ in range(3):
        with pytest.raises(TookTooLong), guerdon.database.limit_time(0.05):
            ask(guerdon, LONG)
    assert guerdon.database.pool.count_taken() == 0
    assert guerdon.database.pool.count_idle() == 1

    with guerdon.database.connection_context():
        assert ask(guerdon, write_long(6))[0][0] == 9**6
        guerdon.database.transact(lambda is_retry: ask(guerdon, "SELECT 1"))


def test_it_is_the_time_of_all_statements_together(guerdon: Guerdon) -> None:
    with pytest.raises(TookTooLong):
        ask_in(guerdon, 0.2, *["SELECT 1"] * 1_000_000)


def test_the_shorter_of_two_counts(guerdon: Guerdon) -> None:
    with guerdon.database.limit_time(60):
        with pytest.raises(TookTooLong, match=r"0\.1 s"), guerdon.database.limit_time(0.1):
            ask(guerdon, LONG)
        assert ask(guerdon, "SELECT 1")[0][0] == 1
    limit_time = guerdon.database.limit_time
    with pytest.raises(TookTooLong, match=r"0\.1 s"), limit_time(0.1), limit_time(60):
        ask(guerdon, LONG)


def test_other_errors_are_what_they_were(guerdon: Guerdon) -> None:
    errors = (PeeweeException, sqlite3.Error)
    with pytest.raises(errors) as raised, guerdon.database.limit_time(5):
        ask(guerdon, "SELECT nothing_of_the_kind FROM guerdon_events")
    assert not isinstance(raised.value, TookTooLong)


def test_reading_by_models_is_limited_too(guerdon: Guerdon) -> None:
    """Rows that are fetched little by little, as SQLite does."""
    with pytest.raises(TookTooLong), guerdon.database.limit_time(0.2):
        for _ in guerdon.database.execute_sql(f"SELECT 1 UNION ALL {LONG}"):
            pass


def test_a_connection_that_is_closed_within_is_no_matter(guerdon: Guerdon) -> None:
    with guerdon.database.limit_time(5):
        ask(guerdon, "SELECT 1")
        guerdon.database.drop_connection()
    with guerdon.database.limit_time(5):
        assert ask(guerdon, "SELECT 2")[0][0] == 2
