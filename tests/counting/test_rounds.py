"""A party's round is made once and pays each of its voters, whatever befalls the commit that makes it."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from tests.counting.test_occasions import ask, make_rule, serve
from tests.world.books import make_work, run_apart, settle
from tests.world.proxying import CUT, CUT_AFTER, Fault, Proxy

Open = Callable[..., Guerdon]
AddPlugin = Callable[..., str]
NAMES = ["Bob", "Eve", "Kim"]
GOLD = make_rule("gold", "party = { every = 3 }")
MOODY = """
from pathlib import Path
from marshmallow import Schema
from peewee import MySQLDatabase
from app import hookimpl

def end(db, statement):
    db.connection().cursor().execute(statement)

@hookimpl
def reward_schemas():
    return {{"pet": Schema}}

@hookimpl
def grant_reward(reward, event, db):
    if reward.kind != "pet":
        return None
    if Path({file!r}).exists():
        {deed}
    return {{"pet": event.user_id}}
"""
LISTENER = """
from pathlib import Path
from app import hookimpl

@hookimpl
def event_settled(event, grants):
    with Path({file!r}).open("a") as file:
        file.write(f"{{event.type}} {{event.user_id}} {{len(grants)}}\\n")
"""


def vote(guerdon: Guerdon, *votes: str) -> None:
    """A vote of each, as name or name and number."""
    known = read_books(guerdon).gold
    for name in {one.rstrip("0123456789") for one in votes} - set(known):
        add_player(guerdon, name)
    settle(guerdon, *[make_work(one, nickname=one.rstrip("0123456789")) for one in votes])


def list_paid(guerdon: Guerdon) -> list[tuple[str, int]]:
    """Who was paid by rounds, and how many grants it were."""
    rows = ask(
        guerdon,
        "SELECT e.user_id, COUNT(g.id) FROM guerdon_events e LEFT JOIN guerdon_grants g ON g.event = e.id"
        " WHERE e.type = 'party' AND e.user_id <> '' GROUP BY e.user_id ORDER BY e.user_id",
    )
    return [(str(player), int(grants)) for player, grants in rows]


def list_heard(told: Path) -> list[str]:
    """Of whom the plugin was told that a round has paid him."""
    lines = [line.split() for line in told.read_text().splitlines()]
    return sorted(line[1] for line in lines if line[0] == "party" and line[2:] == ["1"])


def try_again(guerdon: Guerdon) -> None:
    """What waits or is dead is due now."""
    guerdon.inbox.revive(None)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE guerdon_inbox SET due_at = 0, lease_until = 0")
    serve(guerdon)


def test_it_works(open_service: Open, add_plugin: AddPlugin, tmp_path: Path) -> None:
    """Two rules of one party, three voters, one commit."""
    source = MOODY.format(file=str(tmp_path / "moody"), deed="pass")
    pets = make_rule("pets", "party = { every = 3 }", 'reward = "pet"')
    guerdon = open_service(rewards=GOLD + pets, more=add_plugin(source))
    vote(guerdon, *NAMES)

    assert guerdon.parties.fold() == 1

    assert list_paid(guerdon) == [("1", 2), ("2", 2), ("3", 2)]
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_inbox WHERE state <> 'settled'") == [(0,)]


@pytest.mark.parametrize(
    "deed",
    [
        "db.connection().commit()",
        "end(db, 'COMMIT')",
        "end(db, 'ROLLBACK')",
        "db.pop_transaction().commit()",
        "db.execute_sql('COMMIT')",
    ],
)
def test_a_plugin_that_ends_the_transaction_costs_no_voter_anything(
    open_service: Open, add_plugin: AddPlugin, tmp_path: Path, deed: str
) -> None:
    """No votes are in a round of which nobody knows."""
    moody = tmp_path / "moody"
    pets = make_rule("pets", "party = { every = 3 }", 'reward = "pet"')
    source = MOODY.format(file=str(moody), deed=deed)
    guerdon = open_service(rewards=pets, more=add_plugin(source))
    vote(guerdon, *NAMES)
    moody.touch()

    assert guerdon.parties.fold() == 1

    assert list_paid(guerdon) == []
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_inbox WHERE state <> 'settled'") == [(3,)]
    moody.unlink()
    try_again(guerdon)
    assert list_paid(guerdon) == [("1", 1), ("2", 1), ("3", 1)]


AWAY = """
        away = MySQLDatabase("game", host="127.0.0.1", port=9, connect_timeout=1)
        away.execute_sql("SELECT 1")
