"""Whatever a studio's plugin does or returns, its event waits with a reason and nobody else pays."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import create_app
from app.cli.main import main
from app.database.keys import make_event_key
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, get_v1, post_vote
from app.testing.services import ALL_PLUGINS
from tests.world.books import check_unlocked, make_work, run_apart, serve_once, settle

Open = Callable[..., Guerdon]
AddPlugin = Callable[..., str]
RULES = """
[[rules]]
on = "server.vote"
give = [{ reward = "gold", amount = 100 }, { reward = "pet" }]
"""
HEAD = """
import datetime, decimal
from marshmallow import Schema
from peewee import CharField, Model
from app import Delivery, Event, NotReady, Player, hookimpl

@hookimpl
def reward_schemas():
    return {"pet": Schema}

"""
EVIL = """
broken = [True]

@hookimpl
def grant_reward(reward, event, db):
    if reward.kind != "pet":
        return None
    if event.id.startswith("evil") and broken:
        db.execute_sql("UPDATE players SET gold = gold + 1000")
        DEED
        db.execute_sql("UPDATE players SET gold = gold + 1000")
    return {}
"""


@pytest.fixture
def open_with(open_service: Open, add_plugin: AddPlugin) -> Open:
    """A Guerdon with a studio's plugin, of which the source's rest is given; it gives pets."""

    def open_one(source: str, rewards: str = RULES) -> Guerdon:
        section = add_plugin(HEAD + textwrap.dedent(source))
        return open_service(rewards, plugins=ALL_PLUGINS + section)

    return open_one


def check_deed(open_with: Open, deed: str) -> None:
    guerdon = open_with(EVIL.replace("DEED", deed))

    statuses = [post_vote(guerdon, id).status_code for id in ("evil1", "good1", "evil1", "good2")]
    batch = settle(guerdon, *map(make_work, ("good3", "evil2", "good4")))

    assert statuses == [503, 204, 503, 204]
    assert [outcome.state for outcome in batch] == ["settled", "waiting", "settled"]
    books = read_books(guerdon)
    assert books.events == ["good1", "good2", "good3", "good4"]
    assert (books.grants, books.gold, list(books.waiting)) == (8, {"Bob": "400.00"}, ["evil1"])
    check_unlocked(guerdon)
    guerdon.plugins.manager.get_plugin("studio").broken.clear()
    assert post_vote(guerdon, "evil1").status_code == 204
    assert read_books(guerdon).gold == {"Bob": "500.00"}


@pytest.mark.parametrize(
    "deed",
    [
        "db.begin()",
        "db.transaction().__enter__()",
        "db.push_transaction(db.transaction())",
        "db.session_commit()",
        "db.session_rollback()",
        "db.session_start()",
        "db.session_start(); db.session_commit()",
        "db.pop_transaction()",
        "db.pop_transaction().commit()",
        "db.pop_transaction(); db.execute_sql('SELECT 1')",
    ],
)
def test_a_plugin_cannot_end_the_transaction_by_peewees_other_doors(
    open_with: Open, deed: str
) -> None:
    check_deed(open_with, deed)


@pytest.mark.parametrize(
    "sql",
    [
        "/* x */ COMMIT",
        "/* x */ COMMIT -- */ SELECT",
        "--\nCOMMIT\nSELECT",
        "-- a\nCOMMIT",
        " /**/\n-- b\n/*c*/ COMMIT",
        "/* x */ ROLLBACK",
    ],
)
def test_a_plugin_cannot_end_the_transaction_behind_a_comment(open_with: Open, sql: str) -> None:
    check_deed(open_with, f"db.execute_sql({sql!r})")


@pytest.mark.on_servers
@pytest.mark.parametrize(
    "sql",
    [
        "/*!COMMIT*/",
        "/*!50000 COMMIT */",
        "/*M!100000 COMMIT */",
        "# a\nCOMMIT",
        "ANALYZE TABLE players",
        "OPTIMIZE TABLE players",
        "FLUSH TABLES",
        "SET @x = 1, autocommit = 1",
        "SET @x = 1, @@session.autocommit = 1",
        "SET STATEMENT max_statement_time = 9 FOR COMMIT",
        "EXECUTE IMMEDIATE 'COMMIT'",
        "BEGIN NOT ATOMIC COMMIT; END",
        "CALL finish()",
        "{ CALL finish() }",
    ],
)
def test_a_plugin_cannot_end_the_transaction_by_a_servers_other_words(
    open_with: Open, sql: str, database_server: DatabaseServer, database_url: str
) -> None:
    database_server.run(
        "CREATE PROCEDURE finish() COMMIT", database=database_url.rpartition("/")[2]
    )

    check_deed(open_with, f"db.execute_sql({sql!r})")


NOTES = """
class Note(Model):
    text = CharField()

