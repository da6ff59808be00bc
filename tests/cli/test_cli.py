"""The commands: what each prints, and its exit code."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.database.keys import make_event_key
from app.database.models import LEDGER, Event, Grant, OwnPlayer, Report, Send, Waiting, bind_models
from app.guerdon import Guerdon
from app.porch.rounds import GAME_SERVER, join_key
from app.porch.text import escape_text, shorten
from app.porch.types import Delivery
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player
from app.testing.services import ALL_PLUGINS
from app.testing.waiting import wait_until
from tests.world.servers import ROOT

Open = Callable[..., Guerdon]
Run = Callable[..., Result]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "promo_code", pool = "autumn" }]
"""


@pytest.fixture
def services() -> list[Guerdon]:
    return []


@pytest.fixture
def open_beside(open_service: Open, services: list[Guerdon]) -> Open:
    """open_service, for a service that lives on beside the commands of this test."""

    def open_one(*args: Any, **kwargs: Any) -> Guerdon:
        services.append(open_service(*args, **kwargs))
        return services[-1]

    return open_one


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: list[Guerdon]) -> Run:
    """Run guerdon with the config in this test's folder, in this process."""
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    def run(*words: str) -> Result:
        result = CliRunner().invoke(main, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        for guerdon in services:  # the command had the models bound to its own database
            bind_models(guerdon.database, [*LEDGER, OwnPlayer, *guerdon.plugins.models])
        return result

    return run


def start(config: Path, *words: str) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *words], cwd=ROOT, text=True,
        env=os.environ | {"GUERDON_CONFIG": str(config)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_it_works(write_config: Callable[..., Path], run: Run) -> None:
    """A studio's first minutes, command by command."""
    write_config()

    before = run("check")
    migrated = run("migrate")
    again = run("migrate")
    after = run("check")

    assert before.exit_code == 1
    assert "run `guerdon migrate`" in before.stderr
    assert (migrated.exit_code, again.exit_code, after.exit_code) == (0, 0, 0)
    assert "migration 0001_ledger\n" in migrated.stdout
    assert again.stdout == "the tables are up to date\n"
    assert after.stdout == (
        '"every vote": on a server.vote: give gold (amount 100.00).\n'
        "all is well: 7 plugins, 1 rule, database ready\n"
    )
    assert run("players", "add", " Bob ").stdout == "added Bob\n"
    assert run("events", "list").stdout == ""


def test_a_command_is_imported_without_a_look_for_garbage() -> None:
    """Which would find none, and take a third of the start."""
    code = "import gc, app.cli.main; print(sum(one['collections'] for one in gc.get_stats()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 60  # it was 164


@on_sqlite
def test_the_installed_command_is_this_one(write_config: Callable[..., Path]) -> None:
    command = Path(sys.executable).with_name("guerdon")
    environment = os.environ | {"GUERDON_CONFIG": str(write_config())}
    done = subprocess.run(
        [command, "migrate"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert "migration 0001_ledger" in done.stdout
    assert done.stderr == ""


@on_sqlite
@pytest.mark.parametrize(
    "words",
    [("check",), ("migrate",), ("plugins",), ("dispatch",), ("serve",), ("events", "list"),
     ("events", "show", "server.vote", "v1"), ("events", "retry", "--dead"),
     ("players", "add", "Bob"), ("promo-codes", "import", "autumn", "file"), ("nonsense",)],
)  # fmt: skip
def test_every_command_lists_all_faults_of_the_config(
    write_config: Callable[..., Path], run: Run, words: tuple[str, ...]
) -> None:
    path = write_config(rewards="[[rules]]\n", more="[plugins.golf]\n[plugins.nothing]")

    result = run(*words)

    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 4, lines
    assert all(str(path.parent) in line for line in lines)
    assert 'did you mean "gold"?' in result.stderr


def test_help_needs_no_config(run: Run) -> None:
    result = run("--help")

    assert result.exit_code == 0
    for command in ("migrate", "check", "serve", "dispatch", "plugins", "events", "players"):
        assert f"\n  {command} " in result.stdout
    assert "promo-codes" not in result.stdout
    assert run("check").exit_code == 1
    assert "there is no such file" in run("check").stderr


@on_sqlite
def test_an_unknown_command_is_a_wrong_usage(write_config: Callable[..., Path], run: Run) -> None:
    write_config()

    assert run("nonsense").exit_code == 2
    assert "No such command 'nonsense'" in run("nonsense").stderr
    assert run("events", "list", "--state", "lost").exit_code == 2


def test_check_says_that_the_database_does_not_answer(
    write_config: Callable[..., Path], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    for url in ("mysql://game:sesame-0pen@127.0.0.1:1/game", f"sqlite:///{tmp_path}/folder"):
        write_config(url=url)
        for command in (("check",), ("migrate",), ("events", "list")):
            result = run(*command)
            assert result.exit_code == 1, (url, command)
            assert "database" in result.stderr
            assert "sesame" not in result.stderr
            assert len(result.stderr.splitlines()) == 1


@on_sqlite
def test_plugins_lists_each_its_place_and_hooks(
    write_config: Callable[..., Path], run: Run
) -> None:
    write_config()

    lines = run("plugins").stdout.splitlines()

    assert len(lines) == 14
    at = lines.index("gold  (plugins/gold.py)")
    hooks = lines[at + 1].strip().split(", ")
    assert {"grant_reward", "reward_schemas", "settings_schema", "describe_player"} <= set(hooks)


def test_events_are_listed_shown_and_tried_again(
    open_beside: Open, run: Run, vote_api: Any, clock: Any, tmp_path: Path
) -> None:
    guerdon = open_beside(REWARDS)
    vote_api.nickname = lambda id: "Nobody" if id == "n1" else "Bob"
    (tmp_path / "codes").write_text("A\n")
    post_vote(guerdon, "v1")
    assert run("promo-codes", "import", "autumn", str(tmp_path / "codes")).exit_code == 0
    for id in ("v2", "n1"):
        post_vote(guerdon, id)

    listed = run("events", "list").stdout.splitlines()
    assert [line.split()[1:4] for line in listed] == [
        ["waiting", "server.vote", "n1"], ["waiting", "server.vote", "v1"],
        ["settled", "server.vote", "v2"],
    ]  # fmt: skip
    assert listed[1].endswith('no promo code is left in the pool "autumn"')
    assert len(run("events", "list", "--limit", "2").stdout.splitlines()) == 2
    assert run("events", "list", "--state", "settled").stdout.splitlines() == listed[2:]
    assert run("events", "list", "--state", "waiting").stdout.splitlines() == listed[:2]
    assert run("events", "list", "--state", "dead").stdout == ""

    waiting = run("events", "show", "server.vote", "v1").stdout
    assert waiting.startswith("server.vote v1 from gamemonitoring: waiting\n")
    assert '  last_error: no promo code is left in the pool "autumn"\n' in waiting
    assert "next try" in waiting
    settled = run("events", "show", "server.vote", "v2").stdout
    assert settled.startswith("server.vote v2 from gamemonitoring: settled\n  nickname: Bob\n")
    assert "granted: promo_code" in settled

    (tmp_path / "codes").write_text("B\n")
    run("promo-codes", "import", "autumn", str(tmp_path / "codes"))
    assert guerdon.inbox.take_due(10).ids == ()
    retried = run("events", "retry", "server.vote", "v1")
    assert retried.stdout == "1 will be tried again at once\n"
    clock.now = time.time_ns() // 1_000_000 + 1000  # the command's clock is the real one
    lease = guerdon.inbox.take_due(10)
    assert [guerdon.deliveries.retry(id, lease.token).state for id in lease.ids] == ["settled"]
    assert get_v1(guerdon, "/players/Bob")["promo_codes"] == ["A", "B"]
    assert "a person had it tried again" in run("events", "show", "server.vote", "v1").stdout


def test_dead_events_are_all_tried_again(open_beside: Open, run: Run, clock: Any) -> None:
    guerdon = open_beside(REWARDS, more="[inbox]\nretry_delays = [60]\ngive_up_after = 60")
    for id in ("v1", "v2"):
        post_vote(guerdon, id)
    clock.advance(3600)
    lease = guerdon.inbox.take_due(10)
    for id_ in lease.ids:
        guerdon.deliveries.retry(id_, lease.token)
    assert len(run("events", "list", "--state", "dead").stdout.splitlines()) == 2

    assert run("events", "retry", "--dead").stdout == "2 will be tried again at once\n"
    assert run("events", "retry", "--dead").stdout == "0 will be tried again at once\n"
    assert len(run("events", "list", "--state", "waiting").stdout.splitlines()) == 2


def test_what_is_not_there_is_said(open_beside: Open, run: Run) -> None:
    guerdon = open_beside()
    post_vote(guerdon, "v1")

    for words, message in (
        (("show", "server.vote", "v9"), "no event server.vote v9 has come, or it was refused"),
        (("retry", "server.vote", "v9"), "no event server.vote v9 waits or is dead"),
        (("retry", "server.vote", "v1"), "no event server.vote v1 waits or is dead"),
    ):
        result = run("events", *words)
        assert (result.exit_code, result.stderr.strip()) == (1, message)
    for words in ((), ("server.vote",), ("--dead", "server.vote", "v1")):
        assert run("events", "retry", *words).exit_code == 2


@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_a_player_is_added_once(open_beside: Open, run: Run, match: str) -> None:
    guerdon = open_beside(more=f'[players]\nmatch = "{match}"')

    assert run("players", "add", "  Zoë 😀 ").stdout == "added Zoë 😀\n"
    for name in ("Bob", "Zoë 😀"):
        result = run("players", "add", name)
        assert (result.exit_code, result.stderr) == (1, f"there is a player {name} already\n")
    again = run("players", "add", "BOB")
    assert again.exit_code == (0 if match == "exact" else 1)
    assert get_v1(guerdon, "/players/Bob")["nickname"] == "Bob"  # still one
    for name in ("\u200bBob", "Bob\x1b[2J", "\udcff"):
        result = run("players", "add", name)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"{shorten(name)} is no nickname: it holds ")
    for name in ("", "   ", "x" * 256):
        result = run("players", "add", name)
        assert (result.exit_code, result.stderr) == (1, "a nickname has 1 to 255 characters\n")
    assert run("players", "add", "ß" * 255).exit_code == 0


def test_players_of_a_studio_are_added_by_the_studio(open_beside: Open, run: Run) -> None:
    open_beside(more='[players]\ntable = "users"')

    result = run("players", "add", "Bob")

    assert result.exit_code == 1
    assert result.stderr == "players live in your table users: add them there\n"


def test_promo_codes_are_imported(open_beside: Open, run: Run, tmp_path: Path) -> None:
    open_beside(REWARDS)
    file = tmp_path / "codes.txt"
    file.write_text("\n".join(str(number) for number in range(1500)) + "\n7\n\n 8 \n")

    def import_file() -> Result:
        return run("promo-codes", "import", "autumn", str(file))

    assert import_file().stdout.endswith(
        "1500 codes added to the pool autumn, 0 were there already\n"
    )
    file.write_text("7\nnew\n")
    assert import_file().stdout.endswith("1 codes added to the pool autumn, 1 were there already\n")
    file.unlink()
    missing = import_file()
    assert missing.exit_code == 1
    assert f"{file} cannot be read" in missing.stderr
    assert run("promo-codes", "import", "autumn").exit_code == 2
    assert "POOL FILE" in run("promo-codes", "import", "--help").stdout


# Escape sequences, line breaks, a turn of direction, what cannot be seen: in every word of a stranger's.
HOSTILE = (
    "Bob\x1b[2J\x9b1m\r\n2027-01-15  settled  server.vote  forged\x7f\u202e\u2028\u3164\U000e0041"
)
SHOWN = escape_text(HOSTILE)


def test_no_words_of_a_stranger_reach_a_terminal_as_they_are(
    open_beside: Open, run: Run, add_plugin: Callable[..., str]
) -> None:
    guerdon = open_beside(plugins=ALL_PLUGINS + add_plugin(TALKING))
    with guerdon.database.connection_context():
        common = {"source": HOSTILE[:60], "type": "server.vote", "token": HOSTILE, "data": "{}"}
        event = Event.create(
            ordered_key=make_event_key("gamemonitoring", "server.vote", HOSTILE), event_id=HOSTILE,
            server_id=HOSTILE, nickname=HOSTILE, user_id=HOSTILE, settled_at=1, **common,
        )  # fmt: skip
        Grant.create(
            event=event.id, rule="r", plugin="p", kind="gold", params="{}", player_id="1",
            nickname=HOSTILE, server_id="1", user_id="", receipt="{}", granted_at=1,
        )  # fmt: skip
        Waiting.create(
            ordered_key=make_event_key("gamemonitoring", "server.vote", "w"), event_id=HOSTILE,
            state="dead", due_at=0, lease_token="", lease_until=0, takes=0, attempts=1, retries=0,
            last_error=HOSTILE, received_at=1, waiting_since=1, **common,
        )  # fmt: skip
        report = Report.create(
            report_key=b"r" * 32, reporter="g123", kind=HOSTILE[:40], key=HOSTILE, event=event.id,
            body=b"{}", state="dead", due_at=0, lease_token="", lease_until=0, takes=0, sends=1,
            sends_before=0, response=HOSTILE, last_error=HOSTILE, created_at=1, waiting_since=1,
        )  # fmt: skip
        Send.create(
            report=report.id, number=1, begun_at=1, ended_at=2, error=HOSTILE, answer=HOSTILE
        )

    told = {
        words: run(*words)
        for words in (
            ("events", "list"), ("events", "show", "server.vote", HOSTILE),
            ("events", "show", "server.vote", "w"), ("reports", "list"),
            ("reports", "show", str(report.id)), ("events", "show", HOSTILE, HOSTILE),
            ("events", "retry", "server.vote", HOSTILE), ("reports", "retry", "--reporter", HOSTILE),
            ("players", "add", HOSTILE), ("promo-codes", "import", HOSTILE, HOSTILE),
            ("studio", "talk", HOSTILE), ("studio", "fail", HOSTILE),
        )
    }  # fmt: skip

    for words, result in told.items():
        for line in (result.stdout + result.stderr).removesuffix("\n").split("\n"):
            assert line.isprintable(), (words, line)
            assert "\u3164" not in line
        assert SHOWN[:15] in result.stdout + result.stderr
    assert len(told["events", "list"].stdout.splitlines()) == 2
    assert len(told["reports", "list"].stdout.splitlines()) == 1
    assert told["studio", "talk", HOSTILE].stdout == f"first\n{SHOWN}\n".replace("\\n", "\n")


TALKING = """
from app import Command, GuerdonError, hookimpl

def talk(db, progress, name):
    return f"first\\n{name}"

def fail(db, progress, name):
    raise GuerdonError(name)

@hookimpl
def commands():
    return [Command("studio", "talk", ("name",), "", talk), Command("studio", "fail", ("name",), "", fail)]
"""


@on_sqlite
def test_before_migrating_a_command_says_what_the_database_lacks(
    write_config: Callable[..., Path], run: Run
) -> None:
    write_config()

    result = run("events", "list")

    assert result.exit_code == 1
    assert result.stderr == (
        "the database failed: the tables are not up to date (the table guerdon_inbox is not there):"
        " run `guerdon migrate`\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_dispatch_pays_what_waits_and_ends_when_told(
    open_service: Open, vote_api: Any, tmp_path: Path, number: int, clock: Any
) -> None:
    guerdon = open_service(more="[inbox]\nretry_delays = [0.1]")
    clock.now = time.time_ns() // 1_000_000 - 5000
    vote_api.nickname = lambda id: "Late"
    assert post_vote(guerdon, "v1").status_code == 503
    with guerdon.database.connection_context():
        add_player(guerdon, "Late")

    process = start(guerdon.config.path, "dispatch")
    try:
        wait_until(lambda: get_v1(guerdon, "/players/Late")["gold"] == "100.00")
    finally:
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 0, errors
    assert '"event": "retried"' in errors


HANGING = """
import time
from app import Report, hookimpl

@hookimpl
def build_report(event):
    return Report("studio", event.type, event.id, b"{}")

@hookimpl
def send_report(report):
    if report.reporter == "studio":
        time.sleep(3600)
"""


@on_sqlite
def test_dispatch_ends_when_told_though_a_send_hangs(
    open_service: Open, add_plugin: Callable[..., str], vote_api: Any, clock: Any
) -> None:
    guerdon = open_service(plugins=ALL_PLUGINS + add_plugin(HANGING))
    clock.now = time.time_ns() // 1_000_000 - 5000
    assert post_vote(guerdon, "v1").status_code == 204
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "dispatch", "--patience", "0.5"], cwd=ROOT, text=True,
        env=os.environ | {"GUERDON_CONFIG": str(guerdon.config.path)}, stderr=subprocess.PIPE,
    )  # fmt: skip

    def read_states() -> list[str]:
        with guerdon.database.connection_context():
            return [row.state for row in Report.select()]

    try:
        wait_until(lambda: read_states() == ["leased"])
    finally:
        process.terminate()
        try:
            _, errors = process.communicate(timeout=15)
        finally:
            process.kill()

    assert process.returncode == 0, errors
    assert read_states() == ["leased"]  # once its lease has run out, it is sent again


@on_sqlite
def test_a_round_that_waits_is_tried_again_by_its_platforms_own_id(
    open_beside: Open, run: Run
) -> None:
    guerdon = open_beside(rewards=REWARDS.replace("server.vote", "game_settle"))
    results = [{"uid": "Nobody", "is_ai": 0, "rank": 1}]
    body = {"uid": "Nobody", "report_msg": {"game_round_id": "a:b", "results": results}}
    guerdon.deliveries.accept(Delivery(GAME_SERVER, "game_settle", join_key("a:b"), data=body))

    assert run("events", "retry", "game_settle", "a:b").stdout == "1 will be tried again at once\n"
    assert run("events", "retry", "game_settle", "a:c").exit_code == 1


MIGRATE = """
import sys
from app.cli.main import main
main(["migrate"], standalone_mode=False)
import app.porch.errors
print([name for name in ("flask", "werkzeug", "flask_smorest", "gevent") if name in sys.modules])
"""


@on_sqlite
def test_a_command_that_serves_nobody_loads_no_web(
    open_service: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for the config, the rules, the database, nor for any of the shipped plugins."""
    open_service(REWARDS)
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    done = subprocess.run(
        [sys.executable, "-c", MIGRATE], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip

    assert (done.stdout, done.returncode) == ("the tables are up to date\n[]\n", 0), done.stderr
