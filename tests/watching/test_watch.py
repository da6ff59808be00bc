"""One look: what the database holds that is open, and what plugins say, however badly they behave."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.database.models import Report, Waiting
from app.database.reconciliation_models import Reconciliation
from app.guerdon import Guerdon
from app.metrics import families
from app.testing.clock import Clock
from app.testing.waiting import wait_until
from app.watching.plugin_gauges import PluginGauges
from app.watching.watch import Sight

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
GAUGES = """
from app import Gauge, hookimpl

@hookimpl
def gauges(db, settings, now):
    return {}
"""


def look(guerdon: Guerdon, clock: Clock) -> Sight:
    """Anew: the last look is over by then."""
    clock.advance(6)
    return guerdon.watch.look()


def make_waiting(number: int, state: str, received_at: int) -> Any:
    return {
        "ordered_key": bytes([number]) * 20, "source": "s", "type": "t", "event_id": str(number),
        "token": "", "data": "{}", "state": state, "due_at": 0, "lease_token": "", "lease_until": 0,
        "takes": 0, "attempts": 0, "retries": 0, "last_error": "", "received_at": received_at,
        "waiting_since": received_at,
    }  # fmt: skip


def make_report(number: int, reporter: str, state: str, created_at: int) -> Any:
    return {
        "report_key": bytes([number]) * 20, "reporter": reporter, "kind": "k", "key": str(number),
        "event": 0, "body": b"", "state": state, "due_at": 2**60, "lease_token": "",
        "lease_until": 0, "takes": 0, "sends": 0, "sends_before": 0, "last_error": "",
        "created_at": created_at, "waiting_since": created_at,
    }  # fmt: skip


def test_it_works(guerdon: Guerdon, clock: Clock) -> None:
    """What is open is counted, and its oldest found; what is done is not looked at."""
    empty = look(guerdon, clock)
    assert empty.is_whole
    assert empty.is_ready
    assert empty.find("guerdon_inbox_events") == {("waiting",): 0, ("leased",): 0, ("dead",): 0}
    assert empty.find("guerdon_inbox_oldest_timestamp_seconds") == {}
    with guerdon.database.connection_context():
        states = ["settled", "dead", "leased", "ready", "ready"]
        rows = [make_waiting(n, state, 1000 * (n + 5)) for n, state in enumerate(states)]
        Waiting.insert_many(rows).execute()
        told = [("sud", "delivered"), ("sud", "ready"), ("g123", "dead"), ("sud", "leased")]
        reports = [make_report(n, *one, 1000 * (n + 5)) for n, one in enumerate(told)]
        Report.insert_many(reports).execute()

    assert guerdon.watch.look() is empty, "a look is kept for some seconds"
    seen = look(guerdon, clock)

    assert seen.find("guerdon_inbox_events") == {("waiting",): 2, ("leased",): 1, ("dead",): 1}
    assert seen.find("guerdon_inbox_oldest_timestamp_seconds") == {(): 7.0}
    numbers = seen.find("guerdon_reports")
    assert numbers["sud", "waiting"] == numbers["sud", "leased"] == numbers["g123", "dead"] == 1
    assert seen.find("guerdon_reports_oldest_timestamp_seconds") == {("sud",): 6.0}


def test_when_a_source_was_last_settled(
    guerdon: Guerdon, clock: Clock, deliver: Callable[..., Any]
) -> None:
    name = families.LAST_SETTLED.name
    assert look(guerdon, clock).find(name) == {}
    assert deliver("v1").status_code == 204
    at = clock() / 1000

    assert look(guerdon, clock).find(name) == {("gamemonitoring",): at}
    assert look(guerdon, clock).find(name) == {("gamemonitoring",): at}
    assert deliver("v2").status_code == 204
    assert look(guerdon, clock).find(name) == {("gamemonitoring",): clock() / 1000 - 6}


def compare(**changes: Any) -> None:
    row: dict[str, Any] = {
        "source": "gamemonitoring", "person": "", "begun_at": 5000, "ended_at": 6000, "since": 0,
        "heals": False, "state": "done", "reason": "", "found": "{}", "holder": "", "lease_until": 0,
        **dict.fromkeys(("listed", "waiting", "missing", "healed", "differs", "unknown"), 0),
    }  # fmt: skip
    Reconciliation.insert(**row | changes).execute()


@pytest.mark.guerdon(more='[reconcile]\nevery = "6 hours"\n')
def test_what_comparisons_found_and_when_one_last_came_to_its_end(
    guerdon: Guerdon, clock: Clock
) -> None:
    """What is not known to be whole found what it found; but that is no end."""
    missing, time = families.RECONCILED_MISSING.name, families.RECONCILED.name
    key = ("gamemonitoring",)
    seen = look(guerdon, clock)
    assert (seen.find(missing), seen.find(time)) == ({}, {})

    with guerdon.database.connection_context():
        compare(state="running", ended_at=None)
        compare(state="not known", missing=2, ended_at=7000)
    seen = look(guerdon, clock)
    assert (seen.find(missing), seen.find(time)) == ({key: 2}, {key: 5})

    with guerdon.database.connection_context():
        compare(ended_at=8000)
        compare(state="running", ended_at=None, begun_at=9000)
    seen = look(guerdon, clock)
    assert (seen.find(missing), seen.find(time)) == ({key: 0}, {key: 8})


@pytest.mark.parametrize("every", ["2 days", ""])
@on_sqlite
def test_how_old_a_comparison_is_tells_nothing_where_there_are_few(
    open_service: Callable[..., Guerdon], clock: Clock, every: str
) -> None:
    guerdon = open_service(more=f'[reconcile]\nevery = "{every}"\n' if every else "")
    with guerdon.database.connection_context():
        compare(missing=1)

    seen = look(guerdon, clock)

    assert seen.find(families.RECONCILED_MISSING.name) == {("gamemonitoring",): 1}
    assert seen.find(families.RECONCILED.name) == {}


@pytest.fixture
def open_gauging(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> Callable[[str], Guerdon]:
    """A Guerdon with a plugin whose gauges are this expression, and one that behaves."""

    def open_one(said: str) -> Guerdon:
        sound = GAUGES.format('[Gauge("eggs", 12, {"nest": "one"}, "Eggs.")]')
        more = add_plugin(GAUGES.format(said), "odd") + add_plugin(sound, "sound")
        return open_service(more=more)

    return open_one


@on_sqlite
def test_a_plugins_numbers_are_shown(open_gauging: Any, clock: Clock) -> None:
    guerdon = open_gauging('[Gauge("hens", now, {"b": "x", "a": "y"})]')

    seen = look(guerdon, clock)

    assert seen.has_all_gauges
    assert seen.find("guerdon_plugin_eggs") == {("one",): 12.0}
    assert seen.find("guerdon_plugin_hens") == {("y", "x"): clock()}
    text = guerdon.watch.write_metrics().decode()
    assert "# HELP guerdon_plugin_eggs Eggs.\n" in text
    assert 'guerdon_plugin_hens{a="y",b="x"}' in text


@on_sqlite
@pytest.mark.parametrize(
    "said",
    [
        "1 / 0",
        "7",
        "[7]",
        'Gauge("x", 1)',
        '[Gauge("x", "many")]',
        '[Gauge("x", float("nan"))]',
        '[Gauge("Big", 1)]',
        '[Gauge("x", 1, {"le{": "y"})]',
        '[Gauge("x", 1, {"a": "y"}), Gauge("x", 1, {"b": "y"})]',
        '[Gauge(f"x{n}", n) for n in range(500)]',
        'db.execute_sql("SELECT * FROM nowhere")',
    ],
)
def test_a_faulty_plugin_does_no_harm(open_gauging: Any, clock: Clock, said: str) -> None:
    """Its numbers are missing; those of others, and of the database, are there."""
    seen = look(open_gauging(said), clock)

    assert not seen.has_all_gauges
    assert seen.is_ready
    assert seen.find("guerdon_plugin_eggs") == {("one",): 12.0}


@on_sqlite
def test_one_that_is_late_is_not_waited_for_nor_asked_twice(
    open_gauging: Any, clock: Clock
) -> None:
    guerdon = open_gauging(
        'settings["odd"]["asked"].append(1) or settings["odd"]["gate"].wait(30) and []'
    )
    gate, asked = threading.Event(), list[int]()
    guerdon.plugins.settings["odd"] = {"gate": gate, "asked": asked}
    gauges = PluginGauges(guerdon.database, guerdon.plugins, clock, patience=0.05)

    for _ in range(3):
        samples, is_whole = gauges.ask()
        assert [one.family.name for one in samples] == ["guerdon_plugin_eggs"]
        assert not is_whole
    assert asked == [1]
    gate.set()
    wait_until(lambda: gauges.ask()[1])


@on_sqlite
def test_without_a_database_it_says_that_nothing_can_be_paid(
    guerdon: Guerdon, clock: Clock
) -> None:
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("ALTER TABLE guerdon_inbox RENAME TO lost")

    seen = look(guerdon, clock)

    assert not seen.is_ready
    assert not seen.is_whole
    assert b"\nguerdon_ready 0.0\n" in guerdon.watch.write_metrics()
