"""One clock for all: whose it is, and what a clock that is set does to leases, retries and giving up."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.database.asking_time import ask_time
from app.database.clock import ASK_AGAIN, ASK_EVERY, Clock, read_ticks, read_wall
from app.database.models import Claim, Report, Waiting
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import LONGEST_LEASE, lease_claims, queue_claims
from app.porch.types import Event, Player
from app.reporting.circuit_breaker import PAUSES
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.vote_api import VoteApi, answer
from app.testing.waiting import wait_until
from tests.world.studio import (
    Network,
    list_reports,
    list_sends,
    make_reporter,
    queue_reports,
    refuse,
    reply,
    send_due,
)

HOUR, DAYS = 3600, 3 * 86400  # seconds
SET = [120, -120, 3 * HOUR, -3 * HOUR, DAYS, -DAYS]


class Host:
    """A host whose clock anybody may set; times in ms."""

    def __init__(self) -> None:
        self.wall, self.ticks = 1_800_000_000_000, 5_000_000

    def wait(self, seconds: float) -> None:
        self.wall += int(seconds * 1000)
        self.ticks += int(seconds * 1000)

    def set_clock(self, seconds: float) -> None:
        """Forward, or back where that is negative; no time passes."""
        self.wall += int(seconds * 1000)

    def make_clock(self, ask: Callable[[], int | None] | None = None) -> Clock:
        return Clock(lambda: self.wall, lambda: self.ticks, ask)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def network() -> Network:
    network = Network()
    network.answer = refuse
    return network


Open = Callable[..., Guerdon]


@pytest.fixture
def open_process(
    write_config: Callable[..., Path], host: Host, network: Network, vote_api: VoteApi
) -> Iterator[Open]:
    """A Guerdon whose clock is the host's, one after the other; the vote API refuses everything."""
    opened: list[Guerdon] = []
    vote_api.behave = lambda handler: answer(handler, 404, b"")

    def open_one(plugins: str = "", http: Any = None, **options: Any) -> Guerdon:
        for guerdon in opened:
            guerdon.close()
        path = write_config(plugins=ALL_PLUGINS + plugins, **options)
        guerdon = open_guerdon(path, host.make_clock(), http)
        guerdon.migrate()
        if not opened:
            add_player(guerdon, "Bob")
        opened.append(guerdon)
        return guerdon

    yield open_one
    for guerdon in opened:
        guerdon.close()


@pytest.fixture
def open_studio(
    open_process: Open, add_plugin: Callable[..., str], network: Network
) -> Callable[[str], Guerdon]:
    """A Guerdon whose studio reports every event, by a Schedule of these arguments."""
    return lambda plan: open_process(add_plugin(make_reporter(plan=plan)), http=network)


def serve(guerdon: Guerdon) -> None:
    with ThreadPoolExecutor(1) as pool:
        guerdon.dispatcher.serve_once(pool)


def read_waiting(guerdon: Guerdon) -> Any:
    with guerdon.database.connection_context():
        return Waiting.get()


def read_report(guerdon: Guerdon) -> Any:
    [report] = list_reports(guerdon)
    return report


# Whose clock


def test_it_works(host: Host) -> None:
    asked = [host.wall + DAYS * 1000]
    clock = host.make_clock(lambda: asked[-1])

    assert clock() == host.wall + DAYS * 1000
    host.wait(4)
    host.set_clock(HOUR)

    assert clock() == asked[0] + 4000  # this host's clock is nothing to it
    assert clock.compare() == HOUR * 1000 + 4000 - DAYS * 1000


def test_the_hosts_own_clock_is_followed_where_there_is_none_to_ask(host: Host) -> None:
    clock = host.make_clock()
    for seconds in SET:
        host.set_clock(seconds)
        assert clock() == host.wall
    assert clock.compare() == 0


def test_it_asks_aside_and_now_and_then(host: Host) -> None:
    """What is asked costs nobody who wants to know the time a round trip, but the first."""
    asked: list[int] = []

    def ask() -> int:
        asked.append(host.ticks)
        return host.wall + 7_000 * len(asked)

    clock = host.make_clock(ask)
    for _ in range(5):
        assert clock() == host.wall + 7_000
    assert len(asked) == 1
    host.wait(ASK_EVERY / 1000)

    clock()

    wait_until(lambda: clock() == host.wall + 14_000, 10)
    assert len(asked) == 2


