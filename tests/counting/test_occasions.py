"""Parties and rankings: events of our own, folded once and paid once, whoever folds them."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from app.counting.occasions import list_payees, make_party
from app.database.clock import Clock
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.announcing import Announcer
from app.paying.own_deliveries import OwnDeliveries
from app.porch.types import Delivery, Outcome, OutcomeState
from app.testing.books import read_books
from app.testing.players import add_player
from tests.counting.test_counting import read_verdicts
from tests.world.books import make_work, settle
from tests.world.proxying import Proxy

Open = Callable[..., Guerdon]
HOUR = 3_600_000


def make_rule(name: str, asks: str, gives: str = 'reward = "gold", amount = "1.00"') -> str:
    return f'[[rules]]\nname = "{name}"\non = "server.vote"\n{asks}\ngive = [{{ {gives} }}]\n'


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def serve(guerdon: Guerdon) -> None:
    """What the dispatcher does in one pass, until there is nothing to do."""
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            guerdon.dispatcher.serve_once(pool)


def ask(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


PARTY = make_rule("party", "party = { every = 10 }")


def test_it_works(open_service: Open) -> None:
    """25 votes of five players: two rounds of ten, five left; each voter of a round once."""
    guerdon = open_service(rewards=PARTY)
    names = ["Bob", "Eve", "Kim", "Lea", "Max"]
    for name in names[1:]:
        add_player(guerdon, name)
    settle(guerdon, *[make_work(f"v{n:02}", nickname=names[n % 5]) for n in range(25)])

    serve(guerdon)

    assert read_books(guerdon).gold == dict.fromkeys(names, "2.00")
    rounds = ask(guerdon, "SELECT round, COUNT(*) FROM guerdon_party_votes GROUP BY round")
    assert sorted(map(tuple, rounds), key=str) == [(1, 10), (2, 10), (None, 5)]
    # The two rounds, and each of their five voters: every one an event of its own.
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_events WHERE type = 'party'") == [(12,)]


def test_a_round_is_beside_itself_in_the_indexes(open_service: Open) -> None:
    """Else each of its rows would be written to another page, among those of all rounds before."""
    guerdon = open_service(rewards=PARTY)
    names = [f"p{n}" for n in range(10)]
    for name in names:
        add_player(guerdon, name)
    settle(guerdon, *[make_work(f"v{n:02}", nickname=names[n % 10]) for n in range(50)])

    serve(guerdon)

    rows = ask(
        guerdon, "SELECT event_id FROM guerdon_events WHERE type = 'party' ORDER BY ordered_key"
    )
    rounds = [id.split(":")[0] for (id,) in rows]
    assert [name for name, _ in itertools.groupby(rounds)] == ["1", "2", "3", "4", "5"]


def test_two_folders_at_once_make_each_round_once(open_service: Open, write_config: Any) -> None:
    guerdon = open_service(rewards=PARTY)
    other = open_guerdon(write_config(rewards=PARTY))
    settle(guerdon, *[make_work(f"v{n:02}") for n in range(45)])

    with ThreadPoolExecutor(8) as pool:
        folds = [pool.submit(one.parties.fold) for one in (guerdon, other) * 4]
        made = sum(one.result() for one in folds)
    other.close()

    assert made == 4
    rounds = ask(guerdon, "SELECT round, COUNT(*) FROM guerdon_party_votes GROUP BY round")
    assert sorted(row[1] for row in rounds) == [5, 10, 10, 10, 10]


def test_a_party_on_a_server_is_one_claim(open_service: Open) -> None:
    rule = make_rule(
        "on the server", 'server = "1"\nparty = { every = 3, to = "server" }',
        'reward = "claim", payload = { command = "crate giveall party 1" }',
    )  # fmt: skip
    guerdon = open_service(rewards=rule)
    settle(guerdon, *[make_work(f"v{n}", server_id="1") for n in range(3)])

    serve(guerdon)

    assert ask(guerdon, "SELECT server_id, nickname, payload FROM guerdon_claims") == [
        ("1", "", '{"command":"crate giveall party 1"}')
    ]


def test_a_party_of_a_day_lapses_with_it(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("party", 'party = { every = 3, in = "day" }'))
    days = ["2026-11-01T10:00"] * 2 + ["2026-11-02T10:00"] * 3
    settle(guerdon, *[make_work(f"v{n}", occurred_at=at(day)) for n, day in enumerate(days)])

    serve(guerdon)

    assert ask(guerdon, "SELECT period, round, COUNT(*) FROM guerdon_party_votes GROUP BY period, round") == [
        ("day:2026-11-01", None, 2), ("day:2026-11-02", 1, 3),
    ]  # fmt: skip


def test_a_player_who_is_gone_costs_the_others_nothing(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("party", "party = { every = 4 }"))
    add_player(guerdon, "Eve")
    settle(
        guerdon, *[make_work(f"v{n}", nickname=name) for n, name in enumerate(["Bob", "Eve"] * 2)]
    )
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("DELETE FROM players WHERE nickname = 'Eve'")

    serve(guerdon)

    assert read_books(guerdon).gold == {"Bob": "1.00"}


MONTH = make_rule("first", 'ranking = { in = "month" }', 'reward = "gold", amount = "10.00"')
PLACES = make_rule("2 to 3", 'ranking = { in = "month", place = [2, 3], ties = "first" }')


def vote_in_november(guerdon: Guerdon) -> None:
    """Bob 3, Eve 3 (but later), Kim 2, Lea 1; the last of Bob's in the last second of the month."""
    for name in ("Eve", "Kim", "Lea"):
        add_player(guerdon, name)
    votes = [("Bob", 1), ("Bob", 2), ("Eve", 3), ("Eve", 4), ("Kim", 5), ("Kim", 6), ("Lea", 7)]
    works = [
        make_work(f"v{n}", nickname=name, occurred_at=at(f"2026-11-{day:02}T12:00"))
        for n, (name, day) in enumerate(votes)
    ]
    works.append(make_work("last", occurred_at=at("2026-11-30T23:59:59")))
    works.append(make_work("eve", nickname="Eve", occurred_at=at("2026-11-30T23:59:59") + 900))
    settle(guerdon, *works)


