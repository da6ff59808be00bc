"""Votes that could not be paid at once: kept, tried again at the right times, paid once."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app import create_app, hookimpl
from app.database.keys import make_event_key
from app.database.leases import MAX_TAKES
from app.database.models import Attempt, OwnPlayer, Waiting
from app.database.models import Event as EventRow
from app.guerdon import Guerdon
from app.network.client import Http
from app.opening import open_guerdon
from app.paying.inbox import LEASE_LENGTH
from app.porch.errors import NotReady
from app.testing.clock import Clock
from app.testing.deliveries import API_KEY, TOKEN, make_delivery
from app.testing.players import add_player
from app.testing.vote_api import VoteApi, answer, drip
from app.testing.waiting import wait_until

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class House:
    """A Guerdon, its web client, and its dispatcher worked by hand."""

    def __init__(self, guerdon: Guerdon, clock: Clock, pool: ThreadPoolExecutor) -> None:
        self.guerdon, self.clock, self.pool = guerdon, clock, pool
        self.client = create_app(guerdon).test_client()

    def deliver(self, id: str = "v1") -> Any:
        return self.client.post("/webhooks/gamemonitoring", data=make_delivery(id))

    def serve(self, seconds: float = 0) -> None:
        """Let time pass, then let the dispatcher look once."""
        self.clock.advance(seconds)
        self.guerdon.dispatcher.serve_once(self.pool)

    def ask(self, id: str = "v1") -> Any:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return self.client.get(f"/v1/events/server.vote/{id}", headers=headers).get_json()

    def gold(self, nickname: str = "Bob") -> str:
        with self.guerdon.database.connection_context():
            return f"{OwnPlayer.get(OwnPlayer.nickname == nickname).gold:.2f}"

    def row(self) -> Any:
        with self.guerdon.database.connection_context():
            return Waiting.get()


@pytest.fixture
def move_in(open_service: Callable[..., Guerdon], clock: Clock) -> Iterator[Callable[..., House]]:
    """A House on a config; arguments are write_config's."""
    with ThreadPoolExecutor(4) as pool:
        yield lambda *args, **kwargs: House(open_service(*args, **kwargs), clock, pool)


@pytest.fixture
def house(move_in: Callable[..., House]) -> House:
    return move_in()


def refuse(handler: Any) -> None:
    answer(handler, 404, {"error": "no such vote"})


def test_it_works(house: House, vote_api: VoteApi) -> None:
    vote_api.behave = refuse

    response = house.deliver()

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.text == "the vote API: it answered 404\n"
    assert (house.gold(), house.ask()["state"]) == ("0.00", "waiting")

    vote_api.behave = None
    house.serve(5)

    assert (house.gold(), house.ask()["state"]) == ("100.00", "settled")
    assert house.deliver().status_code == 204
    house.serve(100_000)
    assert vote_api.asked == ["v1", "v1"]
    assert house.gold() == "100.00"


def hang_up(handler: Any) -> None:
    handler.close_connection = True


def redirect(handler: Any) -> None:
    answer(handler, 302, b"", Location="/votes/v9")


def say(body: Any, status: int = 200, **headers: str) -> Callable[[Any], None]:
    return lambda handler: answer(handler, status, body, **headers)


VOTE = {"nickname": "Bob", "server": {"id": 1}}
BAD_ANSWERS = {
    "a dropped connection": hang_up,
    "a redirect": redirect,
    "an error": say({"response": VOTE}, 500),
    "no content": say(b"", 204),
    "another success": say({"response": VOTE}, 202),
    "an empty body": say(b""),
    "no JSON": say(b"<html>"),
    "no UTF-8": say(b'{"response":{"nickname":"B\xff"}}'),
    "not quite JSON": say(b'{"response":{"nickname":"Bob","x":NaN}}'),
    "half of it": say(b'{"response":{"nickname":"Bob"'),
    "deep nesting": say(b'{"response":' + b"[" * 30_000),
    "a list": say([VOTE]),
    "a string": say("response"),
    "null": say(None),
    "no response": say({"vote": VOTE}),
    "an empty response": say({"response": None}),
    "another vote": say({"response": VOTE | {"id": "v2"}}),
    "an empty nickname": say({"response": VOTE | {"nickname": " "}}),
    "a wrong type": say({"response": VOTE | {"nickname": 5.5}}),
    "too much": say({"response": VOTE | {"x": "x" * 65536}}),
    "no gzip": say({"response": VOTE}, Content_Encoding="gzip"),
}