@hookimpl
def plugin_models():
    return [Note]

@hookimpl
def read_delivery(source, request):
    if source == "studio":
        Note.select().count()
        return Delivery("studio", "studio.vote", request.get_data(as_text=True))

@hookimpl
def fetch_events(delivery):
    if delivery.source == "studio":
        Note.create(text="fetched")
        return [Event("studio", "studio.vote", delivery.id, nickname="Bob")]

@hookimpl
def write_reply(source, outcome):
    Note.select().count()

@hookimpl
def event_settled(event):
    Note.create(text=event.id)
"""


def test_models_used_outside_the_transaction_leave_no_connection_behind(open_with: Open) -> None:
    guerdon = open_with(NOTES, RULES.replace(', { reward = "pet" }', ""))
    guerdon.database.pool.most, guerdon.database.pool.patience = 8, 0.3
    client = create_app(guerdon).test_client()

    def post(id: str) -> int:
        return int(client.post("/webhooks/studio", data=id).status_code)

    statuses = [run_apart(post, f"s{n}") for n in range(25)]
    statuses += [run_apart(post_vote, guerdon, f"v{n}").status_code for n in range(25)]

    assert statuses == [204] * 50
    assert run_apart(get_v1, guerdon, "/players/Bob")["gold"] == "2500.00"
    assert guerdon.database.pool.count_taken() <= 3


SOURCE = """
@hookimpl
def read_delivery(source, request):
    id = request.get_data(as_text=True)
    if source == "studio":
        return READ

@hookimpl
def fetch_events(delivery):
    id = delivery.id
    if delivery.source == "studio":
        FETCH
