"""Tables have room for what comes, use no id twice, and keep apart what only looks alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peewee import AutoField, BigIntegerField, CharField, IntegerField, Model

from app.database.migrating import make_runner
from app.database.models import Claim, OwnPlayer, bind_models
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import acknowledge_claim, lease_claims, queue_claims
from app.paying.settler import Work
from app.porch.errors import ConfigError
from app.porch.types import Event, Player
from app.testing.clock import Clock
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player
from tests.database.test_migrating import describe

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
GIFTS = (
    '{ reward = "item", item = "sword", quantity = 3 }', '{ reward = "role", role = "voter", days = 7 }',
    '{ reward = "vip", days = 1 }', '{ reward = "claim", payload = { command = "give" } }',
)  # fmt: skip


def write_rules(*gifts: str) -> str:
    return f'[[rules]]\non = "server.vote"\ngive = [{", ".join(gifts)}]\n'


def run(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        cursor = guerdon.database.execute_sql(sql)
        return list(cursor.fetchall()) if cursor.description else []


def settle(guerdon: Guerdon, *nicknames: str) -> list[str]:
    works = [
        Work([Event("gamemonitoring", "server.vote", f"{n}-{name}", "1", name)])
        for n, name in enumerate(nicknames)
    ]
    return [outcome.state for outcome in guerdon.settler.settle(works)]


class OldItem(Model):
    player_id = CharField(64)
    name = CharField(255)
    quantity = IntegerField()

    class Meta:
        table_name = "guerdon_items"
        indexes = ((("player_id", "name"), True),)


class OldRole(Model):
    player_id = CharField(64)
    name = CharField(255)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_roles"
        indexes = ((("player_id", "name"), True),)


class OldVip(Model):
    player_id = CharField(64, primary_key=True)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_vip"


class OldPlayer(Model):
    id = AutoField()
    nickname = CharField(255, unique=True)
    folded = CharField(255, index=True)
    gold = OwnPlayer.gold.clone()
    created_at = BigIntegerField()

    class Meta:
        table_name = "players"


def make_old_tables(guerdon: Guerdon) -> None:
    """As the version before left them, with rows; a studio has put something of its own to players."""
    old: Any = (OldItem, OldRole, OldVip, OldPlayer)
    bind_models(guerdon.database, old)
    with guerdon.database.connection_context():
        make_runner(guerdon.database).up("0003_ordered_keys")
        for model, name in zip(old, ("item", "role", "vip", "ownplayer"), strict=True):
            model._meta.name = name  # of its indexes
        guerdon.database.create_tables(old)
        for player in ("Bob", "Eve"):
            OldPlayer.insert(nickname=player, folded=player.lower(), gold=5, created_at=1).execute()
        OldItem.insert(player_id="1", name="sword", quantity=2_000_000_000).execute()
        OldRole.insert(player_id="1", name="voter", until=2**62).execute()
        OldVip.insert(player_id="1", until=7).execute()
    claim = "server_id, player_id, nickname, event_type, event_id, payload, state, lease_token,"
    claim += " lease_until, takes, created_at"
    values = "'1', '1', 'Bob', 'server.vote', 'old', '{}', 'ready', '', 0, 0, 1"
    run(guerdon, f"INSERT INTO guerdon_claims ({claim}) VALUES ({values})")
    run(guerdon, "ALTER TABLE players ADD COLUMN level INTEGER DEFAULT 9")
    run(guerdon, "CREATE VIEW rich AS SELECT nickname FROM players WHERE gold > 1")


def test_it_works(write_config: Callable[..., Path], clock: Clock) -> None:
    """What stands in old tables stays, grows on, and the tables are as new ones."""
    guerdon = open_guerdon(write_config(write_rules(*GIFTS)), clock)
    make_old_tables(guerdon)
    assert "run `guerdon migrate`" in guerdon.inspect()[0]

    done = guerdon.migrate()

    assert "migration 0006_promises" in done
    assert guerdon.inspect() == []
    assert guerdon.migrate() == []
    assert settle(guerdon, "Bob", "Bob", "Eve") == ["settled"] * 3
    rows = run(guerdon, "SELECT player_id, name, quantity FROM guerdon_items ORDER BY player_id")
    assert rows == [("1", "sword", 2_000_000_006), ("2", "sword", 3)]
    assert run(guerdon, "SELECT id, nickname, gold, level FROM players ORDER BY id") == [
        (1, "Bob", 5, 9), (2, "Eve", 5, 9),
    ]  # fmt: skip
    assert run(guerdon, "SELECT nickname FROM rich ORDER BY nickname") == [("Bob",), ("Eve",)]
    assert run(guerdon, "SELECT id, event_id FROM guerdon_claims ORDER BY id")[0] == (1, "old")
    guerdon.close()


def test_migrated_items_and_roles_are_as_new_ones(
    write_config: Callable[..., Path], clock: Clock, open_service: Open
) -> None:
    guerdon = open_guerdon(write_config(), clock)
    make_old_tables(guerdon)
    guerdon.migrate()
    migrated = describe(guerdon)
    for table in ("guerdon_items", "guerdon_roles", "guerdon_vip"):
        run(guerdon, f"DROP TABLE {table}")
    guerdon.migrate()
    fresh = describe(guerdon)
    guerdon.close()

    for name in ("guerdon_items", "guerdon_roles", "guerdon_vip"):
        assert migrated[name] == fresh[name]
    assert not [name for name in migrated if name.endswith(("_new", "_player_id_name"))]


@on_sqlite
def test_a_players_table_that_looks_like_ours_and_is_not_stays(
    write_config: Callable[..., Path], clock: Clock
) -> None:
    guerdon = open_guerdon(write_config(more='[players]\ntable = "players"\n'), clock)
    run(
        guerdon,
        'CREATE TABLE "players" ("id" INTEGER NOT NULL PRIMARY KEY, nickname TEXT, gold DECIMAL)',
    )
    before = describe(guerdon)["players"]

    guerdon.migrate()

    assert describe(guerdon)["players"] == before
    guerdon.close()


def test_no_id_is_used_up_by_a_reward(open_service: Open) -> None:
    guerdon = open_service(write_rules(*GIFTS[:2]))
    for table in ("guerdon_items", "guerdon_roles"):
        with guerdon.database.connection_context():
            assert guerdon.database.get_primary_keys(table) == ["player_id", "name"]
            assert "id" not in {column.name for column in guerdon.database.get_columns(table)}


def test_a_count_grows_beyond_two_billions(open_service: Open) -> None:
    guerdon = open_service(write_rules(GIFTS[0]))
    assert settle(guerdon, "Bob") == ["settled"]
    run(guerdon, f"UPDATE guerdon_items SET quantity = {2**31 - 1}")

    assert post_vote(guerdon, "v2").status_code == 204
    assert get_v1(guerdon, "/players/Bob")["items"] == {"sword": 2**31 + 2}


def test_an_id_is_never_given_again(guerdon: Guerdon, clock: Clock) -> None:
    """Neither a removed player's, whose ledger is there still, nor that of a claim given out."""
    add_player(guerdon, "Eve")
    run(guerdon, "DELETE FROM players WHERE nickname = 'Eve'")
    add_player(guerdon, "Mallory")
    assert run(guerdon, "SELECT id FROM players ORDER BY id") == [(1,), (3,)]
    event, bob = Event("", "server.vote", "v1", "1", "Bob"), Player(1, "Bob")
    with guerdon.database.connection_context():
        queue_claims([(event, bob, {})], clock())
        Claim.delete().execute()
        queue_claims([(event, bob, {})], clock())
        assert Claim.get().id == 2


