"""Gold: exact decimals in our own table and in a studio's, on SQLite and MariaDB."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.deliveries import get_v1, post_vote
from app.testing.services import REWARDS

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

STUDIO = """
[plugins.gamemonitoring]
api_url = "{vote_api}"
tokens = ["{token}"]
[plugins.gold]
column = "balance"
"""
USERS = '[players]\ntable = "users"\n'


def gold(*amounts: str) -> str:
    gifts = ", ".join(f'{{ reward = "gold", amount = "{amount}" }}' for amount in amounts)
    return f'[[rules]]\nname = "a vote"\non = "server.vote"\ngive = [{gifts}]\n'


def make_work(id: Any, nickname: str = "Bob") -> Work:
    return Work([Event("gamemonitoring", "server.vote", str(id), "1", nickname)])


def settle(guerdon: Guerdon, *works: Work) -> list[str]:
    return [outcome.state for outcome in guerdon.settler.settle(works)]


def run(guerdon: Guerdon, sql: str, *params: Any) -> Any:
    with guerdon.database.connection_context():
        return guerdon.database.execute_sql(sql, params).fetchall()


def read(guerdon: Guerdon, column: str = "gold", table: str = "players") -> Decimal:
    return Decimal(str(run(guerdon, f"SELECT {column} FROM {table} WHERE nickname = 'Bob'")[0][0]))


def test_it_works(open_service: Open) -> None:
    guerdon = open_service(gold("100.00", "0.25"))

    assert [post_vote(guerdon, id).status_code for id in "1122"] == [204] * 4

    assert get_v1(guerdon, "/players/Bob")["gold"] == "200.50"
    receipts = [g["receipt"] for g in get_v1(guerdon, "/events/server.vote/1")["grants"]]
    assert receipts == [
        {"added": "100.00", "column": "gold"},
        {"added": "0.25", "column": "gold"},
    ]


def test_a_tenth_a_thousand_times_is_a_hundred(open_service: Open) -> None:
    guerdon = open_service(gold("0.1"))

    for start in range(0, 999, 37):
        works = [make_work(id) for id in range(start, start + 37)]
        assert settle(guerdon, *works) == ["settled"] * 37
        assert read(guerdon) == Decimal(start + 37) / 10
    assert settle(guerdon, make_work(999)) == ["settled"]

    assert read(guerdon) == 100
    assert get_v1(guerdon, "/players/Bob")["gold"] == "100.00"


def test_many_players_of_one_batch_each_get_their_own(open_service: Open) -> None:
    guerdon = open_service(gold("0.01"))
    names = [f"player {number}" for number in range(30)]
    with guerdon.database.atomic():
        for name in names:
            guerdon.finder.create_player(name, 0)
    works = [make_work(f"{name} {n}", name) for n, name in enumerate(names) for _ in range(1)]
    works += [make_work(f"more {n} {m}", names[n]) for n in range(30) for m in range(n % 4)]

    assert set(settle(guerdon, *works)) == {"settled"}

    rows = run(guerdon, "SELECT nickname, gold FROM players WHERE nickname <> 'Bob'")
    expected = {name: Decimal(1 + n % 4) / 100 for n, name in enumerate(names)}
    assert {name: Decimal(str(value)) for name, value in rows} == expected


@pytest.mark.parametrize(
    ("balance", "amount", "total"),
    [
        ("9999999999999.99", "0.01", "10000000000000.00"),
        ("1234567890123.45", "0.01", "1234567890123.46"),
        ("1234567890123456", "1", "1234567890123457"),
        ("999999999999999", "1E+3", "1000000000000999"),
        ("0.07", "0.01", "0.08"),
        ("-5.50", "5.25", "-0.25"),
    ],
)
def test_a_huge_balance_stays_exact(
    open_service: Open, balance: str, amount: str, total: str
) -> None:
    guerdon = open_service(gold(amount))
    run(guerdon, f"UPDATE players SET gold = {balance}")

    assert settle(guerdon, make_work(1)) == ["settled"]

    assert read(guerdon) == Decimal(total)


@pytest.mark.parametrize(
    ("balance", "kinds"),
    [
        ("12345678901234.12", "sqlite"),  # a sum of 16 digits: SQLite's REAL would round it
        ("9999999999999999.99", "mariadb"),  # DECIMAL(18,2) has no room
    ],
)
def test_a_sum_the_database_cannot_keep_is_refused_and_nothing_is_paid(
    open_service: Open, balance: str, kinds: str
) -> None:
    guerdon = open_service(gold("1.01"))
    run(guerdon, f"UPDATE players SET gold = {balance}")
    before = read(guerdon)
    if guerdon.database.family == "mysql" and kinds == "sqlite":
        assert settle(guerdon, make_work(1)) == ["settled"]
        assert read(guerdon) == Decimal(balance) + Decimal("1.01")
        return

    assert settle(guerdon, make_work(1), make_work(2)) == ["waiting", "waiting"]

    assert read(guerdon) == before
    assert run(guerdon, "SELECT COUNT(*) FROM guerdon_grants")[0][0] == 0


def test_payments_from_many_threads_all_count(open_service: Open) -> None:
    guerdon = open_service(gold("0.01"))
    outcomes: list[str] = []

    def pay(thread: int) -> None:
        for number in range(20):
            outcomes.extend(settle(guerdon, make_work(f"{thread} {number}"), make_work(number)))

    threads = [threading.Thread(target=pay, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("settled") == 6 * 20 + 20
    assert outcomes.count("known") == 5 * 20
    assert read(guerdon) == Decimal("1.40")


def make_users(guerdon: Guerdon, more: str = "", **columns: str) -> None:
    is_sqlite = guerdon.database.family == "sqlite"
    key = "INTEGER PRIMARY KEY" if is_sqlite else "INT AUTO_INCREMENT PRIMARY KEY"
    types = {"id": key, "nickname": "VARCHAR(64)", "balance": "DECIMAL(18,2)"} | columns
    listed = ", ".join(f"{name} {type}" for name, type in types.items())
    run(guerdon, f"CREATE TABLE users ({listed}) {'' if is_sqlite else more}")


@pytest.mark.parametrize("charset", ["", "CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"])
@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_a_studios_own_users_are_paid_with_no_other_change(
    open_service: Open, vote_api: Any, charset: str, match: str
) -> None:
    more = f'{USERS}match = "{match}"'
    guerdon = open_service(gold("100.00", "0.10"), plugins=STUDIO, more=more)
    make_users(guerdon, charset)
    for name, balance in (("Zoë", "0.05"), ("Bob", None), ("eve", "7")):
        run(guerdon, "INSERT INTO users (nickname, balance) VALUES (?, ?)".replace(
            "?", guerdon.database.param), name, balance)  # fmt: skip
    schema = describe_users(guerdon)
    vote_api.nickname = lambda id: id[:3]

    for id in ("Bob-1", "Bob-2", "Bob-2"):
        assert post_vote(guerdon, id).status_code == 204
    assert settle(guerdon, make_work("z", "Zoë"), make_work("x", "EVE")) == [
        "settled", "settled" if match == "casefold" else "waiting",
    ]  # fmt: skip

    rows = run(guerdon, "SELECT id, nickname, balance FROM users ORDER BY id")
    paid = [(id, name, Decimal(str(balance))) for id, name, balance in rows]
    eve = Decimal("107.1") if match == "casefold" else Decimal(7)
    assert paid == [(1, "Zoë", Decimal("100.15")), (2, "Bob", Decimal("200.2")), (3, "eve", eve)]
    assert describe_users(guerdon) == schema
    assert guerdon.inspect() == []
    assert get_v1(guerdon, "/players/Bob")["gold"] == "200.20"
    assert not guerdon.database.table_exists("players")


def describe_users(guerdon: Guerdon) -> Any:
    is_sqlite = guerdon.database.family == "sqlite"
    return run(guerdon, "PRAGMA table_info(users)" if is_sqlite else "SHOW CREATE TABLE users")


@pytest.mark.parametrize("type", ["VARCHAR(36)", "CHAR(36) CHARACTER SET latin1", "BIGINT"])
def test_any_kind_of_key_will_do(open_service: Open, type: str) -> None:
    guerdon = open_service(gold("1.00"), plugins=STUDIO, more=f'{USERS}id_column = "uid"')
    is_sqlite = guerdon.database.family == "sqlite"
    plain = type.replace(" CHARACTER SET latin1", "") if is_sqlite else type
    make_users(guerdon, uid=f"{plain} UNIQUE")
    keys = ["9007199254740993", "9007199254740992"] if type == "BIGINT" else ["ab-1", "AC-2"]
    for key, name in zip(keys, ("Bob", "Eve"), strict=True):
        run(guerdon, f"INSERT INTO users (uid, nickname) VALUES ('{key}', '{name}')")

    works = [make_work(1), make_work(2, "Eve"), make_work(3, "Eve")]
    assert settle(guerdon, *works) == ["settled"] * 3

    rows = run(guerdon, "SELECT nickname, balance FROM users ORDER BY nickname")
    assert [(name, int(balance)) for name, balance in rows] == [("Bob", 1), ("Eve", 2)]
    rows = run(guerdon, "SELECT nickname, player_id FROM guerdon_grants ORDER BY id")
    assert list(rows)[:2] == [("Bob", keys[0]), ("Eve", keys[1])]


def test_a_key_that_is_not_unique_never_pays_two(open_service: Open) -> None:
    more = f'{USERS}id_column = "clan"'
    guerdon = open_service(gold("1.00"), plugins=STUDIO, more=more)
    make_users(guerdon, clan="INT")
    run(guerdon, "INSERT INTO users (nickname, clan, balance) VALUES ('Bob', 1, 0), ('Eve', 1, 0)")

    assert settle(guerdon, make_work(1)) == ["waiting"]

    assert [int(row[0]) for row in run(guerdon, "SELECT balance FROM users")] == [0, 0]


@pytest.mark.parametrize(
    ("type", "amount", "fault"),
    [
        ("FLOAT", "1.00", "users.balance is {}, which is not exact: make it DECIMAL"),
        ("DOUBLE", "1.00", "users.balance is {}, which is not exact: make it DECIMAL"),
        ("VARCHAR(20)", "1.00", "users.balance is {}, which is not exact: make it DECIMAL"),
        ("INT", "0.50", "gold 0.50: users.balance keeps 0 decimals; it would be rounded"),
        ("DECIMAL(18,2)", "0.001", "gold 0.001: users.balance keeps 2 decimals"),
        ("INT", "5.00", None),
        ("BIGINT", "5", None),
        ("DECIMAL(18,2)", "5.100", None),
        ("DECIMAL(65,30)", "5.10", None),
        ("DECIMAL(18,3)", "0.001", None),
        ("NUMERIC(18,2)", "0.01", None),
    ],
)
def test_check_refuses_a_column_that_would_round(
    open_service: Open, type: str, amount: str, fault: str | None
) -> None:
    if type == "DECIMAL(65,30)":
        guerdon = open_service(gold(amount), plugins=STUDIO, more=USERS)
        make_users(guerdon, balance=type)
        assert guerdon.inspect() == []
        return
    guerdon = open_service(gold("7", amount), plugins=STUDIO, more=USERS)
    make_users(guerdon, balance=type)
    run(guerdon, "INSERT INTO users (nickname, balance) VALUES ('Bob', 0)")

    faults = guerdon.inspect()

    if fault is None:
        assert faults == []
        assert post_vote(guerdon, "v1").status_code == 204
        assert read(guerdon, "balance", "users") == 7 + Decimal(amount)
    else:
        assert len(faults) == 1, faults
        assert fault.format(type.lower().partition("(")[0]) in faults[0]
        assert post_vote(guerdon, "v1").status_code == 503


@pytest.mark.parametrize(
    ("columns", "more", "fault"),
    [
        ({"balance": ""}, USERS, "[plugins.gold] column: the table users has no column balance"),
        ({"nickname": ""}, USERS, "[players] nickname_column: the table users has no column nick"),
        ({"id": ""}, USERS, "[players] id_column: the table users has no column id"),
        ({}, f'{USERS}user_id_column = "uid"', "[players] user_id_column: the table users has no"),
        ({}, USERS.replace("users", "gamers"), "[players] table: there is no table gamers"),
    ],
)
def test_check_names_what_the_studios_table_lacks(
    open_service: Open, columns: dict[str, str], more: str, fault: str
) -> None:
    guerdon = open_service(gold("1"), plugins=STUDIO, more=more)
    make_users(guerdon)
    for name in columns:
        run(guerdon, f"ALTER TABLE users RENAME COLUMN {name} TO other")

    faults = guerdon.inspect()

    assert any(fault in each for each in faults), faults


@pytest.mark.on_servers
def test_a_myisam_table_is_refused(open_service: Open, write_config: Any) -> None:
    guerdon = open_service(gold("1"), plugins=STUDIO, more=USERS)
    make_users(guerdon, "ENGINE=MyISAM")
    run(guerdon, "INSERT INTO users (nickname, balance) VALUES ('Bob', 0)")

    assert guerdon.inspect() == [
        "the table users is MyISAM, not InnoDB: its writes could not be undone"
    ]
    assert post_vote(guerdon, "v1").status_code == 503
    assert read(guerdon, "balance", "users") == 0


@pytest.mark.on_servers
def test_an_amount_is_never_read_as_a_float(open_service: Open) -> None:
    """1E+3 and 1E-9 are floats in SQL."""
    guerdon = open_service(gold("1E+3", "0.000000001"), plugins=STUDIO, more=USERS)
    make_users(guerdon, balance="DECIMAL(40,9)")
    run(guerdon, "INSERT INTO users (nickname, balance) VALUES"
                 " ('Bob', 1234567890123456789012345678.123456789), ('Eve', 0)")  # fmt: skip

    assert settle(guerdon, make_work(1), make_work(2), make_work(3, "Eve")) == ["settled"] * 3

    rows = run(guerdon, "SELECT balance FROM users ORDER BY id")
    assert [str(row[0]) for row in rows] == [
        "1234567890123456789012347678.123456791", "1000.000000001",
    ]  # fmt: skip


def test_a_studios_gold_with_other_parameters_passes_the_check(
    open_service: Open, add_plugin: Callable[..., str]
) -> None:
    section = add_plugin("""
        from marshmallow import Schema, fields
        from app import hookimpl

        class Coins(Schema):
            coins = fields.Integer()

        @hookimpl
        def reward_schemas():
            return {"gold": Coins}
    """)
    rewards = REWARDS.replace('amount = "100.00"', "coins = 3")

    assert open_service(rewards, more=section).inspect() == []