"""
DELIVERY = 'Delivery("studio", "studio.vote", id)'


def post_studio(guerdon: Guerdon, id: str = "s1") -> Any:
    return create_app(guerdon).test_client().post("/webhooks/studio", data=id)


@pytest.mark.parametrize(
    "events",
    [
        '[{"a": 1}]',
        "(event for event in [good])",
        "5",
        '"s1"',
        "good",
        "{good.id: good}",
        "[good, None]",
        '[Event("studio", "studio.vote", "another", nickname="Bob")]',
        '[Event("studio", "another", id, nickname="Bob")]',
        '[Event("studio", "studio.vote", id, nickname=5)]',
        '[Event("studio", "studio.vote", id, server_id=None, nickname="Bob")]',
        '[Event("studio", "studio.vote", id, nickname="Bob", occurred_at="soon")]',
        '[Event("studio", "studio.vote", id, nickname="Bob", data={"a": object()})]',
        '[Event("studio", "studio.vote", id, nickname="Bob", data={(1, 2): 3})]',
        '[Event("studio", "studio.vote", id, nickname="Bob", data=float("nan"))]',
    ],
)
def test_what_is_no_list_of_events_waits_with_a_reason(open_with: Open, events: str) -> None:
    good = 'good = Event("studio", "studio.vote", id, nickname="Bob")'
    source = SOURCE.replace("READ", DELIVERY).replace("FETCH", f"{good}; return {events}")
    guerdon = open_with(source, RULES.replace("server.vote", "studio.vote"))

    reply = post_studio(guerdon)

    books = read_books(guerdon)
    assert (reply.status_code, books.gold) == (503, {"Bob": "0.00"}), reply.text
    assert f"{books.waiting['s1']}\n" == reply.text
    assert books.waiting["s1"]
    assert "database" not in reply.text


@pytest.mark.parametrize(
    "delivery",
    [
        'Delivery("studio", "studio.vote", 5)',
        'Delivery("studio", "studio.vote", None)',
        'Delivery("studio", 5, "s1")',
        'Delivery("studio", "studio.vote", "s1", data={"a": object()})',
        'Delivery("studio", "studio.vote", "s1", data={(1, 2): 3})',
        'Delivery("studio", "studio.vote", "s1", data={"a": {b"b"}})',
        'Delivery("studio", "studio.vote", "s1", data=object())',
        '{"id": "s1"}',
    ],
)
def test_what_is_no_delivery_is_refused_and_no_crash(open_with: Open, delivery: str) -> None:
    fetch = 'raise NotReady("closed")'
    guerdon = open_with(SOURCE.replace("READ", delivery).replace("FETCH", fetch))

    reply = post_studio(guerdon)

    assert reply.status_code in (400, 503), reply.text
    assert reply.text.strip()
    assert post_vote(guerdon, "v1").status_code == 503  # no plugin here gives a pet
    assert list(read_books(guerdon).waiting) in (["v1"], ["s1", "v1"])


@pytest.mark.parametrize("field", ["type", "id"])
@pytest.mark.parametrize(
    ("text", "fault"),
    [("x" * 256, "is longer than"), ("r\ud83d", "is not valid Unicode")],
)
def test_a_delivery_that_no_column_takes_is_refused_at_once(
    open_with: Open, field: str, text: str, fault: str
) -> None:
    """Stored it cannot be, and sent again it would be no better."""
    named = {"type": "studio.vote", "id": "s1", field: text}
    guerdon = open_with(SOURCE.replace("READ", f"Delivery('studio', **{named!r})"))

    reply = post_studio(guerdon)

    assert (reply.status_code, reply.text) == (400, reply.text)
    assert f"the {field} of what it delivers {fault}" in reply.text
    assert read_books(guerdon).waiting == {}


@pytest.mark.parametrize("retry_in", ['float("inf")', 'float("nan")', "-5", "1e300", '"soon"'])
def test_a_senseless_time_of_the_next_try_does_no_harm(
    open_with: Open, retry_in: str, clock: Clock
) -> None:
    fetch = f'raise NotReady("closed", retry_in={retry_in})'
    guerdon = open_with(SOURCE.replace("READ", DELIVERY).replace("FETCH", fetch))

    reply = post_studio(guerdon)

    assert (reply.status_code, reply.text) == (503, "closed\n")
    assert int(reply.headers["Retry-After"]) >= 1
    for _ in range(2):
        assert read_books(guerdon).waiting == {"s1": "closed"}
        assert guerdon.inbox.revive([make_event_key("studio", "studio.vote", "s1")]) == 1
        serve_once(guerdon)
    assert get_v1(guerdon, "/events/studio.vote/s1")["attempts"] == 3


@pytest.mark.parametrize(
    "body", ['raise ValueError("boom")', 'yield "one"; raise ValueError("boom")', "return 5"]
)
def test_a_check_that_fails_is_a_fault_with_a_name(
    open_with: Open, body: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = open_with(f"@hookimpl\ndef check_plugin(db): {body}")
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    assert any("studio" in fault for fault in guerdon.inspect())
    assert post_vote(guerdon, "v1").status_code == 503
    assert create_app(guerdon).test_client().get("/readyz").status_code == 503
    checked = CliRunner().invoke(main, ["check"])

    assert (checked.exit_code, type(checked.exception)) == (1, SystemExit)
    assert "studio" in checked.output
    assert "Traceback" not in checked.output


RECEIPT = """
@hookimpl
def grant_reward(reward):
    if reward.kind == "pet":
        return {"a": RECEIPT}
