"""What a source may be: of more methods, of paths below its name, of several deliveries in one request."""

from typing import Any

import pytest

from app import create_app
from app.database.models import Attempt, Event, Waiting
from app.database.states import AttemptKind, BoxState
from app.testing.players import add_player

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PINGS = """
    import app
    from app import BadDelivery, Delivery, Event, NeverPayable, NotReady, hookimpl

    @hookimpl
    def source_methods():
        return {"pings": ["GET", "POST"]}

    @hookimpl
    def read_delivery(source, request, rest, sender):
        if source != "pings":
            return None
        if rest.startswith("from/") and not app.is_from(sender, [rest[5:]]):
            raise BadDelivery(f"not from {sender}", 403)
        names = request.values.getlist("name")
        found = [Delivery("pings", "ping", f"{rest}-{name}", data={"name": name}) for name in names]
        return found[0] if rest == "one" else found

    @hookimpl
    def fetch_events(delivery, http):
        if delivery.source != "pings":
            return None
        name = delivery.data["name"]
        if name == "never":
            raise NeverPayable("its site has deleted it")
        if name == "later":
            raise NotReady("not just now", 7)
        return [Event("pings", "ping", delivery.id, "1", name)]

    @hookimpl
    def write_reply(source, outcome):
        if source == "pings" and outcome.is_kept:
            return app.Response("OK")
"""
REWARDS = """
[[rules]]
name = "a ping"
on = "ping"
give = [{ reward = "gold", amount = "5.00" }]
"""


@pytest.fixture
def guerdon(add_plugin: Any, open_service: Any) -> Any:
    guerdon = open_service(REWARDS, add_plugin(PINGS, "pings"))
    for name in ("Ann", "Ben"):
        add_player(guerdon, name)
    return guerdon


def test_it_works(client: Any, read_gold: Any) -> None:
    """A GET, at a path below the source's name."""
    response = client.get("/webhooks/pings/one?name=Ann")

    assert (response.status_code, response.data) == (200, b"OK")
    assert read_gold("Ann") == "5.00"


@on_sqlite
def test_only_methods_that_a_source_asks_for_reach_it(client: Any, read_gold: Any) -> None:
    for method in ("put", "delete", "head", "options", "patch"):
        assert getattr(client, method)("/webhooks/pings/one?name=Ann").status_code in (
            200,
            404,
            405,
        )
    assert client.get("/webhooks/gamemonitoring").status_code == 405
    assert client.post("/webhooks/gamemonitoring/below").status_code == 404

    assert read_gold("Ann") == "0.00"


@on_sqlite
def test_a_slash_at_the_end_is_the_same_path(client: Any) -> None:
    with_slash = client.post("/webhooks/gamemonitoring/", data=b"{}")

    assert (
        with_slash.status_code
        == client.post("/webhooks/gamemonitoring", data=b"{}").status_code
        == 401
    )


@on_sqlite
def test_what_stands_behind_the_name_comes_whole_also_when_it_is_no_ascii(
    client: Any, read_gold: Any
) -> None:
    assert client.get("/webhooks/pings/a/%C3%BC%20b/?name=Ann").status_code == 200

    with client.application.extensions["guerdon"].database.connection_context():
        assert Event.get().event_id == "a/ü b/-Ann"


def test_several_deliveries_are_paid_or_wait_each_by_itself(client: Any, read_gold: Any) -> None:
    names = ["Ann", "later", "never", "Ben", "nobody"]
    response = client.post("/webhooks/pings", data={"name": names})

    assert (response.status_code, response.data) == (200, b"OK"), "all of them are kept"
    assert read_gold("Ann") == read_gold("Ben") == "5.00"
    with client.application.extensions["guerdon"].database.connection_context():
        states = {row.event_id: row.state for row in Waiting.select()}
    assert states == {"-later": BoxState.READY, "-never": BoxState.DEAD, "-nobody": BoxState.READY}


@on_sqlite
def test_a_request_that_delivers_nothing_is_done(client: Any) -> None:
    assert client.post("/webhooks/pings", data={}).status_code == 200


@on_sqlite
def test_more_than_a_thousand_at_once_are_refused_and_none_of_them_is_begun(client: Any) -> None:
    names = [f"n{number}" for number in range(1001)]

    assert client.post("/webhooks/pings", data={"name": names}).status_code == 413
    with client.application.extensions["guerdon"].database.connection_context():
        assert not Waiting.select().exists()


