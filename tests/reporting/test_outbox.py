"""The outbox: reports are leased, sent outside any transaction, recorded, and sent again."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from peewee import PeeweeException

from app.database.leases import MAX_TAKES
from app.database.models import Report
from app.database.opening import open_database
from app.guerdon import Guerdon
from app.history.reports import list_dead_reports, revive_reports
from app.network.client import HttpResponse
from app.opening import open_guerdon
from app.reporting.circuit_breaker import FAILURES, PAUSES
from app.reporting.destinations import Destinations
from app.reporting.outbox import Outbox
from app.reporting.sender import LARGEST_REPLY
from app.reporting.store import begin_sends
from app.testing.clock import Clock
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.waiting import wait_until
from tests.world.books import check_unlocked
from tests.world.studio import (
    Asked,
    Network,
    await_ends,
    list_reports,
    list_sends,
    make_reporter,
    queue_reports,
    refuse,
    reply,
    send_due,
)

Open = Callable[..., Guerdon]
AddOutbox = Callable[[Guerdon], Outbox]
AddPlugin = Callable[..., str]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def open_process(
    write_config: Callable[..., Path], clock: Clock, network: Network
) -> Iterator[Open]:
    """A Guerdon on the test's database, one after the other; `sections` are its plugins."""
    opened: list[Guerdon] = []

    def open_one(sections: str, **options: Any) -> Guerdon:
        path = write_config(plugins=ALL_PLUGINS + sections, **options)
        guerdon = open_guerdon(path, clock, network)  # type: ignore[arg-type]
        opened.append(guerdon)
        guerdon.migrate()
        if len(opened) == 1:
            add_player(guerdon, "Bob")
        return guerdon

    yield open_one
    for guerdon in opened:
        guerdon.close()


@pytest.fixture
def open_studio(open_process: Open, add_plugin: AddPlugin) -> Open:
    """A Guerdon whose studio reports every event; `plan` are the arguments of its Schedule."""

    def open_one(plan: str = "delays=[60, 60, 60]", **options: Any) -> Guerdon:
        return open_process(add_plugin(make_reporter(plan=plan)), **options)

    return open_one


@pytest.fixture
def add_outbox(
    open_process: Open, clock: Clock, network: Network
) -> Iterator[Callable[[Guerdon], Outbox]]:
    """Another outbox on the same database, as another process has it."""
    added: list[Outbox] = []

    def add(guerdon: Guerdon) -> Outbox:
        outbox = Outbox(guerdon.database, guerdon.plugins, network, clock, [], 32)  # type: ignore[arg-type]
        added.append(outbox)
        return outbox

    yield add
    for outbox in added:
        outbox.stop()


def list_times(guerdon: Guerdon, key: str, start: int) -> list[float]:
    """Seconds after `start` at which a report was sent."""
    return [(send.begun_at - start) / 1000 for send in list_sends(guerdon, key)]


@contextmanager
def hold_lock(guerdon: Guerdon, key: str) -> Iterator[None]:
    """Meanwhile nobody can change the report with this key; on SQLite, anything."""
    other = open_database(guerdon.config.database.url)
    try:
        with other.connection_context(), other.atomic():
            column, mark = "key".join([other.quote[0]] * 2), other.param
            sql = f"UPDATE guerdon_reports SET takes = takes WHERE {column} = {mark}"
            other.execute_sql(sql, (key,))
            yield
    finally:
        other.close_all()


def count_free(outbox: Outbox, reporter: str = "studio") -> int:
    """How many of its sends could begin now."""
    destination = outbox.destinations.open(reporter)
    free = destination.reserve(1000)
    destination.give_back(free)
    return free


