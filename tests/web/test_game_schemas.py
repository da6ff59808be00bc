"""The bodies of POST /v1/events/<type>: what is taken, what is filled in, what is refused and where."""

import json
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields

from app.porch.rounds import GAME_EVENTS, LARGEST_ROUND
from app.web.game_schemas import (
    GameSettle,
    GameStart,
    Human,
    LevelUp,
    Result,
    SettleMessage,
    StartMessage,
)
from tests.world.games import (
    MAKERS,
    MISSING,
    SAMPLES,
    Place,
    change,
    list_fields,
    list_leaves,
    list_wrong,
    make_human,
    make_level_up,
    make_result,
    make_settle,
    make_start,
    name_place,
)

SCHEMAS: dict[str, type[Schema]] = {
    "level_up": LevelUp,
    "game_start": GameStart,
    "game_settle": GameSettle,
}
TYPES = list(SCHEMAS)
TABLES = (fields.List, fields.Dict, fields.Nested)


def load(type: str, body: Any) -> Any:
    return SCHEMAS[type]().load(body)


def refuse(type: str, body: Any) -> list[tuple[str, ...]]:
    """The places that are named when this body is refused."""
    with pytest.raises(ValidationError) as caught:
        load(type, body)
    return list_leaves(caught.value.messages)


@pytest.mark.parametrize("type", TYPES)
def test_it_works(type: str) -> None:
    body = MAKERS[type]()

    assert load(type, body) == body


def list_scalars(schema: Schema) -> set[str]:
    """The fields whose values rules can compare."""
    return {name for name, one in schema.fields.items() if not isinstance(one, TABLES)}


def test_rules_may_ask_every_fact_that_is_documented() -> None:
    """Of a round, what is said of the round and of the player."""
    human, result = list_scalars(Human()), list_scalars(Result())
    known = {
        "level_up": list_scalars(LevelUp()),
        "game_start": list_scalars(StartMessage()) | human,
        "game_settle": list_scalars(SettleMessage()) | result,
    }

    assert {type: set(one.facts or ()) for type, one in GAME_EVENTS.items()} == known


def test_the_samples_of_the_documents_are_taken() -> None:
    level_up = load("level_up", json.loads(SAMPLES["level_up"]))
    assert (level_up["server_id"], "game_server_id" in level_up) == ("s73", False)
    assert level_up["custom"]["physical_server"] == "$SERVER_HOST|$SERVER_IP"
    for type in ("game_start", "game_settle"):
        assert load(type, json.loads(SAMPLES[type])) == json.loads(SAMPLES[type])


@pytest.mark.parametrize("type", TYPES)
def test_each_field_that_is_wrong_or_missing_is_named_with_its_place(type: str) -> None:
    for place, value in list_wrong(type):
        changed = change(MAKERS[type](), place, value)

        assert refuse(type, changed) == [name_place(place)], (place, value)


@pytest.mark.parametrize("type", TYPES)
def test_what_may_be_left_out_may_be_left_out(type: str) -> None:
    optional = [place for place, (_, is_required) in list_fields(type).items() if not is_required]

    assert optional
    for place in optional:
        load(type, change(MAKERS[type](), place, MISSING))


@pytest.mark.parametrize("type", TYPES)
def test_all_that_is_wrong_is_named_at_once(type: str) -> None:
    tops = {place for place, (_, is_required) in list_fields(type).items() if is_required}

    assert set(refuse(type, {})) == {name_place(place) for place in tops if len(place) == 1}


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("body", [None, [], [{}], "x", 1, True])
def test_what_is_no_object_is_refused_as_a_whole(type: str, body: Any) -> None:
    assert refuse(type, body) == [()]


@pytest.mark.parametrize("type", TYPES)
def test_what_the_platforms_add_is_kept_wherever_it_is(type: str) -> None:
    news = {"new": [1, {"a": None}], "ключ": "\ud800", "": 0}
    places: dict[str, list[Place]] = {
        "level_up": [(), ("data",), ("data", "custom"), ("custom",)],
        "game_start": [(), ("report_msg",), ("report_msg", "players", 1)],
        "game_settle": [(), ("report_msg",), ("report_msg", "results", 1)],
    }
    for place in places[type]:
        body = MAKERS[type]()
        holder: Any = body
        for part in place:
            holder = holder[part]
        holder.update(news)

        assert load(type, body) == body


