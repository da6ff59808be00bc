"""Settling: a batch is one commit, each event is paid once, and one bad event costs nobody else."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.database.statements import ROWS_AT_ONCE
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event, Outcome
from app.testing.books import read_books
from app.testing.database_servers import DatabaseServer
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS, REWARDS

ALL_GIFTS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "100.00" },
  { reward = "item", item = "sword" },
  { reward = "claim", payload = { command = "give {nickname} diamond 1" } },
]
"""
TRAPS = """
    from marshmallow import Schema, fields
    from app import NotReady, hookimpl

    class Trap(Schema):
        how = fields.String()

    @hookimpl
    def reward_schemas():
        return {"trap": Trap}

    @hookimpl
    def grant_reward(reward, event, db, batch):
        if reward.kind != "trap":
            return None
        db.execute_sql("INSERT INTO players (nickname, folded, gold, created_at)"
                       f" VALUES ('trace of {event.id}', '', 0, 0)")
        if event.id == "raises":
            raise KeyError("a bug")
        if event.id == "waits":
            raise NotReady("the shop is closed", retry_in=77)
        if event.id == "bad sql":
            db.execute_sql("SELECT * FROM no_such_table")
        if event.id == "no receipt":
            return None
        if event.id == "swallows":
            try:
                db.execute_sql("INSERT INTO players (nickname, folded, gold, created_at)"
                               " VALUES ('Bob', '', 0, 0)")
            except Exception:
                pass
        if event.id == "gathers":
            batch.gather(write_badly, 1)
        return {}

    def write_badly(rows, db, settings):
        raise KeyError("a bug")
"""
TRAP_RULE = """
[[rules]]
name = "trapped"
on = "server.vote"
server = "trap"
give = [{ reward = "trap" }]
"""


def make_work(id: str, nickname: str = "Bob", **changes: Any) -> Work:
    facts = {"nickname": nickname, "server_id": "1"} | changes
    return Work([Event("gamemonitoring", "server.vote", id, **facts)])


def settle(guerdon: Guerdon, works: list[Work]) -> list[Outcome]:
    return guerdon.settler.settle(works)


def settle_states(guerdon: Guerdon, works: list[Work]) -> list[str]:
    return [outcome.state for outcome in settle(guerdon, works)]