@on_sqlite
@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_whatever_the_vote_api_does_the_vote_waits_and_is_paid_later(
    name: str, house: House, vote_api: VoteApi
) -> None:
    vote_api.behave = BAD_ANSWERS[name]

    response = house.deliver()

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.text.startswith("the vote")
    assert response.text.count("\n") == 1
    assert TOKEN not in response.text
    assert vote_api.url not in response.text
    assert house.gold() == "0.00"
    event = house.ask()
    assert (event["state"], event["attempts"], event["grants"]) == ("waiting", 1, [])
    assert f"{event['last_error']}\n" == response.text

    vote_api.behave = None
    house.serve(5)
    assert (house.gold(), house.ask()["state"]) == ("100.00", "settled")


@on_sqlite
def test_a_vote_api_that_drips_is_given_up_in_time(
    write_config: Any, open_service: Any, clock: Clock, vote_api: VoteApi
) -> None:
    class Hurried(Http):
        def request(self, *args: Any, **kwargs: Any) -> Any:
            return super().request(*args, **kwargs, total=0.5)

    open_service().close()  # leaves the tables and Bob
    guerdon = open_guerdon(write_config(), clock, Hurried())
    vote_api.behave = lambda handler: drip(handler, 0.3)
    with ThreadPoolExecutor(1) as pool:
        house = House(guerdon, clock, pool)
        begun = time.monotonic()

        assert house.deliver().text == "the vote API: no whole answer within 0.5 s\n"

        assert time.monotonic() - begun < 15  # to its end it would be 18
        vote_api.behave = None
        house.serve(5)
        assert house.gold() == "100.00"
    guerdon.close()


@on_sqlite
def test_the_vote_api_is_down(house: House, vote_api: VoteApi) -> None:
    vote_api.close()

    response = house.deliver()

    assert (response.status_code, response.text) == (503, "the vote API: no connection\n")
    house.serve(5)
    assert house.ask()["attempts"] == 2


def test_each_delay_is_kept_and_the_last_repeats(
    move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more="[inbox]\nretry_delays = [5, 30, 120]")
    vote_api.behave = refuse
    house.deliver()

    for tried, delay in enumerate([5, 30, 120, 120, 120], 1):
        house.serve(delay - 0.001)
        assert len(vote_api.asked) == tried, f"tried before {delay} s"
        house.serve(0.001)
        assert len(vote_api.asked) == tried + 1, f"not tried after {delay} s"

    event = house.ask()
    steps = [step["what"] for step in event["timeline"]]
    assert steps == ["delivery", *["retry"] * 5, "next try"]
    assert event["attempts"] == 6


class Late:
    """A studio's plugin that knows when to come back."""

    retry_in: float | None = 7

    @hookimpl
    def fetch_events(self) -> list[Any]:
        raise NotReady("the vote is being counted", self.retry_in)


def test_a_plugin_says_when_to_try_again(move_in: Callable[..., House]) -> None:
    house, late = move_in(more="[inbox]\nretry_delays = [50, 60]"), Late()
    house.guerdon.plugins.manager.register(late, "late")

    assert house.deliver().headers["Retry-After"] == "7"
    due = [house.row().due_at - house.clock.now]
    for retry_in in (0.5, None, 3):
        late.retry_in = retry_in
        house.serve(due[-1] / 1000)
        due.append(house.row().due_at - house.clock.now)

    assert due == [7000, 500, 60_000, 3000]


