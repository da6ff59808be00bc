"""What cannot be paid leaves its batch, without a trace and at little cost; the rest is paid together."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from app.guerdon import Guerdon
from app.paying.payments import HUNG_UP, Payment, Work
from app.paying.suspects import MOST, Suspects
from app.porch.types import Event, Outcome
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import post_vote
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from tests.world.books import check_unlocked, make_work, serve_once, settle

Open = Callable[..., Guerdon]
AddPlugin = Callable[..., str]
RULES = """
[[rules]]
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }, { reward = "item", item = "sword" }]
"""
CODES = """
[[rules]]
on = "server.vote"
server = "codes"
give = [{ reward = "promo_code", pool = "full" }, { reward = "promo_code", pool = "empty" }]
"""
PETS = """
[[rules]]
on = "server.vote"
server = "pets"
give = [{ reward = "pet" }]
"""
PET = """
from marshmallow import Schema
from app import NotReady, Player, hookimpl

@hookimpl
def reward_schemas():
    return {"pet": Schema}

"""


class Ends(NamedTuple):
    """How the transactions ended that somebody asks for."""

    commits: int
    rollbacks: int


@pytest.fixture
def count_ends(request: pytest.FixtureRequest) -> Callable[..., tuple[Ends, list[Outcome]]]:
    """Settle works and tell how often the database was told to end a transaction, and the outcomes."""

    def count(guerdon: Guerdon, *works: Work) -> tuple[Ends, list[Outcome]]:
        told: list[str] = []
        if guerdon.database.family == "mysql":
            server: DatabaseServer = request.getfixturevalue("database_server")

            def read(word: str) -> int:
                return int(server.run(f"SHOW GLOBAL STATUS LIKE 'Com_{word}'")[0][1])

            before = Ends(read("commit"), read("rollback"))
            outcomes = settle(guerdon, *works)
            return Ends(
                read("commit") - before.commits, read("rollback") - before.rollbacks
            ), outcomes
        with guerdon.database.connection_context():
            guerdon.database.connection().set_trace_callback(told.append)
            outcomes = settle(guerdon, *works)
            guerdon.database.connection().set_trace_callback(None)
        return Ends(told.count("COMMIT"), told.count("ROLLBACK")), outcomes

    return count


def make_works(first: int, count: int = 63) -> list[Work]:
    return [make_work(f"v{n}") for n in range(first, first + count)]


def add_codes(guerdon: Guerdon, pool: str, *codes: str) -> None:
    columns = "pool, code, player_id, event_type, event_id"
    rows = ", ".join(f"('{pool}', '{code}', '', '', '')" for code in codes)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(f"INSERT INTO guerdon_promo_codes ({columns}) VALUES {rows}")


def count_given(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        sql = "SELECT COUNT(*) FROM guerdon_promo_codes WHERE player_id <> ''"
        return int(guerdon.database.execute_sql(sql).fetchone()[0])


def count_statements(guerdon: Guerdon, *works: Work) -> int:
    statements: list[str] = []
    guerdon.database.query_hooks.append(lambda event: statements.append(event.sql))
    settle(guerdon, *works)
    guerdon.database.query_hooks.clear()
    return len(statements)


def test_it_works(open_service: Open, count_ends: Any) -> None:
    """An empty pool costs one transaction at most, and from then on a few statements of its own."""
    guerdon = open_service(RULES + CODES)
    add_codes(guerdon, "full", "f1", "f2")

    for turn, most in enumerate((1, 0, 0)):
        works = make_works(100 * turn)
        works.insert(20, make_work("code", server_id="codes"))  # it is tried again each time
        works.insert(40, make_work(f"code{turn}", server_id="codes"))
        ends, outcomes = count_ends(guerdon, *works)

        states = [outcome.state for outcome in outcomes]
        assert (states.count("settled"), states[20], states[40]) == (63, "waiting", "waiting")
        assert outcomes[20].reason == 'no promo code is left in the pool "empty"'
        assert (ends.commits, ends.rollbacks <= most) == (1, True), ends
    assert count_given(guerdon) == 0  # what it took from the other pool was given back
    assert read_books(guerdon).gold == {"Bob": "189.00"}
    alone = count_statements(guerdon, *make_works(300))
    with_one = count_statements(guerdon, *make_works(400), make_work("code", server_id="codes"))
    assert with_one - alone <= 6  # a savepoint; two looks and a code; all of it undone

    add_codes(guerdon, "empty", "e1", "e2", "e3")
    works = [make_work("code", server_id="codes"), make_work("code1", server_id="codes")]
    assert [one.state for one in settle(guerdon, *works)] == ["settled"] * 2
    assert count_given(guerdon) == 4


DEEDS = {
    "raises": "raise KeyError('a bug')",
    "waits": "raise NotReady('closed')",
    "bad sql": "db.execute_sql('SELECT nothing FROM nowhere')",
    "hides it": "hide(db)",
    "no receipt": "return None",
    "commits": "db.commit()",
    "past us": "db.connection().cursor().execute(WRITE); raise KeyError('a bug')",
}
GRANT = """
WRITE = "UPDATE players SET gold = gold + 1000"

