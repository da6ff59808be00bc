"""Rules that would let events pass unpaid are warned of; those that may yet pay are not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app import create_app
from app.cli.main import main
from app.guerdon import Guerdon
from app.testing.services import ALL_PLUGINS
from tests.world.servers import ROOT

Open = Callable[..., Guerdon]
AddPlugin = Callable[..., str]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
GIVE = 'give = [{ reward = "gold", amount = "1.00" }]'


def write_rule(on: str, more: str = "", name: str = "a rule") -> str:
    return f'[[rules]]\nname = "{name}"\non = "{on}"\n{more}\n{GIVE}\n'


VOTES = write_rule("server.vote", name="every vote")


def list_warnings(open_service: Open, rewards: str, **kwargs: Any) -> list[str]:
    """The warnings without the file they all begin with."""
    guerdon = open_service(rewards, **kwargs)
    place = f"{guerdon.config.rewards_file}: "
    warnings = guerdon.list_warnings()
    assert all(warning.startswith(place) for warning in warnings)
    return [warning.removeprefix(place) for warning in warnings]


def test_it_works(open_service: Open) -> None:
    guerdon = open_service(VOTES.replace("server.vote", "server.votes"))

    wrong_type, unpaid = guerdon.list_warnings()

    assert wrong_type == (
        f'{guerdon.config.rewards_file}: rule "every vote": on = "server.votes": nothing that is'
        ' switched on brings such events; did you mean "server.vote"?'
    )
    assert unpaid.endswith(
        'no rule is on = "server.vote": what comes of it is settled with nothing'
    )


@pytest.mark.parametrize(
    ("rule", "warning"),
    [
        (write_rule("Server.Vote"), 'on = "Server.Vote": nothing that is switched on brings such'
         ' events; did you mean "server.vote"?'),
        (write_rule("server.vote "), 'did you mean "server.vote"?'),
        (write_rule("levelup"), 'did you mean "level_up"?'),
        (write_rule("quest"), "brings such events (the types there are: game_settle, game_start,"
         " level_up, server.vote)"),
        (write_rule("level_up", "where = { lvl = 10 }"), "where: lvl is no fact of a level_up, so"
         ' it never pays; did you mean "level"?'),
        (write_rule("game_settle", "where = { rnak = 1, score = 5 }"), "where: rnak is no fact of a"
         ' game_settle, so it never pays; did you mean "rank"?'),
        (write_rule("game_start", "where = { rank = 1 }"), "where: rank is no fact of a game_start"),
        (write_rule("level_up", "where = { alliance = 1 }"), "(the facts there are: ctwid, level,"
         " server_id, timestamp, uid)"),
        (write_rule("level_up", f'server = ["1", "{"x" * 256}"]'), f'server = "{"x" * 80}": no'
         " level_up comes from there"),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_pay_is_named_with_what_was_meant(
    open_service: Open, rule: str, warning: str
) -> None:
    [found] = list_warnings(open_service, VOTES + rule)

    assert found.startswith('rule "a rule": ')
    assert warning in found


@pytest.mark.parametrize("text", ["", "# later\n", "rules = []\n"])
def test_a_file_without_a_rule_is_warned_of(open_service: Open, text: str) -> None:
    assert list_warnings(open_service, text) == [
        "there is no rule in it: whatever comes is settled with nothing"
    ]


def test_rules_that_may_yet_pay_are_not_warned_of(open_service: Open) -> None:
    """What a vote says beside its nickname is the vote API's affair; a level may go unpaid."""
    votes = write_rule("server.vote", "server = 7\nwhere = { entity_type = 'server' }", "some")
    levels = write_rule("level_up", "server = 's73'\nwhere = { level = 5, uid = 'u' }", "levels")
    rounds = write_rule("game_settle", "where = { rank = 1, room_id = 'r', mg_id = 3 }", "rounds")

    assert list_warnings(open_service, votes + levels + rounds) == []


def test_the_shipped_rules_are_not_warned_of(open_service: Open) -> None:
    shipped = (ROOT / "config" / "rewards.toml").read_text()
    sud = "[plugins.sud]\nunsigned = true\n"

    assert list_warnings(open_service, shipped, more=sud) == []


def test_without_api_keys_nobody_brings_levels(open_service: Open, write_config: Any) -> None:
    path: Path = write_config(VOTES + write_rule("level_up"))
    path.write_text(path.read_text().replace("[api]\nkeys = [", "[api]\nkeys = [] #"))
    result = check(path)

    assert (
        'on = "level_up": nothing that is switched on brings such events; game servers post it'
        in (result.stderr)
    )
    assert "needs a key in [api] keys" in result.stderr