"""


@pytest.mark.parametrize(
    "receipt",
    [
        "{(1, 2): 3}",
        'float("nan")',
        'float("-inf")',
        'b"bytes"',
        "object()",
        "[[[b'']]]",
        '"x" * 70_000',
        '"\u044b" * 40_000',
        "__import__('functools').reduce(lambda a, b: [a], range(5000), 1)",
    ],
)
def test_a_receipt_the_ledger_cannot_keep_waits_and_names_the_plugin(
    open_with: Open, receipt: str
) -> None:
    guerdon = open_with(RECEIPT.replace("RECEIPT", receipt))

    reply = post_vote(guerdon, "v1")

    assert reply.status_code == 503
    assert "studio" in reply.text
    books = read_books(guerdon)
    assert (books.gold, books.waiting) == ({"Bob": "0.00"}, {"v1": reply.text.strip()})


def test_decimals_and_dates_in_a_receipt_are_kept_as_text(open_with: Open) -> None:
    things = (
        'decimal.Decimal("1.50"), datetime.date(2027, 1, 15), datetime.datetime(2027, 1, 15, 8)'
    )
    guerdon = open_with(RECEIPT.replace("RECEIPT", f"[{things}]"))

    assert post_vote(guerdon, "v1").status_code == 204

    receipt = get_v1(guerdon, "/events/server.vote/v1")["grants"][1]["receipt"]
    assert receipt["a"][:2] == ["1.50", "2027-01-15"]
    assert receipt["a"][2].startswith("2027-01-15")


@pytest.mark.parametrize("player", ['{"id": 1}', "1", '"Bob"', "True"])
def test_a_plugin_that_finds_something_else_than_a_player_is_named(
    open_with: Open, player: str
) -> None:
    source = f"@hookimpl\ndef find_player(event): return {player}"
    guerdon = open_with(source, RULES.replace(', { reward = "pet" }', ""))

    reply = post_vote(guerdon, "v1")

    assert reply.status_code == 503
    assert "studio" in reply.text
    assert "database" not in reply.text
    assert read_books(guerdon).waiting == {"v1": reply.text.strip()}


@pytest.mark.parametrize(
    "body",
    ['raise ValueError("boom")', "return 5", 'db.execute_sql("SELECT nothing FROM nowhere")'],
)
def test_one_plugin_that_cannot_describe_a_player_hides_nobody_elses_answer(
    open_with: Open, body: str
) -> None:
    source = f"@hookimpl\ndef describe_player(player, db): {body}"
    guerdon = open_with(
        source, RULES.replace('{ reward = "pet" }', '{ reward = "item", item = "x" }')
    )
    assert post_vote(guerdon, "v1").status_code == 204
    headers = {"Authorization": f"Bearer {API_KEY}"}

    reply = create_app(guerdon).test_client().get("/v1/players/Bob", headers=headers)

    assert reply.status_code == 200, reply.text
    described = reply.get_json()
    assert (described["gold"], described["items"]) == ("100.00", {"x": 1})
    assert len(described["grants"]) == 2


ELSEWHERE = """
import sqlite3
from peewee import MySQLDatabase, SqliteDatabase

def ask_elsewhere():
    WHERE

def ask_if(hook, event):
    if event.id == f"evil in {hook}" and broken:
        ask_elsewhere()

def write_pets(rows, db, settings):
    for event in rows:
        ask_if("write_pets", event)

broken = [True]

@hookimpl
def find_player(event):
    ask_if("find_player", event)