def test_a_ranking_closes_once_an_hour_after_its_month(open_service: Open, clock: Any) -> None:
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=MONTH + PLACES)
    guerdon.rankings.close_due()
    vote_in_november(guerdon)

    clock.now = at("2026-12-01T00:59")
    serve(guerdon)
    assert read_books(guerdon).gold["Bob"] == "0.00"

    clock.now = at("2026-12-08T00:00")  # it was down for a week
    serve(guerdon)
    clock.now = at("2026-12-09T00:00")
    serve(guerdon)

    # Bob and Eve share the first place; of places 2 and 3 by who was first, Eve has one and Kim the other.
    assert read_books(guerdon).gold == {
        "Bob": "10.00", "Eve": "11.00", "Kim": "1.00", "Lea": "0.00",
    }  # fmt: skip


def test_closing_by_hand_and_by_two_hosts_at_once_pays_once(
    open_service: Open, write_config: Any, clock: Any
) -> None:
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=MONTH)
    other = open_guerdon(write_config(rewards=MONTH), clock)
    vote_in_november(guerdon)
    rule = guerdon.rules.all[0]

    with ThreadPoolExecutor(6) as pool:
        closes = [pool.submit(one.rankings.close, one.rules.all[0], "month:2026-11")
                  for one in (guerdon, other) * 3]  # fmt: skip
        assert sum(one.result() for one in closes) == 1
    other.close()
    serve(guerdon)
    clock.now = at("2026-12-08T00:00")
    serve(guerdon)

    assert not guerdon.rankings.close(rule, "month:2026-11")
    assert read_books(guerdon).gold["Bob"] == "10.00"


@pytest.mark.on_servers
def test_who_closes_a_month_and_hears_no_answer_to_commit_has_closed_it(
    open_service: Open, proxied_url: str, proxy: Proxy, clock: Any
) -> None:
    """And pays at once: nobody waits until his lease of what he put has run out."""
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=MONTH, url=proxied_url)
    vote_in_november(guerdon)
    rule = guerdon.rules.all[0]
    assert not guerdon.rankings.is_closed(rule, "month:2026-11")

    proxy.cut(b"\x03COMMIT", forwarded=True)
    is_ours = guerdon.rankings.close(rule, "month:2026-11")

    assert (is_ours, proxy.cuts_left) == (True, 0)
    assert read_books(guerdon).gold["Bob"] == "10.00"
    assert not guerdon.rankings.close(rule, "month:2026-11")


def test_a_vote_that_waits_keeps_its_month_open(open_service: Open, clock: Any) -> None:
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=MONTH)
    guerdon.rankings.close_due()
    vote_in_november(guerdon)

    delivery = Delivery("gamemonitoring", "server.vote", "waits")
    guerdon.inbox.keep(delivery, Outcome(OutcomeState.WAITING, "no player", 10**6))

    clock.now = at("2026-12-02T00:00")
    assert guerdon.rankings.close_due() == 0
    clock.now = at("2026-12-05T00:00")  # more than [inbox] give_up_after
    assert guerdon.rankings.close_due() == 1