def test_given_up_it_is_dead_and_kept_and_a_person_can_send_it_again(
    move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more="[inbox]\nretry_delays = [30]\ngive_up_after = 100")
    vote_api.behave = refuse
    house.deliver()
    for _ in range(4):
        assert house.ask()["state"] == "waiting"
        house.serve(30)
    assert len(vote_api.asked) == 5

    house.serve(100_000)
    event = house.ask()
    assert (len(vote_api.asked), event["state"], event["next_try_at"]) == (5, "dead", None)
    assert event["last_error"] == "the vote API: it answered 404"
    assert event["timeline"][-1]["what"] == "gave up"

    assert house.guerdon.inbox.revive(None) == 1
    for _ in range(3):
        house.serve(30)
        assert house.ask()["state"] == "waiting"
    vote_api.behave = None
    house.serve(30)
    assert (house.gold(), house.ask()["state"]) == ("100.00", "settled")
    assert house.guerdon.inbox.revive(None) == 0
    assert house.guerdon.inbox.revive([make_event_key("gamemonitoring", "server.vote", "v1")]) == 0


@on_sqlite
def test_a_person_need_not_wait_for_a_waiting_one(house: House, vote_api: VoteApi) -> None:
    vote_api.behave = refuse
    house.deliver("v1")
    house.deliver("v2")
    vote_api.behave = None

    assert house.guerdon.inbox.revive([make_event_key("gamemonitoring", "server.vote", "v1")]) == 1
    house.serve()

    assert (house.ask("v1")["state"], house.ask("v2")["state"]) == ("settled", "waiting")
    assert "a person had it tried again" in str(house.ask("v1")["timeline"])