SOURCE = """
    from app import EventType, hookimpl

    @hookimpl
    def read_delivery(source):
        return None
"""
TYPES = """
    @hookimpl
    def event_types(settings):
        return {answer}
"""


def test_a_studios_source_that_does_not_say_may_bring_anything(
    open_service: Open, add_plugin: AddPlugin
) -> None:
    rules = VOTES + write_rule("quest", "where = { quest = 7 }", "quests")
    rules += write_rule("level_up", "where = { lvl = 7 }", "levels")

    assert list_warnings(open_service, rules, more=add_plugin(SOURCE)) == []


@pytest.mark.parametrize(
    ("answer", "rule", "warnings"),
    [
        ("{'quest': EventType()}", write_rule("quest", "where = { name = 'x' }"), []),
        ("{'quest': EventType(facts=('name',))}", write_rule("quest", "where = { nmae = 'x' }"),
         ['rule "a rule": where: nmae is no fact of a quest, so it never pays; did you mean "name"?']),
        ("{'quest': EventType(servers=['rust-1'])}", write_rule("quest", "server = 'rust-2'"),
         ['rule "a rule": server = "rust-2": no quest comes from there; did you mean "rust-1"?']),
        ("{'quest': EventType(servers=['rust-1'])}", write_rule("quest", "server = 'rust-1'"), []),
        ("{'quest': EventType()}", "",
         ['no rule is on = "quest": what comes of it is settled with nothing']),
        ("{'quest': EventType(needs_rule=False)}", "", []),
        # A fact that this studio's game server sends besides.
        ("{'level_up': EventType(('guild',), needs_rule=False)}",
         write_rule("level_up", "where = { guild = 'g', level = 3 }"), []),
    ],
)  # fmt: skip
def test_what_a_studios_source_says_is_believed(
    open_service: Open, add_plugin: AddPlugin, answer: str, rule: str, warnings: list[str]
) -> None:
    section = add_plugin(SOURCE + TYPES.format(answer=answer))

    assert list_warnings(open_service, VOTES + rule, more=section) == warnings


@pytest.mark.parametrize("answer", ["1 / 0", "['quest']", "{'quest': None}", "{5: EventType()}"])
def test_a_source_that_answers_badly_is_named_and_stops_nothing(
    open_service: Open, add_plugin: AddPlugin, answer: str
) -> None:
    section = add_plugin(SOURCE + TYPES.format(answer=answer))
    guerdon = open_service(VOTES + write_rule("whatever"), more=section)

    [warning] = guerdon.list_warnings()

    assert warning.startswith("plugin studio: event_types() failed: ")


def check(path: Path, *words: str) -> Result:
    environment = {"GUERDON_CONFIG": str(path)}
    return CliRunner().invoke(main, ["check", *words], env=environment)


def test_what_is_to_be_written_otherwise_in_the_config_is_a_warning_too(
    open_service: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = open_service(VOTES).config.path
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "key").write_text("a-key-of-sixteen-characters")
    monkeypatch.chdir(tmp_path / "elsewhere")
    path.write_text(path.read_text().replace('keys = ["', 'keys = [{ file = "key" }, "'))

    result = check(path, "--strict")

    [line] = result.stderr.splitlines()
    assert result.exit_code == 2
    assert line.startswith(f"warning: {path}: [api] keys")


@pytest.mark.parametrize("strict", [False, True])
def test_check_prints_warnings_and_is_strict_if_told(open_service: Open, strict: bool) -> None:
    words = ["--strict"] * strict
    path = open_service(VOTES + write_rule("server.votes")).config.path

    result = check(path, *words)

    assert result.exit_code == 2 * strict
    [line] = result.stderr.splitlines()
    assert line.startswith(
        f'warning: {path.parent}/rewards.toml: rule "a rule": on = "server.votes"'
    )
    *sentences, heading = result.stdout.splitlines()
    assert heading == "no fault, 1 warning: 7 plugins, 2 rules, database ready"
    assert [sentence.partition(":")[0] for sentence in sentences] == ['"every vote"', '"a rule"']

    path.with_name("rewards.toml").write_text(VOTES)
    result = check(path, *words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("all is well: 7 plugins, 1 rule, database ready\n")


def test_a_fault_weighs_more_than_a_warning(write_config: Any) -> None:
    result = check(write_config(""), "--strict")  # no tables yet

    assert result.exit_code == 1
    assert [line.startswith("warning: ") for line in result.stderr.splitlines()] == [True, False]


def test_the_service_logs_them_when_it_starts(
    open_service: Open, capfd: pytest.CaptureFixture[str]
) -> None:
    create_app(open_service("", plugins=ALL_PLUGINS))

    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    [line] = [line for line in logged if line["event"] == "check"]
    assert line["level"] == "warning"
    assert line["warning"].endswith("whatever comes is settled with nothing")
