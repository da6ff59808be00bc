"""What the counters decide, beside a second telling of the rules: any order, any batches, any hosts."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.counting.deciding import Happened, decide
from app.counting.programme import Programme
from app.counting.state import State
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.rules.gifts import RewardKind
from app.rules.reading import read_rules
from app.testing.players import add_player
from plugins.gold import Gold
from tests.counting.telling import Told, Vote, tell

START = 1_793_000_000_000  # ms; a day of October 2026
HOUR = 3_600_000
RULES = [
    Told("first of the day", count={"at": [1], "in": "day"}),
    Told("every third", count={"every": 3}),
    Told("marks of the month", count={"at": [2, 5, 9], "in": "month"}),
    Told("sites", count={"at": [2, 3], "in": "day", "of": "site"}),
    Told("week", streak={"every": 3}),
    Told("patient", streak={"at": [2, 5], "may_miss": 1}),
    Told("busy days", streak={"every": 2, "votes": 2}),
    Told("once", limit={"player": "1 per day"}),
    Told("few", limit={"player": "2 per week", "all": "6 per month"}, amount=3),
    Told("seldom", limit={"player": "2 per 30 hours"}),
    Told("all seldom", limit={"all": "3 per 20 hours"}),
    Told("on two", server="2", count={"every": 2}, limit={"player": "1 per month"}),
]
BUDGET = 60


def write_rules(path: Path) -> Path:
    """The same rules as TOML."""
    text = ""
    for rule in RULES:
        text += f'[[rules]]\nname = "{rule.name}"\non = "server.vote"\n'
        text += f'server = "{rule.server}"\n' if rule.server else ""
        for key in ("count", "streak", "limit"):
            if said := getattr(rule, key):
                inner = ", ".join(
                    f"{name} = {value!r}".replace("'", '"') for name, value in said.items()
                )
                text += f"{key} = {{ {inner} }}\n"
        text += f'give = [{{ reward = "gold", amount = "{rule.amount}.00" }}]\n'
    text += (
        '[[budgets]]\nname = "gold"\nreward = "gold"\nsum = "amount"\n'
        f'at_most = "{BUDGET} per month"\n'
    )
    path.write_text(text)
    return path


VOTES = st.lists(
    st.builds(
        lambda player, hours, server, site: (player, START + hours * HOUR, server, site),
        st.sampled_from(["Bob", "Eve"]),
        st.integers(0, 24 * 9),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=25,
)


def make_votes(said: list[tuple[str, int, str, str]]) -> list[Vote]:
    return [Vote(f"v{number:03}", *one) for number, one in enumerate(said)]


def make_event(vote: Vote) -> Event:
    return Event(
        "gamemonitoring", "server.vote", vote.id, vote.server, vote.player,
        occurred_at=vote.moment, data={"site": vote.site},
    )  # fmt: skip


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Programme:
    path = write_rules(tmp_path_factory.mktemp("rules") / "rewards.toml")
    return Programme(read_rules(path, {"gold": RewardKind("gold", Gold)}))


def decide_all(programme: Programme, votes: list[Vote]) -> dict[str, dict[str, int]]:
    state, found = State(), {}
    for vote in votes:
        draft = state.begin()
        verdicts = decide(programme, draft, Happened(make_event(vote), vote.player, vote.moment))
        state.keep(draft)
        found[vote.id] = {verdict.rule.name: verdict.paid for verdict in verdicts}
    return found


def test_it_works(programme: Programme) -> None:
    votes = make_votes([("Bob", START + day * 24 * HOUR, "1", "a") for day in range(3)])

    paid = decide_all(programme, votes)

    assert paid["v002"]["week"] == 1
    assert paid == tell(RULES, votes, BUDGET)


@settings(max_examples=300, deadline=None)
@given(said=VOTES)
def test_deciding_is_what_the_rules_say(
    programme: Programme, said: list[tuple[str, int, str, str]]
) -> None:
    votes = make_votes(said)

    assert decide_all(programme, votes) == tell(RULES, votes, BUDGET)


@settings(max_examples=200, deadline=None)
@given(said=VOTES, seed=st.integers(0, 10**6))
def test_every_streak_earns_the_same_in_whatever_order_its_votes_come(
    programme: Programme, said: list[tuple[str, int, str, str]], seed: int
) -> None:
    votes = make_votes(said)
    shuffled = random.Random(seed).sample(votes, len(votes))
    ordered = sorted(votes, key=lambda vote: vote.moment)
    unbounded = replace(programme, rules=replace(programme.rules, budgets=()))

    totals = [
        sum(one["week"] for one in decide_all(unbounded, some).values())
        for some in (ordered, shuffled)
    ]

    assert totals[0] == totals[1]


@pytest.mark.parametrize("seed", range(6))
def test_payments_counters_and_verdicts_agree_whatever_the_batches(
    open_service: Callable[..., Guerdon], write_config: Any, tmp_path: Path, seed: int
) -> None:
    """Histories cut anywhere, on two hosts in turn, against the second telling; and the books agree."""
    dice = random.Random(seed)
    rules = write_rules(tmp_path / "said.toml").read_text()
    guerdon = open_service(rewards=rules)
    add_player(guerdon, "Eve")
    other = open_guerdon(write_config(rewards=rules))
    votes = make_votes([
        (dice.choice(["Bob", "Eve"]), START + dice.randrange(24 * 9) * HOUR,
         dice.choice("12"), dice.choice("abc"))
        for _ in range(60)
    ])  # fmt: skip
    settled: list[Vote] = []
    rest = list(votes)
    while rest:
        size = dice.randrange(1, 9)
        some, rest = rest[:size], rest[size:]
        host = dice.choice([guerdon, other])
        host.settler.settle([Work([make_event(vote)]) for vote in some])
        settled += sorted(some, key=lambda vote: (vote.moment, vote.id))

    paid = read_paid(guerdon)

    assert paid == tell(RULES, settled, BUDGET)
    assert guerdon.bookkeeping.recounter.verify() == []
    other.close()


def read_paid(guerdon: Guerdon) -> dict[str, dict[str, int]]:
    """How often each rule paid each vote, by the ledger's verdicts."""
    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql("SELECT event_id, verdicts FROM guerdon_events")
        return {
            id: {one["rule"]: one["paid"] for one in json.loads(verdicts or "[]")}
            for id, verdicts in rows.fetchall()
        }