def hide(db):
    try:
        db.execute_sql("SELECT nothing FROM nowhere")
    except Exception:
        pass

@hookimpl
def grant_reward(reward, event, db):
    if reward.kind != "pet":
        return None
    WRITES
    if event.id.startswith("bad"):
        DEED
    return {}
"""


@pytest.mark.parametrize("writes", ["", "db.execute_sql(WRITE.replace('1000', '0.25'))"])
@pytest.mark.parametrize("deed", DEEDS)
def test_however_many_fail_and_however_all_are_found_within_two_rounds(
    open_service: Open, add_plugin: AddPlugin, count_ends: Any, deed: str, writes: str
) -> None:
    source = GRANT.replace("DEED", DEEDS[deed]).replace("WRITES", writes)
    guerdon = open_service(RULES + PETS, plugins=ALL_PLUGINS + add_plugin(PET + source))
    works = [
        make_work(f"{'bad' if n % 8 == 5 else 'good'}{n}", server_id="pets") for n in range(64)
    ]

    ends, outcomes = count_ends(guerdon, *works)

    states = ["waiting" if n % 8 == 5 else "settled" for n in range(64)]
    assert [outcome.state for outcome in outcomes] == states
    assert (ends.commits, ends.rollbacks <= 1) == (1, True), ends
    gold = 56 * 1.25 if writes else 56
    assert read_books(guerdon).gold == {"Bob": f"{gold:.2f}"}
    check_unlocked(guerdon)
    again, outcomes = count_ends(guerdon, *[work for n, work in enumerate(works) if n % 8 == 5])
    assert {outcome.state for outcome in outcomes} == {"waiting"}
    assert again == Ends(0, 1)  # one transaction, and nothing to keep
    assert read_books(guerdon).gold == {"Bob": f"{gold:.2f}"}


def test_an_event_whose_player_a_plugin_cannot_find_leaves_no_trace_and_costs_one_round(
    open_service: Open, add_plugin: AddPlugin, count_ends: Any
) -> None:
    source = """
@hookimpl
def find_player(event, db):
    if event.id.startswith("bad"):
        db.execute_sql("UPDATE players SET gold = gold + 1000")
        raise NotReady("who is that?")
"""
    guerdon = open_service(RULES, plugins=ALL_PLUGINS + add_plugin(PET + source))

    for first, most in ((0, 1), (100, 0)):
        works = [*make_works(first), make_work("bad")]
        ends, outcomes = count_ends(guerdon, *works)
        assert outcomes.pop().reason == "who is that?"
        assert {outcome.state for outcome in outcomes} == {"settled"}
        assert (ends.commits, ends.rollbacks) == (1, most)
    assert read_books(guerdon).gold == {"Bob": "126.00"}


@pytest.mark.parametrize(
    "deed", ["raise KeyError('a bug')", "return 5", "db.execute_sql('SELECT x FROM nowhere')"]
)
def test_events_that_cannot_be_reported_are_found_at_once_and_undone(
    open_service: Open, add_plugin: AddPlugin, count_ends: Any, deed: str
) -> None:
    source = f"""
db = None

@hookimpl
def check_plugin(db):
    globals()["db"] = db
    return []

@hookimpl
def build_report(event):
    if event.id.startswith("bad"):
        {deed}
"""
    guerdon = open_service(RULES, plugins=ALL_PLUGINS + add_plugin(PET + source))
    guerdon.require_fit_database()
    works = [*make_works(0), *(make_work(f"bad{n}") for n in range(3))]

    ends, outcomes = count_ends(guerdon, *works)

    assert [outcome.state for outcome in outcomes] == ["settled"] * 63 + ["waiting"] * 3
    most = 3 if "execute" in deed else 1  # after an error of the database nobody can be asked
    assert (ends.commits, ends.rollbacks) == (1, most)
    again, _ = count_ends(guerdon, *make_works(100), *works[63:])
    assert again == Ends(1, 3)  # each by itself
    assert read_books(guerdon).gold == {"Bob": "126.00"}


def test_an_error_that_names_nobody_is_found_by_halving_and_is_alone_the_next_time(
    open_service: Open, add_plugin: AddPlugin, count_ends: Any
) -> None:
    source = """
@hookimpl
def grant_reward(reward, event, batch):
    if reward.kind == "pet":
        batch.gather(write, event.id)
        return {}

