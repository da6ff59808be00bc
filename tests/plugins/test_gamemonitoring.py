"""GAMEMONITORING, as its sheet says: the signature, the order of the decisions, the vote."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from app import BadDelivery, Secret, create_app
from app.database.models import Attempt, Event, Grant, Waiting
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event as VoteEvent
from app.testing.deliveries import TOKEN, make_delivery, sign
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import VoteApi, answer
from app.web.bodies import WholeRequest
from plugins import gamemonitoring

Deliver = Callable[..., Any]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
many_examples = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

VOTE = "9824cabb-2203-437e-9b6c-aba43dde3e4b"
KIB_64 = 64 * 1024
RULE = '[[rules]]\non = "server.vote"\nserver = {}\ngive = [{{ reward = "gold", amount = 1 }}]\n'


def write_raw(signed: str, **texts: str) -> bytes:
    """A delivery of JSON texts, with the signature of a string written by hand."""
    signature = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha256).hexdigest()
    pairs = {**texts, "signature": f'"{signature}"'}
    return ("{" + ",".join(f'"{key}":{text}' for key, text in pairs.items()) + "}").encode()


def count_rows(guerdon: Guerdon) -> int:
    """Rows in every table a delivery may write."""
    with guerdon.database.connection_context():
        return sum(model.select().count() for model in (Event, Grant, Waiting, Attempt))


def test_it_works(deliver: Deliver, ask: Any) -> None:
    assert deliver(VOTE).status_code == 204

    event = ask(f"/v1/events/server.vote/{VOTE}")
    assert (event["nickname"], event["server_id"], event["user_id"]) == ("Bob", "1", "7")
    assert event["occurred_at"] == "2023-11-14T22:13:20.000Z"
    assert event["data"]["nickname"] == "Bob"


@on_sqlite
def test_the_documents_own_sample_is_paid(deliver: Deliver, vote_api: VoteApi) -> None:
    sample = {
        "event_id": VOTE,
        "event_type": "server.vote",
        "is_test": False,
        "signature": "ae83b8aba88a3a9ab3b97b1f6d65664da5628a9cb64d56d5132807bca5472e4f",
    }

    assert deliver(json.dumps(sample, indent=2).encode()).status_code == 204
    assert vote_api.asked == [VOTE]


# The table of decisions: each row also breaks every later row that it can.
WRONG = {"event_id": "../x", "event_type": "other", "is_test": True, "signature": "0" * 64}
REFUSALS = {
    "too long": (b" " * KIB_64 + b"{", 413, "longer than 65536"),
    "much too long": (b"{" * 2_000_000, 413, "too long"),
    "not JSON": (b"{", 400, "not JSON"),
    "empty": (b"", 400, "not JSON"),
    "not UTF-8": (b'{"event_id":"\xff"}', 400, "not JSON"),
    "UTF-16": ('{"a":"b"}'.encode("utf-16"), 400, "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "not JSON"),
    "two objects": (b"{}{}", 400, "not JSON"),
    "a list": (b"[]", 400, "not a JSON object"),
    "null": (b"null", 400, "not a JSON object"),
    "a refused value": (json.dumps(WRONG | {"is_test": 1.5}).encode(), 400, "is_test"),
    "no signature": (json.dumps({**WRONG, "signature": None}).encode(), 401, "signature"),
    "an empty object": (b"{}", 401, "signature"),
    "a wrong signature": (json.dumps(WRONG).encode(), 401, "signature"),
    "a foreign token": (make_delivery("v1", token="another"), 401, "signature"),
    "a bad event_id": (make_delivery("../v1"), 400, "event_id"),
}


@on_sqlite
@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused_is_not_fetched_and_nothing_of_it_is_stored(
    name: str, deliver: Deliver, guerdon: Guerdon, vote_api: VoteApi
) -> None:
    body, status, reason = REFUSALS[name]

    response = deliver(body)

    assert response.status_code == status
    assert reason in response.text
    assert response.text.count("\n") == 1
    assert vote_api.asked == []
    assert count_rows(guerdon) == 0


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"is_test": True},
        {"is_test": True, "event_type": "other", "event_id": "../x"},
        {"event_type": "other", "event_id": "../x"},
        {"event_type": "SERVER.VOTE"},
        {"event_type": None},
    ],
)
def test_tests_and_foreign_types_are_taken_and_left_alone(
    changes: dict[str, Any], deliver: Deliver, guerdon: Guerdon, vote_api: VoteApi
) -> None:
    response = deliver("v1", **changes)

    assert (response.status_code, response.data) == (204, b"")
    assert vote_api.asked == []
    assert count_rows(guerdon) == 0


def test_a_settled_vote_needs_no_vote_api(
    deliver: Deliver, vote_api: VoteApi, read_gold: Callable[..., str]
) -> None:
    deliver("v1")
    vote_api.behave = lambda handler: answer(handler, 500, {})

    assert deliver("v1").status_code == 204
    assert deliver("v2").status_code == 503
    assert vote_api.asked == ["v1", "v2"]
    assert read_gold() == "100.00"


@on_sqlite
def test_an_event_id_of_safe_letters_is_asked_for_as_php_would_write_it(
    deliver: Deliver, vote_api: VoteApi
) -> None:
    for id in ("a", "A-z_9", "x" * 128, 7, -7, True):
        assert deliver(id).status_code == 204

    assert vote_api.asked == ["a", "A-z_9", "x" * 128, "7", "-7", "1"]


@on_sqlite
def test_no_other_event_id_gets_near_a_url(deliver: Deliver, vote_api: VoteApi) -> None:
    letters = [f"a{letter}b" for letter in "/.\\ \n\0%?#&é"]
    for id in ("", None, False, "x" * 129, "..", "a\n", *letters):
        assert deliver(id).status_code == 400, id

    assert vote_api.asked == []


def test_ids_that_differ_in_case_are_different_votes(
    deliver: Deliver, read_gold: Callable[..., str]
) -> None:
    for id in ("AbC", "abc", "ABC", "AbC"):
        assert deliver(id).status_code == 204

    assert read_gold() == "300.00"


def test_keys_that_a_collation_calls_equal_are_different_events(
    guerdon: Guerdon, read_gold: Callable[..., str]
) -> None:
    ids = [
        "abc",
        "Abc",
        "àbc",
        "a\u0300bc",
        "abc ",
        "abc  ",
        " abc",
        "abc\0",
        "\uff41bc",
        "ßbc",
        "ssbc",
    ]
    works = [Work([VoteEvent("gamemonitoring", "server.vote", id, nickname="Bob")]) for id in ids]

    first, second = guerdon.settler.settle(works), guerdon.settler.settle(works)

    assert [outcome.state for outcome in first] == ["settled"] * len(ids)
    assert [outcome.state for outcome in second] == ["known"] * len(ids)
    assert read_gold() == f"{len(ids) * 100}.00"


# The signature. Strings are written out by hand here: tests/world/sending.py is not asked.


WRITTEN = (
    [
        ("true", "1"), ("false", ""), ("null", ""), ("0", "0"), ("-1", "-1"), ('""', ""),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ('"a&b=c %41"', "a&b=c %41"), ('"1.50"', "1.50"), ('"é"', "é"), ('"\\u00e9"', "é"),
        ('"\\ud83d\\ude00"', "😀"), ('"a\\/b\\n"', "a/b\n"), ('"\\u0000"', "\0"),
    ]
)  # fmt: skip


@on_sqlite
def test_a_value_is_signed_as_php_writes_it(deliver: Deliver) -> None:
    fields = {"is_test": "true", "event_id": '"v1"', "event_type": '"server.vote"'}
    for text, written in WRITTEN:
        signed = f"event_id=v1&event_type=server.vote&extra={written}&is_test=true"

        assert deliver(write_raw(signed, **fields, extra=text)).status_code == 204, text
        assert deliver(write_raw(signed + "x", **fields, extra=text)).status_code == 401, text


NEVER_SIGNED = [
    "1.5", "1.0", "1e3", "1E400", "-0", "-0.0", "9223372036854775808", "-9223372036854775809",
    "1" * 5000, "[]", "{}", "[1]", '{"a":1}', "NaN", "Infinity", "-Infinity",
    "[" * 30_000 + "]" * 30_000, '{"a":' * 9000 + "1" + "}" * 9000,
]  # fmt: skip
LONE_SURROGATES = ['"\\ud800"', '"\\udc00\\ud800"']


@on_sqlite
@pytest.mark.parametrize("key", ["extra", "event_id", "is_test", "signature"])
def test_a_value_nobody_ever_signed_is_refused_rather_than_guessed(
    key: str, deliver: Deliver, guerdon: Guerdon
) -> None:
    for text in NEVER_SIGNED + ([] if key == "is_test" else LONE_SURROGATES):
        fields = {"event_id": '"v1"', "signature": f'"{"0" * 64}"', key: text}
        body = ",".join(f'"{name}":{value}' for name, value in fields.items())

        assert deliver(f"{{{body}}}".encode()).status_code == 400, text[:40]

    assert deliver(b'{"\\ud800":1,"signature":"0"}').status_code == 400
    assert count_rows(guerdon) == 0


@on_sqlite
@pytest.mark.parametrize("text", ["false", "null", "0", "1", '"true"', '"1"', '""'])
def test_only_the_json_true_is_a_test(text: str, deliver: Deliver, vote_api: VoteApi) -> None:
    signed = "event_id=v1&event_type=server.vote&is_test=false"
    body = write_raw(signed, event_id='"v1"', event_type='"server.vote"', is_test=text)

    assert deliver(body).status_code == 204
    assert vote_api.asked == ["v1"]


@on_sqlite
def test_is_test_is_signed_only_where_it_is_present(deliver: Deliver, vote_api: VoteApi) -> None:
    fields = {"event_id": '"v1"', "event_type": '"server.vote"'}

    signed = "event_id=v1&event_type=server.vote"
    assert deliver(write_raw(f"{signed}&is_test=false", **fields)).status_code == 401
    assert deliver(write_raw(signed, **fields)).status_code == 204
    assert vote_api.asked == ["v1"]


@on_sqlite
def test_of_two_equal_keys_the_last_wins(deliver: Deliver, vote_api: VoteApi) -> None:
    body = make_delivery("second")

    assert deliver(b'{"event_id":"first","signature":"0",' + body[1:]).status_code == 204
    assert deliver(body[:-1] + b',"event_id":"first"}').status_code == 401
    assert deliver(body[:-1] + b',"signature":"0"}').status_code == 401
    assert vote_api.asked == ["second"]


@on_sqlite
def test_keys_are_sorted_by_their_bytes_and_new_ones_are_signed(deliver: Deliver) -> None:
    keys = ["", "10", "9", "Z", "a", "é", "\uff5e", "😀"]
    signed = "=0&10=1&9=2&Z=3&a=4&event_id=v1&event_type=server.vote&is_test=true&é=5&\uff5e=6&😀=7"
    fields = {key: str(number) for number, key in enumerate(keys)}
    fields |= {"is_test": "true", "event_type": '"server.vote"', "event_id": '"v1"'}

    assert deliver(write_raw(signed, **fields)).status_code == 204
    assert deliver(write_raw(signed, **fields | {"more": "1"})).status_code == 401
    assert deliver(write_raw(signed, **fields | {"a": "5"})).status_code == 401


# One string, two readings: each of these is signed rightly, and could be read as another event.
AMBIGUOUS = {
    "a test that is none": ("event_id=v1&event_type=server.vote&is_test=true&timestamp=5",
        {"event_id": '"v1"', "event_type": '"server.vote"', "is_test=true&timestamp": "5"}),
    "a test in a value": ("event_id=v1&event_type=server.vote&is_test=true",
        {"event_id": '"v1"', "event_type": '"server.vote&is_test=true"'}),
    "an id in a key before": ("comment=x&event_id=v9&event_id=v1&event_type=server.vote",
        {"comment": '"x&event_id=v9"', "event_id": '"v1"', "event_type": '"server.vote"'}),
    "an id in a value alone": ("comment=x&event_id=v9&event_type=server.vote",
        {"comment": '"x&event_id=v9"', "event_type": '"server.vote"'}),
    "an id that begins a key": ("event_id=v1=x&event_type=server.vote",
        {"event_id=v1": '"x"', "event_type": '"server.vote"'}),
    "a type in a key behind": ("event_id=v1&event_type=server.vote&x&event_type=other=1",
        {"event_id": '"v1"', "event_type": '"server.vote"', "x&event_type=other": "1"}),
    "the same again": ("event_id=v1&event_type=server.vote&zone=&event_id=v1",
        {"event_id": '"v1"', "event_type": '"server.vote"', "zone": '"&event_id=v1"'}),
    "a long id": ("event_id=v1&x=1&event_type=server.vote",
        {"event_id": '"v1&x=1"', "event_type": '"server.vote"'}),
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_is_signed_must_be_what_was_read(
    name: str, deliver: Deliver, guerdon: Guerdon
) -> None:
    signed, texts = AMBIGUOUS[name]

    refused = deliver(write_raw(signed, **texts))

    assert (refused.status_code, "can be read as another" in refused.text) == (400, True)
    assert count_rows(guerdon) == 0


@on_sqlite
def test_other_values_may_hold_whatever_separates_them(deliver: Deliver) -> None:
    signed = (
        "a=1&b=2&event_id=v1&event_type=server.vote&my_event_id=v2&x=event_id=v3&y&is_tests=true"
    )
    texts = {"a": '"1&b=2"', "my_event_id": '"v2"', "x": '"event_id=v3&y&is_tests=true"'}
    texts |= {"event_id": '"v1"', "event_type": '"server.vote"'}

    assert deliver(write_raw(signed, **texts)).status_code == 204


def cut_fields(signed: str) -> Iterator[dict[str, Any]]:
    """Every object that could have been written as this string."""
    pieces = signed.split("&")
    for ends in product([False, True], repeat=len(pieces) - 1):
        fields = [pieces[0]]
        for piece, is_end in zip(pieces[1:], ends, strict=True):
            fields += [piece] if is_end else []
            fields[-1] += "" if is_end else f"&{piece}"
        places = [[n for n, letter in enumerate(field) if letter == "="] for field in fields]
        for chosen in product(*places):
            pairs = [(f[:n], f[n + 1 :]) for f, n in zip(fields, chosen, strict=True)]
            if [key for key, _ in pairs] == sorted({key for key, _ in pairs}):
                yield {key: value == "true" if key == "is_test" else value for key, value in pairs}


def read_signed(fields: dict[str, Any], signature: str) -> Any:
    """How the plugin reads these fields with this signature; None where it refuses them."""
    body = json.dumps(fields | {"signature": signature})
    request = WholeRequest(EnvironBuilder(method="POST", data=body).get_environ())
    section = {"tokens": [Secret(TOKEN, "token")]}
    try:
        delivery = gamemonitoring.read_delivery(
            "gamemonitoring", request, {"gamemonitoring": section}
        )
    except BadDelivery:
        return None
    assert delivery
    return delivery.type, delivery.id, delivery.is_test, delivery.ignored


PIECES = ["event_id=a", "event_id=b", "event_type=server.vote", "event_type=c", "is_test=true",
          "is_test=false", "extra=1", "z", "comment=", "timestamp=5", "event_id", "signed=="]  # fmt: skip


@given(pieces=st.lists(st.sampled_from(PIECES), min_size=2, max_size=6))
@settings(max_examples=300, deadline=None)
def test_no_string_is_taken_in_two_ways(pieces: list[str]) -> None:
    signed = "&".join(pieces)
    signature = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha256).hexdigest()

    readings = {read_signed(fields, signature) for fields in cut_fields(signed)} - {None}

    assert len(readings) <= 1, readings


SPOILT: list[Callable[[str], Any]] = (
    [
        str.upper, lambda right: f" {right}", lambda right: f"{right}\n", lambda right: right[:-1],
        lambda right: right[:32], lambda right: "", lambda right: 0, lambda right: True,
        lambda right: None, lambda right: "é" * 64, lambda right: f"sha256={right}",
    ]
)  # fmt: skip


@on_sqlite
def test_only_the_lowercase_hex_digits_are_a_signature(deliver: Deliver, guerdon: Guerdon) -> None:
    fields = json.loads(make_delivery("v1"))
    for spoil in SPOILT:
        spoilt = fields | {"signature": spoil(fields["signature"])}

        assert deliver(json.dumps(spoilt).encode()).status_code == 401, spoilt
    assert count_rows(guerdon) == 0


@on_sqlite
@given(
    fields=st.dictionaries(
        st.text(max_size=8),
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
        max_size=6,
    )
)
@many_examples
def test_whatever_fields_the_platform_invents_its_signature_holds(
    fields: dict[str, Any], client: Any
) -> None:
    fields = {k: v for k, v in fields.items() if k != "signature"} | {"is_test": True}
    body = json.dumps(fields | {"signature": sign(fields)})
    spoiled = json.dumps(fields | {"new": 1, "signature": sign(fields)})

    assert client.post("/webhooks/gamemonitoring", data=body).status_code == 204
    if "new" not in fields:
        assert client.post("/webhooks/gamemonitoring", data=spoiled).status_code == 401


def test_several_tokens_are_valid_and_the_ledger_names_the_one_that_signed(
    open_service: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, app_of: Any
) -> None:
    monkeypatch.setenv("TOKEN_OF_SPRING", "token-one")
    (tmp_path / "autumn.txt").write_text("token-two\n")
    tokens = (
        'tokens = ["{token}", {{ env = "TOKEN_OF_SPRING" }},'
        f' {{{{ file = "{tmp_path}/autumn.txt", name = "autumn" }}}}]'
    )
    plugins = ALL_PLUGINS.replace('tokens = ["{token}"]', tokens)
    guerdon = open_service(plugins=plugins)
    client = app_of(guerdon)

    def post(id: str, token: str) -> int:
        body = make_delivery(id, token=token)
        return int(client.post("/webhooks/gamemonitoring", data=body).status_code)

    assert [post("v1", "token-one"), post("v2", "token-two"), post("v3", TOKEN)] == [204] * 3
    assert post("v4", "token-three") == 401
    with guerdon.database.connection_context():
        named = {row.event_id: row.token for row in Event.select()}
    assert (named["v1"], named["v2"]) == ("TOKEN_OF_SPRING", "autumn")
    assert named["v3"] not in (TOKEN, "TOKEN_OF_SPRING", "autumn")


@pytest.fixture
def app_of() -> Callable[[Guerdon], Any]:
    """A test client of a Guerdon."""
    return lambda guerdon: create_app(guerdon).test_client()


# The vote.


def vote(**changes: Any) -> dict[str, Any]:
    return {"nickname": "Bob", "server": {"id": 1}} | changes


SAME_SERVER: list[dict[str, Any]] = [
    {"server": {"id": 1}},
    {"server": {"id": "1"}},
    {"server": None, "entity_type": "server", "entity_id": 1},
    {"server": {"id": 1}, "entity_type": "server", "entity_id": "1"},
    {"server": {"id": 1}, "entity_type": "project", "entity_id": 2},
]


@on_sqlite
@pytest.mark.parametrize("rule_server", ["1", '"1"', '["9", 1]'])
def test_a_server_is_the_same_as_number_and_as_text_and_in_both_forms(
    rule_server: str, open_service: Any, vote_api: VoteApi, app_of: Any
) -> None:
    guerdon = open_service(rewards=RULE.format(rule_server))
    client = app_of(guerdon)
    for number, server in enumerate(SAME_SERVER):
        vote_api.votes[f"v{number}"] = vote(**server)
        body = make_delivery(f"v{number}")
        assert client.post("/webhooks/gamemonitoring", data=body).status_code == 204

    with guerdon.database.connection_context():
        assert [row.server_id for row in Grant.select()] == ["1"] * len(SAME_SERVER)


@on_sqlite
@pytest.mark.parametrize("server_id", [2, "01", "1 ", "\uff11"])
def test_another_servers_vote_is_settled_and_earns_nothing(
    server_id: Any, open_service: Any, vote_api: VoteApi, app_of: Any
) -> None:
    guerdon = open_service(rewards=RULE.format("1"))
    vote_api.votes["v1"] = vote(server={"id": server_id})

    response = app_of(guerdon).post("/webhooks/gamemonitoring", data=make_delivery("v1"))

    assert response.status_code == 204
    with guerdon.database.connection_context():
        assert (Event.select().count(), Grant.select().count()) == (1, 0)


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "v1"}, {}),
        ({"nickname": "  Bob\n"}, {"nickname": "Bob"}),
        ({"user": {"id": "u-9"}}, {"user_id": "u-9"}),
        ({"user": {"id": 2**70}}, {"user_id": str(2**70)}),
        ({"user": None}, {"user_id": ""}),
        ({"created_at": 1_700_000_000}, {"occurred_at": "2023-11-14T22:13:20.000Z"}),
        ({"created_at": None}, {"occurred_at": None}),
        ({"new": {"of": ["the", "platform", 1.5, "\ud800"]}}, {"nickname": "Bob"}),
    ],
)
def test_a_usable_vote_is_kept_as_it_came(
    changes: dict[str, Any], expected: dict[str, Any], deliver: Deliver, vote_api: VoteApi, ask: Any
) -> None:
    vote_api.votes["v1"] = vote(**changes)

    assert deliver("v1").status_code == 204

    event = ask("/v1/events/server.vote/v1")
    assert {key: event[key] for key in expected} == expected
    assert event["data"] == vote(**changes)


@pytest.mark.parametrize("number", [123123, 0, -5, 2**70])
def test_a_nickname_of_digits_may_come_as_a_number(
    number: int,
    guerdon: Any,
    deliver: Deliver,
    vote_api: VoteApi,
    read_gold: Callable[..., str],
    ask: Any,
) -> None:
    """PHP's numeric check writes it so."""
    for name in (str(number), f"{number}.0"):
        add_player(guerdon, name)
    vote_api.votes["v1"] = vote(nickname=number)

    assert deliver("v1").status_code == 204

    assert ask("/v1/events/server.vote/v1")["nickname"] == str(number)
    assert (read_gold(str(number)), read_gold(f"{number}.0")) == ("100.00", "0.00")