@hookimpl
def grant_reward(reward, event, batch):
    ask_if("grant_reward", event)
    if reward.kind == "pet":
        batch.gather(write_pets, event)
        return {}

@hookimpl
def build_report(event):
    ask_if("build_report", event)
"""
AWAY = 'MySQLDatabase("game", host="127.0.0.1", port=9, connect_timeout=1).execute_sql("SELECT 1")'
HELD = """
    holder = sqlite3.connect(FILE)
    holder.execute("BEGIN EXCLUSIVE")
    held = SqliteDatabase(FILE, timeout=0)
    try:
        held.execute_sql("CREATE TABLE pets (id)")
    finally:
        held.close()
        holder.close()
"""


@pytest.mark.parametrize("where", [AWAY, HELD], ids=["away", "held"])
@pytest.mark.parametrize("hook", ["find_player", "grant_reward", "build_report", "write_pets"])
def test_what_a_plugins_own_database_says_is_not_taken_for_ours(
    open_with: Open, tmp_path: Path, hook: str, where: str
) -> None:
    """A game on another server that is away would else keep each vote waiting that came with one of its."""
    deed = where.strip().replace("FILE", repr(str(tmp_path / "pets.db")))
    guerdon = open_with(ELSEWHERE.replace("WHERE", deed))
    evil = f"evil in {hook}"

    batch = settle(guerdon, *map(make_work, ("good1", evil, "good2")))

    assert [outcome.state for outcome in batch] == ["settled", "waiting", "settled"]
    assert batch[1].reason == f"the plugin studio failed in {hook}: OperationalError"
    guerdon.plugins.manager.get_plugin("studio").broken.clear()
    [outcome] = settle(guerdon, make_work(evil))
    assert outcome.state == "settled"
    assert read_books(guerdon).gold == {"Bob": "300.00"}


BOTH = f"""
from peewee import MySQLDatabase, PeeweeException

def hide(ask):
    try:
        ask()
    except PeeweeException:
        pass

def ask_elsewhere(then):
    try:
        {AWAY}
    except PeeweeException:
        hide(then)

@hookimpl
def grant_reward(reward, event, db):
    if reward.kind == "pet":
        give(event, db)
        return {{}}
"""


def test_whose_own_database_is_away_and_who_then_asks_ours_costs_nobody_anything(
    open_with: Open,
) -> None:
    """What our database refuses meanwhile is not for the other's absence: a duplicate, which he handles."""
    deed = """
def give(event, db):
    def insert():
        with db.atomic():
            db.execute_sql("INSERT INTO players SELECT * FROM players")
    ask_elsewhere(insert)
"""
    guerdon = open_with(BOTH + deed)

    batch = settle(guerdon, *map(make_work, ("good1", "good2")))

    assert [outcome.state for outcome in batch] == ["settled", "settled"]
    assert read_books(guerdon).gold == {"Bob": "200.00"}


def test_who_hides_what_ours_refused_and_then_asks_his_own_costs_nobody_else_anything(
    open_with: Open,
) -> None:
    """What dooms a unit is raised again where he asks ours: also while he handles what his own has said."""
    deed = """
def give(event, db):
    if event.id == "evil":
        hide(lambda: db.execute_sql("SELECT nothing FROM nowhere"))
        ask_elsewhere(lambda: db.execute_sql("SELECT 1"))
"""
    guerdon = open_with(BOTH + deed)

    batch = settle(guerdon, *map(make_work, ("good1", "evil", "good2")))

    assert [outcome.state for outcome in batch] == ["settled", "waiting", "settled"]
    assert read_books(guerdon).gold == {"Bob": "200.00"}


def test_who_opens_what_is_open_is_named(open_with: Open) -> None:
    guerdon = open_with(EVIL.replace("DEED", "db.connect()"))

    [outcome] = settle(guerdon, make_work("evil"))

    assert outcome.reason == "the plugin studio failed in grant_reward: OperationalError"
