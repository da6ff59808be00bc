"""What was settled, posted to the studio's own URL; the standardwebhooks package checks it."""

import base64
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.testing.clock import Clock
from app.testing.platforms import Platform, answer_in_turn, answer_status, hang_up, never_answer
from tests.world.books import make_work, settle
from tests.world.game_server import GameServer, make_level_up, make_start

KEY = base64.b64encode(b"a key of thirty-two bytes, no more").decode()
SECTION = """
[plugins.gamemonitoring]
tokens = ["t"]
[plugins.gold]
[plugins.webhook]
url = "{}/hooks/guerdon"
secret = "whsec_{}"
"""
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "100.00" }]
"""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OK = answer_status(204)


@pytest.fixture
def open_studio(open_game: Any, platform: Platform) -> Callable[..., GameServer]:
    """A Guerdon that posts to the platform; `settings` are lines of the section."""
    platform.behave = OK

    def open_one(settings: str = "", secret: str = KEY) -> GameServer:
        sections = SECTION.format(platform.url, secret) + settings
        game: GameServer = open_game(sections, REWARDS)
        return game

    return open_one


@pytest.fixture
def studio(open_studio: Callable[..., GameServer]) -> GameServer:
    return open_studio()


@pytest.fixture(autouse=True)
def begin_today(clock: Clock) -> None:
    """The package compares a request's time with its own."""
    clock.now = time.time_ns() // 1_000_000


def verify(request: Any, secret: str = KEY) -> Any:
    """The body of a request, if it is signed rightly and now."""
    return Webhook(secret).verify(request.body, dict(request.headers.items()))


def vote(studio: GameServer, *ids: str, **changes: Any) -> None:
    """Settle votes of Bob, and post what is to be posted."""
    (outcome,) = settle(studio.guerdon, make_work(*ids, **changes))
    assert outcome.state == "settled"
    if studio.read_reports():
        studio.send_due()