def test_one_sent_again_waits_since_then_whoever_else_is_leased(
    move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    """Not for the length of the lease that it had before is it taken for one whose clock was set back."""
    house = move_in(more="[inbox]\nretry_delays = [1]\ngive_up_after = 1")
    vote_api.behave = refuse
    house.deliver("v1")
    for _ in range(2):
        house.serve(1)
    assert house.ask("v1")["state"] == "dead"
    house.deliver("v2")
    house.clock.advance(1)

    assert house.guerdon.inbox.revive(None) == 1
    house.guerdon.inbox.take_due(1)

    assert {row.state for row in Waiting.select()} == {"ready", "leased"}
    assert min(row.due_at for row in Waiting.select()) >= 0
    assert house.row().waiting_since == house.clock.now


def test_a_redelivery_is_tried_at_once_and_ends_the_waiting(
    house: House, vote_api: VoteApi
) -> None:
    vote_api.behave = refuse
    house.deliver()
    due = house.row().due_at
    assert house.deliver().status_code == 503
    assert (house.row().due_at, house.row().attempts) == (due, 2)
    vote_api.behave = None

    assert house.deliver().status_code == 204

    assert (house.gold(), house.row().state) == ("100.00", "settled")
    house.serve(100_000)
    assert len(vote_api.asked) == 3


def test_a_redelivery_ends_the_waiting_of_its_own_vote_alone(
    house: House, vote_api: VoteApi
) -> None:
    vote_api.behave = refuse
    assert [house.deliver(id).status_code for id in ("v1", "v2")] == [503, 503]

    vote_api.behave = None
    assert house.deliver("v1").status_code == 204

    assert [house.ask(id)["state"] for id in ("v1", "v2")] == ["settled", "waiting"]
    house.serve(100_000)
    assert house.gold() == "200.00"


def test_a_redelivery_takes_a_row_from_nobody_who_has_it(house: House, vote_api: VoteApi) -> None:
    vote_api.behave = refuse
    house.deliver()
    house.clock.advance(5)
    lease = house.guerdon.inbox.take_due(1)
    assert house.row().state == "leased"

    house.deliver()

    row = house.row()
    assert (row.state, row.lease_token, row.takes) == ("leased", lease.token, 1)
    assert row.lease_until == lease.until


def test_who_signed_is_known_of_a_vote_that_waited(house: House, vote_api: VoteApi) -> None:
    vote_api.behave = refuse
    house.deliver()
    vote_api.behave = None
    house.serve(5)

    with house.guerdon.database.connection_context():
        assert EventRow.get().token == house.row().token != ""


@pytest.mark.parametrize("healed", [True, False])
def test_a_redelivered_dead_vote_has_its_chances_anew(
    healed: bool, move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more="[inbox]\ngive_up_after = 1")
    vote_api.behave = refuse
    house.deliver()
    house.serve(5)
    assert house.ask()["state"] == "dead"

    vote_api.behave = None if healed else refuse
    response = house.deliver()

    if healed:
        assert (response.status_code, house.row().state) == (204, "settled")
    else:
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert house.ask()["state"] == "waiting"
        vote_api.behave = None
        house.serve(5)
    assert house.gold() == "100.00"


SLOW = """
    import time
    from app import hookimpl

    @hookimpl(wrapper=True)
    def grant_reward():
        time.sleep(1.5)
        return (yield)
"""


def test_a_vote_that_is_paid_too_slowly_is_stored_and_its_retry_finds_it_paid(
    move_in: Callable[..., House],
    add_plugin: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = move_in(more=add_plugin(SLOW))
    monkeypatch.setattr("app.paying.accepting.ANSWER_TIMEOUT", 0.3)

    response = house.deliver()

    assert (response.status_code, response.text) == (503, "the database answers too slowly\n")
    assert house.row().state == "ready"
    wait_until(lambda: house.gold() == "100.00")
    monkeypatch.undo()
    house.serve(5)
    assert (house.row().state, house.gold()) == ("settled", "100.00")


def test_a_vote_that_cannot_be_stored_is_never_answered_as_held(
    move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more='[players]\nunknown = "hold"')
    vote_api.nickname = lambda id: "Eve"
    assert house.deliver("v0").status_code == 204
    with house.guerdon.database.connection_context():
        house.guerdon.database.execute_sql("ALTER TABLE guerdon_attempts RENAME COLUMN what TO was")

    response = house.deliver("v1")

    assert response.status_code == 503
    assert response.text.startswith("it could not be stored: ")


@pytest.mark.parametrize(("unknown", "status"), [("fail", 503), ("hold", 204)])
def test_a_vote_waits_for_its_player(
    unknown: str, status: int, move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more=f'[players]\nunknown = "{unknown}"')
    vote_api.nickname = lambda id: "Eve"

    response = house.deliver()

    assert response.status_code == status
    assert house.ask()["last_error"] == 'no player is called "Eve"'
    assert ('"Eve"' in response.text) == (status == 503)
    house.serve(5)
    assert house.ask()["state"] == "waiting"
    add_player(house.guerdon, "Eve")
    house.serve(30)
    assert (house.gold("Eve"), house.ask()["state"]) == ("100.00", "settled")


def test_an_unknown_player_can_be_created(move_in: Callable[..., House], vote_api: VoteApi) -> None:
    house = move_in(more='[players]\nunknown = "create"')
    vote_api.nickname = lambda id: "Eve"

    assert [house.deliver("v1").status_code, house.deliver("v2").status_code] == [204, 204]
    assert house.gold("Eve") == "200.00"


def test_between_two_players_nobody_is_guessed(
    move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more='[players]\nmatch = "casefold"\nunknown = "hold"')
    add_player(house.guerdon, "BOB")

    response = house.deliver()

    assert (response.status_code, response.text) == (503, '2 players are called "Bob"\n')
    assert (house.gold("Bob"), house.gold("BOB")) == ("0.00", "0.00")
    with house.guerdon.database.connection_context():
        OwnPlayer.delete().where(OwnPlayer.nickname == "BOB").execute()
    house.serve(5)
    assert house.gold() == "100.00"


def test_waiting_votes_survive_a_restart(
    house: House, write_config: Any, vote_api: VoteApi
) -> None:
    vote_api.behave = refuse
    house.deliver()
    house.guerdon.close()
    vote_api.behave = None

    reborn = House(open_guerdon(write_config(), house.clock), house.clock, house.pool)
    reborn.serve(4.999)
    assert reborn.gold() == "0.00"
    reborn.serve(0.001)
    assert reborn.gold() == "100.00"
    reborn.guerdon.close()


def test_a_vote_taken_by_a_worker_that_dies_is_tried_when_its_lease_ran_out(
    house: House, vote_api: VoteApi
) -> None:
    vote_api.behave = refuse
    house.deliver()
    vote_api.behave = None
    house.clock.advance(5)
    lost = house.guerdon.inbox.take_due(10)
    assert len(lost.ids) == 1

    house.serve(LEASE_LENGTH / 1000)
    assert house.gold() == "0.00"
    house.serve(0.001)
    assert house.gold() == "100.00"


def test_who_lost_its_lease_pays_nothing_twice_and_leaves_the_row_to_its_owner(
    house: House, vote_api: VoteApi
) -> None:
    vote_api.behave = refuse
    house.deliver()
    vote_api.behave = None
    house.clock.advance(5)
    old = house.guerdon.inbox.take_due(10)
    house.clock.advance(LEASE_LENGTH / 1000 + 0.001)
    new = house.guerdon.inbox.take_due(10)

    assert house.guerdon.deliveries.retry(old.ids[0], old.token).state == "settled"
    assert (house.row().state, house.row().lease_token) == ("leased", new.token)
    assert house.guerdon.deliveries.retry(new.ids[0], new.token).state == "known"
    assert (house.row().state, house.gold()) == ("settled", "100.00")


@on_sqlite
def test_a_vote_that_kills_its_workers_ends_dead_says_so_and_can_be_sent_again(
    house: House, vote_api: VoteApi
) -> None:
    vote_api.behave = refuse
    house.deliver()
    house.clock.advance(5)
    for _ in range(MAX_TAKES):
        assert len(house.guerdon.inbox.take_due(10).ids) == 1
        house.clock.advance(LEASE_LENGTH / 1000 + 0.001)
    assert house.guerdon.inbox.take_due(10).ids == ()

    event = house.ask()
    assert event["state"] == "dead"
    assert "20 times" in event["timeline"][-1]["detail"]

    vote_api.behave = None
    assert house.guerdon.inbox.revive(None) == 1
    house.serve()
    assert house.gold() == "100.00"


@on_sqlite
def test_tries_that_end_do_not_count_as_killed_workers(house: House, vote_api: VoteApi) -> None:
    vote_api.behave = refuse
    house.deliver()
    for _ in range(MAX_TAKES + 5):
        house.serve(3600)

    assert house.ask()["state"] == "waiting"
    assert len(vote_api.asked) == MAX_TAKES + 6


@on_sqlite
@pytest.mark.parametrize("retry", ["true", "false"])
def test_without_retry_only_a_person_has_it_tried_again(
    retry: str, move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    house = move_in(more=f"[inbox]\nretry = {retry}")
    vote_api.behave = refuse
    house.deliver()
    vote_api.behave = None
    house.clock.advance(100_000)
    house.guerdon.start_dispatcher()

    if retry == "false":
        time.sleep(1.5)
        assert house.gold() == "0.00"
        house.guerdon.inbox.revive([make_event_key("gamemonitoring", "server.vote", "v1")])
    wait_until(lambda: house.gold() == "100.00")


@on_sqlite
def test_attempts_are_kept_for_every_try(house: House, vote_api: VoteApi) -> None:
    vote_api.behave = refuse
    house.deliver()
    house.serve(5)
    vote_api.behave = say({"response": VOTE | {"nickname": "Eve"}})
    house.serve(30)

    with house.guerdon.database.connection_context():
        kept = [(row.what, row.detail) for row in Attempt.select().order_by(Attempt.id)]
    refused = "the vote API: it answered 404"
    assert kept == [
        ("delivery", refused), ("retry", refused), ("retry", 'no player is called "Eve"')
    ]  # fmt: skip


@pytest.mark.parametrize("unknown", ["hold", "fail"])
def test_a_vote_that_could_not_be_stored_is_not_answered_as_done(
    unknown: str, move_in: Callable[..., House], vote_api: VoteApi
) -> None:
    """Else nobody would deliver it again."""
    house = move_in(more=f'[players]\nunknown = "{unknown}"')
    vote_api.nickname = lambda id: "Eve"
    database = house.guerdon.database
    refusal = (
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
        if database.family == "sqlite"
        else "FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"
    )
    with database.connection_context():
        database.execute_sql(f"CREATE TRIGGER refuse BEFORE INSERT ON guerdon_inbox {refusal}")

    assert house.deliver().status_code == 503

    with database.connection_context():
        assert Waiting.select().count() == 0
        database.execute_sql("DROP TRIGGER refuse")
    assert house.deliver().status_code == (204 if unknown == "hold" else 503)
    assert house.row().state == "ready"