def test_what_can_never_be_paid_is_dead_at_once_and_shown(client: Any, ask: Any) -> None:
    for _ in range(2):
        assert client.get("/webhooks/pings/one?name=never").status_code == 200

    told = ask("/v1/events/ping/one-never")
    assert (told["state"], told["attempts"]) == ("dead", 2)
    assert told["last_error"] == "its site has deleted it"
    with client.application.extensions["guerdon"].database.connection_context():
        assert {row.what for row in Attempt.select()} == {AttemptKind.NEVER}


def test_what_waited_and_can_never_be_paid_is_tried_no_more(
    guerdon: Any, client: Any, clock: Any
) -> None:
    client.get("/webhooks/pings/one?name=later")
    with guerdon.database.connection_context():
        Waiting.update(data='{"name": "never"}').execute()
        clock.advance(60)
        (id_,) = (lease := guerdon.inbox.take_due(5)).ids
        guerdon.deliveries.retry(id_, lease.token)
        row = Waiting.get()

    assert (row.state, row.last_error) == (BoxState.DEAD, "its site has deleted it")
    assert guerdon.inbox.take_due(5).ids == ()


@on_sqlite
@pytest.mark.parametrize(
    ("proxies", "forwarded", "rest", "status"),
    [
        ("[]", "", "127.0.0.1", 200),
        ("[]", "192.0.2.7", "192.0.2.7", 403),  # nobody believes it
        ('["127.0.0.1"]', "192.0.2.7", "192.0.2.7", 200),
        ('["127.0.0.1"]', "192.0.2.7", "192.0.2.0%2F24", 200),
        ('["127.0.0.1"]', "192.0.2.7, 198.51.100.9", "192.0.2.7", 403),  # a stranger wrote it first
        ('["127.0.0.0/8", "198.51.100.9"]', "192.0.2.7, 198.51.100.9", "192.0.2.7", 200),
        ('["127.0.0.1"]', "::ffff:192.0.2.7", "192.0.2.7", 200),
        ('["127.0.0.1"]', "[2001:db8::1]:4711", "2001:db8::1", 200),
        ('["127.0.0.1"]', "nonsense", "127.0.0.1", 403),
        ('["127.0.0.1"]', "", "127.0.0.1", 200),
        ("[]", "", "localhost", 200),
        ("[]", "", "nobody.invalid", 503),
    ],
)
def test_a_sender_is_who_is_connected_or_whom_a_trusted_proxy_names(
    add_plugin: Any, open_service: Any, proxies: str, forwarded: str, rest: str,
    status: int,
) -> None:  # fmt: skip
    server = f"[server]\ntrusted_proxies = {proxies}\n"
    guerdon = open_service(REWARDS, server + add_plugin(PINGS, "pings"))
    add_player(guerdon, "Ann")
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    client = create_app(guerdon).test_client()

    response = client.get(f"/webhooks/pings/from/{rest}?name=Ann", headers=headers)

    assert response.status_code == status, response.text


READS = """
    from peewee import AutoField, Model
    from app import Delivery, Event, hookimpl

    class Seen(Model):
        id = AutoField()

    @hookimpl
    def plugin_models():
        return [Seen]

    @hookimpl
    def read_delivery(source, request):
        if source == "reads":
            return [Delivery("reads", "ping", f"{n}") for n in range(int(request.args["n"]))]

    @hookimpl
    def fetch_events(delivery):
        if delivery.source == "reads":
            Seen.select().count()  # opens a connection, in whatever thread this is
            return [Event("reads", "ping", delivery.id, "1", "Ann")]
"""


def test_what_hooks_open_for_several_deliveries_goes_back_to_the_pool(
    add_plugin: Any, open_service: Any
) -> None:
    guerdon = open_service(REWARDS, add_plugin(READS, "reads"))
    add_player(guerdon, "Ann")
    client = create_app(guerdon).test_client()
    pool, taken = guerdon.database.pool, []
    for number in range(2, 8):
        assert client.post(f"/webhooks/reads?n={number}").status_code == 204
        taken.append(pool.count_taken())

    assert max(taken) <= 2, "the looking and the settling thread keep theirs"
