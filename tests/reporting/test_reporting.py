"""Reports are queued in the commit that pays their event, each key once and for ever."""

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from app.database.opening import Database
from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import get_v1
from app.testing.services import ALL_PLUGINS
from tests.world.books import make_work, settle
from tests.world.studio import list_reports

Open = Callable[..., Guerdon]
AddPlugin = Callable[..., str]
HEAD = """
from app import Report, hookimpl
calls = []

@hookimpl
def build_report(event, grants, now):
    calls.append(event.id)
"""
USUAL = 'return Report("studio", "paid", event.id, b"x")'
EVIL = 'if event.id == "evil": DEED\nreturn Report("studio", "paid", event.id, b"x")'
NO_REPORT = "the plugin studio failed in build_report (it returned no Report)"


@pytest.fixture
def open_with(open_service: Open, add_plugin: AddPlugin) -> Open:
    """A Guerdon with studio's build_report, of which the rest is given, and with other plugins."""

    def open_one(body: str, more: str = "") -> Guerdon:
        section = add_plugin(HEAD + textwrap.indent(body, "    "))
        return open_service(plugins=ALL_PLUGINS + section + more)

    return open_one


def list_keys(guerdon: Guerdon) -> list[tuple[str, str, str]]:
    return [(row.reporter, row.kind, row.key) for row in list_reports(guerdon)]


def test_it_works(open_with: Open, clock: Clock) -> None:
    guerdon = open_with(
        "text = f'{event.id} {len(grants)} {grants[0].reward.kind} {now}'\n"
        'return Report("studio", "paid", event.id, text.encode() + bytes([0, 255]))'
    )

    [outcome] = settle(guerdon, make_work("v1", "v2"))

    assert outcome.state == "settled"
    rows = list_reports(guerdon)
    assert list_keys(guerdon) == [("studio", "paid", "v1"), ("studio", "paid", "v2")]
    for number, row in enumerate(rows, 1):
        # Of the two grants that are paid together each event's report is shown its own.
        assert bytes(row.body) == f"v{number} 1 gold {clock.now}".encode() + bytes([0, 255])
        assert (row.event, row.state, row.sends, row.takes) == (number, "ready", 0, 0)
        assert (row.due_at, row.created_at, row.waiting_since) == (clock.now,) * 3
        assert (row.response, row.delivered_at, row.last_error) == (None, None, "")


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("return None", []),
        ("return []", []),
        ('return [Report("a", "k", "1", b""), Report("a", "k", "2", b"")]',
         [("a", "k", "1"), ("a", "k", "2")]),
        ('return [Report("a", "k", "1", b""), Report("a", "k", "1", b"")]', [("a", "k", "1")]),
        ('return [Report(*n, b"") for n in ("abc", "abC", "Abc", ["ab", "c", "1"], ["a", "bc", "1"])]',
         [("a", "b", "c"), ("a", "b", "C"), ("A", "b", "c"), ("ab", "c", "1"), ("a", "bc", "1")]),
        ('return [Report("a", "k", n, b"") for n in ("x", "x ", "\\u00e0x", "ax", "x\\x00")]',
         [("a", "k", "x"), ("a", "k", "x "), ("a", "k", "àx"), ("a", "k", "ax"), ("a", "k", "x\0")]),
        ('return Report("r" * 64, "k" * 64, "😀" * 255, b"x" * (4 << 20))',
         [("r" * 64, "k" * 64, "😀" * 255)]),
        ('return [Report("a", "k", str(n), b"") for n in range(250)]',
         [("a", "k", str(n)) for n in range(250)]),
    ],
)  # fmt: skip
def test_an_event_has_as_many_reports_as_are_built_and_one_of_each_key(
    open_with: Open, body: str, keys: list[tuple[str, str, str]]
) -> None:
    guerdon = open_with(body)

    [outcome] = settle(guerdon, make_work("v1"))

    assert outcome.state == "settled"
    assert list_keys(guerdon) == keys


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_a_key_is_queued_once_whichever_events_share_it(
    open_with: Open, is_one_batch: bool
) -> None:
    guerdon = open_with('return Report("studio", "level", event.id[0], event.id.encode())')
    works = [make_work(id) for id in ("a1", "b1", "a2", "c1", "b2")]
    batches = [works] if is_one_batch else [[work] for work in works]

    outcomes = [outcome for batch in batches for outcome in settle(guerdon, *batch)]
    settle(guerdon, make_work("a3"), make_work("d1"))

    assert {outcome.state for outcome in outcomes} == {"settled"}
    rows = {row.key: (bytes(row.body), row.event) for row in list_reports(guerdon)}
    assert {key: body for key, (body, _) in rows.items()} == {
        "a": b"a1", "b": b"b1", "c": b"c1", "d": b"d1",
    }  # fmt: skip
    assert len({event for _, event in rows.values()}) == 4
    assert read_books(guerdon).gold == {"Bob": "700.00"}