"""


def test_a_plugin_whose_own_database_is_away_keeps_no_other_party_waiting(
    open_service: Open, add_plugin: AddPlugin, tmp_path: Path
) -> None:
    """Nor what else is organized; its round is made, and its voters wait."""
    moody = tmp_path / "moody"
    pets = make_rule("pets", "party = { every = 2 }", 'reward = "pet"')
    source = MOODY.format(file=str(moody), deed=textwrap.dedent(AWAY).strip().replace("\n", "; "))
    guerdon = open_service(rewards=pets + GOLD, more=add_plugin(source))
    vote(guerdon, *NAMES)
    moody.touch()

    assert guerdon.parties.fold() == 2

    assert read_books(guerdon).gold == dict.fromkeys(NAMES, "1.00")
    serve(guerdon)
    told = ask(guerdon, "SELECT last_error FROM guerdon_inbox WHERE state <> 'settled'")
    assert told == [("the plugin studio failed in grant_reward: OperationalError",)] * 2
    moody.unlink()
    try_again(guerdon)
    assert sorted(grants for _, grants in list_paid(guerdon)) == [1, 2, 2]


@pytest.mark.on_servers
@pytest.mark.parametrize("fault", [CUT, CUT_AFTER, Fault("late", 0.5)], ids=lambda one: one.kind)
@pytest.mark.parametrize(("reward", "times"), [("gold", 1), ("gold", 3), ("claim", 1)])
def test_whose_commit_is_not_answered_makes_no_second_round(
    open_service: Open,
    add_plugin: AddPlugin,
    proxied_url: str,
    proxy: Proxy,
    tmp_path: Path,
    times: int,
    fault: Fault,
    reward: str,
) -> None:
    """By hand a round needs one vote alone: a second would take the next. And each is told of once."""
    told = tmp_path / "told"
    gives = 'reward = "gold", amount = "1.00"'
    if reward == "claim":  # of which a name with a blank cannot be paid: the round is put
        gives = 'reward = "claim", payload = { command = "give {nickname} box" }'
    rules = make_rule("party", "party = { every = 4 }", gives)
    listener = add_plugin(LISTENER.format(file=str(told)))
    guerdon = open_service(rewards=rules, more=listener, url=proxied_url)
    add_player(guerdon, "Bad Name")
    settle(guerdon, make_work("v0", nickname="Bad Name", server_id="1"))
    settle(guerdon, *[make_work(f"v{n}", server_id="1") for n in range(1, 5)])

    proxy.strike(b"\x03COMMIT", fault, times)
    made = guerdon.parties.start_by_hand(guerdon.rules.all[0])

    assert (made, proxy.cuts_left) == (4, 0)
    rounds = ask(guerdon, "SELECT round, COUNT(*) FROM guerdon_party_votes GROUP BY round")
    assert sorted(map(tuple, rounds), key=str) == [(1, 4), (None, 1)]
    paid = [1, 2] if reward == "gold" else [1]
    assert [int(player) for player, _ in list_paid(guerdon)] == paid
    assert list_heard(told) == [str(one) for one in paid]


@pytest.mark.on_servers
def test_who_finds_that_another_host_has_made_the_round_tells_nobody_of_it(
    open_service: Open,
    write_config: Callable[..., Path],
    add_plugin: AddPlugin,
    proxied_url: str,
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own payments were undone: only the other's are kept, and are told of."""
    told = tmp_path / "told"
    rules, listener = GOLD, add_plugin(LISTENER.format(file=str(told)))
    guerdon = open_service(rewards=rules, more=listener, url=proxied_url)
    other = open_guerdon(write_config(rewards=rules, more=listener, url=proxied_url))
    vote(guerdon, *NAMES)
    drop, moments, folded = guerdon.database.drop_left_connection, [1], list[int]()

    def fold_elsewhere() -> None:
        """Between the two tries."""
        drop()
        if not proxy.cuts_left and moments:
            moments.clear()
            folded.append(run_apart(other.parties.fold))

    monkeypatch.setattr(guerdon.database, "drop_left_connection", fold_elsewhere)
    proxy.cut(b"\x03COMMIT", forwarded=False)
    made = guerdon.parties.fold()
    other.close()

    assert (made, folded) == (0, [1])
    assert read_books(guerdon).gold == dict.fromkeys(NAMES, "1.00")
    assert list_heard(told) == ["1", "2", "3"]
