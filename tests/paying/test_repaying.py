"""guerdon events repay: what was settled with nothing is paid by today's rules, once, whoever asks."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.counting.ledger_events import rebuild_event
from app.database.models import LEDGER, OwnPlayer, bind_models
from app.guerdon import Guerdon
from app.history import unpaid
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.rounds import list_game_events
from app.porch.types import Event
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS, REWARDS
from tests.world.books import make_work, settle
from tests.world.games import make_settle
from tests.world.racing import Racer, race
from tests.world.servers import ROOT
from tests.world.studio import list_reports, make_reporter

Open = Callable[..., Guerdon]
Run = Callable[..., Result]
AddPlugin = Callable[..., str]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WRONG = REWARDS.replace("server.vote", "server.votes")
PRIZES = """
[[rules]]
name = "first and second"
on = "game_settle"
where = { rank = [1, 2] }
give = [{ reward = "gold", amount = "5.00" }]
"""


@pytest.fixture
def guerdons() -> Iterator[list[Guerdon]]:
    opened: list[Guerdon] = []
    yield opened
    for guerdon in opened:
        guerdon.close()


@pytest.fixture
def mend(clock: Clock, guerdons: list[Guerdon]) -> Callable[..., Guerdon]:
    """The service, ended and started anew with other rules."""

    def mend(guerdon: Guerdon, rewards: str = REWARDS) -> Guerdon:
        guerdon.config.rewards_file.write_text(rewards)
        guerdon.close()
        guerdons.append(open_guerdon(guerdon.config.path, clock))
        return guerdons[-1]

    return mend


@pytest.fixture
def run(tmp_path: Path, guerdons: list[Guerdon], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run guerdon events repay in this process."""
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    def run(*words: str, answer: str = "") -> Result:
        result = CliRunner().invoke(main, ["events", "repay", *words], input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        for guerdon in guerdons:  # the command had the models bound to its own database
            bind_models(guerdon.database, [*LEDGER, OwnPlayer, *guerdon.plugins.models])
        return result

    return run


def ask(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


def list_rows(guerdon: Guerdon) -> list[int]:
    return [row for (row,) in ask(guerdon, "SELECT id FROM guerdon_events ORDER BY id")]


def tell_steps(guerdon: Guerdon, path: str) -> list[tuple[str, str]]:
    return [(step["what"], step["detail"]) for step in get_v1(guerdon, path)["timeline"]]


def test_it_works(open_service: Open, mend: Any, run: Run, clock: Clock) -> None:
    guerdon = open_service(WRONG)
    assert post_vote(guerdon, "v1").status_code == 204
    guerdon = mend(guerdon)
    assert "no rule is for server.vote" in tell_steps(guerdon, "/events/server.vote/v1")[0][1]

    result = run("server.vote", "v1", "--by", "Alice")

    assert result.stderr == ""
    assert result.stdout == "paid gold to Bob by the rule 'every vote' for server.vote v1\n"
    assert read_books(guerdon).gold == {"Bob": "100.00"}
    settled, repaid, granted = tell_steps(guerdon, "/events/server.vote/v1")
    assert settled[1].endswith(
        "it earned nothing: no rule is for server.vote on server '1' with these facts"
    )
    assert repaid == ("repaid", "Alice had it paid by the rules of then: 1 reward")
    assert granted[0] == "granted"
    again = run("server.vote", "v1")
    assert (again.exit_code, again.stderr) == (
        1, "server.vote v1 was repaid already, by Alice: it is paid once\n",
    )  # fmt: skip
    assert post_vote(guerdon, "v1").status_code == 204
    assert read_books(guerdon).gold == {"Bob": "100.00"}


def test_what_cannot_be_repaid_is_refused_with_the_reason(
    open_service: Open, mend: Any, run: Run, vote_api: Any
) -> None:
    rules = REWARDS + '[[rules]]\nname = "two"\non = "server.vote"\nserver = "2"\n'
    rules += 'give = [{ reward = "promo_code", pool = "empty" }]\n'
    guerdon = open_service(rules.replace("server.vote", "server.votes"))
    vote_api.nickname = lambda id: {"unknown": "Nobody"}.get(id, "Bob")
    for id in ("nothing", "unknown", "codeless"):
        post_vote(guerdon, id)
    guerdon = mend(guerdon, rules.replace("every vote", "some votes"))
    post_vote(guerdon, "paid")
    vote_api.nickname = lambda id: "Late"
    post_vote(guerdon, "waits")
    only = 'on = "server.vote"\nwhere = { id = ["unknown", "codeless"] }'
    guerdon = mend(guerdon, rules.replace('on = "server.vote"', only, 1))
    before = read_books(guerdon)

    for id, reason in {
        "paid": "server.vote paid was paid when it was settled: 1 reward",
        "waits": "server.vote waits is waiting: it is paid by `guerdon events retry server.vote waits`",
        "absent": "no event server.vote absent has come, or it was refused",
        "nothing": "server.vote nothing: today's rules give nothing for it; it stays as it is",
        "unknown": 'server.vote unknown is not paid: no player is called "Nobody"',
    }.items():
        result = run("server.vote", id)
        assert (result.exit_code, result.stderr, result.stdout) == (1, f"{reason}\n", "")
    assert read_books(guerdon) == before
    assert ask(guerdon, "SELECT * FROM guerdon_repayments") == []
    assert "repaid" not in dict(tell_steps(guerdon, "/events/server.vote/nothing"))
    add_player(guerdon, "Nobody")
    assert run("server.vote", "unknown").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        (), ("server.vote",), ("--earned-nothing",), ("--since", "2026-01-01"),
        ("server.vote", "v1", "--since", "2026-01-01", "--earned-nothing"),
        ("server.vote", "v1", "--until", "2026-01-01"), ("server.vote", "v1", "--type", "x"),
    ],
)  # fmt: skip
def test_one_event_is_named_or_a_time(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert "name one event by TYPE and ID, or say --since T --earned-nothing" in result.stderr


@pytest.mark.parametrize("name", ["", " Bob", "x" * 65, "Bob\n2026 settled", "\x1b[31mBob"])
def test_who_pays_has_a_name_that_can_be_shown(run: Run, name: str) -> None:
    result = run("server.vote", "v1", "--by", name)

    assert result.exit_code == 1
    assert "--by: who says so is told in 1 to 64 printable characters" in result.stderr
    assert "\x1b" not in result.stderr


@on_sqlite
@pytest.mark.parametrize("sudo", ["carol", ""])
def test_who_pays_is_the_systems_user(
    open_service: Open, mend: Any, run: Run, monkeypatch: pytest.MonkeyPatch, sudo: str
) -> None:
    guerdon = open_service(WRONG)
    post_vote(guerdon, "v1")
    mend(guerdon)
    monkeypatch.setenv("SUDO_USER", sudo)
    monkeypatch.setenv("LOGNAME", "dave")

    assert run("server.vote", "v1").exit_code == 0
    assert ask(guerdon, "SELECT person FROM guerdon_repayments") == [(sudo or "dave",)]


def settle_round(guerdon: Guerdon, id: str, *uids: str) -> None:
    events = list_game_events("game_settle", make_settle(id, *uids))
    assert [one.state for one in guerdon.settler.settle([Work(events)])] == ["settled"]


def test_each_part_of_a_round_is_repaid_and_the_round_itself_never(
    open_service: Open, mend: Any, run: Run
) -> None:
    guerdon = open_service(PRIZES.replace("[1, 2]", "1"))
    add_player(guerdon, "Eve")
    settle_round(guerdon, "r1", "Bob", "Eve", "Joe")
    settle_round(guerdon, "r2", "Bob", "Eve")
    guerdon = mend(guerdon, PRIZES)

    result = run("game_settle", "r1", "--by", "Alice")

    assert result.stdout == (
        "paid gold to Eve by the rule 'first and second' for game_settle r1:Eve\n"
    )
    assert run("game_settle", "r2:Eve").exit_code == 0
    assert read_books(guerdon).gold == {"Bob": "10.00", "Eve": "10.00"}
    whats = [what for what, _ in tell_steps(guerdon, "/events/game_settle/r1")]
    assert whats == ["settled", "granted", "repaid", "granted"]
    assert "it earned nothing" not in str(tell_steps(guerdon, "/events/game_settle/r1"))
    for id in ("r1:Eve", "r2"):
        assert "was repaid already" in run("game_settle", id).stderr
    assert "was paid when it was settled" in run("game_settle", "r1:Bob").stderr


@pytest.mark.parametrize("is_old", [False, True], ids=["as now", "settled before it was kept"])
def test_a_rule_without_facts_does_not_pay_a_whole_round_to_its_leader(
    open_service: Open, mend: Any, run: Run, is_old: bool
) -> None:
    guerdon = open_service(WRONG)
    settle_round(guerdon, "r1", "Bob")
    empty = list_game_events("game_settle", make_settle("r2") | {"uid": "Bob"})[:1]
    settle(guerdon, Work(empty), make_work("v1", server_id="1"))
    if is_old:
        ask(guerdon, "UPDATE guerdon_events SET earns = NULL")
    guerdon = mend(guerdon, PRIZES.replace("where", "# where") + REWARDS)

    assert run("--since", "2026-01-01", "--earned-nothing", "--yes").exit_code == 0

    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_grants") == [(2,)]
    assert read_books(guerdon).gold == {"Bob": "105.00"}  # his part of r1, and the vote
    assert "earns nothing by any rule, as its source says" in run("game_settle", "r2").stderr


def test_an_event_that_its_source_says_earns_nothing_is_not_repaid(
    open_service: Open, mend: Any, run: Run
) -> None:
    guerdon = open_service(WRONG)
    settle(guerdon, Work([Event("studio", "server.vote", "v1", nickname="Bob", earns=False)]))
    guerdon = mend(guerdon, REWARDS)

    assert run("--since", "2026-01-01", "--earned-nothing", "--yes").stdout.startswith("0 events")
    assert read_books(guerdon).gold == {"Bob": "0.00"}


@pytest.mark.parametrize(
    "event",
    [
        Event("studio", "quest", "q1", "s1", "Bob", "u1", 1_700_000_000_123, {"a": [1, "é", None]}),
        Event("studio", "quest", "q:2", data={"nested": {"x": 1.5}}, is_shared=True),
        Event("studio", "game_settle", "r1", earns=False),
    ],
)
def test_an_event_is_made_again_as_it_was_settled(open_service: Open, event: Event) -> None:
    guerdon = open_service("")
    settle(guerdon, Work([event]))
    columns = ", ".join(unpaid.COLUMNS)

    [row] = ask(guerdon, f"SELECT {columns} FROM guerdon_events")

    rebuilt = rebuild_event(dict(zip(unpaid.COLUMNS, row, strict=True)), False)
    assert rebuilt == event


BULK = ("--since", "2027-01-15", "--earned-nothing")


def test_all_since_a_time_are_repaid_after_a_plan(
    open_service: Open, mend: Any, run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one chunk, over more than one stretch of the ledger."""
    monkeypatch.setattr(unpaid, "ROWS_AT_ONCE", 40)
    guerdon = open_service(WRONG)
    clock.advance(-86_400 * 7)
    settle(guerdon, make_work("too old", server_id="1"))
    clock.advance(86_400 * 7)
    for start in range(0, 120, 30):
        settle(guerdon, *(make_work(f"v{n}", server_id="1") for n in range(start, start + 30)))
    settle(guerdon, make_work("in vain", server_id="9"))
    settle(guerdon, Work([Event("studio", "quest", "q1", nickname="Bob")]))
    clock.advance(86_400)
    settle(guerdon, make_work("too new", server_id="1"))
    guerdon = mend(guerdon, REWARDS.replace("give =", 'server = "1"\ngive ='))
    until = ("--until", "2027-01-16", "--type", "server.vote")

    plan = "121 events without a grant; today's rules pay 120, and give nothing for 1\n"
    refused = run(*BULK, *until, answer="n\n")
    assert refused.exit_code == 1
    assert refused.stdout.startswith(f"{plan}  'every vote': 120 events\nPay them? [y/N]")
    assert read_books(guerdon).grants == 0
    done = run(*BULK, *until, answer="y\n")
    assert done.stdout.endswith("repaid 120 events with 120 rewards\n"), done.stderr
    again = run(*BULK, *until, "--yes")

    assert again.stdout == "1 event without a grant; today's rules pay 0, and give nothing for 1\n"
    assert read_books(guerdon).gold == {"Bob": "12000.00"}
    for id in ("too old", "too new"):
        assert [what for what, _ in tell_steps(guerdon, f"/events/server.vote/{id}")] == ["settled"]


def test_one_that_cannot_be_paid_costs_the_others_nothing(
    open_service: Open, mend: Any, run: Run, add_plugin: AddPlugin
) -> None:
    section = add_plugin("""
        from app import hookimpl

        @hookimpl
        def grant_reward(event):
            if event.id == "v7":
                raise KeyError("a bug")
    """)
    guerdon = open_service(WRONG, more=section)
    works = [make_work(f"v{n}", nickname="Nobody" if n == 3 else "Bob") for n in range(10)]
    settle(guerdon, *works)
    guerdon = mend(guerdon)

    result = run(*BULK, "--yes")

    assert result.exit_code == 1
    assert result.stdout.endswith("repaid 8 events with 8 rewards\n")
    told = result.stderr.splitlines()
    assert 'server.vote v3 is not paid: no player is called "Nobody"' in told
    assert "server.vote v7 is not paid: the plugin studio failed in grant_reward: KeyError" in told
    assert told[-1] == "2 events could not be paid: run this again later"
    assert read_books(guerdon).gold == {"Bob": "800.00"}
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_repayments") == [(8,)]


def test_the_reports_it_causes_are_in_its_commit(
    open_service: Open, mend: Any, run: Run, add_plugin: AddPlugin
) -> None:
    """A reporter that tells of grants is asked again; what was reported already is not told twice."""
    proud = make_reporter().replace("def build_report(event):", "def build_report(event, grants):")
    proud = proud.replace("    body =", "    if not grants:\n        return None\n    body =", 1)
    section = add_plugin(proud) + add_plugin(make_reporter("second"), "second")
    guerdon = open_service(WRONG, more=section)
    settle(guerdon, make_work("v1"))
    guerdon = mend(guerdon)
    assert [row.reporter for row in list_reports(guerdon)] == ["second"]

    assert run("server.vote", "v1").exit_code == 0

    assert [(row.reporter, row.key) for row in list_reports(guerdon)] == [
        ("second", "v1"), ("studio", "v1"),
    ]  # fmt: skip


def test_two_who_repay_the_same_at_once_pay_it_once(
    open_service: Open, mend: Any, guerdons: list[Guerdon]
) -> None:
    """In one process, by threads; each event is paid by one of them."""
    guerdon = open_service(WRONG)
    settle(guerdon, *(make_work(f"v{n}") for n in range(60)))
    guerdon = mend(guerdon)
    rows = list_rows(guerdon)
    paid: Counter[str] = Counter()

    def repay(order: list[int]) -> None:
        for start in range(0, 60, 10):
            for one in guerdon.make_repayer("both").repay(order[start : start + 10]):
                assert not one.problem, one.problem
                paid[one.id] += len(one.grants)

    threads = [threading.Thread(target=repay, args=(order,)) for order in (rows, rows[::-1], rows)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert paid == Counter({f"v{n}": 1 for n in range(60)})
    assert read_books(guerdon).gold == {"Bob": "6000.00"}


def test_two_processes_that_repay_the_same_at_once_pay_it_once(
    open_service: Open, mend: Any
) -> None:
    guerdon = open_service(WRONG)
    settle(guerdon, *(make_work(f"v{n}") for n in range(40)))
    guerdon = mend(guerdon)
    rows = list_rows(guerdon)
    guerdon.database.close_all()
    racers = [Racer(guerdon.config.path) for _ in range(2)]
    try:
        for start in range(0, 40, 4):
            some = rows[start : start + 4]
            (ours, _), (theirs, _) = race(racers, "repay", [some, some[::-1]], ["Alice", "Eve"])
            assert sorted([*ours, *theirs]) == sorted(f"v{n}" for n in range(start, start + 4))
    finally:
        for racer in racers:
            racer.close()

    assert read_books(guerdon).gold == {"Bob": "4000.00"}
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_repayments") == [(40,)]


@pytest.mark.parametrize("point", ["settling: before COMMIT", "settling: after COMMIT"])
def test_who_is_killed_has_paid_whole_chunks_and_is_run_again(
    open_service: Open, mend: Any, run: Run, tmp_path: Path, point: str
) -> None:
    guerdon = open_service(WRONG)
    settle(guerdon, *(make_work(f"v{n}", server_id="1") for n in range(60)))
    guerdon = mend(guerdon)
    guerdon.database.close_all()
    folder = tmp_path / "points"
    folder.mkdir()
    (folder / point).touch()
    words = [sys.executable, "-m", "app.cli", "events", "repay", *BULK, "--yes"]
    environment = {
        "GUERDON_CONFIG": str(guerdon.config.path), "GUERDON_CRASH_POINTS": str(folder),
    }  # fmt: skip

    # The test's clock is ahead of the command's, which matters to nobody here.
    killed = subprocess.run(
        words, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )

    assert killed.returncode == -9, killed.stderr
    paid = 50 if "after" in point else 0
    assert ask(guerdon, "SELECT COUNT(*) FROM guerdon_repayments") == [(paid,)]
    assert read_books(guerdon).grants == paid
    assert read_books(guerdon).gold == {"Bob": f"{Decimal(100 * paid):.2f}"}
    guerdon.database.close_all()
    again = run(*BULK, "--yes")
    assert again.stdout.endswith(f"repaid {60 - paid} events with {60 - paid} rewards\n")
    assert read_books(guerdon).gold == {"Bob": "6000.00"}


@on_sqlite
def test_a_database_that_is_not_fit_is_not_paid_with(write_config: Any, run: Run) -> None:
    write_config(plugins=ALL_PLUGINS)

    result = run("server.vote", "v1")

    assert result.exit_code == 1
    assert "run `guerdon migrate`" in result.stderr