def test_the_same_event_again_builds_nothing(open_with: Open) -> None:
    guerdon = open_with(USUAL)
    settle(guerdon, make_work("v1"))
    calls = guerdon.plugins.manager.get_plugin("studio").calls
    calls.clear()

    [outcome] = settle(guerdon, make_work("v1"))

    assert outcome.state == "known"
    assert len(list_reports(guerdon)) == 1


BAD_REPORTS = [
    '"text"', '{"reporter": "studio"}', "5", "True", '[Report("a", "k", "1", b""), None]', "[[]]",
    '(Report("a", "k", "1", b""),)',
]  # fmt: skip
MISFITS = [
    ('Report("", "k", "1", b"")', "its reporter is not a string of 1 to 64 characters"),
    ('Report("a", "", "1", b"")', "its kind is not"),
    ('Report("a", "k", "", b"")', "its key is not a string of 1 to 255 characters"),
    ('Report("a" * 65, "k", "1", b"")', "its reporter is not"),
    ('Report("a", "k" * 65, "1", b"")', "its kind is not"),
    ('Report("a", "k", "1" * 256, b"")', "its key is not"),
    ('Report("a", "k", 1, b"")', "its key is not"),
    ('Report(None, "k", "1", b"")', "its reporter is not"),
    ('Report("a", "k", chr(0xD800), b"")', "its key is not"),
    ('Report("a ", "k", "1", b"")', "its reporter has a space at an end"),
    ('Report("a", "k\\n", "1", b"")', "its kind has a space at an end"),
    ('Report("a", "k", "1", "text")', "its body is not bytes, at most 4194304"),
    ('Report("a", "k", "1", None)', "its body is not bytes"),
    ('Report("a", "k", "1", b"x" * ((4 << 20) + 1))', "its body is not bytes, at most"),
]


@pytest.mark.parametrize(
    ("deed", "reason"),
    [(f"return {answer}", "it returned no Report") for answer in BAD_REPORTS]
    + [(f"return {answer}", fault) for answer, fault in MISFITS]
    + [("raise LookupError", "the plugin studio failed in build_report: LookupError")],
)
def test_what_is_wrong_with_a_report_undoes_its_event_alone(
    open_with: Open, deed: str, reason: str
) -> None:
    guerdon = open_with(EVIL.replace("DEED", deed))

    outcomes = settle(guerdon, *map(make_work, ("good1", "evil", "good2")))

    assert [outcome.state for outcome in outcomes] == ["settled", "waiting", "settled"]
    assert reason in outcomes[1].reason
    assert "studio" in outcomes[1].reason
    assert list_keys(guerdon) == [("studio", "paid", "good1"), ("studio", "paid", "good2")]
    books = read_books(guerdon)
    assert (books.events, books.grants) == (["good1", "good2"], 2)
    assert books.gold == {"Bob": "200.00"}


