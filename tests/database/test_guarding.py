"""Which statements may run in a unit: those that cannot end its transaction, however they begin."""

import time

import pytest

from app.database.guarding import HARMLESS


def test_it_works() -> None:
    assert HARMLESS.match("SELECT 1")
    assert not HARMLESS.match("COMMIT")


@pytest.mark.parametrize(
    "sql",
    [
        "(SELECT 1)", "/* a */ SELECT 1", "--\nSELECT 1", "--x\nSELECT 1", "# c\nINSERT INTO t",
        "SAVEPOINT a;", "RELEASE SAVEPOINT `a`;", "ROLLBACK TO SAVEPOINT a", "ROLLBACK WORK TO a",
        "SET @x = 1", "SET SESSION x = 1", "PRAGMA x", "WITH a AS (SELECT 1) SELECT * FROM a",
        " \n update t set a = 1",
    ],
)  # fmt: skip
def test_what_a_plugin_may_say(sql: str) -> None:
    assert HARMLESS.match(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "", "BEGIN", "ROLLBACK", "START TRANSACTION", "CALL x()", "SELECTION", "ALTER TABLE t",
        "/* a */ COMMIT -- */ SELECT", "--\nCOMMIT\nSELECT 1", "/*!COMMIT*/", "/*M!COMMIT*/ SELECT",
        "SET/**/STATEMENT x = 1 FOR COMMIT", "SET @x = 1, autocommit = 1", "SET PASSWORD = 'x'",
    ],
)  # fmt: skip
def test_what_a_plugin_may_not_say(sql: str) -> None:
    assert not HARMLESS.match(sql)


@pytest.mark.parametrize(
    "sql", ["/**/" * 50_000 + "X", "(" * 200_000, "/*" * 100_000, "SET " + "x" * 200_000]
)
def test_long_statements_are_judged_at_once(sql: str) -> None:
    started = time.process_time()
    HARMLESS.match(sql)

    assert time.process_time() - started < 1