def count_looks(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the reports that somebody waits for are looked at in the database, from now on."""
    looks: list[float] = []
    look = outbox.callers._look

    def note_and_look(ids: Any) -> Any:
        looks.append(time.monotonic())
        return look(ids)

    monkeypatch.setattr(outbox.callers, "_look", note_and_look)
    return looks


def test_it_works(open_studio: Open, network: Network, clock: Clock) -> None:
    guerdon = open_studio()
    text = '{ "action":"created",\n "id" : "1", "rate": 1.50 }'
    network.answer = lambda asked: reply(text)

    queue_reports(guerdon, "v1")
    send_due(guerdon)
    send_due(guerdon)

    [row], [send] = list_reports(guerdon), list_sends(guerdon, "v1")
    [asked] = network.asked
    assert asked == Asked("https://studio.example/in", bytes(row.body))
    assert (row.state, row.sends, row.last_error) == ("delivered", 1, "")
    assert (row.response, row.delivered_at) == (text, clock.now)
    assert (send.number, send.begun_at, send.ended_at) == (1, clock.now, clock.now)
    assert (send.status, send.error) == (200, "")
    assert send.latency >= 0


def test_a_send_is_committed_as_begun_before_its_bytes_leave(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio()
    other = open_database(guerdon.config.database.url)
    seen: list[Any] = []

    def look(asked: Asked) -> HttpResponse:
        check_unlocked(guerdon)  # no transaction is open meanwhile
        with other.connection_context():
            sql = (
                "SELECT state, takes, r.sends, number, begun_at, ended_at"
                " FROM guerdon_reports r JOIN guerdon_sends s ON s.report = r.id ORDER BY number"
            )
            seen.append([tuple(row) for row in other.execute_sql(sql).fetchall()])
        return reply(status=500)

    network.answer = look
    queue_reports(guerdon, "v1")
    start = clock.now
    send_due(guerdon)
    clock.advance(60)
    send_due(guerdon)
    other.close_all()

    assert seen == [
        [("leased", 1, 1, 1, start, None)],
        [("leased", 1, 2, 1, start, start), ("leased", 1, 2, 2, start + 60_000, None)],
    ]


@pytest.mark.parametrize("delays", [[60, 60, 60], [1, 5], []])
def test_a_list_is_kept_exactly_and_ends_also_with_a_restart_before_every_send(
    open_studio: Open, open_process: Open, network: Network, clock: Clock, delays: list[int]
) -> None:
    guerdon = open_studio(f"delays={delays}")
    network.answer = lambda asked: reply('{"ret_code": 1}', 500)
    queue_reports(guerdon, "v1")
    start = clock.now
    send_due(guerdon)
    for delay in delays:
        guerdon = open_process("\n[plugins.studio]\n")
        clock.advance(delay - 0.001)
        send_due(guerdon)
        clock.advance(0.001)
        send_due(guerdon)
    clock.advance(10**6)
    send_due(guerdon)

    expected = [sum(delays[:number]) for number in range(len(delays) + 1)]
    assert list_times(guerdon, "v1", start) == expected
    [row] = list_reports(guerdon)
    assert (row.state, row.sends, row.last_error) == ("dead", len(expected), "it answered 500")
    assert len({asked.body for asked in network.asked}) == 1
    assert len(network.asked) == len(expected)


@on_sqlite
def test_growing_pauses_go_on_until_it_gives_up(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio("first=2, longest=60, give_up_after=600")
    network.answer = lambda asked: reply("no JSON")
    queue_reports(guerdon, "v1")
    start, pauses = clock.now, []
    send_due(guerdon)
    while (row := list_reports(guerdon)[0]).state == "ready" and len(pauses) < 50:
        pauses.append((row.due_at - clock.now) / 1000)
        clock.now = row.due_at
        send_due(guerdon)

    for pause, planned in zip(pauses[:-1], [2, 4, 8, 16, 32, *[60] * 99], strict=False):
        assert 0.8 * planned - 0.001 <= pause <= min(1.2 * planned, 60)
    times = list_times(guerdon, "v1", start)
    assert (row.state, times[-1], row.sends) == ("dead", 600, len(times))
    assert len(times) > 12


@pytest.mark.parametrize(
    ("answer", "state", "seconds", "error"),
    [
        (reply(status=429, headers={"Retry-After": "7"}), "ready", 7, "it answered 429"),
        (reply(status=503), "ready", 60, "it answered 503"),
        (reply("[1]"), "ready", 60, "it answered 200, but with no JSON object"),
        (reply(status=401), "dead", None, "it answered 401: are the credentials right?"),
        (reply(status=404), "dead", None, "it answered 404"),
    ],
)
def test_a_failure_waits_as_told_or_is_final(
    open_studio: Open, network: Network, clock: Clock, answer: HttpResponse, state: str,
    seconds: int | None, error: str,
) -> None:  # fmt: skip
    guerdon = open_studio()
    network.answer = lambda asked: answer
    queue_reports(guerdon, "v1")
    send_due(guerdon)

    [row], [send] = list_reports(guerdon), list_sends(guerdon, "v1")
    assert (row.state, row.sends, row.takes, row.last_error) == (state, 1, row.takes, error)
    assert (send.status, send.error) == (answer.status, error)
    if seconds is not None:
        assert row.due_at == clock.now + seconds * 1000
        assert row.takes == 0
    clock.advance(10**6 if seconds is None else seconds - 0.001)
    send_due(guerdon)
    assert len(network.asked) == 1


def test_what_the_platform_wants_adds_no_send(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio()
    network.answer = lambda asked: reply(status=429, headers={"Retry-After": "2"})
    queue_reports(guerdon, "v1")
    start = clock.now
    for _ in range(8):
        send_due(guerdon)
        clock.advance(2)

    assert list_times(guerdon, "v1", start) == [0, 2, 4, 6]
    assert list_reports(guerdon)[0].state == "dead"


def test_without_its_plugin_a_report_waits_and_no_send_is_used_up(
    open_studio: Open, open_process: Open, network: Network, clock: Clock
) -> None:
    queue_reports(open_studio("delays=[]"), "v1")
    without = open_process("")
    for _ in range(25):  # more often than a row may be taken
        send_due(without)
        clock.advance(60)

    [row] = list_reports(without)
    assert (row.state, row.sends, row.takes, row.due_at) == ("ready", 0, 0, clock.now)
    assert "no plugin that is switched on" in row.last_error
    assert list_sends(without, "v1") == []
    assert network.asked == []

    guerdon = open_process("\n[plugins.studio]\n")
    send_due(guerdon)
    [row] = list_reports(guerdon)
    assert (row.state, row.sends, row.last_error) == ("delivered", 1, "")
    assert [send.number for send in list_sends(guerdon, "v1")] == [1]


@pytest.mark.parametrize("answer", [refuse, lambda asked: reply(status=503)])
def test_while_nobody_is_there_reports_wait_and_one_finds_out(
    open_studio: Open, network: Network, clock: Clock, answer: Any
) -> None:
    guerdon = open_studio("delays=[3600]")
    network.answer = answer
    queue_reports(guerdon, *[f"old{number}" for number in range(FAILURES)])
    send_due(guerdon)
    queue_reports(guerdon, *[f"new{number}" for number in range(5)])

    for count, pause in enumerate(PAUSES[:2]):
        clock.advance(pause - 0.001)
        send_due(guerdon)
        assert len(network.asked) == FAILURES + count
        clock.advance(0.001)
        send_due(guerdon)
        send_due(guerdon)
        assert len(network.asked) == FAILURES + count + 1
    unsent = [row for row in list_reports(guerdon) if row.sends == 0]
    assert len(unsent) == 3
    assert {(row.state, row.takes, row.last_error) for row in unsent} == {("ready", 0, "")}

    network.answer = lambda asked: reply()
    clock.advance(PAUSES[2])
    send_due(guerdon)
    assert len(list_reports(guerdon, state="delivered")) == 1
    send_due(guerdon)
    assert len(list_reports(guerdon, state="delivered")) == 3
    assert {row.sends for row in list_reports(guerdon)} == {1}


def test_a_refusal_is_no_sign_that_nobody_is_there(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio()
    network.answer = lambda asked: reply(status=400)
    queue_reports(guerdon, *map(str, range(FAILURES)))
    send_due(guerdon)
    queue_reports(guerdon, "another")

    send_due(guerdon)

    assert len(network.asked) == FAILURES + 1


def test_no_more_than_at_once_are_under_way(open_studio: Open, network: Network) -> None:
    guerdon = open_studio("at_once=4")
    queue_reports(guerdon, *map(str, range(40)))
    waited_for = [row.id for row in list_reports(guerdon)[-12:]]
    four_at_once = threading.Barrier(4)

    def answer_slowly(asked: Asked) -> HttpResponse:
        if len(network.asked) <= 4:
            four_at_once.wait(20)
        time.sleep(0.02)
        return reply()

    network.answer = answer_slowly
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, 12, 3):
            pool.submit(guerdon.outbox.wait_for, waited_for[start : start + 3], 20)
        while list_reports(guerdon, state="ready"):
            guerdon.outbox.serve_once()
            guerdon.outbox.rest(0.02)
    await_ends(guerdon.outbox)

    assert network.peak == 4
    assert len(network.asked) == 40
    assert len(list_reports(guerdon, state="delivered")) == 40


@on_sqlite
def test_as_many_as_outbox_says_where_the_plugin_does_not(
    open_studio: Open, network: Network
) -> None:
    guerdon = open_studio(more="[outbox]\nat_once = 2\n")
    queue_reports(guerdon, *map(str, range(8)))
    release = threading.Event()
    network.answer = lambda asked: reply() if release.wait(20) else refuse(asked)
    for _ in range(3):
        guerdon.outbox.serve_once()
    wait_until(lambda: network.under_way == 2)
    time.sleep(0.05)
    assert len(list_reports(guerdon, state="leased")) == 2  # nor are more taken from others
    release.set()

    assert network.peak == 2


def test_a_destination_that_hangs_delays_no_other(
    open_process: Open, add_plugin: AddPlugin, network: Network
) -> None:
    sections = add_plugin(make_reporter(), "studio") + add_plugin(make_reporter("swift"), "swift")
    guerdon = open_process(sections)
    release = threading.Event()

    def answer(asked: Asked) -> HttpResponse:
        if "studio" in asked.url:
            release.wait(20)
        return reply()

    network.answer = answer
    queue_reports(guerdon, *map(str, range(50)))
    began = time.monotonic()
    while len(list_reports(guerdon, reporter="swift", state="delivered")) < 50:
        guerdon.outbox.serve_once()
        guerdon.outbox.rest(0.02)
        assert time.monotonic() < began + 5
    assert list_reports(guerdon, reporter="studio", state="delivered") == []
    release.set()


@pytest.mark.parametrize("late", [reply('{"first": 1}'), reply(status=500), reply(status=400)])
def test_a_later_end_never_replaces_the_first_reply(
    open_studio: Open, add_outbox: AddOutbox, network: Network, clock: Clock, late: HttpResponse
) -> None:
    guerdon = open_studio()
    other = add_outbox(guerdon)
    began, release = threading.Event(), threading.Event()

    def answer(asked: Asked) -> HttpResponse:
        if len(network.asked) > 1:
            return reply('{"second": 2}')
        began.set()
        release.wait(20)
        return late

    network.answer = answer
    queue_reports(guerdon, "v1")
    guerdon.outbox.serve_once()
    began.wait(20)
    clock.advance(60)  # its lease has run out, and the next send is due
    other.serve_once()
    await_ends(other)
    [row] = list_reports(guerdon)
    assert (row.state, row.response) == ("delivered", '{"second": 2}')
    delivered_at = row.delivered_at
    clock.advance(1)
    release.set()
    await_ends(guerdon.outbox)

    [row] = list_reports(guerdon)
    assert (row.state, row.sends, row.response) == ("delivered", 2, '{"second": 2}')
    assert (row.delivered_at, row.last_error) == (delivered_at, "")
    first, second = list_sends(guerdon, "v1")
    assert (first.status, first.ended_at) == (late.status, clock.now)
    assert (second.status, second.ended_at) == (200, delivered_at)
    clock.advance(3600)
    send_due(guerdon)
    assert len(network.asked) == 2


def test_a_late_success_stands_and_a_send_that_ends_after_it_changes_nothing(
    open_studio: Open, add_outbox: AddOutbox, network: Network, clock: Clock
) -> None:
    guerdon = open_studio()
    outboxes = [guerdon.outbox, add_outbox(guerdon)]
    began = [threading.Event(), threading.Event()]
    release = [threading.Event(), threading.Event()]
    answers = [reply('{"first": 1}'), reply(status=401)]

    def answer(asked: Asked) -> HttpResponse:
        turn = len(network.asked) - 1
        began[turn].set()
        release[turn].wait(20)
        return answers[turn]

    network.answer = answer
    queue_reports(guerdon, "v1")
    for number, outbox in enumerate(outboxes):
        outbox.serve_once()
        began[number].wait(20)
        clock.advance(60)
    for number, outbox in enumerate(outboxes):
        release[number].set()
        await_ends(outbox)
        [row] = list_reports(guerdon)
        assert (row.state, row.response, row.last_error) == ("delivered", '{"first": 1}', "")
    assert [send.status for send in list_sends(guerdon, "v1")] == [200, 401]


@pytest.mark.parametrize("status", [401, 500])
def test_a_late_failure_takes_no_lease_from_who_sends_now(
    open_studio: Open, add_outbox: AddOutbox, network: Network, clock: Clock, status: int
) -> None:
    guerdon = open_studio()
    outboxes = [guerdon.outbox, add_outbox(guerdon)]
    began = [threading.Event(), threading.Event()]
    release = [threading.Event(), threading.Event()]

    def answer(asked: Asked) -> HttpResponse:
        turn = len(network.asked) - 1
        began[turn].set()
        release[turn].wait(20)
        return reply(status=status) if turn == 0 else reply()

    network.answer = answer
    queue_reports(guerdon, "v1")
    for number, outbox in enumerate(outboxes):
        outbox.serve_once()
        began[number].wait(20)
        clock.advance(60 * (1 - number))
    release[0].set()
    await_ends(outboxes[0])
    [row] = list_reports(guerdon)
    assert (row.state, row.last_error) == ("leased", "")
    release[1].set()
    await_ends(outboxes[1])

    assert list_reports(guerdon)[0].state == "delivered"


@pytest.mark.parametrize(
    ("plan", "takes", "reason"),
    [
        ("first=1, longest=2", MAX_TAKES, "taken 20 times and never finished"),
        ("delays=[60, 60, 60]", 4, "its last send was cut off: nobody knows its end"),
        ("delays=[]", 1, "its last send was cut off: nobody knows its end"),
    ],
)
def test_what_ends_its_sender_each_time_is_dead_with_a_reason(
    open_studio: Open, network: Network, clock: Clock, plan: str, takes: int, reason: str
) -> None:
    guerdon = open_studio(plan)
    queue_reports(guerdon, "v1")
    get_schedule = Destinations(guerdon.plugins, 32, clock).get_schedule
    begun = 0
    for _ in range(takes + 3):  # each time killed before the end
        due = Report.due_at <= clock.now
        begun += len(begin_sends(guerdon.database, get_schedule, due, 5, clock.now))
        clock.advance(100)

    [row] = list_reports(guerdon)
    assert begun == row.sends == takes
    assert (row.state, row.last_error.partition(":")[0]) == ("dead", reason.partition(":")[0])
    sends = list_sends(guerdon, "v1")
    assert [send.number for send in sends] == list(range(1, takes + 1))
    assert {send.ended_at for send in sends} == {None}
    send_due(guerdon)
    assert network.asked == []


def test_the_next_send_is_fixed_before_this_one_leaves(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    """So a sender that is killed between adds none, and makes none come too soon."""
    guerdon = open_studio("delays=[60, 100]")
    queue_reports(guerdon, "v1")
    get_schedule = Destinations(guerdon.plugins, 32, clock).get_schedule
    start = clock.now

    begun = []
    for _ in range(200):
        due = Report.due_at <= clock.now
        if begin_sends(guerdon.database, get_schedule, due, 5, clock.now):  # and is killed
            begun.append((clock.now - start) / 1000)
            [row] = list_reports(guerdon)
            assert (row.state, row.sends) == ("leased", len(begun))
            pause = [60_000, 100_000, 0][len(begun) - 1]
            assert row.due_at == clock.now + pause
        clock.advance(1)

    assert begun == [0, 60, 160]
    assert network.asked == []


@pytest.mark.parametrize("delays", [[], [60]])
@pytest.mark.parametrize("status", [200, 500])
def test_a_schedule_that_became_shorter_takes_no_promised_send_away(
    open_studio: Open, add_outbox: AddOutbox, network: Network, clock: Clock, delays: list[int],
    status: int,
) -> None:  # fmt: skip
    """And what a report dies of is what its last send met."""
    guerdon = open_studio("delays=DELAYS[:]")
    plugin = guerdon.plugins.only("plan_sending", "studio").get_hookimpls()[-1].plugin
    plugin.DELAYS = [60, 60, 60]
    network.answer = lambda asked: reply(status=503)
    queue_reports(guerdon, "v1")
    send_due(guerdon)
    clock.advance(60)
    send_due(guerdon)
    plugin.DELAYS = delays
    later = add_outbox(guerdon)
    network.answer = lambda asked: reply(status=status)

    clock.advance(60)
    later.serve_once()
    await_ends(later)

    [row] = list_reports(guerdon)
    assert (row.state, row.sends) == ("delivered" if status == 200 else "dead", 3)
    assert row.last_error == ("" if status == 200 else "it answered 500")


def test_a_dead_report_sent_again_by_a_person_has_its_whole_schedule(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio("delays=[60]")
    network.answer = lambda asked: reply(status=500)
    queue_reports(guerdon, "v1")
    for _ in range(2):
        send_due(guerdon)
        clock.advance(60)
    [row] = list_reports(guerdon, state="dead")
    clock.advance(3600)
    start = clock.now

    assert revive_reports(guerdon.database, [row.id], clock.now) == 1
    for _ in range(4):
        send_due(guerdon)
        clock.advance(60)

    assert list_times(guerdon, "v1", start)[2:] == [0, 60]
    [row] = list_reports(guerdon)
    assert (row.state, row.sends) == ("dead", 4)
    network.answer = lambda asked: reply()
    revive_reports(guerdon.database, [row.id], clock.now)
    send_due(guerdon)
    [row] = list_reports(guerdon)
    assert (row.state, row.sends, row.last_error) == ("delivered", 5, "")


@pytest.mark.parametrize("plan", ["delays=[]", "delays=[60]"])
def test_one_sent_again_soon_after_its_last_send_keeps_its_time_whoever_else_is_sent(
    open_studio: Open, network: Network, clock: Clock, plan: str
) -> None:
    """Not for the length of the lease that it had before is it taken for one whose clock was set back."""
    guerdon = open_studio(plan)
    network.answer = lambda asked: reply(status=500)
    queue_reports(guerdon, "v1")
    send_due(guerdon)
    clock.advance(5)
    [row] = list_reports(guerdon)

    assert revive_reports(guerdon.database, [row.id], clock.now) == 1
    queue_reports(guerdon, "v2")
    due = (Report.key == "v2") & (Report.due_at <= clock.now)
    get_schedule = Destinations(guerdon.plugins, 32, clock).get_schedule
    begin_sends(guerdon.database, get_schedule, due, 5, clock.now)

    [row] = list_reports(guerdon, key="v1")
    assert (row.state, row.due_at) == ("ready", clock.now)


@on_sqlite
def test_a_growing_schedule_begins_anew_too(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio("first=8, longest=600, give_up_after=10")
    network.answer = lambda asked: reply("no JSON")
    queue_reports(guerdon, "v1")
    for _ in range(3):
        send_due(guerdon)
        clock.advance(20)
    [row] = list_reports(guerdon, state="dead")

    revive_reports(guerdon.database, [row.id], clock.now)
    send_due(guerdon)

    [row] = list_reports(guerdon)
    assert row.state == "ready"
    assert 6.4 <= (row.due_at - clock.now) / 1000 <= 9.6


def test_many_dead_reports_are_found_and_sent_again_and_no_others(
    open_studio: Open, network: Network, clock: Clock
) -> None:
    guerdon = open_studio("delays=[60]")
    queue_reports(guerdon, *[f"v{number}" for number in range(210)])
    early = clock.now
    clock.advance(10)
    queue_reports(guerdon, "late", "waiting", "delivered", "other")
    with guerdon.database.connection_context():
        Report.update(state="dead", sends=2, takes=20, last_error="x").execute()
        Report.update(state="delivered", response="{}").where(Report.key == "delivered").execute()
        Report.update(reporter="other").where(Report.key == "other").execute()
        waiting = {"state": "ready", "sends": 1, "due_at": clock.now + 50_000}
        Report.update(**waiting).where(Report.key == "waiting").execute()
        dead = list_dead_reports("studio")
        assert len(dead) == 211
        assert list_dead_reports("studio", since=clock.now) == [211]
        assert list_dead_reports("studio", until=clock.now) == dead[:-1]
        assert list_dead_reports("studio", early, early) == []
        assert list_dead_reports("nobody") == []
    shown: list[int] = []

    def progress(chunks: Any) -> Any:
        for chunk in chunks:
            shown.append(len(chunk))
            yield chunk

    count = revive_reports(guerdon.database, [*range(1, 214), 999], clock.now, progress)

    assert count == 212
    assert shown == [200, 14]
    rows = {row.key: row for row in list_reports(guerdon)}
    for key in ("v0", "v209", "late"):
        row = rows[key]
        assert (row.state, row.due_at, row.sends) == ("ready", clock.now, 2)
        assert (row.sends_before, row.waiting_since, row.takes) == (2, clock.now, 0)
    assert (rows["waiting"].due_at, rows["waiting"].sends_before) == (clock.now, 0)
    assert (rows["delivered"].state, rows["other"].state) == ("delivered", "dead")


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_is_kept_short_and_without_secrets(
    open_process: Open, add_plugin: AddPlugin, network: Network, status: int
) -> None:
    section = add_plugin(make_reporter())
    guerdon = open_process(f'{section}secret = "pa\\"ss-wörd"\n')
    said = '{"token": "theirs-1", "said": "pa\\"ss-wörd Ym9iOnBhc3M= hush-hush \\ud800'
    text = f'{said} {"é" * 5000}"}}'
    network.answer = lambda asked: reply(text, status)
    queue_reports(guerdon, "v1")
    send_due(guerdon)

    [row], [send] = list_reports(guerdon), list_sends(guerdon, "v1")
    assert (row.state, row.response) == (("delivered", text) if status == 200 else ("ready", None))
    assert 4000 < len(send.answer.encode()) <= 4096
    for secret in ("theirs-1", "ss-wörd", "Ym9iOnBhc3M=", "hush-hush"):
        assert secret not in send.answer + send.error + row.last_error


def test_waiting_for_a_report_sends_it_at_once(open_studio: Open, network: Network) -> None:
    guerdon = open_studio()
    queue_reports(guerdon, "v1", "v2", "v3")
    ids = [row.id for row in list_reports(guerdon)]
    began = time.monotonic()

    guerdon.outbox.wait_for(ids[:2], 60)

    assert time.monotonic() - began < 40
    assert [row.state for row in list_reports(guerdon)] == ["delivered", "delivered", "ready"]


@on_sqlite
@pytest.mark.parametrize("answer", [refuse, lambda asked: reply(status=400)])
def test_waiting_ends_when_nothing_more_can_come_in_time(
    open_studio: Open, network: Network, answer: Any
) -> None:
    guerdon = open_studio()
    network.answer = answer
    queue_reports(guerdon, "v1")
    began = time.monotonic()

    guerdon.outbox.wait_for([list_reports(guerdon)[0].id], 60)

    assert time.monotonic() - began < 40
    assert len(network.asked) == 1


@on_sqlite
def test_waiting_is_no_use_while_nobody_is_there(open_studio: Open, network: Network) -> None:
    guerdon = open_studio("delays=[3600]")
    network.answer = refuse
    queue_reports(guerdon, *map(str, range(FAILURES)))
    send_due(guerdon)
    queue_reports(guerdon, "new")
    began = time.monotonic()

    guerdon.outbox.wait_for([list_reports(guerdon, key="new")[0].id], 60)

    assert time.monotonic() - began < 40
    assert list_reports(guerdon, key="new")[0].sends == 0


def test_what_another_process_sends_is_waited_for(
    open_studio: Open, add_outbox: AddOutbox, network: Network
) -> None:
    guerdon = open_studio()
    other = add_outbox(guerdon)
    began, release = threading.Event(), threading.Event()

    def answer(asked: Asked) -> HttpResponse:
        began.set()
        release.wait(20)
        return reply()

    network.answer = answer
    queue_reports(guerdon, "v1")
    [row] = list_reports(guerdon)
    other.serve_once()
    began.wait(20)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(guerdon.outbox.wait_for, [row.id], 20)
        time.sleep(0.3)
        assert not waiting.done()
        release.set()
        waiting.result(5)

    assert list_reports(guerdon)[0].state == "delivered"
    assert len(network.asked) == 1


def test_two_processes_send_each_report_once(
    open_studio: Open, add_outbox: AddOutbox, network: Network
) -> None:
    guerdon = open_studio()
    queue_reports(guerdon, *map(str, range(60)))

    def serve(outbox: Outbox) -> None:
        while list_reports(guerdon, state="ready"):
            outbox.serve_once()
        await_ends(outbox)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(serve, [guerdon.outbox, add_outbox(guerdon)]))

    assert len(list_reports(guerdon, state="delivered")) == 60
    assert len(network.asked) == len({asked.body for asked in network.asked}) == 60


def test_two_who_wait_for_one_report_take_one_place_and_give_it_back(
    open_studio: Open, network: Network
) -> None:
    guerdon = open_studio()
    queue_reports(guerdon, "first", "second")
    first, second = (row.id for row in list_reports(guerdon))
    with ThreadPoolExecutor(8) as pool:
        with hold_lock(guerdon, "first"):
            pool.submit(guerdon.outbox.wait_for, [first], 20)
            time.sleep(0.2)  # who comes now shares the next round
            waits = [pool.submit(guerdon.outbox.wait_for, [second], 20) for _ in range(6)]
            time.sleep(0.2)
        for wait in waits:
            wait.result(20)
    await_ends(guerdon.outbox)

    assert len(network.asked) == 2
    assert [row.state for row in list_reports(guerdon)] == ["delivered"] * 2
    assert wait_until(lambda: count_free(guerdon.outbox) == 32)


def test_who_stops_waiting_while_it_begins_leaves_no_place_taken(
    open_studio: Open, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = open_studio("at_once=4")
    queue_reports(guerdon, "v1", "v2")
    ids = [row.id for row in list_reports(guerdon)]
    monkeypatch.setattr("app.reporting.waiting_callers.ANSWER_TIMEOUT", 0.3)
    with hold_lock(guerdon, "v1"):
        for _ in range(2):  # the one is being begun, the other still waits for its turn
            with pytest.raises(TimeoutError):
                guerdon.outbox.wait_for(ids, 20)
    guerdon.outbox.serve_once()
    wait_until(lambda: len(list_reports(guerdon, state="delivered")) == 2)
    await_ends(guerdon.outbox)

    assert len(network.asked) == 2
    assert wait_until(lambda: count_free(guerdon.outbox) == 4)


def test_a_backlog_of_one_reporter_hides_no_news_of_another(
    open_process: Open, add_plugin: AddPlugin, network: Network
) -> None:
    studio, swift = add_plugin(make_reporter(plan="at_once=4")), "\n[plugins.swift]\n"
    add_plugin(make_reporter("swift"), "swift")
    queue_reports(open_process(studio), *[f"old{number}" for number in range(400)])
    elsewhere, busy = open_process(swift), open_process(studio + swift)

    def answer(asked: Asked) -> HttpResponse:
        time.sleep(0.05 if "studio" in asked.url else 0)
        return reply()

    network.answer = answer
    busy.dispatcher.start()
    wait_until(lambda: len(network.asked) > 8)
    queue_reports(elsewhere, "fresh")  # in another process: nobody nudges the busy one

    wait_until(lambda: any("swift" in asked.url for asked in network.asked), 2.5, 0.01)
    assert len(network.asked) < 390


@pytest.mark.parametrize("table", ["guerdon_reports", "guerdon_sends"])
def test_an_error_of_the_database_loses_no_news(
    open_studio: Open, network: Network, table: str
) -> None:
    guerdon = open_studio()
    guerdon.outbox.serve_once()
    queue_reports(guerdon, "v1")

    def rename(*names: str) -> None:
        with guerdon.database.connection_context():
            guerdon.database.execute_sql("ALTER TABLE {} RENAME TO {}".format(*names))

    rename(table, "hidden")
    guerdon.outbox.wake()
    for _ in range(2):
        with pytest.raises(PeeweeException):
            guerdon.outbox.serve()
    rename("hidden", table)
    assert count_free(guerdon.outbox) == 32
    guerdon.outbox.serve()
    await_ends(guerdon.outbox)

    assert [row.state for row in list_reports(guerdon)] == ["delivered"]


@pytest.mark.parametrize("deed", ["http.request('POST', 'https://studio.example/in') and None",
                                  "sys.exit(3)", "lose(Mine())", "lose(app.DeliveryError('', "
                                  "retry_in=10**400))"])  # fmt: skip
def test_whatever_a_reporter_does_each_time_is_a_failed_send_by_its_schedule(
    open_process: Open, add_plugin: AddPlugin, network: Network, clock: Clock, deed: str
) -> None:
    head = """
import sys
import app

class Mine(app.DeliveryError):
    def __init__(self):
        pass

def lose(error):
    raise error
"""
    source = head + make_reporter().replace("return app.read_reply(answer, now)", f"return {deed}")
    source = source.replace(
        'answer = http.request("POST", url, body=report.body, headers=headers)', ""
    )
    guerdon = open_process(add_plugin(source))
    queue_reports(guerdon, "v1")
    for _ in range(6):
        send_due(guerdon)
        clock.advance(60)

    [row] = list_reports(guerdon)
    assert (row.state, row.sends) == ("dead", 4)
    assert row.last_error
    ends = [
        (send.number, bool(send.error), bool(send.ended_at)) for send in list_sends(guerdon, "v1")
    ]
    assert ends == [(number, True, True) for number in range(1, 5)]
    assert len(network.asked) == (4 if "http" in deed else 0)
    assert count_free(guerdon.outbox) == 32


@on_sqlite
def test_many_who_wait_for_a_full_lane_do_not_poll_the_database(
    open_studio: Open, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = open_studio("at_once=1")
    queue_reports(guerdon, "slow", *map(str, range(10)))
    release = threading.Event()
    network.answer = lambda asked: reply() if release.wait(20) else refuse(asked)
    guerdon.outbox.serve_once()
    wait_until(lambda: network.under_way == 1)
    ids = [row.id for row in list_reports(guerdon, state="ready")]
    looks = count_looks(guerdon.outbox, monkeypatch)
    with ThreadPoolExecutor(10) as pool:
        waits = [pool.submit(guerdon.outbox.wait_for, [id_], 20) for id_ in ids]
        time.sleep(2)
        assert len(looks) <= 10 * 6  # twice a second each, in case another process sends it
        release.set()
        for wait in waits:
            wait.result(20)

    assert len(list_reports(guerdon, state="delivered")) == 11
    assert network.peak == 1


@on_sqlite
def test_who_waits_for_a_later_retry_does_not_poll_the_database(
    open_studio: Open, network: Network, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = open_studio("delays=[2]")
    network.answer = lambda asked: reply(status=500) if len(network.asked) < 2 else reply()
    queue_reports(guerdon, "v1")
    looks = count_looks(guerdon.outbox, monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(guerdon.outbox.wait_for, [list_reports(guerdon)[0].id], 20)
        time.sleep(2)
        assert 2 < len(looks) <= 12
        clock.advance(2)
        waiting.result(5)

    assert list_reports(guerdon)[0].state == "delivered"


def test_an_end_that_cannot_be_recorded_keeps_no_other_from_it(
    open_studio: Open, network: Network
) -> None:
    guerdon = open_studio()
    queue_reports(guerdon, "first", *[f"{word}{n}" for n in range(10) for word in ("odd", "v")])
    first, others = threading.Event(), threading.Event()

    def answer(asked: Asked) -> HttpResponse:
        (first if b'"first"' in asked.body else others).wait(20)
        return reply(status=10**30 if b'"odd' in asked.body else 200)  # no column holds that

    network.answer = answer
    guerdon.outbox.serve_once()
    wait_until(lambda: network.under_way == 21)
    with hold_lock(guerdon, "first"):
        first.set()  # its end waits for the lock to be recorded, and then all others together
        wait_until(lambda: network.under_way == 20)
        time.sleep(0.2)
        others.set()
        wait_until(lambda: network.under_way == 0)
        time.sleep(0.2)

    wait_until(lambda: len(list_reports(guerdon, state="delivered")) == 11)
    assert {row.key[:3] for row in list_reports(guerdon, state="leased")} == {"odd"}


@on_sqlite
def test_a_reply_too_large_to_keep_ends_its_report_with_a_reason(
    open_process: Open, add_plugin: AddPlugin, network: Network, clock: Clock
) -> None:
    deed = f'return {{"all": "x" * {LARGEST_REPLY}}}'
    source = make_reporter().replace("return app.read_reply(answer, now)", deed)
    guerdon = open_process(add_plugin(source))
    queue_reports(guerdon, "v1")
    for _ in range(2):
        send_due(guerdon)
        clock.advance(60)

    [row] = list_reports(guerdon)
    assert (row.state, row.sends, row.response) == ("dead", 1, None)
    assert row.last_error.startswith("it arrived, but its reporter returned more than")
    assert len(network.asked) == 1


@on_sqlite
def test_reports_that_no_plugin_sends_any_more_are_looked_at_once_a_minute(
    open_studio: Open, open_process: Open, network: Network, clock: Clock
) -> None:
    queue_reports(open_studio("delays=[]"), *map(str, range(12)))
    without = open_process("", more="[outbox]\nat_once = 4\n")

    def count_looked_at() -> int:
        return sum(row.last_error != "" for row in list_reports(without))

    send_due(without)
    assert count_looked_at() == 3  # a quarter is for those who wait
    for minute in range(1, 6):
        clock.advance(59.999)
        send_due(without)
        assert count_looked_at() == 2 + minute
        clock.advance(0.001)
        for _ in range(4):
            send_due(without)
        assert count_looked_at() == 3 + minute
    rows = list_reports(without)
    assert {(row.state, row.sends, row.takes) for row in rows} == {("ready", 0, 0)}
    began = time.monotonic()
    without.outbox.wait_for([rows[0].id], 60)
    assert time.monotonic() - began < 40
    assert network.asked == []


@on_sqlite
def test_stopping_waits_for_what_is_under_way_and_says_what_is_late(
    open_studio: Open, add_outbox: AddOutbox, network: Network
) -> None:
    guerdon = open_studio()
    other = add_outbox(guerdon)
    began, release = threading.Event(), threading.Event()

    def answer(asked: Asked) -> HttpResponse:
        began.set()
        (time.sleep(0.3) if len(network.asked) == 1 else release.wait(20))
        return reply()

    network.answer = answer
    queue_reports(guerdon, "v1")
    guerdon.outbox.serve_once()
    began.wait(20)
    assert guerdon.outbox.stop(10) is True
    assert [row.state for row in list_reports(guerdon)] == ["delivered"]

    queue_reports(guerdon, "v2")
    other.serve_once()
    wait_until(lambda: network.under_way == 1)
    start = time.monotonic()
    assert other.stop(0.2) is False
    assert time.monotonic() - start < 5
    assert list_reports(guerdon, key="v2")[0].state == "leased"
    release.set()


def test_after_the_end_nothing_more_begins(open_studio: Any, network: Network) -> None:
    guerdon = open_studio()
    queue_reports(guerdon, "v1")
    guerdon.outbox.stop()

    guerdon.outbox.wait_for([1], 0.3)
    guerdon.outbox.serve_once()

    [row] = list_reports(guerdon)
    assert (row.state, row.sends, network.asked) == ("ready", 0, [])