UNUSABLE: list[Any] = (
    [
        None, [], "vote", 5, True, {},
        vote(nickname=""), vote(nickname=" \t\n\u3000"), vote(nickname=None), vote(nickname=5.0),
        vote(nickname=True), vote(nickname=False), vote(nickname={"name": "Bob"}), vote(nickname=10**300),
        vote(nickname=["Bob"]), vote(nickname="x" * 256), vote(nickname="\ud800"),
        vote(id="v2"), vote(id=1), vote(id=None), vote(id=True), vote(id="V1"),
        vote(server="1"), vote(server=1), vote(server=[1]), vote(server={"id": 1.5}),
        vote(server={"id": True}), vote(server={"id": [1]}), vote(server={"id": "x" * 256}),
        vote(entity_type="server", entity_id=2), vote(entity_type="server", entity_id=[1]),
        vote(user="7"), vote(user={"id": {}}), vote(user={"id": 1.5}),
    ]
)  # fmt: skip


@on_sqlite
def test_a_vote_that_is_not_usable_waits_unpaid(
    deliver: Deliver, vote_api: VoteApi, read_gold: Callable[..., str], ask: Any
) -> None:
    for number, unusable in enumerate(UNUSABLE):
        id = f"v-{number}"
        vote_api.votes[id] = unusable

        response = deliver(id)

        assert (response.status_code, response.headers["Retry-After"]) == (503, "5"), unusable
        event = ask(f"/v1/events/server.vote/{id}")
        assert (event["state"], event["grants"]) == ("waiting", [])
        assert event["last_error"] in response.text
    assert read_gold() == "0.00"
