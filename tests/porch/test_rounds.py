"""Levels and rounds as events: one for what happened, one for each human of a round."""

import hashlib
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.paying.ledger import find_misfit
from app.porch.errors import BadDelivery
from app.porch.rounds import (
    GAME_SERVER,
    LARGEST_ROUND,
    LONGEST_FACT,
    MOST_FACTS,
    join_key,
    list_game_events,
    read_game_delivery,
)

LEVEL = {"uid": "7", "server_id": "s:1", "level": 12, "timestamp": 1_800_000_000_123, "data": {}}
LEADER = {"uid": "leader", "ss_token": "hush"}
MESSAGE = {
    "mg_id": 1461564080052506636,
    "room_id": "r1",
    "game_round_id": "round:1",
    "battle_start_at": 1_800_000_000,
}
HUMAN, ROBOT = {"uid": "a", "is_ai": 0}, {"uid": "", "is_ai": 1}
PARTS = st.lists(
    st.text(st.sampled_from(":%253Aa"), max_size=6) | st.text(max_size=300), min_size=1, max_size=4
)  # fmt: skip


def make_round(type: str, humans: Any, **changes: Any) -> dict[str, Any]:
    name = {"game_start": "players", "game_settle": "results"}[type]
    return {**LEADER, "report_msg": {**MESSAGE, name: humans} | changes}


def test_it_works() -> None:
    [level] = list_game_events("level_up", LEVEL)
    results = [HUMAN | {"rank": 1}, ROBOT | {"rank": 2}, {"uid": "b", "is_ai": 0, "rank": 3}]
    body = make_round("game_settle", results, battle_end_at=1_800_000_060)
    whole, *players = list_game_events("game_settle", body, "app")

    assert (level.source, level.type, level.id) == (GAME_SERVER, "level_up", "7:s%3A1:12")
    assert (level.server_id, level.user_id, level.earns) == ("s:1", "7", True)
    assert (level.occurred_at, level.data) == (1_800_000_000_123, LEVEL)
    assert (whole.source, whole.id, whole.user_id) == ("app", "round%3A1", "leader")
    assert (whole.earns, whole.data) == (False, body)
    assert [(one.id, one.user_id) for one in players] == [
        ("round%3A1:a", "a"),
        ("round%3A1:b", "b"),
    ]
    assert [one.data["rank"] for one in players] == [1, 3]
    for one in (whole, *players):
        assert (one.server_id, one.occurred_at) == ("1461564080052506636", 1_800_000_060_000)
    for one in players:
        assert one.earns
        assert (one.data["room_id"], one.data["mg_id"]) == ("r1", 1461564080052506636)
        assert "results" not in one.data
        assert "ss_token" not in one.data


@given(one=PARTS, other=PARTS)
def test_a_key_stands_for_its_parts_alone(one: list[str], other: list[str]) -> None:
    assert (join_key(*one) == join_key(*other)) is (one == other)


@given(parts=PARTS)
def test_a_key_fits_its_column(parts: list[str]) -> None:
    key = join_key(*parts)

    assert len(key) <= 255
    assert key == ":".join(parts) or {":", "%"} & set("".join(parts)) or len(":".join(parts)) > 255


def test_a_short_text_cannot_pose_as_a_long_one() -> None:
    longs = ("x" * 256 + str(number) for number in count())
    # A digest that begins as an escaped % does: a short text could spell the rest of it.
    long = next(one for one in longs if hashlib.sha256(one.encode()).hexdigest()[:2] == "25")
    key = join_key(long)

    digest = hashlib.sha256(long.encode()).hexdigest()
    rivals = [key, f"sha256%{digest}", f"sha256%{digest[2:]}", f"%sha256%{digest[2:]}"]
    rivals += [key.replace("%25", "%"), key.replace("%25", "%", 1), key.replace("%", "%25")]
    assert key not in [join_key(rival) for rival in rivals]


@pytest.mark.parametrize("type", ["game_start", "game_settle"])
@pytest.mark.parametrize(
    ("humans", "uids"),
    [
        ([], []),
        ([HUMAN], ["a"]),
        ([{"uid": "a"}], ["a"]),
        ([ROBOT, ROBOT], []),
        ([{"is_ai": 1}], []),
        ([{"uid": "a", "is_ai": 1}, HUMAN], ["a"]),
        ([{"uid": None, "is_ai": 0}], []),
        ([{"uid": "A"}, {"uid": "a"}, {"uid": "a "}], ["A", "a", "a "]),
    ],
)
def test_humans_have_events_and_robots_have_none(type: str, humans: Any, uids: list[str]) -> None:
    whole, *players = list_game_events(type, make_round(type, humans))

    assert not whole.earns
    assert [one.user_id for one in players] == uids
    assert len({one.id for one in (whole, *players)}) == len(uids) + 1