def test_all_plugins_are_asked_and_one_that_raises_undoes_what_the_others_built(
    open_with: Open, add_plugin: AddPlugin
) -> None:
    body = 'if event.id == "evil":\n        raise ValueError\n    '
    more = add_plugin(HEAD + "    " + body + USUAL.replace("studio", "later"), "later")
    guerdon = open_with(USUAL, more)

    good, evil = settle(guerdon, make_work("good"), make_work("evil"))

    assert (good.state, evil.state) == ("settled", "waiting")
    assert evil.reason == "the plugin later failed in build_report: ValueError"
    assert sorted(list_keys(guerdon)) == [("later", "paid", "good"), ("studio", "paid", "good")]
    assert read_books(guerdon).gold == {"Bob": "100.00"}


def refuse_reports(guerdon: Guerdon, database_server: DatabaseServer | None) -> Callable[[], Any]:
    """From now on the database takes no report with the key "evil"; returns what ends that."""
    database: Database = guerdon.database
    if database_server is None:
        deed = "BEGIN SELECT RAISE(ABORT, 'disk on fire'); END"
        when = "WHEN NEW.\"key\" = 'evil' "
    else:
        deed = "IF NEW.`key` = 'evil' THEN SIGNAL SQLSTATE '45000'; END IF"
        when = "FOR EACH ROW "
    sql = f"CREATE TRIGGER fire BEFORE INSERT ON guerdon_reports {when}{deed}"
    if database_server is not None:
        name = guerdon.config.database.url.rpartition("/")[2]
        database_server.run(sql, database=name)
        return lambda: database_server.run("DROP TRIGGER fire", database=name)
    with database.connection_context():
        database.execute_sql(sql)

    def end() -> None:
        with database.connection_context():
            database.execute_sql("DROP TRIGGER fire")

    return end


def test_a_database_that_takes_no_report_takes_no_event(
    open_with: Open, request: pytest.FixtureRequest
) -> None:
    guerdon = open_with(USUAL)
    is_mysql = guerdon.database.family == "mysql"
    server = request.getfixturevalue("database_server") if is_mysql else None
    heal = refuse_reports(guerdon, server)

    outcomes = settle(guerdon, *map(make_work, ("good", "evil")))

    assert [outcome.state for outcome in outcomes] == ["settled", "waiting"]
    books = read_books(guerdon)
    assert (books.events, books.grants, books.gold) == (["good"], 1, {"Bob": "100.00"})
    assert list_keys(guerdon) == [("studio", "paid", "good")]
    heal()
    assert settle(guerdon, make_work("evil"))[0].state == "settled"
    assert list_keys(guerdon) == [("studio", "paid", "good"), ("studio", "paid", "evil")]
    assert read_books(guerdon).gold == {"Bob": "200.00"}


def test_an_event_that_cannot_be_paid_is_not_reported(open_with: Open) -> None:
    guerdon = open_with(USUAL)

    [outcome] = settle(guerdon, make_work("v1", nickname="Nobody"))

    assert outcome.state != "settled"
    assert list_reports(guerdon) == []
    assert guerdon.plugins.manager.get_plugin("studio").calls == []


WRAPPER = """
from app import Report, hookimpl

@hookimpl(wrapper=True)
def build_report(event):
    reports = yield
    return [Report(r.reporter, "wrapped", r.key, r.body + b"!") for r in reports]

@hookimpl(wrapper=True)
def describe_player(player):
    return [part | {"wrapped": True} for part in (yield)]
"""


def test_a_studio_wraps_what_another_plugin_reports(open_with: Open, add_plugin: AddPlugin) -> None:
    guerdon = open_with(USUAL, add_plugin(WRAPPER, "wrapper"))

    settle(guerdon, make_work("v1"))

    [row] = list_reports(guerdon)
    assert (row.reporter, row.kind, bytes(row.body)) == ("studio", "wrapped", b"x!")


def test_what_is_asked_plugin_by_plugin_is_wrapped_too(
    open_with: Open, add_plugin: AddPlugin
) -> None:
    guerdon = open_with(USUAL, add_plugin(WRAPPER, "wrapper"))

    player = get_v1(guerdon, "/players/Bob")

    assert (player["wrapped"], player["gold"]) == (True, "0.00")