def test_it_works(studio: GameServer, platform: Platform, clock: Clock) -> None:
    facts = {"created_at": 1_700_000_000, "server": {"id": 1, "ratio": 1.5}, "名前": "勇者"}
    vote(studio, "v1", server_id="1", user_id="7", data=facts)

    (request,) = platform.requests
    assert (request.path, request.headers["Content-Type"]) == ("/hooks/guerdon", "application/json")
    assert request.headers["webhook-timestamp"] == str(clock.now // 1000)
    body = verify(request)
    assert body["type"] == "event.settled"
    settled = datetime.fromisoformat(body["timestamp"])
    assert round(settled.timestamp() * 1000) == clock.now
    (grant,) = body["data"].pop("grants")
    assert body["data"] == {
        "source": "gamemonitoring", "type": "server.vote", "id": "v1", "server_id": "1",
        "nickname": "Bob", "user_id": "7", "facts": facts,
    }  # fmt: skip
    assert (grant["reward"], grant["nickname"], grant["rule"]) == ("gold", "Bob", "every vote")
    assert (grant["params"], grant["player_id"]) == ({"amount": "100.00"}, "1")
    assert studio.show_report()["response"] == {"status": 204}


@on_sqlite
def test_a_changed_body_time_id_or_another_secret_is_noticed(
    studio: GameServer, platform: Platform
) -> None:
    """That the package would say so: what it accepts above is worth something."""
    vote(studio, "v1")
    (request,) = platform.requests
    headers = dict(request.headers.items())
    other = base64.b64encode(b"another key of thirty-two bytes..").decode()

    for key, body, changes in (
        (other, request.body, {}),
        (KEY, request.body + b" ", {}),
        (KEY, request.body, {"webhook-id": "guerdon_2"}),
        (KEY, request.body, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, headers | changes)


def test_every_send_has_the_same_id_and_bytes_and_is_signed_anew(
    studio: GameServer, platform: Platform, clock: Clock
) -> None:
    platform.behave = answer_in_turn(answer_status(500), answer_status(500), OK)
    vote(studio, "v1")
    for _ in range(2):
        clock.advance(20)
        studio.send_due()

    assert [verify(request)["data"]["id"] for request in platform.requests] == ["v1"] * 3
    for name, count in (("webhook-id", 1), ("webhook-timestamp", 3), ("webhook-signature", 3)):
        assert len({request.headers[name] for request in platform.requests}) == count, name
    assert len({request.body for request in platform.requests}) == 1

    vote(studio, "v2")
    assert platform.requests[3].headers["webhook-id"] != platform.requests[0].headers["webhook-id"]


@on_sqlite
def test_it_is_off_until_it_has_a_section(open_game: Any, platform: Platform) -> None:
    sections = SECTION.partition("[plugins.webhook]")[0]
    studio = open_game(sections, REWARDS)

    vote(studio, "v1")

    assert studio.read_reports() == []
    assert platform.requests == []


@on_sqlite
@pytest.mark.parametrize(
    ("setting", "posted"),
    [
        ("", ["server.vote", "level_up", "game_start", "game_start", "game_start"]),
        ('types = ["server.vote"]', ["server.vote"]),
        ('types = ["level_up", "server.vote"]', ["server.vote", "level_up"]),
        ('types = ["game_settle"]', []),
        ("types = []", []),
    ],
)
def test_which_types_are_posted_is_a_setting(
    setting: str, posted: list[str], open_studio: Any, platform: Platform
) -> None:
    studio = open_studio(setting)

    vote(studio, "v1")
    studio.post("level_up", make_level_up(), wait=1)
    answered = studio.post("game_start", make_start(), wait=5)

    assert {report["state"] for report in answered["reports"]} <= {"delivered"}
    types = [verify(request)["data"]["type"] for request in platform.requests]
    assert sorted(types) == sorted(posted)


@on_sqlite
@pytest.mark.parametrize(
    "secret", [f"whsec_{KEY}", KEY, KEY.rstrip("="), "whsec_" + KEY.rstrip("="), "AA=="]
)
def test_a_secret_may_have_its_prefix_and_padding_or_not(
    secret: str, open_game: Any, platform: Platform
) -> None:
    platform.behave = OK
    section = SECTION.replace('"whsec_{}"', '"{}"').format(platform.url, secret)
    vote(open_game(section, REWARDS), "v1")

    assert verify(platform.requests[0], secret)["data"]["id"] == "v1"


@on_sqlite
def test_tokens_among_the_facts_are_masked(studio: GameServer, platform: Platform) -> None:
    token = "fyRTOsubRLCGrRvKoKm7wIcMM1DL7cfb"
    data = make_level_up()["data"] | {"role": {"sessionToken": token, "tokens": 3}}

    studio.post("game_start", make_start() | {"ss_token": token}, wait=5)
    studio.post("level_up", make_level_up(data=data), wait=5)

    facts = [verify(request)["data"]["facts"] for request in platform.requests]
    whole = next(one for one in facts if "report_msg" in one)
    assert whole["ss_token"] == "***"
    assert whole["report_msg"]["room_id"] == "xxx123"
    assert facts[-1]["data"]["role"] == {"sessionToken": "***", "tokens": 3}
    assert not [request for request in platform.requests if token.encode() in request.body]


@on_sqlite
def test_each_player_of_a_round_is_an_event_of_its_own(
    studio: GameServer, platform: Platform
) -> None:
    studio.post("game_start", make_start(), wait=5)

    posted = [verify(request)["data"] for request in platform.requests]
    assert sorted(one["id"] for one in posted) == ["round-1", "round-1:u1", "round-1:u2"]
    assert all(one["grants"] == [] for one in posted)


AGAIN = {
    **{str(status): answer_status(status) for status in (301, 400, 401, 404, 410, 429, 500, 503)},
    "a hang-up": hang_up,
    "a timeout": never_answer,
}


@on_sqlite
@pytest.mark.parametrize("name", AGAIN)
def test_anything_but_2xx_is_tried_again(
    name: str, open_studio: Any, platform: Platform, clock: Clock
) -> None:
    studio = open_studio("timeout = 0.3")
    platform.behave = AGAIN[name]
    vote(studio, "v1")

    row = studio.read_reports()[0]
    assert (row.state, row.sends) == ("ready", 1)
    assert 4000 <= row.due_at - clock.now <= 6000
    platform.behave = answer_status(200, b"whatever")
    clock.now = row.due_at
    assert studio.send_due().state == "delivered"


@on_sqlite
def test_retry_after_is_honoured(studio: GameServer, platform: Platform, clock: Clock) -> None:
    date = formatdate(clock.now // 1000 + 3600, usegmt=True)
    platform.behave = answer_in_turn(
        answer_status(429, Retry_After="77"), answer_status(503, Retry_After=date), OK
    )
    vote(studio, "v1")

    first = studio.read_reports()[0].due_at
    assert first - clock.now == 77_000
    began, clock.now = clock.now, first
    due = (began // 1000 + 3600) * 1000
    assert abs(studio.send_due().due_at - due) <= 1


FAULTS = [
    ("", 'secret = "AA=="', "url: is missing"),
    ('url = "https://a.example"', "", "secret: is missing"),
    ('url = "a.example"', 'secret = "AA=="', "url: must be an address"),
    *(
        ('url = "https://a.example"', f'secret = "{secret}"', "secret: must be whsec_")
        for secret in ("whsec_", "whsec_not base64", "whsec_A", "ключ", "AA=A", "whsec_AA-_")
    ),
    ('url = "https://a.example"', 'secret = ""', "secret: is empty"),
    ('url = "https://a.example"', 'secret = "AA=="\ntypes = "level_up"', "types: must be a list"),
    ('url = "https://a.example"', 'secret = "AA=="\ntimeout = 99', "timeout"),
    ('url = "https://a.example"', 'secret = "AA=="\nkey = 1', "key: is not a setting we know"),
]


@on_sqlite
@pytest.mark.parametrize(("url", "more", "fault"), FAULTS)
def test_a_wrong_setting_stops_the_start_and_is_named(
    url: str, more: str, fault: str, write_config: Any
) -> None:
    section = f"[plugins.webhook]\n{url}\n{more}"

    with pytest.raises(ConfigError) as error:
        open_guerdon(write_config("", plugins="", more=section))

    assert len(error.value.faults) == 1
    assert f"[plugins.webhook] {fault}" in error.value.faults[0]
