"""top.gg's webhooks, signed as its documents have it: each vote once, and nothing of a stranger's."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from app import create_app
from app.database.models import Event, Waiting
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.players import add_player

SECRET, V0 = "whs_testsecret1234", "a-v0-secret"
REWARDS = """
[[rules]]
name = "a vote"
on = "server.vote"
source = "topgg"
give = [{ reward = "gold", amount = "5.00" }]

[[rules]]
name = "a weekend"
on = "server.vote"
where = { weight = 2 }
give = [{ reward = "gold", amount = "1.00" }]
"""
SECTION = f"""
[plugins.topgg]
secrets = ["{SECRET}", "whs_before"]
authorization = ["{V0}"]
"""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VOTE: dict[str, Any] = {
    "type": "vote.create",
    "data": {
        "id": "808499215864008704", "weight": 1, "created_at": "2026-02-09T00:47:14.2510149+00:00",
        "expires_at": "2026-02-09T12:47:14.2510149+00:00",
        "project": {"id": "1", "type": "server", "platform": "discord", "platform_id": "77"},
        "user": {"id": "2", "platform_id": "Ann", "name": "ann", "avatar_url": "https://cdn.example/a"},
    },
}  # fmt: skip


class Site:
    """top.gg, as it posts."""

    def __init__(self, guerdon: Guerdon) -> None:
        self._client = create_app(guerdon).test_client()

    def send(self, body: Any, secret: str = SECRET, at: int = 1_770_598_034) -> int:
        raw = json.dumps(body, separators=(",", ":")).encode()
        mac = hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
        return self.post(raw, {"x-topgg-signature": f"t={at},v1={mac}", "x-topgg-trace": "x"})

    def send_v0(self, body: Any, secret: str = V0) -> int:
        return self.post(json.dumps(body).encode(), {"Authorization": secret})

    def post(self, raw: bytes, headers: dict[str, str]) -> int:
        response = self._client.post(
            "/webhooks/topgg", data=raw, headers=headers, content_type="application/json"
        )
        return int(response.status_code)


@pytest.fixture
def guerdon(open_service: Any) -> Guerdon:
    guerdon: Guerdon = open_service(REWARDS, SECTION)
    add_player(guerdon, "Ann")
    return guerdon


@pytest.fixture
def site(guerdon: Guerdon) -> Site:
    return Site(guerdon)


def change(**changes: Any) -> dict[str, Any]:
    return {**VOTE, "data": {**VOTE["data"], **changes}}


def test_it_works(guerdon: Guerdon, site: Site) -> None:
    for _ in range(3):
        assert site.send(VOTE) == 204
    assert site.send(change(id="2", weight=2), "whs_before") == 204

    assert read_books(guerdon).gold["Ann"] == "11.00"
    with guerdon.database.connection_context():
        first, _ = Event.select().order_by(Event.id)
    assert (first.event_id, first.user_id, first.occurred_at) == (
        "808499215864008704", "Ann", 1_770_598_034_251,
    )  # fmt: skip
    assert json.loads(first.data) == {
        "name": "ann", "weight": 1, "project": "77", "query": "", "site": "top.gg",
    }  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("at", [0, 1, 2_000_000_000])
def test_an_old_clock_loses_no_vote(guerdon: Guerdon, site: Site, at: int) -> None:
    assert site.send(VOTE, at=at) == 204
    assert read_books(guerdon).gold["Ann"] == "5.00"


@on_sqlite
def test_what_is_not_signed_so_is_refused(guerdon: Guerdon, site: Site) -> None:
    raw = json.dumps(VOTE).encode()
    mac = hmac.new(SECRET.encode(), b"1." + raw, hashlib.sha256).hexdigest()
    headers = [f"t=1,v1={mac[:-1]}", f"t=2,v1={mac}", f"t=1,v1={mac.upper()}", f"v1={mac}", f"t=1;v1={mac}",
               f"t=1,v1={mac},v1={mac}", f"t=\u0661,v1={mac}", "x"]  # fmt: skip
    for header in headers:
        assert site.post(raw, {"x-topgg-signature": header}) == 401, header
    assert site.post(raw + b" ", {"x-topgg-signature": f"t=1,v1={mac}"}) == 401
    assert site.send(VOTE, "whs_other") == site.post(raw, {}) == 401
    assert site.post(raw, {"Authorization": f"Bearer {V0}"}) == 401
    assert read_books(guerdon).events == []


@on_sqlite
def test_tests_and_other_types_pay_nothing(guerdon: Guerdon, site: Site) -> None:
    assert site.send({**VOTE, "type": "webhook.test"}) == 204
    assert site.send({"type": "integration.create", "data": {}}) == 204
    assert site.send_v0({"bot": "1", "user": "Ann", "type": "test"}) == 204
    assert read_books(guerdon).events == []


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {}, {"type": "vote.create"}, change(id=None), change(id=1.5), change(weight=1.0),
        change(weight=True), change(user={"platform_id": ["Ann"]}), change(id="x" * 300),
        change(created_at=7), change(id="a\u0000b"),
    ],
    ids=str,
)  # fmt: skip
def test_fields_of_another_kind_are_refused_by_name(
    guerdon: Guerdon, site: Site, body: Any
) -> None:
    assert site.send(body) == 400
    assert read_books(guerdon).events == []


def test_v0_has_no_ids_and_pays_once_in_six_hours(guerdon: Guerdon, site: Site, clock: Any) -> None:
    vote = {"guild": "77", "user": "Ann", "type": "upvote", "query": "?a=1"}
    for _ in range(10):
        assert site.send_v0(vote) == 204
        clock.advance(1024)
    assert read_books(guerdon).gold["Ann"] == "5.00"
    clock.advance(12 * 3600)
    assert site.send_v0({**vote, "isWeekend": True}) == 204

    assert read_books(guerdon).gold["Ann"] == "11.00"


@on_sqlite
def test_what_is_kept_is_answered_as_done_for_it_is_sent_again_at_once(
    guerdon: Guerdon, site: Site
) -> None:
    assert site.send(change(user={"platform_id": "Nobody"})) == 204
    with guerdon.database.connection_context():
        assert Waiting.get().last_error == 'no player is called "Nobody"'


@on_sqlite
def test_v0_is_off_without_its_secret_and_one_of_both_is_needed(open_service: Any) -> None:
    guerdon = open_service(REWARDS, '[plugins.topgg]\nsecrets = ["whs_1"]\n')
    assert Site(guerdon).send_v0({"bot": "1", "user": "Ann", "type": "upvote"}) == 401
    with pytest.raises(Exception, match="one is needed"):
        open_service(REWARDS, "[plugins.topgg]\n")


@on_sqlite
def test_user_ids_stand_where_the_section_says(tmp_path: Any, open_service: Any) -> None:
    """Ids of Discord for one source, nicknames for the others."""
    section = SECTION + 'user_id_column = "discord"\n'
    players = '[players]\ntable = "users"\nnickname_column = "name"\nuser_id_column = "steam"\n'
    guerdon = open_service(REWARDS, section + players)
    assert "[players] table: there is no table users in this database" in guerdon.inspect()
    with guerdon.database.connection_context():
        ask = guerdon.database.execute_sql
        ask(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, steam TEXT, gold DECIMAL(18, 2))"
        )
        missing = "[plugins.topgg] user_id_column: the table users has no column discord"
        assert missing in guerdon.inspect()
        ask("ALTER TABLE users ADD COLUMN discord TEXT")
        ask(
            "INSERT INTO users (name, steam, discord) VALUES ('Ann', '1', '42'), ('Ben', '42', '1')"
        )
    assert Site(guerdon).send(change(user={"platform_id": "42"})) == 204

    with guerdon.database.connection_context():
        assert dict(ask("SELECT name, gold FROM users").fetchall()) == {"Ann": 5, "Ben": None}


def test_the_vector_of_the_official_kit(open_service: Any) -> None:
    """The body of its tests, compact; its own verifier accepts this signature at that second."""
    section = '[plugins.topgg]\nsecrets = ["testsecret1234"]\n'
    site = Site(open_service(REWARDS, section))
    id_ = "160105994217586689"
    body = {
        "type": "vote.create",
        "data": {
            "id": "808499215864008704", "weight": 1, "created_at": "2026-02-09T00:47:14.2510149+00:00",
            "expires_at": "2026-02-09T12:47:14.2510149+00:00",
            "project": {
                "id": "803190510032756736", "type": "bot", "platform": "discord", "platform_id": id_,
            },
            "user": {
                "id": id_, "platform_id": id_, "name": "username", "avatar_url": "<avatar url>",
            },
        },
    }  # fmt: skip
    raw = json.dumps(body, separators=(",", ":")).encode()
    digest = "b58f409826ac94bf1d97134ba41ec8fa35102314f2c70446417957a172bd5b31"
    assert (len(raw), hashlib.sha256(raw).hexdigest()) == (389, digest)

    mac = "9a9153db1eea6d08b42efc5db47dbcfe3a20ecd014ff2616efac92aae0534af0"
    assert site.post(raw, {"x-topgg-signature": f"t=1770598034,v1={mac}"}) == 204
    assert site.post(raw, {"x-topgg-signature": f"t=1770598035,v1={mac}"}) == 401