CLAIM = 'reward = "claim", payload = { command = "give {nickname} key 1" }'


def test_a_name_that_no_command_may_hold_costs_the_others_nothing(open_service: Open) -> None:
    guerdon = open_service(rewards=make_rule("party", "party = { every = 2 }", CLAIM))
    add_player(guerdon, "Bad Name")
    settle(
        guerdon,
        make_work("v1", server_id="1"),
        make_work("v2", server_id="1", nickname="Bad Name"),
    )

    serve(guerdon)

    assert ask(guerdon, "SELECT nickname FROM guerdon_claims") == [("Bob",)]
    [(reason,)] = ask(guerdon, "SELECT last_error FROM guerdon_inbox WHERE state <> 'settled'")
    assert "Bad Name" in reason


MEMBERS = 'where = { "player.role" = "member" }\n'


@pytest.mark.parametrize(
    "asks", ["party = { every = 2 }", 'ranking = { in = "month", place = [1, 2] }']
)
def test_only_members_are_paid_by_a_party_or_a_ranking(
    open_service: Open, clock: Any, asks: str
) -> None:
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=make_rule("members", MEMBERS + asks))
    guerdon.rankings.close_due()
    add_player(guerdon, "Eve")
    settle(guerdon, make_work("v1", occurred_at=clock.now))
    settle(guerdon, make_work("v2", nickname="Eve", occurred_at=clock.now))
    with guerdon.database.connection_context():
        [(eve,)] = ask(guerdon, "SELECT id FROM players WHERE nickname = 'Eve'")
        guerdon.database.execute_sql(
            f"INSERT INTO guerdon_roles (player_id, name, until) VALUES ('{eve}', 'member', {2**60})"
        )

    clock.now = at("2026-12-02T12:00")
    serve(guerdon)

    assert read_books(guerdon).gold == {"Bob": "0.00", "Eve": "1.00"}


def test_a_limit_of_a_party_is_not_forgotten(open_service: Open, write_config: Any) -> None:
    limited = make_rule("party", 'party = { every = 2 }\nlimit = { player = "1 per day" }')
    guerdon = open_service(rewards=limited)
    settle(guerdon, *[make_work(f"v{n}") for n in range(2)])
    serve(guerdon)

    assert guerdon.bookkeeping.recounter.verify() == []
    guerdon.bookkeeping.rebuild()
    settle(guerdon, *[make_work(f"w{n}") for n in range(2)])
    serve(guerdon)

    assert read_books(guerdon).gold == {"Bob": "1.00"}
    assert guerdon.bookkeeping.recounter.verify() == []


def test_a_vote_after_the_closing_is_told_as_late(open_service: Open, clock: Any) -> None:
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=MONTH)
    vote_in_november(guerdon)
    clock.now = at("2026-12-02T12:00")
    guerdon.rankings.close(guerdon.rules.all[0], "month:2026-11")

    settle(guerdon, make_work("late", occurred_at=at("2026-11-30T10:00")))

    assert read_verdicts(guerdon, "late")["first"]["why"] == (
        "came after the ranking was closed: month:2026-11"
    )


def test_a_round_is_paid_as_soon_as_it_is_full(open_service: Open) -> None:
    """By the commit that makes it: nobody finds it made and not paid, and no voter is in the inbox."""
    guerdon = open_service(rewards=PARTY)
    settle(guerdon, *[make_work(f"v{n:02}") for n in range(10)])

    assert guerdon.parties.fold() == 1

    assert read_books(guerdon).gold == {"Bob": "1.00"}
    rows = ask(guerdon, "SELECT state, event_id, lease_token FROM guerdon_inbox")
    assert [(state, id.count(":"), len(token)) for state, id, token in rows] == [("settled", 1, 32)]


@pytest.mark.parametrize(("every", "kept"), [(63, 1), (64, 65)])
def test_a_round_of_more_than_a_commit_pays_is_paid_from_the_inbox(
    open_service: Open, every: int, kept: int
) -> None:
    guerdon = open_service(rewards=make_rule("party", f"party = {{ every = {every} }}"))
    names = [f"p{number}" for number in range(every)]
    for name in names:
        add_player(guerdon, name)
    settle(guerdon, *[make_work(f"v{n:02}", nickname=name) for n, name in enumerate(names)])

    assert guerdon.parties.fold() == 1

    assert read_books(guerdon).gold == {"Bob": "0.00"} | dict.fromkeys(names, "1.00")
    rows = ask(guerdon, "SELECT state, COUNT(*) FROM guerdon_inbox GROUP BY state")
    assert rows == [("settled", kept)]