def test_while_nobody_answers_it_is_as_good_as_this_host_knows(host: Host) -> None:
    answers: list[int | None] = [None]
    asked: list[int] = []

    def ask() -> int | None:
        asked.append(host.ticks)
        return answers[-1]

    clock = host.make_clock(ask)
    assert [clock(), clock()] == [host.wall, host.wall]
    assert len(asked) == 1  # whoever comes right after does not wait too
    assert clock.compare() is None

    answers.append(host.wall - 60_000)
    host.wait(ASK_EVERY / 1000)
    assert clock() == answers[-1]
    answers.append(None)
    host.wait(2 * ASK_AGAIN / 1000)
    assert clock() == host.wall - 60_000 - ASK_EVERY


def test_an_answer_that_took_its_time_is_halved_or_not_believed(host: Host) -> None:
    def ask_slowly(seconds: float) -> int:
        host.wait(seconds)
        told = host.wall + 60_000
        host.wait(seconds)
        return told

    pause = [0.4]
    clock = host.make_clock(lambda: ask_slowly(pause[0]))
    assert clock() == host.wall + 60_000

    pause[0] = 4.0
    clock._read_wall = lambda: 0  # only the ticks count now
    clock._ask = lambda: ask_slowly(4.0) + DAYS
    clock._refresh(0)
    assert clock() == host.wall + 60_000


def test_who_is_stopped_between_two_looks_has_not_seen_a_clock_being_set(host: Host) -> None:
    stops = [DAYS, 0, 0]

    def read_wall() -> int:
        host.wait(stops.pop(0) if stops else 0)
        return host.wall

    clock = Clock(read_wall, lambda: host.ticks)
    clock()
    stops[:] = [DAYS]
    clock()

    first, last = clock.find_running(60_000)
    assert first > last


def test_the_ticks_go_on_and_no_faster_than_time() -> None:
    ticks, wall = read_ticks(), read_wall()
    wait_until(lambda: read_ticks() > ticks + 20, pause=0.001)
    assert abs((read_ticks() - ticks) - (read_wall() - wall)) < 1000


@pytest.mark.on_servers
def test_a_server_is_asked_for_its_clock(write_config: Callable[..., Path]) -> None:
    guerdon = open_guerdon(write_config())

    before = read_wall()
    told = guerdon.now()

    assert before - 100 <= told <= read_wall() + 100
    # Another clock than this host's: the server's session can be given one.
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("SET SESSION timestamp = 1234567.891")
        assert ask_time(guerdon.database) == 1_234_567_891
        guerdon.database.drop_connection()
    guerdon.close()


@pytest.mark.parametrize(("ahead", "words"), [(2.4, "2.4 s ahead of"), (-DAYS, "behind")])
def test_check_tells_where_two_clocks_differ(
    ahead: float, words: str, open_process: Open, host: Host
) -> None:
    guerdon = open_process()
    assert guerdon.compare_clocks() == []
    guerdon.now = host.make_clock(partial(int, host.wall))
    host.set_clock(1.9)
    assert guerdon.compare_clocks() == []
    host.set_clock(ahead - 1.9)

    [fault] = guerdon.compare_clocks()

    assert f"this host's clock is {abs(ahead):.1f} s" in fault
    assert words in fault
    assert guerdon.inspect() == []  # it pays rightly all the same


# Retries


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("seconds", [-120, -HOUR, -DAYS])
def test_a_retry_that_was_set_by_a_fast_clock_comes_after_its_own_delay(
    seconds: int, is_new: bool, open_process: Open, host: Host, vote_api: VoteApi
) -> None:
    guerdon = open_process(more="[inbox]\nretry_delays = [1, 7]")
    assert post_vote(guerdon, "v1").headers["Retry-After"] == "1"
    host.set_clock(seconds)
    if is_new:
        guerdon = open_process(more="[inbox]\nretry_delays = [1, 7]")
    assert post_vote(guerdon, "v1").headers["Retry-After"] == "1"

    serve(guerdon)
    host.wait(1)
    serve(guerdon)
    assert read_waiting(guerdon).retries == 1
    host.set_clock(seconds)
    serve(guerdon)
    vote_api.behave = None
    host.wait(6.9)
    serve(guerdon)
    assert read_waiting(guerdon).state == "ready"
    host.wait(0.1)
    serve(guerdon)

    assert get_v1(guerdon, "/events/server.vote/v1")["state"] == "settled"


