"""Comparing by itself: each turn once, whichever host is first, also where that one is killed."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.database.clock import read_wall
from app.database.reconciliation_models import Reconciliation
from app.guerdon import Guerdon
from app.history.reconciliations import find_last_reconciliation, list_reconciliations
from app.opening import open_guerdon
from app.reconciling.results import LEASE
from app.reconciling.turns import LOOK_EVERY, Turns
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.deliveries import post_vote
from app.testing.services import Services
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from tests.world.vote_list import VoteSite

HOUR = 3_600_000  # ms
EVERY_HOUR = '[reconcile]\nevery = "1 hour"\nheal = true\npatience = "1 minute"\n'
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def site(vote_api: VoteApi) -> VoteSite:
    return VoteSite(vote_api)


def lose_one(guerdon: Guerdon, site: VoteSite, clock: Clock) -> None:
    """A vote is paid, and of a later one no delivery comes."""
    clock.now -= clock.now % HOUR - 1000  # a turn has just begun
    site.add("old", clock.now - 1000)
    assert post_vote(guerdon, "old").status_code == 204
    site.add("lost", clock.now)
    clock.advance(300)


def read_rows(guerdon: Guerdon) -> list[Reconciliation]:
    with guerdon.database.connection_context():
        return list_reconciliations()


def serve(guerdon: Guerdon) -> None:
    with ThreadPoolExecutor(4) as pool:
        guerdon.dispatcher.serve_once(pool)


def test_it_works(open_service: Callable[..., Guerdon], site: VoteSite, clock: Clock) -> None:
    """The dispatcher has it compared once an hour, and pays what was found."""
    guerdon = open_service(more=EVERY_HOUR)
    lose_one(guerdon, site, clock)

    serve(guerdon)
    wait_until(lambda: [row.state for row in read_rows(guerdon)] == ["done"])
    serve(guerdon)
    assert read_books(guerdon).gold["Bob"] == "200.00"
    clock.advance(LOOK_EVERY / 1000)
    serve(guerdon)
    assert len(read_rows(guerdon)) == 1
    clock.advance(3600)
    serve(guerdon)
    wait_until(lambda: [row.state for row in read_rows(guerdon)] == ["done", "done"])
    assert [row.missing for row in read_rows(guerdon)] == [0, 1]

    with guerdon.database.connection_context():
        last = find_last_reconciliation("gamemonitoring")
        assert last is not None
        assert (last.person, last.healed, last.listed) == ("", 0, 1)


def test_two_hosts_at_once_compare_a_turn_once(
    open_service: Callable[..., Guerdon], site: VoteSite, clock: Clock
) -> None:
    guerdons = [open_service(more=EVERY_HOUR)]
    guerdons.append(open_guerdon(guerdons[0].config.path, clock))
    lose_one(guerdons[0], site, clock)
    start = threading.Barrier(8)

    def run(number: int) -> None:
        guerdon = guerdons[number % 2]
        turns = Turns(guerdon.reconciler, guerdon.config.reconcile, clock)
        start.wait()
        turns.run_due()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))

    guerdons[1].close()
    assert [(row.state, row.healed) for row in read_rows(guerdons[0])] == [("done", 1)]


def test_a_turn_that_was_left_is_taken_over_and_its_first_holder_notes_nothing(
    open_service: Callable[..., Guerdon], site: VoteSite, clock: Clock
) -> None:
    guerdon = open_service(more=EVERY_HOUR)
    lose_one(guerdon, site, clock)
    turns = Turns(guerdon.reconciler, guerdon.config.reconcile, clock)

    left = turns.take("gamemonitoring")
    assert left is not None
    assert turns.take("gamemonitoring") is None
    clock.advance(LEASE / 1000 + 1)
    taken = turns.take("gamemonitoring")
    assert taken is not None
    assert guerdon.reconciler.work(taken).row.healed == 1
    assert guerdon.reconciler.work(left).row.healed == 0  # it was only stopped for a while

    assert [(row.state, row.healed) for row in read_rows(guerdon)] == [("done", 1)]


@on_sqlite
def test_the_command_says_what_is_missing_and_its_exit_code_too(
    guerdon_services: Services, site: VoteSite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    guerdon = guerdon_services.open()
    clock.now = read_wall() - 3 * HOUR  # the command goes by the real one
    lose_one(guerdon, site, clock)
    site.listed[0]["nickname"] = "Bob\x1b[2J"
    monkeypatch.setenv("GUERDON_CONFIG", str(guerdon.config.path))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["reconcile", "--by", "Ann", *words])
        return done.exit_code, done.stdout + done.stderr * (done.exit_code == 1)

    code, said = run()
    assert code == 3
    assert "missing here: 1; `guerdon reconcile --heal`" in said
    assert "lost  server 1  20" in said
    assert "Bob\\x1b[2J" in said
    code, said = run("--heal", "--json")
    told = json.loads(said)
    assert (code, told["by"], told["healed"], told["state"]) == (3, "Ann", 1, "done")
    assert [one["id"] for one in told["found"]["missing"]] == ["lost"]
    assert run()[0] == 0
    site.fail = lambda handler, page: bool(handler.send_error(500)) or True
    code, said = run()
    assert code == 4
    assert "whether there are more is not known: the list of server" in said
    assert run("--source", "sud")[0] == 1


@on_sqlite
def test_a_duration_is_said_in_words(write_config: Callable[..., object]) -> None:
    path = write_config(
        more='[reconcile]\nevery = "6 parsecs"\nwindow = 3\npatience = "0 seconds"\n'
    )
    done = CliRunner().invoke(main, ["check"], env={"GUERDON_CONFIG": str(path)})

    assert '[reconcile] every: must be as "90 seconds", "6 hours" or "3 days"' in done.output
    assert "[reconcile] window: must be a string" in done.output
    assert "patience" not in done.output