MOODY = """
from pathlib import Path
from app import hookimpl

@hookimpl
def player_fact_names():
    return ["mood"]

@hookimpl
def player_facts(players):
    if Path({file!r}).exists() and any(player.nickname == "Eve" for player in players):
        raise KeyError("Eve")
    return {{player.key: {{"mood": "good"}} for player in players}}
"""


def test_a_plugin_that_fails_for_a_voter_keeps_the_round_from_no_other(
    open_service: Open, add_plugin: Callable[..., str], tmp_path: Any
) -> None:
    """What it is asked about all of a commit undoes all of it: then each is settled from the inbox."""
    moody = tmp_path / "moody"
    rules = "".join(
        make_rule(name, f'where = {{ "player.mood" = "good" }}\nparty = {{ every = {every} }}')
        for name, every in (("three", 3), ("six", 6))
    )
    guerdon = open_service(rewards=rules, more=add_plugin(MOODY.format(file=str(moody))))
    add_player(guerdon, "Eve")
    add_player(guerdon, "Kim")
    names = ["Bob", "Eve", "Kim"] * 2
    settle(guerdon, *[make_work(f"v{n}", nickname=name) for n, name in enumerate(names)])
    moody.touch()

    assert guerdon.parties.fold() == 3  # the party of six was not kept from it either

    assert read_books(guerdon).gold == {"Bob": "3.00", "Eve": "0.00", "Kim": "3.00"}
    moody.unlink()
    guerdon.inbox.revive(None)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE guerdon_inbox SET due_at = 0, lease_until = 0")
    serve(guerdon)
    assert read_books(guerdon).gold == {"Bob": "3.00", "Eve": "3.00", "Kim": "3.00"}


def test_a_number_that_is_paid_already_uses_up_no_votes(open_service: Open) -> None:
    """As where votes of a party were deleted apart from the ledger, so that it counts from 1 again."""
    guerdon = open_service(rewards=PARTY)
    settle(guerdon, *[make_work(f"v{n:02}") for n in range(10)])
    assert guerdon.parties.fold() == 1
    with guerdon.database.connection_context():
        for table in ("guerdon_party_votes", "guerdon_inbox"):
            guerdon.database.execute_sql(f"DELETE FROM {table}")
    settle(guerdon, *[make_work(f"w{n:02}") for n in range(10)])

    assert guerdon.parties.fold() == 0

    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_party_votes WHERE round IS NULL") == [(10,)]
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_inbox") == [(0,)]


def test_plugins_hear_once_of_each_voter_of_a_round(
    open_service: Open, add_plugin: Callable[..., str], tmp_path: Any
) -> None:
    """Plugins hear of each voter once, whether he was paid with the round or by himself."""
    told = tmp_path / "told"
    plugin = add_plugin(
        f"""
        from pathlib import Path
        from app import hookimpl

        @hookimpl
        def event_settled(event, grants):
            with Path({str(told)!r}).open("a") as file:
                file.write(f"{{event.type}} {{event.user_id}} {{len(grants)}}\\n")
        """
    )
    rules = make_rule("party", "party = { every = 2 }", CLAIM)
    guerdon = open_service(rewards=rules, more=plugin)
    for name in ("Eve", "Bad Name"):
        add_player(guerdon, name)
    for first, second in (("Bob", "Eve"), ("Bob", "Bad Name")):
        settle(
            guerdon,
            *[make_work(f"{first}{second}{n}", server_id="1", nickname=n) for n in (first, second)],
        )
        serve(guerdon)

    lines = sorted(line for line in told.read_text().splitlines() if line.startswith("party"))
    assert lines == ["party  0", "party  0", "party 1 1", "party 1 1", "party 2 1"]


def fold_and_die(guerdon: Guerdon) -> None:
    """A round is in the inbox, and whoever was to pay it is gone; its lease has run out."""
    parties, rule = guerdon.parties, guerdon.rules.all[0]

    def put(is_retry: bool) -> None:
        parties._own.put(parties._fold(rule.party_name, "ever", None).deliveries)

    guerdon.database.transact(put)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE guerdon_inbox SET lease_until = 1")