@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_person_sent_again_is_tried_at_once_whatever_the_clock_does(
    is_new: bool, open_process: Open, host: Host
) -> None:
    more = "[inbox]\nretry = false"
    guerdon = open_process(more=more)
    post_vote(guerdon, "v1")
    with guerdon.database.connection_context():
        Waiting.update(state="dead").execute()
    assert guerdon.inbox.revive(None) == 1
    host.set_clock(-DAYS)
    if is_new:
        guerdon = open_process(more=more)

    serve(guerdon)

    assert read_waiting(guerdon).attempts == 2


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("seconds", [-120, -HOUR, -DAYS])
def test_so_does_a_report(
    seconds: int, is_new: bool, open_studio: Open, host: Host, network: Network
) -> None:
    plan = "delays=[9, 9, 9]"
    guerdon = open_studio(plan)
    queue_reports(guerdon, "v1")
    host.set_clock(seconds)
    if is_new:
        guerdon = open_studio(plan)

    send_due(guerdon)
    assert len(network.asked) == 1  # queued, it is due
    host.set_clock(seconds)
    if is_new:
        guerdon = open_studio(plan)
    send_due(guerdon)
    host.wait(8.9)
    send_due(guerdon)
    assert len(network.asked) == 1
    host.wait(0.1)
    network.answer = lambda asked: reply()
    send_due(guerdon)

    assert read_report(guerdon).state == "delivered"
    assert len(network.asked) == 2


# Giving up


@pytest.mark.parametrize("seconds", SET)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_vote_has_its_tries_whatever_the_clock_does(
    seconds: int, after: int, open_process: Open, host: Host
) -> None:
    guerdon = open_process(more="[inbox]\nretry_delays = [30]\ngive_up_after = 100")
    post_vote(guerdon, "v1")
    for tries in range(4):
        if tries == after:
            host.set_clock(seconds)
        row = read_waiting(guerdon)
        assert (row.state, row.retries) == ("ready", tries)
        serve(guerdon)  # brings it back, where it was to wait for longer than its delay
        if read_waiting(guerdon).retries == tries:
            host.wait(30)
            serve(guerdon)

    row = read_waiting(guerdon)
    assert (row.state, row.attempts) == ("dead", 5)


def test_an_outage_of_ours_is_no_try(open_process: Open, host: Host) -> None:
    guerdon = open_process(more="[inbox]\nretry_delays = [30]\ngive_up_after = 100")
    post_vote(guerdon, "v1")

    host.wait(DAYS)
    for tries in range(1, 4):
        serve(guerdon)
        assert (read_waiting(guerdon).state, read_waiting(guerdon).retries) == ("ready", tries)
        host.wait(30)
    serve(guerdon)

    assert read_waiting(guerdon).state == "dead"


@pytest.mark.parametrize("during", [True, False])
@pytest.mark.parametrize("seconds", SET)
def test_a_report_has_its_tries_whatever_the_clock_does(
    seconds: int, during: bool, open_studio: Open, host: Host, network: Network
) -> None:
    guerdon = open_studio("first=10, longest=10, give_up_after=30")
    queue_reports(guerdon, "v1")
    jumps = [seconds, seconds]

    def fail(asked: Any) -> Any:
        host.set_clock(jumps.pop() if during and jumps else 0)
        return reply(status=500)

    network.answer = fail
    began = host.ticks
    while read_report(guerdon).state != "dead":
        assert host.ticks < began + 60_000
        if not during and jumps and len(network.asked) == len(jumps):
            host.set_clock(jumps.pop())
        send_due(guerdon)
        host.wait(0.5)

    # Set forward, the clock makes a pause shorter; set back, it makes it longer, by one pause.
    assert 10_000 <= host.ticks - began <= 56_000
    assert 4 <= len(network.asked) <= 6


# Leases


def take_waiting(guerdon: Guerdon) -> int:
    return len(guerdon.inbox.take_due(16).rows)


def take_claims(guerdon: Guerdon) -> int:
    running = guerdon.now.find_running(LONGEST_LEASE * 1000)
    with guerdon.database.connection_context():
        leased = lease_claims(guerdon.database, "1", 10, 60, guerdon.now(), running)
    return len(leased["claims"])


@pytest.fixture(params=[take_waiting, take_claims])
def take(request: pytest.FixtureRequest) -> Callable[[Guerdon], int]:
    """Lease what waits for 60 s; how many that was."""
    return request.param  # type: ignore[no-any-return]


def make_waiting(guerdon: Guerdon) -> None:
    """Two votes and two claims that wait."""
    event, player = Event("test", "test", "1", server_id="1"), Player(1, "Bob")
    with guerdon.database.connection_context():
        queue_claims([(event, player, {})] * 2, guerdon.now())
    for id in ("v1", "v2"):
        post_vote(guerdon, id)
    with guerdon.database.connection_context():
        Waiting.update(due_at=guerdon.now()).execute()


@pytest.mark.parametrize("seconds", SET)
def test_a_lease_lasts_as_long_as_it_was_promised_whatever_the_clock_does(
    seconds: int, open_process: Open, host: Host, take: Callable[[Guerdon], int]
) -> None:
    guerdon = open_process()
    make_waiting(guerdon)
    assert take(guerdon) == 2
    host.wait(20)
    host.set_clock(seconds)

    assert take(guerdon) == 0
    host.wait(39)
    assert take(guerdon) == 0
    # Set back, it is not known how long the lease had lasted by then.
    host.wait(2 if seconds > 0 else LONGEST_LEASE if take is take_claims else 42)
    assert take(guerdon) == 2


