"""guerdon replay, acts, causes, and the lists: what each prints, and what it has done."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.database.models import LEDGER, Waiting, bind_models
from app.guerdon import Guerdon
from app.history.filters import EventFilter
from app.history.states import EventState
from app.testing.waiting import wait_until
from tests.world.books import make_work, settle
from tests.world.piles import pile_events, pile_reports, pile_settled
from tests.world.servers import ROOT

Run = Callable[..., Result]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def run(guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the test's own Guerdon's config; a keyword `input` is what is typed."""
    monkeypatch.setenv("GUERDON_CONFIG", str(guerdon.config.path))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "carol")

    def run(*words: str, **options: Any) -> Result:
        result = CliRunner().invoke(main, words, **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        bind_models(guerdon.database, LEDGER)  # the command bound them to its own
        return result

    return run


def count_dead(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        return int(Waiting.select().where(Waiting.state == "dead").count())


def test_it_works(guerdon: Guerdon, run: Run) -> None:
    """No dispatcher lives: the command does it itself."""
    pile_events(guerdon, 450, last_error='no player is called "p{n}"')
    pile_events(guerdon, 5, "x", source="game")

    done = run(
        "replay", "events", "--source", "elsewhere", "--reason", "they are back", input="y\n"
    )

    assert done.stdout.splitlines() == [
        "450 events by state:dead source:elsewhere",
        "  came from 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:01.000Z; the highest id is 450",
        "  450: no player is called …",
        "Try them again? [y/N]: y",
        "act 1: 450 events will be tried again at once",
    ]
    assert count_dead(guerdon) == 5
    [line] = run("acts").stdout.splitlines()
    assert line.endswith(
        "     1  done     retry events  450 of 450  by carol  state:dead source:elsewhere"
        "  (they are back)"
    )
    assert "reason: they are back" in run("acts", "show", "1").stdout


@on_sqlite
def test_whoever_says_no_changes_nothing(guerdon: Guerdon, run: Run) -> None:
    pile_events(guerdon, 5)

    refused = run("replay", "events", input="n\n")

    assert refused.exit_code == 1
    assert count_dead(guerdon) == 5
    assert run("acts", "list").stdout == ""
    nothing = run("replay", "reports", "--reporter", "sud", "--yes")
    assert (nothing.exit_code, nothing.stdout) == (0, "0 reports by state:dead reporter:sud\n")


@on_sqlite
def test_a_reporters_dead_reports_of_a_cause_are_sent_again(guerdon: Guerdon, run: Run) -> None:
    pile_reports(guerdon, 3, last_error="it answered 503")
    pile_reports(guerdon, 2, "x", last_error="\u202eit is <b>odd</b>")

    told = run("causes").stdout.splitlines()
    assert told[0] == "3 dead, 0 waiting: reports of studio: it answered 503"
    assert told[2] == "2 dead, 0 waiting: reports of studio: \\u202eit is <b>odd</b>"
    found = json.loads(run("causes", "--json").stdout)["causes"]
    assert [one["count"] for one in found] == [3, 2]

    cause = found[0]["filter"].partition("cause:")[2]
    done = run("replay", "reports", "--cause", cause, "--limit", "2", "--yes", "--by", "dave")

    assert done.stdout.endswith(
        "act 1: 2 reports will be sent again at once\n".replace("sent", "tried")
    )
    assert json.loads(run("acts", "list", "--json").stdout)["acts"][0]["person"] == "dave"
    assert json.loads(run("causes", "--json").stdout)["causes"][0]["dead"] == 2
    assert run("replay", "reports", "--reporter", "studio", "--yes").stdout.startswith(
        "3 reports by"
    )
    assert run("causes").stdout.startswith("0 dead, 3 waiting")


def test_lists_are_turned_page_by_page(guerdon: Guerdon, run: Run) -> None:
    settle(guerdon, make_work("mine", server_id="7"))
    pile_settled(guerdon, 3)
    pile_events(guerdon, 2)

    first = run("events", "list", "--limit", "4")
    assert [line.split()[-2] for line in first.stdout.splitlines()] == ["d1", "d0", "s2", "s1"]
    assert first.stderr == "there are more: go on with --before settled:3\n"
    rest = run("events", "list", "--before", "settled:3")
    assert [line.split()[-2] for line in rest.stdout.splitlines()] == ["s0", "mine"]
    assert rest.stderr == ""

    mine = json.loads(run("events", "list", "--player", "Bob", "--server", "7", "--json").stdout)
    assert [one["id"] for one in mine["events"]] == ["mine"]
    assert (mine["events"][0]["nickname"], mine["next"]) == ("Bob", None)
    for words, said in (
        (("--player", "Eve"), 'player: no player is called "Eve"'),
        (("--before", "7"), 'before: "7" is no place in this list'),
        (
            ("--state", "dead", "--server", "1"),
            "player and server are known of settled events alone",
        ),
    ):
        wrong = run("events", "list", *words)
        assert wrong.exit_code == 1
        assert said in wrong.stderr
    pile_reports(guerdon, 3)
    page = json.loads(run("reports", "list", "--kind", "sold", "--limit", "2", "--json").stdout)
    assert ([one["key"] for one in page["reports"]], page["next"]) == (["r2", "r1"], "2")


@on_sqlite
def test_every_retry_is_kept_with_who_did_it(guerdon: Guerdon, run: Run) -> None:
    pile_events(guerdon, 1)
    pile_reports(guerdon, 2)
    assert run("events", "retry", "--dead").stdout == "1 will be tried again at once\n"
    assert run("reports", "retry", "1").stdout == "1 will be sent again at once\n"
    assert run("reports", "retry", "--reporter", "studio", "--by", "dave").stdout.startswith(
        "1 will"
    )

    acts = json.loads(run("acts", "list", "--json").stdout)["acts"]

    assert [(one["what"], one["about"], one["done"], one["person"]) for one in acts] == [
        ("retry reports", "state:dead reporter:studio", 1, "dave"),
        ("retry report", "1", 1, "carol"),
        ("retry events", "state:dead", 1, "carol"),
    ]


def test_it_is_stopped_by_another_while_it_is_followed(guerdon: Guerdon, run: Run) -> None:
    """Somebody else has the lease, and is slow; Ctrl-C ends the command and not the act."""
    pile_events(guerdon, 5)
    acts = guerdon.acts
    held = acts.start(acts.plan_act(EventFilter(EventState.DEAD), "alice").id).id
    guerdon.database.execute_sql(
        f"UPDATE guerdon_acts SET state = 'leased', lease_until = {guerdon.now() * 2}"
    )
    pile_events(guerdon, 3, "more", source="game")
    guerdon.database.close()
    following = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "replay", "events", "--source", "game", "--yes"],
        cwd=ROOT, env=os.environ | {"GUERDON_CONFIG": str(guerdon.config.path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: acts.find(held + 1) and acts.find(held + 1).started_at, pause=0.05)  # type: ignore[union-attr]
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=60)

    assert following.returncode == 1, said
    assert f"act {held + 1} goes on where a dispatcher runs: `guerdon acts stop {held + 1}`" in said
    stopped = run("acts", "stop", str(held + 1))
    assert stopped.stdout == f"act {held + 1} is stopped: 0 of 3 are done\n"
    assert run("acts", "stop", "99").stderr == "there is no act 99\n"
    assert count_dead(guerdon) == 8