def test_what_a_rule_owed_waits_until_the_rule_is_back(
    open_service: Open, write_config: Any
) -> None:
    guerdon = open_service(rewards=make_rule("party", "party = { every = 2 }"))
    settle(guerdon, make_work("v1"), make_work("v2"))
    fold_and_die(guerdon)
    without = open_guerdon(write_config(rewards=make_rule("plain", "")))

    serve(without)

    assert read_books(without).gold == {"Bob": "0.00"}
    [(reason,)] = ask(without, "SELECT last_error FROM guerdon_inbox WHERE state = 'ready'")
    assert reason.startswith("the rule that paid this party is not there any more")
    without.close()
    guerdon.inbox.revive(None)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE guerdon_inbox SET due_at = 0")
    serve(guerdon)
    assert read_books(guerdon).gold == {"Bob": "1.00"}


def test_what_cannot_be_folded_keeps_nothing_else_from_being_tried(
    open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = open_service(rewards=PARTY)
    settle(guerdon, *[make_work(f"v{n:02}") for n in range(20)])
    guerdon.parties.fold()

    def fail() -> int:
        raise KeyError("a bug")

    monkeypatch.setattr(guerdon.dispatcher, "_organizers", [fail])
    serve(guerdon)

    assert read_books(guerdon).gold == {"Bob": "2.00"}


def test_what_is_closed_is_not_asked_for_again(open_service: Open, clock: Any) -> None:
    """After years of days there would be a thousand questions each minute."""
    clock.now = at("2026-11-01T12:00")
    guerdon = open_service(rewards=make_rule("top", 'ranking = { in = "day" }'))
    guerdon.rankings.close_due()
    for day in range(1, 9):
        settle(guerdon, make_work(f"v{day}", occurred_at=at(f"2026-11-{day:02}T13:00")))
        clock.now = at(f"2026-11-{day + 1:02}T12:00")
        assert guerdon.rankings.close_due() == 1
    clock.now += 3_600_000
    guerdon.rankings.close_due()

    name = f"ranking {guerdon.rules.all[0].ranking_name}"
    [(since,)] = ask(guerdon, f"SELECT value FROM guerdon_counting WHERE name = '{name}'")

    assert int(since) == at("2026-11-09T00:00")
    serve(guerdon)
    assert read_books(guerdon).gold == {"Bob": "8.00"}


@pytest.mark.parametrize("ends", ["late", "told to stop"])
def test_of_a_large_occasion_the_inbox_pays_what_is_left_when_the_lease_or_the_process_ends(
    open_service: Open, clock: Any, ends: str
) -> None:
    """Neither lost nor paid twice; and it is due at once, for any host."""
    guerdon = open_service(rewards=PARTY)
    voters = [[str(10**6 + number), "1"] for number in range(150)]  # who are gone
    add_player(guerdon, "Eve")
    voters += [["1", "1"], ["2", "1"]]
    stopping, ticks = threading.Event(), iter([0, 1, 10_000 if ends == "late" else 2])

    def tick() -> int:
        if (moment := next(ticks)) == 2:
            stopping.set()
        return moment

    announcer = Announcer(guerdon.plugins)
    now = Clock(clock, tick, lambda: None)
    own = OwnDeliveries(guerdon.inbox, guerdon.settler, announcer, now, stopping)
    rules = guerdon.rules
    occasion = make_party(rules.all[0].party_name, "ever", 1, {"voters": voters, "moment": clock()})
    payees = list(list_payees(occasion, rules))
    put = guerdon.database.transact(lambda is_retry: own.put([occasion, *payees]))

    own.pay(put)

    count = "SELECT state, COUNT(*), MAX(lease_until) FROM guerdon_inbox GROUP BY state"
    paid = 64 if ends == "late" else 128
    assert sorted((state, rows) for state, rows, _ in ask(guerdon, count)) == [
        ("ready", 153 - paid), ("settled", paid),
    ]  # fmt: skip
    due = "SELECT COUNT(*) FROM guerdon_inbox WHERE state = 'ready' AND takes = 0 AND due_at = 0"
    assert ask(guerdon, due) == [(153 - paid,)]
    for _ in range(2):
        serve(guerdon)
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_inbox WHERE state <> 'settled'") == [(0,)]
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_events") == [(153,)]
    assert read_books(guerdon).gold == {"Bob": "1.00", "Eve": "1.00"}


def test_a_process_that_is_to_stop_makes_no_more_rounds(open_service: Open) -> None:
    guerdon = open_service(rewards=PARTY)
    settle(guerdon, *[make_work(f"v{n:02}") for n in range(25)])

    guerdon.dispatcher.request_stop()

    assert guerdon.parties.fold() == 0
    assert guerdon.parties.start_by_hand(guerdon.rules.all[0]) == 10
    assert read_books(guerdon).gold == {"Bob": "0.00"}
    states = ask(guerdon, "SELECT DISTINCT state, lease_until FROM guerdon_inbox")
    assert [state for state, _ in states] == ["ready"]