def ask(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


def count(guerdon: Guerdon, table: str) -> int:
    return int(ask(guerdon, f"SELECT COUNT(*) FROM {table}")[0][0])


def test_it_works(guerdon: Guerdon, read_gold: Callable[..., str]) -> None:
    (outcome,) = settle(guerdon, [make_work("v1")])

    assert outcome.state == "settled"
    assert [grant.receipt for grant in outcome.grants] == [{"added": "100.00", "column": "gold"}]
    assert read_gold() == "100.00"


def count_commits(guerdon: Guerdon, request: pytest.FixtureRequest, act: Callable[[], Any]) -> int:
    """As the server counts them, or as SQLite traces them."""
    if guerdon.database.family == "mysql":
        server: DatabaseServer = request.getfixturevalue("database_server")

        def read() -> int:
            return int(server.run("SHOW GLOBAL STATUS LIKE 'Com_commit'")[0][1])

        before = read()
        act()
        return read() - before
    statements: list[str] = []
    with guerdon.database.connection_context():
        guerdon.database.connection().set_trace_callback(statements.append)
        act()
        guerdon.database.connection().set_trace_callback(None)
    return sum(statement.startswith("COMMIT") for statement in statements)


def test_a_batch_is_one_commit(
    open_service: Callable[..., Guerdon], request: pytest.FixtureRequest
) -> None:
    guerdon = open_service(rewards=ALL_GIFTS)
    works = [make_work(f"v{n}") for n in range(64)]

    assert count_commits(guerdon, request, lambda: settle(guerdon, works)) == 1
    assert count(guerdon, "guerdon_grants") == 3 * 64


def test_a_batch_of_sixty_four_takes_as_many_statements_as_one(
    open_service: Callable[..., Guerdon],
) -> None:
    guerdon = open_service()
    for number in range(65):
        add_player(guerdon, f"p{number}")

    def count_statements(works: list[Work]) -> int:
        statements: list[str] = []
        guerdon.database.query_hooks.append(lambda event: statements.append(event.sql))
        assert set(settle_states(guerdon, works)) == {"settled"}
        guerdon.database.query_hooks.clear()
        return len(statements)

    settle(guerdon, [make_work("first")])  # what is looked up once in a process
    one = count_statements([make_work("v64", "p64")])
    assert one == count_statements([make_work(f"v{n}", f"p{n}") for n in range(64)])
    assert one <= (5 if guerdon.database.returns_rows else 6)
    balances = ask(guerdon, "SELECT gold FROM players WHERE nickname <> 'Bob'")
    assert [float(row[0]) for row in balances] == [100.0] * 65


@pytest.mark.parametrize(
    ("id", "reason", "retry_in"),
    [
        ("raises", "the plugin studio failed in grant_reward: KeyError", None),
        ("waits", "the shop is closed", 77),
        ("bad sql", "the database refused it", None),
        ("no receipt", "no plugin gave a receipt for the reward trap", None),
        ("swallows", "the database refused it", None),
        ("gathers", "failed in write_badly: KeyError", None),
    ],
)
def test_a_plugin_that_fails_for_one_event_costs_nobody_else_and_leaves_no_trace(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str],
    id: str, reason: str, retry_in: float | None,
) -> None:  # fmt: skip
    sections = ALL_PLUGINS + add_plugin(TRAPS)
    guerdon = open_service(rewards=ALL_GIFTS + TRAP_RULE, plugins=sections)
    works = [make_work(f"v{n}") for n in range(10)]
    works.insert(5, make_work(id, server_id="trap"))

    outcomes = settle(guerdon, works)

    bad = outcomes.pop(5)
    assert [outcome.state for outcome in outcomes] == ["settled"] * 10
    assert (bad.state, bad.retry_in) == ("waiting", retry_in)
    assert reason in bad.reason
    assert ask(guerdon, "SELECT nickname, gold FROM players")[0][0] == "Bob"
    assert count(guerdon, "players") == 1
    assert float(ask(guerdon, "SELECT gold FROM players")[0][0]) == 1000
    assert ask(guerdon, "SELECT quantity FROM guerdon_items") == [(10,)]
    assert [count(guerdon, t) for t in ("guerdon_events", "guerdon_grants", "guerdon_claims")] == [
        10, 30, 10,
    ]  # fmt: skip


def test_an_unknown_player_costs_nobody_else_not_even_a_second_try(
    guerdon: Guerdon, request: pytest.FixtureRequest, read_gold: Callable[..., str]
) -> None:
    works = [make_work("v1"), make_work("v2", "Nobody"), make_work("v3")]
    outcomes: list[Outcome] = []

    assert count_commits(guerdon, request, lambda: outcomes.extend(settle(guerdon, works))) == 1
    assert [outcome.state for outcome in outcomes] == ["settled", "waiting", "settled"]
    assert "Nobody" in outcomes[1].reason
    assert read_gold() == "200.00"


