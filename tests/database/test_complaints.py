"""What a database refuses is told with the column that is at fault, and never with a value."""

from collections.abc import Callable
from typing import Any

import pytest
from peewee import DataError, IntegrityError, OperationalError

from app.database.complaints import explain_refusal, keep_statement, name_reason_briefly
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.testing.deliveries import post_vote
from tests.database.test_database import make_event

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PLUGINS = '[plugins.gamemonitoring]\napi_url = "{vote_api}"\ntokens = ["{token}"]\n' + (
    '[plugins.gold]\ncolumn = "balance"\n'
)
USERS = '[players]\ntable = "users"\n'
BEGINS = "the database refused it: "


def settle_reason(guerdon: Guerdon, **changes: Any) -> str:

    [outcome] = guerdon.settler.settle([Work([make_event("v1", **changes)])])
    assert outcome.state == "waiting"
    return outcome.reason


def open_users(open_service: Open, balance: str, value: str, more: str = "") -> Guerdon:
    guerdon = open_service(plugins=PLUGINS, more=USERS)
    key = "INTEGER PRIMARY KEY" if guerdon.database.family == "sqlite" else "INT PRIMARY KEY"
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            f"CREATE TABLE users (id {key}, nickname VARCHAR(64), balance {balance}{more})"
        )
        guerdon.database.execute_sql(f"INSERT INTO users VALUES (1, 'Bob', {value})")
    return guerdon


@pytest.mark.on_servers
def test_it_works(open_service: Open) -> None:
    """A full column: which one, and what it holds."""
    guerdon = open_users(open_service, "DECIMAL(6,2)", "9950.00")

    assert settle_reason(guerdon) == (
        f"{BEGINS}users.balance (decimal(6,2)) has no room for the new value: it is out of range"
    )
    assert "users.balance" in post_vote(guerdon, "v1").text


@pytest.mark.on_servers
def test_a_full_integer_is_named_too(open_service: Open) -> None:
    guerdon = open_users(open_service, "SMALLINT UNSIGNED", "65500")

    reason = settle_reason(guerdon).replace("(5)", "")  # MySQL tells no display width
    assert "users.balance (smallint unsigned) has no room" in reason


def test_a_condition_of_a_studios_own_is_named(open_service: Open) -> None:
    condition = ", CONSTRAINT not_too_rich CHECK (balance <= 10)"
    guerdon = open_users(open_service, "DECIMAL(18,2)", "0", condition)

    assert settle_reason(guerdon) == f"{BEGINS}the condition not_too_rich does not hold"


@on_sqlite
def test_a_balance_that_is_no_number_is_told(open_service: Open) -> None:
    guerdon = open_users(open_service, "DECIMAL(18,2)", "'much'")

    assert "a balance is no number" in settle_reason(guerdon)


@pytest.mark.on_servers
def test_a_text_too_long_is_named_by_column_and_never_shown(
    open_service: Open, add_plugin: Callable[..., str]
) -> None:
    section = add_plugin("""
        from peewee import CharField, Model
        from marshmallow import Schema, fields
        from app import hookimpl

        class Badge(Model):
            title = CharField(8)

            class Meta:
                table_name = "guerdon_badges"

        class BadgeReward(Schema):
            pass

        @hookimpl
        def plugin_models():
            return [Badge]

        @hookimpl
        def reward_schemas():
            return {"badge": BadgeReward}

        @hookimpl
        def grant_reward(reward, event):
            if reward.kind == "badge":
                Badge.create(title="the great " + event.id)
                return {}
    """)
    rewards = '[[rules]]\non = "server.vote"\ngive = [{ reward = "badge" }]\n'
    reason = settle_reason(open_service(rewards, more=section))

    assert reason == (
        f"{BEGINS}guerdon_badges.title (varchar(8)) has no room for the new value: it is too long"
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DataError(1264, "Out of range value for column 'gold' at row 1"),
         "gold has no room for the new value: it is out of range"),
        (DataError(1690, "BIGINT value is out of range in '(`db`.`users`.`coins` + 5)'"),
         "users.coins has no room for the new value: it is out of range"),
        (OperationalError(1366, "Incorrect string value: '\\xF0\\x9F' for column `db`.`t`.`c` at row 1"),
         "t.c cannot hold the new value"),
        (IntegrityError(1048, "Column 'level' cannot be null"),
         "level must have a value and was given none"),
        (OperationalError(1364, "Field 'level' doesn't have a default value"),
         "level must have a value and was given none"),
        (OperationalError(3819, "Check constraint 'rich' is violated."),
         "the condition rich does not hold"),
        (IntegrityError(4025, "CONSTRAINT `users.gold` failed for `db`.`users`"),
         "the condition users.gold does not hold"),
        (IntegrityError(1452, "Cannot add or update a child row: a foreign key constraint fails (`a`)"),
         "a foreign key does not hold"),
        (OperationalError(1142, "UPDATE command denied to user 'game'@'10.0.0.7' for table 'users'"),
         "our database user may not do that"),
        (OperationalError(1644, "whatever a trigger says, Bob"), "a trigger does not allow it"),
        (IntegrityError("NOT NULL constraint failed: users.level"),
         "users.level must have a value and was given none"),
        (OperationalError("database or disk is full"), "no room is left"),
        (OperationalError(9999, "Bob's secret"), "OperationalError"),
        (DataError(1406, "Data too long for column 'a\x1b[2J" + "x" * 90 + "' at row 1"),
         "a?[2J" + "x" * 56 + "... has no room for the new value: it is too long"),
    ],
)  # fmt: skip
def test_each_kind_of_refusal_in_words_without_values(error: Exception, sentence: str) -> None:
    assert explain_refusal(error) == BEGINS + sentence
    brief = name_reason_briefly(error)
    assert brief
    assert not any(name in brief for name in ("gold", "users", "coins", "level", "rich", "Bob"))


def test_the_table_is_known_by_the_statement_where_the_error_does_not_say() -> None:
    error = DataError(1406, "Data too long for column 'name' at row 1")
    keep_statement(error, 'INSERT INTO "guerdon_items" (a, b) VALUES (?, ?)')

    assert explain_refusal(error).startswith(f"{BEGINS}guerdon_items.name has no room")