def write(rows, db, settings):
    if "bad" in rows:
        raise KeyError("a bug")
"""
    guerdon = open_service(RULES + PETS, plugins=ALL_PLUGINS + add_plugin(PET + source))
    good = [make_work(f"g{n}", server_id="pets") for n in range(126)]
    bad = make_work("bad", server_id="pets")

    ends, outcomes = count_ends(guerdon, *good[:20], bad, *good[20:63])
    again, later = count_ends(guerdon, *good[63:80], bad, *good[80:])

    for one in (outcomes, later):
        waiting = [outcome for outcome in one if outcome.state == "waiting"]
        assert [outcome.reason for outcome in waiting] == [
            "the plugin studio failed in write: KeyError"
        ]
        assert len(one) == 64
    assert ends == Ends(6, 7)
    assert again == Ends(1, 1)
    books = read_books(guerdon)
    assert (len(books.events), books.gold) == (126, {"Bob": "126.00"})


@pytest.fixture
def meet(
    database_server: DatabaseServer, database_url: str, count_ends: Any
) -> Callable[..., tuple[Ends, list[Outcome]]]:
    """Settle works while somebody else inserts a player of a name, and commits once we wait for him."""

    def act(guerdon: Guerdon, name: str, *works: Work) -> tuple[Ends, list[Outcome]]:
        other = database_server.connect(database_url.rpartition("/")[2])
        other.begin()
        columns = "nickname, folded, gold, created_at"
        other.cursor().execute(f"INSERT INTO players ({columns}) VALUES ('{name}', '', 0, 0)")
        waits = "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        with ThreadPoolExecutor(1) as pool:
            ours = pool.submit(count_ends, guerdon, *works)
            # InnoDB shows something new only to who has not asked for a tenth of a second.
            wait_until(lambda: database_server.run(waits), pause=0.15)
            other.commit()
            ends, outcomes = ours.result()
        other.close()
        return Ends(ends.commits - 1, ends.rollbacks), outcomes

    return act


@pytest.mark.on_servers
def test_a_new_player_whom_somebody_else_makes_first_is_found_in_the_same_commit(
    open_service: Open, meet: Any
) -> None:
    guerdon = open_service(RULES, more='[players]\nunknown = "create"\n')

    ends, outcomes = meet(guerdon, "New", *make_works(0, 5), make_work("new", nickname="New"))

    assert ({outcome.state for outcome in outcomes}, ends) == ({"settled"}, Ends(1, 0))
    assert read_books(guerdon).gold == {"Bob": "5.00", "New": "1.00"}


@pytest.mark.on_servers
def test_a_row_of_a_plugins_own_that_somebody_else_makes_first_costs_one_round(
    open_service: Open, add_plugin: AddPlugin, meet: Any
) -> None:
    source = """
@hookimpl
def grant_reward(reward, event, db):
    if reward.kind != "pet":
        return None
    if not db.execute_sql("SELECT id FROM players WHERE nickname = 'Guild'").fetchall():
        db.execute_sql("INSERT INTO players (nickname, folded, gold, created_at)"
                       " VALUES ('Guild', '', 0, 0)")
    return {}
