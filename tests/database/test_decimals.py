"""Money on SQLite: what ordinary SQL has made of a balance is understood, and never a cent is lost."""

import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.decimals import add_decimals, mean_decimal, read_places
from app.guerdon import Guerdon
from tests.database.test_database import make_event, settle

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def run(guerdon: Guerdon, sql: str, *params: object) -> list[tuple[object, ...]]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql, params).fetchall())


def read_cents(guerdon: Guerdon) -> list[int]:
    rows = run(guerdon, "SELECT gold FROM players ORDER BY id")
    return [int(Decimal(str(gold)) * 100) for (gold,) in rows]


@on_sqlite
def test_it_works(guerdon: Guerdon) -> None:
    """A shop takes a tenth of three, in floats; then a vote is paid, exactly."""
    run(guerdon, "UPDATE players SET gold = 0.3")
    run(guerdon, "UPDATE players SET gold = gold - 0.1")
    assert run(guerdon, "SELECT gold FROM players") == [(0.19999999999999998,)]

    assert settle(guerdon, make_event("v1")) == ["settled"]

    assert run(guerdon, "SELECT gold FROM players") == [(100.2,)]


@on_sqlite
def test_ten_thousand_balances_touched_by_ordinary_sql_are_all_paid_to_the_cent(
    guerdon: Guerdon,
) -> None:
    """In cents from 0.01 to a billion; each is changed by floats, some many times."""
    chance = random.Random(14)
    cents = [chance.randrange(1, 10 ** chance.randrange(2, 12)) for _ in range(10_000)]
    changes = [chance.randrange(1, 10 ** chance.randrange(2, 6)) for _ in cents]
    run(guerdon, "CREATE TABLE changes (id INTEGER PRIMARY KEY, change REAL)")
    database = guerdon.database
    with database.connection_context(), database.atomic():
        database.execute_sql("DELETE FROM players")
        for id_, (some, change) in enumerate(zip(cents, changes, strict=True), 1):
            database.execute_sql(
                "INSERT INTO players (id, nickname, folded, gold, created_at) VALUES (?, ?, ?, ?, 0)",
                (id_, str(id_), str(id_), some / 100),
            )
            database.execute_sql("INSERT INTO changes VALUES (?, ?)", (id_, change / 100))
    change = "gold = gold {} (SELECT change FROM changes WHERE changes.id = players.id)"
    for sign in "--+-+-":
        run(guerdon, f"UPDATE players SET {change.format(sign)}")
    run(guerdon, "UPDATE players SET gold = add_decimals(gold, '100.01', 2)")

    expected = [some - 2 * change + 10_001 for some, change in zip(cents, changes, strict=True)]
    assert read_cents(guerdon) == expected


@given(
    st.integers(-(10**13), 10**13), st.lists(st.integers(-(10**7), 10**7), max_size=30),
    st.integers(1, 10**9),
)  # fmt: skip
def test_whatever_floats_were_added_the_sum_in_cents_is_exact(
    cents: int, changes: list[int], amount: int
) -> None:
    balance, exact = cents / 100, cents
    for change in changes:
        balance, exact = balance + change / 100, exact + change
    total = exact + amount
    if abs(total) >= 10**15 or abs(exact) >= 10**14:
        return

    result = add_decimals(balance, str(Decimal(amount) / 100), 2)

    assert Decimal(str(result)) * 100 == total


@pytest.mark.parametrize(
    ("balance", "places", "meant"),
    [
        (0.19999999999999998, 2, "0.2"),
        (0.19999999999999998, None, "0.2"),
        (99.9999999999986, 2, "100"),  # a tenth, a thousand times
        (0.125, 2, "0.125"),  # really there: nobody asked us to round it
        (0.575, 2, "0.575"),
        (1e-9, 9, "0.000000001"),
        (12345678901234.12, 2, "12345678901234.12"),  # its digits count
        (12345678901234.12, None, "12345678901234.12"),
        (1234567890123.45, 2, "1234567890123.45"),
        (float("inf"), 2, "Infinity"),
        (5.0, 0, "5"),
        (7, 2, "7"),
        (None, 2, "0"),
        ("2.50", 2, "2.5"),
    ],
)
def test_a_stored_value_means_the_decimal_that_was_written(
    balance: object, places: int | None, meant: str
) -> None:
    assert mean_decimal(balance, places) == Decimal(meant)


@pytest.mark.parametrize(
    ("declared", "places"),
    [("DECIMAL(18, 2)", 2), ("numeric(10,5)", 5), ("INTEGER", 0), ("BIGINT", 0), ("DECIMAL", None),
     ("REAL", None), ("", None), ("INTERVAL", None)],
)  # fmt: skip
def test_the_decimals_of_a_declared_type(declared: str, places: int | None) -> None:
    assert read_places(declared) == places


@on_sqlite
def test_a_studios_column_of_other_decimals_is_understood_too(
    open_service: Callable[..., Guerdon],
) -> None:
    plugins = '[plugins.gold]\ncolumn = "balance"\n'
    guerdon = open_service(plugins=plugins, more='[players]\ntable = "users"\n')
    run(
        guerdon, "CREATE TABLE users (id INTEGER PRIMARY KEY, nickname TEXT, balance DECIMAL(18,4))"
    )
    run(guerdon, "INSERT INTO users VALUES (1, 'Bob', 0.0003)")
    for _ in range(1000):
        run(guerdon, "UPDATE users SET balance = balance + 0.0001")

    assert settle(guerdon, make_event("v1")) == ["settled"]

    assert run(guerdon, "SELECT balance FROM users") == [(100.1003,)]


@on_sqlite
def test_a_column_of_floats_takes_no_whole_sum_that_it_cannot_hold(guerdon: Guerdon) -> None:
    assert add_decimals(1234567890123456.0, "1") == 1234567890123457
    with pytest.raises(ValueError, match="more digits"):
        add_decimals(10.0**15 + 0.25, "1")
    largest = 2**53
    assert add_decimals(float(largest - 1), "1") == largest
    with pytest.raises(ValueError, match="a column of floats"):
        add_decimals(float(largest), "1")
    assert add_decimals(largest, "1") == largest + 1
    run(guerdon, "CREATE TABLE sums (whole INTEGER, float REAL)")
    run(guerdon, "INSERT INTO sums VALUES (?, ?)", largest + 1, largest + 1)
    assert run(guerdon, "SELECT * FROM sums") == [(largest + 1, float(largest))]