USERS = '[players]\ntable = "users"\n'
PLUGINS = (
    '[plugins.gamemonitoring]\napi_url = "{vote_api}"\ntokens = ["{token}"]\n'
    '[plugins.gold]\ncolumn = "balance"\n[plugins.items]\n[plugins.claim_queue]\n'
)
GOLD = write_rules('{ reward = "gold", amount = "1.00" }', *GIFTS[:1], GIFTS[3])


@pytest.mark.parametrize("length", [65, 255])
def test_players_with_long_ids_are_paid(open_service: Open, length: int) -> None:
    guerdon = open_service(GOLD, more=USERS, plugins=PLUGINS)
    run(guerdon, "CREATE TABLE users (id VARCHAR(300) PRIMARY KEY, nickname VARCHAR(64),"
                 " balance DECIMAL(18,2))")  # fmt: skip
    run(guerdon, f"INSERT INTO users VALUES ('{'x' * length}', 'Bob', 0)")

    assert guerdon.inspect() == []
    assert post_vote(guerdon, "v1").status_code == 204


def test_ids_that_no_table_of_ours_holds_are_named_by_check(open_service: Open) -> None:
    guerdon = open_service(GOLD, more=USERS, plugins=PLUGINS)
    run(guerdon, "CREATE TABLE users (id VARCHAR(300) PRIMARY KEY, nickname VARCHAR(64),"
                 " balance DECIMAL(18,2))")  # fmt: skip
    run(guerdon, f"INSERT INTO users VALUES ('{'x' * 256}', 'Bob', 0)")

    [fault] = guerdon.inspect()

    assert fault.startswith("[players] id_column: users.id has values of more than 255 characters")