def test_a_player_made_for_what_cannot_be_paid_goes_with_it_and_stays_for_what_can(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    create = '[players]\nunknown = "create"'
    guerdon = open_service(REWARDS + TRAP_RULE, create + add_plugin(TRAPS))
    failing = make_work("waits", "Eve", server_id="trap")

    for turn in range(2):  # the second time it is handled with care
        assert settle_states(guerdon, [make_work(f"b{turn}"), failing]) == ["settled", "waiting"]
    assert ask(guerdon, "SELECT nickname FROM players") == [("Bob",)]

    assert settle_states(guerdon, [failing, make_work("e1", "Eve")]) == ["waiting", "settled"]
    assert ask(guerdon, "SELECT nickname, gold FROM players WHERE nickname <> 'Bob'") == [
        ("Eve", 100)
    ]


KEPT_CURSOR = """
    from marshmallow import Schema
    from app import NotReady, hookimpl

    kept = []

    @hookimpl
    def reward_schemas():
        return {"trap": Schema}

    @hookimpl
    def grant_reward(reward, event, db):
        if reward.kind != "trap":
            return None
        if event.id == "keeps":
            kept.append(db.cursor())
            return {}
        kept[-1].execute("INSERT INTO players (nickname, folded, gold, created_at)"
                         " VALUES ('trace', '', 0, 0)")
        raise NotReady("the shop is closed")
"""


def test_what_a_failed_payment_wrote_by_a_cursor_kept_from_another_is_undone_too(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    guerdon = open_service(TRAP_RULE, add_plugin(KEPT_CURSOR))

    for turn in range(2):  # the second time it is handled with care
        keeps = make_work("keeps", server_id="trap") if not turn else make_work("other")
        works = [keeps, make_work("uses", server_id="trap")]
        assert settle_states(guerdon, works) == ["settled", "waiting"]
    assert ask(guerdon, "SELECT nickname FROM players") == [("Bob",)]


def test_the_events_of_one_delivery_are_paid_together_or_not_at_all(guerdon: Guerdon) -> None:
    both = Work([*make_work("v1").events, *make_work("v1b", "Nobody").events])

    assert settle_states(guerdon, [both]) == ["waiting"]
    assert count(guerdon, "guerdon_events") == 0
    add_player(guerdon, "Nobody")
    assert settle_states(guerdon, [both]) == ["settled"]
    assert count(guerdon, "guerdon_events") == 2


@pytest.mark.parametrize("names", [("Eve", "Mallory"), ("Mallory", "Eve")])
def test_of_a_held_and_an_unsure_event_of_one_delivery_the_unsure_one_decides(
    open_service: Callable[..., Guerdon], names: tuple[str, str]
) -> None:
    """Held is answered as done: that must not hide that something is wrong."""
    guerdon = open_service(more='[players]\nmatch = "casefold"\nunknown = "hold"')
    for twin in ("mallory", "MALLORY"):
        add_player(guerdon, twin)
    works = [make_work(f"v {name}", name) for name in names]

    assert sorted(settle_states(guerdon, works)) == ["held", "waiting"]
    both = Work([event for work in works for event in work.events])
    assert settle_states(guerdon, [both]) == ["waiting"]


def test_the_same_event_twice_in_one_batch_is_paid_once_and_in_the_same_commit(
    guerdon: Guerdon, request: pytest.FixtureRequest, read_gold: Callable[..., str]
) -> None:
    works = [make_work("v1"), make_work("v2"), make_work("v1"), make_work("v1")]
    states: list[str] = []

    assert (
        count_commits(guerdon, request, lambda: states.extend(settle_states(guerdon, works))) == 1
    )
    assert states == ["settled", "settled", "known", "known"]
    assert read_gold() == "200.00"


def test_the_same_unpayable_event_twice_in_one_batch_waits_twice(guerdon: Guerdon) -> None:
    works = [make_work("v1", "Nobody"), make_work("v1", "Nobody")]

    assert settle_states(guerdon, works) == ["waiting", "waiting"]


def test_events_that_another_settled_meanwhile_are_known_and_the_rest_is_paid(
    guerdon: Guerdon, request: pytest.FixtureRequest, read_gold: Callable[..., str]
) -> None:
    settle(guerdon, [make_work("v2"), make_work("v3")])

    def settle_all() -> None:
        works = [make_work(f"v{n}") for n in range(6)]
        known = {2: "known", 3: "known"}
        assert settle_states(guerdon, works) == [known.get(n, "settled") for n in range(6)]

    assert count_commits(guerdon, request, settle_all) == 1
    assert read_gold() == "600.00"


def test_two_settlers_in_one_process_that_race_pay_each_event_once(
    open_service: Callable[..., Guerdon],
) -> None:
    guerdon = open_service(rewards=ALL_GIFTS)
    race = [[make_work(f"v{n}") for n in range(20 * start, 20 * start + 40)] for start in range(4)]
    race += [list(reversed(works)) for works in race]

    with ThreadPoolExecutor(8) as pool:
        states = [s for batch in pool.map(lambda w: settle_states(guerdon, w), race) for s in batch]

    assert states.count("settled") == 100
    assert set(states) == {"settled", "known"}
    check_paid_once(guerdon, 100)


def check_paid_once(guerdon: Guerdon, votes: int) -> None:
    counted = [count(guerdon, t) for t in ("guerdon_events", "guerdon_grants", "guerdon_claims")]
    assert counted == [votes, 3 * votes, votes]
    assert float(ask(guerdon, "SELECT gold FROM players")[0][0]) == 100 * votes
    assert ask(guerdon, "SELECT quantity FROM guerdon_items") == [(votes,)]


def race_in_process(config: Path, start: Any, results: Any) -> None:
    guerdon = open_guerdon(config)
    start.wait(30)
    states: list[str] = []
    for first in range(0, 300, 10):
        states += settle_states(guerdon, [make_work(f"v{n}") for n in range(first, first + 10)])
    guerdon.close()
    results.put(states)


def test_three_processes_that_race_pay_each_event_once(
    open_service: Callable[..., Guerdon],
) -> None:
    guerdon = open_service(rewards=ALL_GIFTS)
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    arguments = (guerdon.config.path, start, results)
    racers = [context.Process(target=race_in_process, args=arguments) for _ in range(3)]
    for racer in racers:
        racer.start()

    states = [state for _ in racers for state in results.get(timeout=60)]
    for racer in racers:
        racer.join()

    assert len(states) == 900
    assert set(states) == {"settled", "known"}
    assert states.count("settled") == 300
    check_paid_once(guerdon, 300)


def test_a_batch_longer_than_one_statement_holds_is_paid_whole_and_in_one_commit(
    open_service: Callable[..., Guerdon], request: pytest.FixtureRequest
) -> None:
    guerdon = open_service(rewards=ALL_GIFTS)
    votes = 2 * ROWS_AT_ONCE + 1
    works = [make_work(f"v{n}") for n in range(votes)]
    states: list[str] = []

    commits = count_commits(guerdon, request, lambda: states.extend(settle_states(guerdon, works)))

    assert commits == 1
    assert states == ["settled"] * votes
    check_paid_once(guerdon, votes)
    mixed = ask(
        guerdon, "SELECT COUNT(*) FROM guerdon_claims c JOIN guerdon_events e"
                 " ON e.event_id = c.event_id JOIN guerdon_grants g ON g.event = e.id"
    )  # fmt: skip
    assert mixed == [(3 * votes,)]


def test_an_event_that_earns_nothing_is_settled_without_grants_and_needs_no_player(
    guerdon: Guerdon,
) -> None:
    work = Work([Event("sud", "game.report", "r1", nickname="Nobody")])

    (outcome,) = settle(guerdon, [work])

    assert (outcome.state, list(outcome.grants)) == ("settled", [])
    assert settle_states(guerdon, [work]) == ["known"]
    assert (count(guerdon, "guerdon_events"), count(guerdon, "guerdon_grants")) == (1, 0)


@pytest.mark.parametrize(
    "changes", [{"server_id": "9" * 256}, {"user_id": "u" * 256}, {"nickname": "\ud800"}]
)
def test_an_event_that_no_column_holds_waits_and_costs_nobody_else(
    guerdon: Guerdon, read_gold: Callable[..., str], changes: dict[str, str]
) -> None:
    works = [make_work("v1"), make_work("v2", **changes), make_work("v3")]

    assert settle_states(guerdon, works) == ["settled", "waiting", "settled"]
    assert read_gold() == "200.00"


def test_a_server_that_cannot_return_inserted_rows_is_asked_for_their_ids(
    guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As MySQL, which has no INSERT ... RETURNING."""
    monkeypatch.setattr(type(guerdon.database), "returns_rows", False)

    assert settle_states(guerdon, [make_work(f"v{n}") for n in range(3)]) == ["settled"] * 3

    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql(
            "SELECT e.event_id, count(g.id) FROM guerdon_events e"
            " JOIN guerdon_grants g ON g.event = e.id GROUP BY e.event_id ORDER BY e.event_id"
        ).fetchall()
    assert [tuple(row) for row in rows] == [("v0", 1), ("v1", 1), ("v2", 1)]


def test_a_work_that_names_a_settled_event_twice_is_paid_for_the_rest(guerdon: Guerdon) -> None:
    [first], [second] = make_work("v1").events, make_work("v2").events
    guerdon.settler.settle([Work([second])])

    [outcome] = guerdon.settler.settle([Work([first, second, second])])

    assert (outcome.state, [event.id for event in outcome.events]) == ("settled", ["v1"])
    assert read_books(guerdon).gold == {"Bob": "200.00"}
