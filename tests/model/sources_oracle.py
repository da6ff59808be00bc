"""What must be true once votes of many sources were paid and delivered to consoles, whatever befell them.

It knows what the sites made, what was answered, and what the games saw; of ours it reads the tables alone.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from app.guerdon import Guerdon
from tests.model.oracle import ask
from tests.world.moody_games import Game, Operator
from tests.world.post import Key
from tests.world.six_sites import AMOUNTS, UNSPEAKABLE, Vote, identify

OVER = ("done", "unknown", "refused")
EVENTS = (
    "id",
    "source",
    "event_id",
    "server_id",
    "nickname",
    "user_id",
    "occurred_at",
    "earns",
    "data",
)
CLAIMS = (
    "id",
    "event_id",
    "server_id",
    "nickname",
    "state",
    "last_error",
    "sends",
    "answer",
    "console",
)


def read(guerdon: Guerdon, table: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = ask(guerdon, f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def read_events(guerdon: Guerdon) -> list[dict[str, Any]]:
    return [
        one | {"data": json.loads(one["data"])} for one in read(guerdon, "guerdon_events", EVENTS)
    ]


def judge_payments(
    guerdon: Guerdon, sent: Mapping[Key, Vote], accepted: Collection[Key]
) -> "Counter[str]":
    """Each vote is paid once or, if nobody was told otherwise, not at all; how many are, by source."""
    events = read_events(guerdon)
    keys = [(one["source"], identify(one)) for one in events]
    paid = {key: one for key, one in zip(keys, events, strict=True) if one["earns"]}
    assert set(keys) <= sent.keys(), set(keys) - sent.keys()
    assert set(accepted) <= paid.keys(), set(accepted) - paid.keys()
    assert set(keys) == paid.keys(), "what earned nothing came too soon after what did"
    earning = Counter(key for key, one in zip(keys, events, strict=True) if one["earns"])
    assert set(earning.values()) <= {1}, [key for key, number in earning.items() if number > 1]
    idle = {key for key, one in zip(keys, events, strict=True) if not one["earns"]}
    assert all(key[1].startswith("gtop ") for key in idle), (
        "only of a vote without an id are there more"
    )
    for key, one in zip(keys, events, strict=True):
        vote = sent[key]
        assert (one["nickname"] or one["user_id"], one["server_id"]) == (vote.player, vote.server)
    judge_grants(guerdon, paid, sent)
    return Counter(source for source, _ in paid)


def judge_grants(guerdon: Guerdon, paid: Mapping[Key, Any], sent: Mapping[Key, Vote]) -> None:
    """Each paid vote has its two grants, and the sums are what players have."""
    owed = Counter((one["id"], kind) for one in paid.values() for kind in ("gold", "claim"))
    grants = ask(guerdon, "SELECT event, kind, nickname, params FROM guerdon_grants")
    assert Counter((event, kind) for event, kind, *_ in grants) == owed
    granted: Counter[str] = Counter()
    for _, kind, nickname, params in grants:
        granted[nickname] += Decimal(json.loads(params)["amount"]) if kind == "gold" else 0  # type: ignore[assignment]
    earned = Counter[str]()
    for key in paid:
        earned[sent[key].player] += AMOUNTS[key[0]]
    balances = {
        name: Decimal(str(gold))
        for name, gold in ask(guerdon, "SELECT nickname, gold FROM players")
    }
    assert {name: gold for name, gold in balances.items() if gold} == dict(earned) == dict(granted)
    claims = read(guerdon, "guerdon_claims", CLAIMS)
    wanted = Counter(
        (one["event_id"], sent[key].player, sent[key].server) for key, one in paid.items()
    )
    assert Counter((one["event_id"], one["nickname"], one["server_id"]) for one in claims) == wanted


def judge_consoles(
    guerdon: Guerdon, games: Mapping[str, Game], operator: Operator, kills: int
) -> "Counter[str]":
    """Each claim was given once, or refused, or is unknown and may have been; how many of each state.

    `games` by their server's id. Whoever is killed, and whoever restarts, cuts off as many sends as that
    game has connections, at most.
    """
    claims = {one["id"]: one for one in read(guerdon, "guerdon_claims", CLAIMS)}
    states: Counter[str] = Counter()
    for server, game in games.items():
        mine = {id: one for id, one in claims.items() if one["server_id"] == server}
        assert game.came.keys() <= mine.keys(), "a console was told of a claim that is not its"
        for one in mine.values():
            judge_claim(one, game, operator)
            states[f"{server} {one['state']}"] += 1
        unknown = {id for id, one in mine.items() if one["state"] == "unknown"}
        doubtful = game.doubtful - operator.given
        if server == "3":  # which was asked what became of them
            assert not unknown
            continue
        assert doubtful <= unknown, [mine[id] for id in doubtful - unknown]
        cut_off = unknown - doubtful
        assert len(cut_off) <= game.connections * (kills + game.restarts), len(cut_off)
        states[f"{server} unknown, of these cut off by kills and restarts"] = len(cut_off)
    return states


def judge_claim(claim: Mapping[str, Any], game: Game, operator: Operator) -> None:
    id, state = claim["id"], claim["state"]
    ran, came = game.ran[id], game.came[id]
    assert state in OVER, claim
    assert ran <= 1 + operator.again[id], f"given {ran} times: {claim}"
    if state == "done":
        assert ran, f"done, and was never given: {claim}"
    elif state == "refused":
        assert not ran, f"refused, and was given: {claim}"
        assert claim["last_error"], claim
        is_hers = claim["nickname"] == UNSPEAKABLE
        assert id in game.refused or (is_hers and not came), claim
    else:
        assert claim["last_error"], claim
        assert claim["sends"] >= 1, claim