"""
    guerdon = open_service(RULES + PETS, plugins=ALL_PLUGINS + add_plugin(PET + source))
    works = [*make_works(0, 5), make_work("pet", server_id="pets")]

    ends, outcomes = meet(guerdon, "Guild", *works)

    assert ({outcome.state for outcome in outcomes}, ends) == ({"settled"}, Ends(1, 1))


def test_an_event_of_which_no_player_may_be_made_costs_its_batch_nothing(
    open_service: Open, count_ends: Any
) -> None:
    guerdon = open_service(RULES, more='[players]\nunknown = "create"\n')
    odd = Work([Event("studio", "server.vote", "odd", user_id=" u1")])

    for first in (0, 100):
        ends, outcomes = count_ends(guerdon, *make_works(first, 9), odd)
        assert [outcome.state for outcome in outcomes] == ["settled"] * 9 + ["waiting"]
        assert ends == Ends(1, 0)


@pytest.fixture
def lower_packet(database_server: DatabaseServer) -> Iterator[Callable[[int], None]]:
    """Have the server hang up on statements of more bytes, on whoever connects from now on."""
    (usual,) = database_server.run("SELECT @@global.max_allowed_packet")[0]

    def lower(size: int) -> None:
        database_server.run(f"SET GLOBAL max_allowed_packet = {size}")

    yield lower
    lower(usual)


@pytest.mark.on_servers
def test_an_event_larger_than_the_database_takes_is_parked_and_the_rest_is_paid(
    open_service: Open, vote_api: VoteApi, lower_packet: Any, clock: Clock, count_ends: Any
) -> None:
    lower_packet(64 * 1024)
    guerdon = open_service(RULES)
    data = {"text": "x" * 100_000}
    large = make_work("large", data=data)

    _, outcomes = count_ends(guerdon, *make_works(0, 20), large, *make_works(20, 20))

    assert (outcomes[20].state, outcomes[20].reason) == ("waiting", HUNG_UP)
    assert [outcome.state for outcome in outcomes].count("settled") == 40
    again, outcomes = count_ends(guerdon, *make_works(40, 20), large)
    assert ([one.state for one in outcomes].count("settled"), again.commits) == (20, 1)
    assert read_books(guerdon).gold == {"Bob": "60.00"}
    with at_size(lower_packet, 32 * 1024, guerdon):
        vote_api.votes["v-large"] = {"nickname": "Bob", "server": {"id": 1}, "x": "x" * 40_000}
        assert post_vote(guerdon, "v-large").status_code == 503
        assert read_books(guerdon).waiting == {"v-large": HUNG_UP}
        assert post_vote(guerdon, "v-small").status_code == 204

    clock.advance(10)
    serve_once(guerdon)
    assert (read_books(guerdon).waiting, read_books(guerdon).gold) == ({}, {"Bob": "62.00"})


@pytest.mark.on_servers
def test_a_batch_larger_than_the_database_takes_at_once_is_written_in_pieces(
    open_service: Open, lower_packet: Any, count_ends: Any
) -> None:
    lower_packet(64 * 1024)
    guerdon = open_service(RULES)
    works = [make_work(f"v{n}", data={"text": "'" * 4_000}) for n in range(40)]

    ends, outcomes = count_ends(guerdon, *works)

    assert ({outcome.state for outcome in outcomes}, ends) == ({"settled"}, Ends(1, 0))


@contextmanager
def at_size(lower_packet: Callable[[int], None], size: int, guerdon: Guerdon) -> Iterator[None]:
    """Connections made within have this limit; those made afterwards, the usual one."""
    lower_packet(size)
    guerdon.deliveries.stop()
    guerdon.database.close_all()
    yield
    lower_packet(16 << 20)
    guerdon.deliveries.stop()
    guerdon.database.close_all()


def test_a_database_that_is_away_is_asked_once_and_not_for_each_half(
    open_service: Open, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = open_service(RULES)
    began: list[int] = []
    pay = guerdon.settler._payer.pay
    monkeypatch.setattr(guerdon.settler._payer, "pay", lambda *args: began.append(1) or pay(*args))
    guerdon.database.close_all()
    monkeypatch.setattr(guerdon.database, "_connect", refuse_connection)

    outcomes = settle(guerdon, *make_works(0))

    assert ({outcome.state for outcome in outcomes}, began) == ({"unavailable"}, [])


def refuse_connection() -> None:
    from peewee import OperationalError  # noqa: PLC0415

    raise OperationalError(2003, "nobody there")


def test_a_process_remembers_so_many_that_failed_and_no_more() -> None:
    suspects = Suspects()
    payments = [Payment(make_work(f"v{n}")) for n in range(MOST + 1)]
    for payment in payments:
        suspects.note_failure(payment)
        suspects.note_spoiler(payment.work)

    known = [suspects.needs_care(payment) for payment in payments]

    assert known == [False] + [True] * MOST
    assert [suspects.spoils_batches(payment.work) for payment in payments] == known


def test_threads_that_forget_the_oldest_at_once_harm_no_batch() -> None:
    """A batch and what waits are settled side by side: an error here would be taken for the payment's."""
    suspects, interval = Suspects(), sys.getswitchinterval()
    works = [[make_work(f"v{thread}-{n}") for n in range(3000)] for thread in range(8)]

    def note(some: list[Work]) -> None:
        for work in some:
            suspects.note_spoiler(work)

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(note, works))
    finally:
        sys.setswitchinterval(interval)

    assert sum(suspects.spoils_batches(work) for some in works for work in some) == MOST


def test_two_players_called_alike_cost_nobody_anything(open_service: Open, count_ends: Any) -> None:
    guerdon = open_service(RULES, more='[players]\nmatch = "casefold"\n')
    add_player(guerdon, "bob")

    ends, outcomes = count_ends(guerdon, make_work("v1"), make_work("v2", nickname="Nobody"))

    assert ([outcome.state for outcome in outcomes], ends) == (["waiting"] * 2, Ends(0, 1))


def test_who_is_told_of_a_work_is_told_of_each_of_its_events_grants(open_service: Open) -> None:
    guerdon = open_service(RULES)

    [outcome] = settle(guerdon, make_work("v1", "v2"))

    told = [(grant.event.id, grant.reward.kind) for grant in outcome.grants]
    assert told == [("v1", "gold"), ("v1", "item"), ("v2", "gold"), ("v2", "item")]