def test_a_view_of_players_is_called_a_view(open_service: Open) -> None:
    guerdon = open_service(GOLD, more=USERS, plugins=PLUGINS)
    run(
        guerdon,
        "CREATE TABLE people (id INT PRIMARY KEY, nickname VARCHAR(64), balance DECIMAL(18,2))",
    )
    run(guerdon, "CREATE VIEW users AS SELECT * FROM people")

    assert guerdon.inspect() == [
        "[players] table: users is a view, and payments write to a table: name the one that it reads"
    ]


def test_a_generated_column_is_no_balance_but_may_be_a_name(open_service: Open) -> None:
    guerdon = open_service(GOLD, more=USERS, plugins=PLUGINS)
    run(guerdon, "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(64), coins DECIMAL(18,2),"
                 " nickname VARCHAR(64) GENERATED ALWAYS AS (TRIM(name)) STORED,"
                 " balance DECIMAL(18,2) GENERATED ALWAYS AS (coins * 1) STORED)")  # fmt: skip

    assert guerdon.inspect() == [
        "[plugins.gold] column: users.balance is generated: name the column it is made from"
    ]


@pytest.mark.parametrize(
    "gift",
    ['{ reward = "item", item = "coin " }', '{ reward = "role", role = " voter" }',
     '{ reward = "promo_code", pool = "autumn\\t" }'],
)  # fmt: skip
def test_a_name_with_a_space_around_it_is_refused_at_the_start(
    open_service: Open, gift: str
) -> None:
    with pytest.raises(ConfigError, match="must not begin or end with a space"):
        open_service(write_rules(gift))


def test_one_servers_claims_are_not_leased_to_its_name_with_a_space(
    guerdon: Guerdon, clock: Clock
) -> None:
    bob = Player(1, "Bob")
    with guerdon.database.connection_context():
        for server in ("1", "1 ", "é"):
            queue_claims([(Event("", "server.vote", server, server, "Bob"), bob, {})], clock())

    for server in ("1 ", "1", "é"):
        lease = lease_claims(guerdon.database, server, 10, 60, clock())
        assert [claim["server_id"] for claim in lease["claims"]] == [server]
        acknowledge_claim(guerdon.database, lease["claims"][0]["id"], lease["lease"], clock())


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (f'{{ text = "{"x" * 60_000}" }}', "bytes once it is filled in"),
        (f'{{ text = "{"{nickname}" * 50}" }}', "bytes once it is filled in"),
    ],
)
def test_a_claim_that_could_be_too_long_is_refused_at_the_start(
    open_service: Open, payload: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        open_service(write_rules(f'{{ reward = "claim", payload = {payload} }}'))


def test_the_longest_claim_there_may_be_is_kept(open_service: Open) -> None:
    payload = f'{{ text = "{"x" * 58_000}", who = "{{nickname}}" }}'
    guerdon = open_service(write_rules(f'{{ reward = "claim", payload = {payload} }}'))

    assert settle(guerdon, "Bob") == ["settled"]


def test_a_reward_that_the_ledger_cannot_keep_is_refused_at_the_start(
    open_service: Open, add_plugin: Callable[..., str]
) -> None:
    section = add_plugin("""
        from marshmallow import Schema, fields
        from app import hookimpl

        class Poem(Schema):
            text = fields.String()

        @hookimpl
        def reward_schemas():
            return {"poem": Poem}
    """)
    with pytest.raises(ConfigError, match='reward "poem": is longer than the 65535 bytes'):
        open_service(write_rules(f'{{ reward = "poem", text = "{"x" * 65_600}" }}'), more=section)


def test_vip_time_ends_with_the_calendar(open_service: Open) -> None:
    guerdon = open_service(write_rules('{ reward = "vip", days = 36500 }'))
    assert settle(guerdon, *["Bob"] * 100) == ["settled"] * 100

    assert get_v1(guerdon, "/players/Bob")["vip_until"] == "9999-12-31T23:59:59.000Z"
    assert post_vote(guerdon, "last").status_code == 204
    [grant] = get_v1(guerdon, "/events/server.vote/last")["grants"]
    assert grant["receipt"]["vip_until"] == "9999-12-31T23:59:59.000Z"


@pytest.mark.on_servers
def test_another_primary_key_is_refused(guerdon: Guerdon) -> None:
    run(guerdon, "ALTER TABLE guerdon_items DROP PRIMARY KEY, ADD PRIMARY KEY (name)")

    assert guerdon.inspect() == [
        "the table guerdon_items has another primary key than player_id, name"
    ]
