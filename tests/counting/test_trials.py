"""`guerdon rules try`: the running rules give the ledger to the coin; new ones what they would cost."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.counting.spilling import SpillingDict
from app.counting.trial import Trial
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.players import add_player
from tests.counting.test_counting import make_rule, vote
from tests.counting.test_occasions import at, serve
from tests.counting.test_telling import HOUR, START, make_event, make_votes, write_rules
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]


def settle_at_random(guerdon: Guerdon, seed: int) -> None:
    dice = random.Random(seed)
    add_player(guerdon, "Eve")
    votes = make_votes([
        (dice.choice(["Bob", "Eve"]), START + dice.randrange(24 * 9) * HOUR,
         dice.choice("12"), dice.choice("abc"))
        for _ in range(60)
    ])  # fmt: skip
    while votes:
        size = dice.randrange(1, 9)
        works = [make_work(one.id, nickname=one.player) for one in votes[:size]]
        for work, one in zip(works, votes, strict=False):
            work.events = [make_event(one)]
        settle(guerdon, *works)
        votes = votes[size:]


def test_it_works(open_service: Open, tmp_path: Path) -> None:
    """The running rules, tried on the ledger: the same, rule by rule."""
    guerdon = open_service(rewards=write_rules(tmp_path / "said.toml").read_text())
    settle_at_random(guerdon, 1)

    trial = Trial(guerdon.bookkeeping.complete(guerdon.programme))
    with guerdon.database.connection_context():
        trial.run(guerdon.database)

    assert trial.events == 60
    assert [
        (one.rule, one.more, one.less) for one in trial.results.values() if one.more or one.less
    ] == []
    assert sum(one.times for one in trial.results.values()) > 20
    assert {one.rule: one.times for one in trial.results.values()} == {
        one.rule: one.paid for one in trial.results.values()
    }


DRAWN = """
[[rules]]
name = "box"
on = "server.vote"
give_one = [
  { weight = 70, reward = "gold", amount = "25.00" },
  { weight = 25, reward = "gold", amount = "100.00" },
  { weight = 5 },
]
"""
PARTY = make_rule("party", "party = { every = 4 }")
MONTH = make_rule("top", 'ranking = { in = "month", place = [1, 2] }')


def test_draws_parties_and_rankings_are_tried_as_they_were(open_service: Open, clock: Any) -> None:
    clock.now = at("2026-11-20T12:00")
    guerdon = open_service(rewards=DRAWN + PARTY + MONTH)
    guerdon.rankings.close_due()
    settle_at_random(guerdon, 2)
    clock.now = at("2026-12-02T12:00")
    serve(guerdon)

    trial = Trial(guerdon.bookkeeping.complete(guerdon.programme))
    with guerdon.database.connection_context():
        trial.run(guerdon.database)

    assert {one.rule: one.times for one in trial.results.values()} == {
        one.rule: one.paid for one in trial.results.values()
    }
    assert trial.results["party"].times > 15
    given = trial.results["box"].sums["gold amount"] + trial.results["party"].sums["gold amount"]
    assert f"{given + trial.results['top'].sums.get('gold amount', 0):.2f}" == (
        f"{sum(float(gold) for gold in read_books(guerdon).gold.values()):.2f}"
    )


def run(*words: str, input: str = "") -> str:
    result = CliRunner().invoke(main, words, input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def in_studio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))
    return tmp_path


def test_new_rules_are_told_with_what_they_would_cost(open_service: Open, in_studio: Path) -> None:
    guerdon = open_service(rewards=make_rule("plain", ""))
    add_player(guerdon, "Eve")
    for number in range(20):
        vote_plain(guerdon, f"v{number:02}", number // 4, ["Bob", "Eve"][number % 2])
    new = in_studio / "new.toml"
    new.write_text(
        make_rule("every 5th", "count = { every = 5 }", "10.00")
        + PARTY
        + '[[budgets]]\nname = "gold"\nreward = "gold"\nsum = "amount"\nat_most = "900 per month"\n'
    )

    said = run("rules", "try", str(new))
    told = json.loads(run("rules", "try", str(new), "--json"))

    assert "20 events on 5 days; nothing was written" in said
    assert '"every 5th": 4 times, to 2 players; the ledger has 0' in said
    assert "gives gold amount 40" in said
    assert 'budget "gold": at most 900 per month of gold amount' in said
    assert [(one["rule"], one["times"], one["players"]) for one in told["rules"]] == [
        ("every 5th", 4, 2), ("party", 10, 2),
    ]  # fmt: skip
    assert told["rules"][0]["per_day"] == {"median": 0.0, "percentile_95": 2.0}


def vote_plain(guerdon: Guerdon, id: str, day: int, nickname: str) -> None:
    settle(guerdon, make_work(id, nickname=nickname, occurred_at=START + day * 24 * HOUR))


def test_a_rules_past_is_paid_once(open_service: Open, in_studio: Path) -> None:
    guerdon = open_service(rewards=make_rule("plain", ""))
    for number in range(7):
        vote_plain(guerdon, f"v{number}", 0, "Bob")
    (in_studio / "rewards.toml").write_text(
        make_rule("plain", "") + make_rule("every 3rd", "count = { every = 3 }", "50.00")
    )
    run("migrate")

    first = run("rules", "backfill", "every 3rd", input="y\n")
    again = run("rules", "backfill", "every 3rd", "--yes")

    assert '"every 3rd" would pay 2 times, to 1 player' in first
    assert "paid for 2 events" in first
    assert again == 'there is nothing that "every 3rd" has not paid\n'
    assert read_books(guerdon).gold == {"Bob": "107.00"}


@pytest.mark.parametrize("command", [["parties", "start", "party"], ["rules", "backfill", "all"]])
def test_nobody_pays_by_hand_where_the_service_would_not(
    open_service: Open, in_studio: Path, command: list[str]
) -> None:
    """A new budget was never counted: what was paid before might exceed it already."""
    rules = make_rule("plain", "") + make_rule("party", "party = { every = 10 }", "300.00")
    vote(open_service(rewards=rules), "v1")
    (in_studio / "rewards.toml").write_text(
        rules + make_rule("all", "")
        + '[[budgets]]\nname = "gold"\nreward = "gold"\nsum = "amount"\nat_most = "1 per year"\n'
    )  # fmt: skip

    result = CliRunner().invoke(main, command)

    assert result.exit_code == 1
    assert "a limit for all, or a budget, is new" in result.stderr


def test_the_past_of_a_plain_rule_is_paid_too(open_service: Open, in_studio: Path) -> None:
    """Where no rule counts, the ledger need not know whose an event is that earned nothing."""
    guerdon = open_service(rewards=make_rule("plain", 'server = "2"'))
    add_player(guerdon, "Eve")
    for number, name in enumerate(["Bob", "Bob", "Eve"]):
        vote_plain(guerdon, f"v{number}", number, name)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("DELETE FROM players WHERE nickname = 'Eve'")
    (in_studio / "rewards.toml").write_text(
        make_rule("plain", 'server = "2"') + make_rule("all", "", "50.00")
    )

    first = run("rules", "backfill", "all", "--yes")
    again = run("rules", "backfill", "all", "--yes")

    assert '"all" would pay 2 times, to 1 player' in first
    assert "paid for 2 events" in first
    assert again == 'there is nothing that "all" has not paid\n'
    assert read_books(guerdon).gold == {"Bob": "100.00"}


def test_draws_are_verified_and_a_changed_one_is_found(open_service: Open, in_studio: Path) -> None:
    guerdon = open_service(rewards=DRAWN)
    for number in range(5):
        vote(guerdon, f"v{number}")

    assert "5 draws drawn again, and the same" in run("draws", "verify")

    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            "UPDATE guerdon_events SET verdicts = REPLACE(verdicts, '\"number\":', '\"number\":1')"
        )
    result = CliRunner().invoke(main, ["draws", "verify"])
    assert result.exit_code == 1
    assert "the ledger has" in result.stderr


def test_the_commands_about_boards_and_counters(open_service: Open, in_studio: Path) -> None:
    guerdon = open_service(rewards=make_rule("2nd", "count = { at = 2 }"))
    add_player(guerdon, "Eve")
    for id, name in (("a", "Eve"), ("b", "Eve"), ("c", "Bob")):
        vote(guerdon, id, nickname=name)

    assert run("top", "--in", "ever") == "   1  Eve  2\n   2  Bob  1\n"
    assert run("top", "--in", "month", "--period", "1999-01") == "nobody has voted then\n"
    assert run("counters", "verify") == "all counters are what the ledger says\n"
    assert run("counters", "rebuild") == "counted 2 players anew\n"
    assert 'rule "2nd": paid: 2 of 2' in run("events", "show", "server.vote", "b")


def test_what_lies_in_the_file_is_found_as_what_lies_in_memory() -> None:
    kept = SpillingDict(most=10)
    keys = [("counter", str(number)) for number in range(100)]
    for number, key in enumerate(keys):
        kept[key] = number
    for key in keys[:30]:
        kept[key] += 1000

    assert [kept[key] for key in keys] == [*range(1000, 1030), *range(30, 100)]
    assert kept.get(("counter", "100")) is None