@pytest.mark.parametrize(
    ("place", "values"),
    [
        (("mg_id",), [0, 2**63 - 1, -(2**63)]),
        (("game_mode",), [0, 2**31 - 1, -(2**31)]),
        (("battle_end_at",), [0, 2**31 - 1]),
        (("room_id",), ["", "x" * 255, "😀" * 255, "\0"]),
        (("game_round_id",), ["x", "x" * 255, " ", ":/%?#", "玩家"]),
        (("report_game_info_extras",), ["", "x" * 65536]),
        (("results",), [[]]),
        (("results", 1, "rank"), [1, 2**31 - 1]),
        (("results", 1, "score"), [2**31 - 1, -(2**31)]),
        (("results", 1, "is_win"), [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_the_ends_of_what_is_allowed_are_allowed(place: Place, values: list[Any]) -> None:
    for value in values:
        body = make_settle()
        del body["report_msg"]["mg_id_str"]
        body = change(body, ("report_msg", *place), value)

        message = load("game_settle", body)["report_msg"]

        assert message["mg_id_str"] == str(message["mg_id"])
        assert change(message, place, value) == message


# level_up.


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ({"server_id": "s73"}, None),
        ({"game_server_id": "s73"}, None),
        ({"server_id": "s73", "game_server_id": "s73"}, None),
        ({}, "server_id"),
        ({"server_id": "s73", "game_server_id": "s74"}, "game_server_id"),
        ({"server_id": "s73", "game_server_id": None}, "game_server_id"),
        ({"game_server_id": 73}, "server_id"),
        ({"game_server_id": ""}, "server_id"),
    ],
)
def test_the_server_has_two_names_and_one_value(names: dict[str, Any], place: str | None) -> None:
    body = make_level_up()
    del body["server_id"]

    if place is None:
        assert load("level_up", body | names) == make_level_up()
    else:
        assert refuse("level_up", body | names) == [(place,)]


def test_the_physical_server_is_needed_in_one_of_two_places() -> None:
    body = make_level_up(custom={})
    load("level_up", body)
    del body["data"]["custom"]["physical_server"]

    assert refuse("level_up", body) == [("data", "custom", "physical_server")]
    load("level_up", body | {"custom": {"physical_server": "host"}})
    del body["custom"]
    assert refuse("level_up", body) == [("data", "custom", "physical_server")]


# Rounds.


def test_a_robot_has_no_uid_whatever_was_said() -> None:
    players = [
        make_human("u1"),
        make_human("robot", is_ai=1),
        make_human("", is_ai=1),
        {"is_ai": 1},
    ]

    message = load("game_start", make_start(players=players))["report_msg"]

    assert [player["uid"] for player in message["players"]] == ["u1", "", "", ""]


@pytest.mark.parametrize("type", ["game_start", "game_settle"])
def test_a_human_has_a_uid_and_is_there_once(type: str) -> None:
    name, make = ("players", make_human) if type == "game_start" else ("results", make_result)

    def try_humans(*humans: Any) -> list[tuple[str, ...]]:
        return refuse(type, MAKERS[type](**{name: list(humans)}))

    place = ("report_msg", name)
    assert try_humans(make("u1"), make("", is_ai=0)) == [(*place, "1", "uid")]
    assert try_humans(make("u1"), make("u2"), make("u1")) == [(*place, "2", "uid")]
    assert try_humans(*[make("u", is_ai="x")] * 2) == [(*place, n, "is_ai") for n in "01"]
    robots = [make("u1"), make("u1", is_ai=1), make("u1", is_ai=1)]
    load(type, MAKERS[type](**{name: robots}))  # their uids are no players'


@pytest.mark.parametrize("type", ["game_start", "game_settle"])
def test_a_round_may_be_large_but_not_endless(type: str) -> None:
    name, make = ("players", make_human) if type == "game_start" else ("results", make_result)
    humans = [make(f"u{number}") for number in range(LARGEST_ROUND + 1)]

    load(type, MAKERS[type](**{name: humans[:-1]}))
    assert refuse(type, MAKERS[type](**{name: humans})) == [("report_msg", name)]


@pytest.mark.parametrize("type", ["game_start", "game_settle"])
def test_the_fields_of_a_round_may_stand_beside_the_leaders(type: str) -> None:
    body = MAKERS[type]()
    flat = {"uid": body["uid"], "ss_token": body["ss_token"], **body["report_msg"], "new": 1}

    loaded = load(type, flat)

    assert loaded == body | {"report_msg": body["report_msg"] | {"new": 1}}
    for field in ("mg_id", "game_round_id"):
        without = {name: value for name, value in flat.items() if name != field}
        assert refuse(type, without) == [("report_msg", field)]


def test_the_type_in_the_body_is_that_of_the_path() -> None:
    for type, other in (("game_start", "game_settle"), ("game_settle", "game_start")):
        load(type, MAKERS[type]() | {"report_type": type})
        for wrong in (other, None, 1, [type]):
            assert refuse(type, MAKERS[type]() | {"report_type": wrong}) == [("report_type",)]