def drop(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        for name in names:
            body["report_msg"].pop(name, None)

    return change


def put(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["report_msg"].update(changes)


BAD_ROUNDS = [
    (lambda body: body.pop("report_msg"), "report_msg is not an object"),
    (lambda body: body.update(report_msg=[]), "report_msg is not an object"),
    (drop("game_round_id"), "report_msg.game_round_id is not a string"),
    (put(game_round_id=""), "report_msg.game_round_id is not a string"),
    (put(game_round_id=5), "report_msg.game_round_id is not a string"),
    (drop("results", "players"), "report_msg.NAME is not a list"),
    (put(results={}, players={}), "report_msg.NAME is not a list"),
    (put(results=[HUMAN, 5], players=[HUMAN, 5]), "report_msg.NAME[1] is not an object"),
    (put(results=[{"uid": 5}], players=[{"uid": 5}]), "report_msg.NAME[0].uid is not a string"),
    (put(results=[HUMAN] * 2, players=[HUMAN] * 2), "report_msg.NAME[1].uid: the same player"),
    (put(results=[ROBOT] * 1001, players=[ROBOT] * 1001), "report_msg.NAME has more than"),
]


@pytest.mark.parametrize(("type", "name"), [("game_start", "players"), ("game_settle", "results")])
@pytest.mark.parametrize(("change", "fault"), BAD_ROUNDS)
def test_the_field_that_no_event_can_be_made_of_is_named(
    type: str, name: str, change: Callable[[Any], Any], fault: str
) -> None:
    body = make_round(type, [HUMAN])
    change(body)

    with pytest.raises(ValueError, match="report_msg") as caught:
        list_game_events(type, body)
    with pytest.raises(BadDelivery) as refused:
        read_game_delivery("app", type, body)

    assert str(caught.value).startswith(fault.replace("NAME", name))
    assert (str(refused.value), refused.value.status) == (str(caught.value), 400)


@pytest.mark.parametrize(
    ("changes", "server_id", "occurred_at"),
    [
        ({"mg_id": 0, "mg_id_str": "5"}, "5", 1_800_000_000_000),
        ({"mg_id": None}, "", 1_800_000_000_000),
        ({"battle_start_at": None}, "1461564080052506636", None),
        ({"battle_start_at": -1}, "1461564080052506636", None),
        ({"battle_start_at": 2**40}, "1461564080052506636", None),
        ({"battle_start_at": "1800000000"}, "1461564080052506636", None),
        ({"battle_start_at": 0}, "1461564080052506636", 0),
    ],
)
def test_what_is_missing_beside_the_players_stops_no_round(
    changes: Any, server_id: str, occurred_at: int | None
) -> None:
    events = list_game_events("game_start", make_round("game_start", [HUMAN], **changes))

    assert {(one.server_id, one.occurred_at) for one in events} == {(server_id, occurred_at)}
    assert len(events) == 2


def test_what_is_kept_of_a_round_with_each_player_is_bounded() -> None:
    long, short = "x" * LONGEST_FACT, "x" * (LONGEST_FACT - 4)
    humans = [{"uid": f"u{number}", "is_ai": 0} for number in range(LARGEST_ROUND)]
    said = {f"a{number:03}": [long, short][number % 2] for number in range(400)}
    body = make_round("game_start", humans, **{long: 1}, **said)

    whole, *players = list_game_events("game_start", body)

    assert whole.data == body
    assert len(players) == LARGEST_ROUND
    for one in players:
        assert one.data.items() >= {"room_id": "r1", "a001": short, "uid": one.user_id}.items()
        assert long not in one.data
        assert long not in one.data.values()
        assert len(one.data) == MOST_FACTS + 2  # his own: uid and is_ai


@given(
    round_id=st.text(min_size=1, max_size=400),
    uids=st.lists(st.text(min_size=1, max_size=255), unique=True, max_size=5),
)
def test_every_event_of_a_round_has_an_id_of_its_own_that_fits(
    round_id: str, uids: list[str]
) -> None:
    humans = [{"uid": uid} for uid in uids]

    events = list_game_events(
        "game_start", make_round("game_start", humans, game_round_id=round_id)
    )

    assert len({one.id for one in events}) == len(uids) + 1
    assert [one.id for one in events if find_misfit([one])] == []


def test_a_delivery_of_a_round_carries_its_id_and_all_of_its_body() -> None:
    body = make_round("game_settle", [HUMAN], unheard_of={"x": 1})

    delivery = read_game_delivery("app", "game_settle", body)

    assert (delivery.source, delivery.type, delivery.id) == ("app", "game_settle", "round%3A1")
    assert delivery.data == body
    assert not delivery.ignored


def test_a_delivery_of_another_type_is_ignored_and_one_of_no_type_refused() -> None:
    assert read_game_delivery("app", "game_paused", {}).ignored
    with pytest.raises(BadDelivery, match="report_type"):
        read_game_delivery("app", None, {})


@pytest.mark.parametrize(
    ("mg_id", "server_id"),
    [(2**63 - 1, "9223372036854775807"), ("7", "7"), ("x" * 65, ""), ("\ud800", ""), ([7], "")],
)
def test_a_round_is_on_the_server_that_its_game_is_called(mg_id: object, server_id: str) -> None:
    message = {"game_round_id": "r1", "mg_id": mg_id, "players": [{"uid": "Bob", "is_ai": 0}]}

    events = list_game_events("game_start", {"report_msg": message})

    assert [event.server_id for event in events] == [server_id] * 2