@pytest.mark.parametrize("seconds", [-HOUR, -DAYS])
def test_what_a_killed_process_had_leased_comes_back_though_the_clock_was_set(
    seconds: int, open_studio: Open, host: Host, network: Network
) -> None:
    plan = "delays=[60, 60, 60]"
    guerdon = open_studio(plan)
    queue_reports(guerdon, "v1")
    with guerdon.database.connection_context():
        Report.update(state="leased", lease_token="killed", takes=1, sends=1,
                      lease_until=host.wall + 45_000, due_at=host.wall + 60_000).execute()  # fmt: skip
    host.set_clock(seconds)
    guerdon = open_studio(plan)
    network.answer = lambda asked: reply()

    for _ in range(60 + 45 + 2):
        send_due(guerdon)
        host.wait(1)

    assert read_report(guerdon).state == "delivered"
    assert len(network.asked) == 1


def test_leases_taken_after_the_clock_was_set_forward_end_as_ever(
    open_process: Open, host: Host, take: Callable[[Guerdon], int]
) -> None:
    guerdon = open_process()
    make_waiting(guerdon)
    guerdon.now()
    host.set_clock(DAYS)
    assert take(guerdon) == 2
    host.wait(61)

    assert take(guerdon) == 2


@pytest.mark.parametrize("seconds", SET)
def test_the_pause_of_a_lane_is_none_of_the_clocks_business(
    seconds: int, open_studio: Open, host: Host, network: Network
) -> None:
    guerdon = open_studio("delays=[0] * 20")
    queue_reports(guerdon, *map(str, range(10)))
    send_due(guerdon)
    assert len(network.asked) == 10
    host.set_clock(seconds)

    host.wait(PAUSES[0] - 0.1)
    send_due(guerdon)
    assert len(network.asked) == 10
    host.wait(0.1)
    send_due(guerdon)
    assert len(network.asked) == 11


def test_a_send_that_comes_too_late_does_not_leave(
    open_process: Open, host: Host, network: Network, add_plugin: Callable[..., str]
) -> None:
    """It is given back, with its send, and begun again: nothing left, so nothing is used up."""
    source = make_reporter(plan="delays=[]").replace(
        "def send_report(report, http, now):", "def send_report(report, http, now):\n    WAIT()"
    )
    guerdon = open_process(add_plugin(source), http=network)
    network.answer = lambda asked: reply()
    waits = [15.1, 14.9]
    plugin = guerdon.plugins.only("send_report", "studio").get_hookimpls()[-1].plugin
    plugin.WAIT = lambda: host.wait(waits.pop(0))
    queue_reports(guerdon, "v1")

    send_due(guerdon)

    row = read_report(guerdon)
    assert (row.state, row.sends, network.asked) == ("ready", 0, [])
    assert "its lease is over" in row.last_error
    assert list_sends(guerdon, "v1") == []
    host.wait(1)
    send_due(guerdon)
    assert (read_report(guerdon).state, len(network.asked)) == ("delivered", 1)


def test_nor_does_one_whose_lease_a_clock_has_ended(
    open_process: Open, host: Host, network: Network, add_plugin: Callable[..., str]
) -> None:
    """Whoever comes new goes by that clock, and sends it."""
    source = make_reporter(plan="delays=[]").replace(
        "def send_report(report, http, now):", "def send_report(report, http, now):\n    WAIT()"
    )
    guerdon = open_process(add_plugin(source), http=network)
    network.answer = lambda asked: reply()
    plugin = guerdon.plugins.only("send_report", "studio").get_hookimpls()[-1].plugin
    jumps = [60, 0]
    plugin.WAIT = lambda: host.set_clock(jumps.pop(0))
    queue_reports(guerdon, "v1")

    send_due(guerdon)
    assert network.asked == []
    host.wait(1)
    send_due(guerdon)
    assert (read_report(guerdon).state, len(network.asked)) == ("delivered", 1)


def test_a_claim_keeps_nothing_of_a_clock(open_process: Open, host: Host) -> None:
    """Ready claims have no due time: what their lease once was holds nobody up."""
    guerdon = open_process()
    make_waiting(guerdon)
    assert take_claims(guerdon) == 2
    host.wait(61)
    with guerdon.database.connection_context():
        Claim.update(state="ready").execute()
    host.set_clock(-DAYS)

    assert take_claims(guerdon) == 2
    assert take_claims(guerdon) == 0
