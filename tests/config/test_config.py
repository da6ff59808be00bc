"""The config: every fault at once, each with its place, and no secret in any of them."""

import dataclasses
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from marshmallow import missing

import plugins
from app import write_rsa_key
from app.config.reading import ConfigSchema, read_config
from app.host.loading import load_plugins
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from tests.world.servers import ROOT

SHIPPED_CONFIG = ROOT / "config" / "guerdon.toml"
SECRET = "sesame-0pen-wide"
REPORTERS = ("g123", "sud", "webhook")
# What is off in the shipped config.
OFF = (
    *REPORTERS,
    "listforge",
    "pingbacks",
    "topgg",
    "vote_sites",
    "votifier",
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str, rewards: str = "") -> Path:
        path = tmp_path / "guerdon.toml"
        path.write_text(text)
        (tmp_path / "rewards.toml").write_text(rewards)
        return path

    return write


def list_faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        open_guerdon(path)
    return list(caught.value.faults)


def test_it_works(write: Callable[..., Path]) -> None:
    config, faults = read_config(write("[inbox]\nretry_delays = [1, 2.5]\n[plugins.vip]\n"))

    assert faults == []
    assert config.inbox.retry_delays == (1, 2.5)
    assert config.players.is_own
    assert list(config.plugins) == ["vip"]
    assert config.rewards_file == config.path.parent / "rewards.toml"


EVERYTHING_WRONG = """
[database]
url = "postgres://host/name"
urll = "x"
[api]
key = ["k"]
keys = [{ env = "UNSET_IN_TESTS" }, { file = "/nowhere/key" }, 5, "", { env = 5 }, { var = "X" }]
[players]
table = "users; DROP TABLE users"
match = "fuzzy"
unknown = "guess"
[rewards]
file = 5
[inbox]
retry = "yes"
retry_delays = []
give_up_after = "soon"
[dispatcher]
in_workers = 1.5
[serverz]
[plugins]
vip = 5
[plugins.gamemonitoring]
api_url = "ftp://example"
tokens = []
[plugins.gold]
column = "a b"
colour = "red"
[plugins.itemz]
[plugins.items]
limit = 3
"""
FAULTS = [
    ("[database] url", "must begin with sqlite:/// or mysql://"),
    ("[database] urll", 'is not a setting we know; did you mean "url"?'),
    ("[api] key:", 'is not a setting we know; did you mean "keys"?'),
    ("[api] keys[0]", "the environment variable UNSET_IN_TESTS is not set"),
    ("[api] keys[1]", "the file /nowhere/key cannot be read"),
    ("[api] keys[2]", 'must be a string, {env = "NAME"} or {file = "PATH"}'),
    ("[api] keys[3]", "is empty"),
    ("[api] keys[4]", "are strings"),
    ("[api] keys[5]", 'takes {env = "NAME"} or {file = "PATH"}'),
    ("[players] table", "must be a plain table or column name"),
    ("[players] match", "must be one of: exact, casefold"),
    ("[players] unknown", "must be one of: fail, hold, create"),
    ("[rewards] file", "must be a string"),
    ("[inbox] retry:", "must be true or false"),
    ("[inbox] retry_delays", "Shorter than minimum length 1"),
    ("[inbox] give_up_after", "must be a number"),
    ("[dispatcher] in_workers", "must be true or false"),
    ("serverz", "is not a setting we know"),
    ("[plugins] vip", "must be a table"),
    ("[plugins.gamemonitoring] api_url", "must be an address as https://host"),
    ("[plugins.gamemonitoring] tokens", "Shorter than minimum length 1"),
    ("[plugins.gold] column", "must be a plain column name"),
    ("[plugins.gold] colour", 'is not a setting we know; did you mean "column"?'),
    ("[plugins.itemz]", 'no plugin answers to it: there is neither a file plugins/itemz.py nor '
     'an entry point "itemz" in the group "guerdon"; did you mean "items"?'),
    ("[plugins.items] limit", "is not a setting we know"),
]  # fmt: skip


def test_every_fault_is_listed_at_once_with_file_section_and_key(
    write: Callable[..., Path],
) -> None:
    path = write(EVERYTHING_WRONG)

    faults = list_faults(path)

    for place, what in FAULTS:
        found = [fault for fault in faults if place in fault and what in fault]
        assert len(found) == 1, (place, what, faults)
        assert str(path) in found[0]
    assert len(faults) == len(FAULTS), [f for f in faults if not any(p in f for p, _ in FAULTS)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[plugins.gamemonitoring]", "[plugins.gamemonitoring] tokens: is missing"),
        ('[api]\nkeys = "k"', "[api] keys: must be a list, in [ ]"),
        ("players = 5", "players: must be a table"),
        ("plugins = 5", "plugins: must be a table"),
        ("[players]\ntable = 'users'\nunknown = 'create'", '[players] unknown: "create" works'),
        ("[players]\nid_column = 'uid'", "[players] id_column: needs `table`"),
        ("[players]\nuser_id_column = 'uid'", "[players] user_id_column: our own table has only"),
        (
            "[players]\npattern = '[a-z'",
            "[players] pattern: is no regular expression: unterminated",
        ),
        ("[players]\npattern = '(a+)+'", "[players] pattern: may take for ever on a long name"),
        ("[players]\npattern = 5", "[players] pattern: must be a string"),
        ("[players]\nprefixes = []", "[players] prefixes: Length must be between 1 and 8"),
        ("[players]\nprefixes = '.'", "[players] prefixes: must be a list, in [ ]"),
        ("[players]\nprefixes = ['', ' .']", "[players] prefixes[1]: must be visible characters"),
        ("[players]\nprefixes = ['e\u0301']", "[players] prefixes[0]: must be visible characters"),
        ("[players]\nprefixes = ['\u200b']", "[players] prefixes[0]: must be visible characters"),
        ("[plugins.claim_queue]\ninside = '*'", "[plugins.claim_queue] inside: is no regular"),
        (
            "[plugins.claim_queue]\ninside = '(a|a)*b'",
            "[plugins.claim_queue] inside: may take for ever on a long name",
        ),
        ("[inbox]\nretry_delays = [5, 'x']", "[inbox] retry_delays[1]: must be a number"),
        ("[inbox]\nretry_delays = [0]", "[inbox] retry_delays[0]: must be greater than"),
        ("[inbox]\ngive_up_after = inf", "[inbox] give_up_after: Special numeric values"),
        ("[database]\nurl = 'guerdon.db'", "[database] url: must begin with"),
        ("[database]\nurl = 'sqlite://'", "[database] url: name a file"),
        ("[database]\nurl = 'sqlite:///:memory:'", "would forget what is paid"),
        ("[database]\nurl = 'mysql://user@host'", "[database] url: has no database name"),
        ("[database]\nurl = 'mysql://u:p@host:port/name'", "[database] url: must be mysql://user:"),
        ("[api]\n\nkeys = [}", "is not TOML: Invalid value (at line 3"),
    ],
)
def test_a_fault_names_its_place(write: Callable[..., Path], text: str, fault: str) -> None:
    path = write(text)

    faults = list_faults(path)

    assert len(faults) == 1, faults
    assert faults[0].startswith(f"{path}: ")
    assert fault in faults[0]


@pytest.mark.parametrize("file", ["guerdon.toml", "rewards.toml"])
def test_a_file_that_is_not_there_or_not_text_is_named(
    write: Callable[..., Path], file: str
) -> None:
    config = write("")
    path = config.parent / file
    path.write_bytes(b'[api]\nkeys = ["\xff"]')
    assert f"{path}: cannot be read" in list_faults(config)[0]

    path.unlink()
    assert list_faults(config) == [f"{path}: there is no such file"]


def test_secrets_come_from_a_string_the_environment_or_a_file(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("a key from a file\n")
    monkeypatch.setenv("A_KEY", "a key from the environment")
    monkeypatch.setenv("EMPTY_KEY", "")
    path = write(f"""[api]
        keys = ["a key that is text", {{ env = "A_KEY" }}, {{ file = "{tmp_path}/key" }},
          {{ env = "UNSET_IN_TESTS", default = "a key by default" }},
          {{ file = "/nowhere", default = "another default!", name = "the office" }},
          {{ env = "EMPTY_KEY", default = "in place of an empty" }}]""")

    config, faults = read_config(path)

    assert faults == []
    assert [(key.reveal(), key.name) for key in config.api.keys] == [
        ("a key that is text", "key 1"),
        ("a key from the environment", "A_KEY"),
        ("a key from a file", "key"),
        ("a key by default", "UNSET_IN_TESTS"),
        ("another default!", "the office"),
        ("in place of an empty", "EMPTY_KEY"),
    ]


def test_any_string_may_come_from_the_environment(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_URL", "sqlite:////somewhere.db")

    config, faults = read_config(write('[database]\nurl = { env = "A_URL" }'))

    assert (config.database.url, faults) == ("sqlite:////somewhere.db", [])


def test_a_sqlite_file_begins_at_the_configs_folder(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever Guerdon is started, and where nothing is said too."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    urls = [
        read_config(write(text))[0].database.url
        for text in ("", "[database]\nurl = 'sqlite:///../a.db'", "[database]\nurl = 'sqlite:///b'")
    ]

    folder = write("").parent
    paths = [folder / "var" / "guerdon.db", folder.parent / "a.db", folder / "b"]
    assert urls == [f"sqlite:///{path}" for path in paths]


def test_a_database_that_is_only_where_it_was_started_is_no_reason_to_make_an_empty_one(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of versions whose paths began there: what is in it would be paid again."""
    started = tmp_path / "elsewhere"
    (started / "var").mkdir(parents=True)
    (started / "var" / "guerdon.db").touch()
    monkeypatch.chdir(started)
    path = write("")

    _, faults = read_config(path)

    assert faults == [
        f"{path}: [database] url: paths begin at the config's folder, and there is no"
        f" {path.parent}/var/guerdon.db, but there is {started}/var/guerdon.db: to go on with it write"
        f' url = "sqlite:///{started}/var/guerdon.db"'
    ]
    (path.parent / "var").mkdir()
    (path.parent / "var" / "guerdon.db").touch()
    assert read_config(path)[1] == []


@pytest.mark.parametrize(
    "text",
    [
        "[api]\nkeys = [['{}']]",
        "[api]\nkeys = [{ value = '{}' }]",
        "[api]\nkeys = ['{}', 5]",
        "[api]\nkeys = { '{}' = 5 }",
        "[database]\nurl = 'mysql://game:{}/x@127.0.0.1:3306/game'",
        "[database]\nurl = 'mysql://game:a/{}#@127.0.0.1:3306/game'",
        "[database]\nurl = 'mysql://game:{}@127.0.0.1:port/game'",
        "[database]\nurl = ['{}']",
        "[plugins.gamemonitoring]\ntokens = '{}'",
        "[plugins.gamemonitoring]\ntokens = [{ token = '{}' }]",
        "[plugins.gamemonitoring]\ntokens = ['{}']\napi_url = 'nowhere'",
        "[plugins.gamemonitoring]\ntokens = ['{}']\napi_url = 'https://u:{}@host:port'",
    ],
)
def test_no_fault_shows_a_secret(write: Callable[..., Path], text: str) -> None:
    faults = list_faults(write(text.replace("{}", SECRET)))

    assert faults
    assert SECRET not in "\n".join(faults)


def test_no_repr_shows_a_secret(write: Callable[..., Path]) -> None:
    path = write(
        f"[database]\nurl = 'mysql://game:{SECRET}@127.0.0.1/game'\n[api]\nkeys = ['{SECRET}']\n"
        f"[plugins.gamemonitoring]\ntokens = ['{SECRET}']"
    )
    guerdon = open_guerdon(path)

    for value in (guerdon.config, guerdon.plugins, guerdon.plugins.settings, guerdon.database):
        assert SECRET not in repr(value) + str(value)
    key = guerdon.config.api.keys[0]
    assert repr(key) == str(key) == f"{key}" == "<secret key 1>"
    guerdon.close()


def test_the_config_is_frozen(write: Callable[..., Path]) -> None:
    config, _ = read_config(write("[plugins.gold]"))

    for part in (config, config.database, config.players, config.inbox, config.network):
        for field in dataclasses.fields(part):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, field.name, None)
    with pytest.raises(TypeError):
        config.plugins["vip"] = {}  # type: ignore[index]
    with pytest.raises(TypeError):
        load_plugins(config).settings["gold"]["column"] = "other"  # type: ignore[index]


def read_shipped(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GUERDON_API_KEY", "a key of our own")
    monkeypatch.setenv("GAMEMONITORING_TOKEN", "a token")
    monkeypatch.delenv("GUERDON_DATABASE_URL", raising=False)
    config, faults = read_config(SHIPPED_CONFIG)
    assert faults == []
    return config


def test_the_shipped_config_is_valid_and_means_the_defaults(
    monkeypatch: pytest.MonkeyPatch, write: Callable[..., Path], tmp_path: Path
) -> None:
    shipped = read_shipped(monkeypatch)
    bare, _ = read_config(write("[plugins.gold]\n[plugins.gamemonitoring]\ntokens = ['a token']"))

    assert shipped.database.url == f"sqlite:///{ROOT}/var/guerdon.db"
    assert bare.database.url == f"sqlite:///{tmp_path}/var/guerdon.db"
    assert dataclasses.replace(bare.database, url=shipped.database.url) == shipped.database
    assert shipped.plugins_folder == ROOT / "plugins"
    assert bare.plugins_folder == tmp_path / "plugins"
    for name in ("players", "inbox", "outbox", "dispatcher", "network"):
        assert getattr(shipped, name) == getattr(bare, name), name
    settings, defaults = load_plugins(shipped).settings, load_plugins(bare).settings
    assert settings["gold"] == defaults["gold"]
    assert settings["gamemonitoring"]["api_url"] == defaults["gamemonitoring"]["api_url"]
    monkeypatch.setenv("GUERDON_DATABASE_URL", f"sqlite:///{tmp_path}/guerdon.db")
    open_guerdon(SHIPPED_CONFIG).close()  # with its rules


@pytest.fixture
def whole(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The shipped config with all that is there as a comment, as `# table = "users"`, switched on."""
    for name in ("GUERDON_API_KEY", "GAMEMONITORING_TOKEN", "G123_APP_ID", "G123_APP_SECRET",
                 "METRICS_KEY", "RCON_PASSWORD", "RUST_PASSWORD", "PANEL_KEY"):  # fmt: skip
        monkeypatch.setenv(name, "a secret of our own")
    monkeypatch.setenv("SUD_APP_SECRET", "a secret")
    for name in ("RUST_SERVERS_KEY", "TOPGG_SECRET", "TOPGG_V0", "VOTIFIER_TOKEN"):
        monkeypatch.setenv(name, "a secret")
    monkeypatch.setenv("PROXY_PASSWORD", "a secret")
    monkeypatch.setenv("DRAW_SECRET", "a secret")
    monkeypatch.setenv("DASHBOARD_KEY", "a key of at least 32 characters!")
    monkeypatch.setenv("OIDC_SECRET", "a secret")
    monkeypatch.setenv("HYTALE_SECRET", "a secret")
    monkeypatch.setenv("GTOP100_KEY", "a secret")
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_c2VjcmV0")
    write_rsa_key(tmp_path / "votifier.pem")
    return write(re.sub(r"(?m)^# (?=\[plugins\.|[\w.]+ = )", "", SHIPPED_CONFIG.read_text()))


def test_the_shipped_config_documents_every_setting(whole: Path) -> None:
    shown = tomllib.loads(whole.read_text())
    schemas = {
        name: field.schema.fields
        for name, field in ConfigSchema().fields.items()
        if name != "plugins"
    }
    config, faults = read_config(whole)
    manager = load_plugins(config).manager
    for name in plugins.SHIPPED:
        schema = getattr(manager.get_plugin(name), "settings_schema", None)
        schemas[f"plugins.{name}"] = schema()().fields if schema else {}

    assert faults == []
    assert set(shown["plugins"]) == set(plugins.SHIPPED)
    assert set(shown) == set(ConfigSchema().fields)
    for section, fields in schemas.items():
        table = shown
        for part in section.split("."):
            table = table[part]
        assert set(table) == set(fields), section


EXAMPLES = {("sud", "report_url"), ("sud", "app_id"), ("sud", "app_secret")}  # no defaults


def test_a_reporter_switched_on_in_the_shipped_config_has_its_defaults(whole: Path) -> None:
    loaded = load_plugins(read_config(whole)[0])

    for name in REPORTERS:
        schema = loaded.manager.get_plugin(name).settings_schema()()  # type: ignore[union-attr]
        for setting, field in schema.fields.items():
            if field.load_default is not missing and (name, setting) not in EXAMPLES:
                assert loaded.settings[name][setting] == field.load_default, (name, setting)


CONSOLES = ("rcon", "webrcon", "pterodactyl")


def test_the_shipped_config_switches_no_reporter_on(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_plugins(read_shipped(monkeypatch))

    assert set(loaded.settings) == set(plugins.SHIPPED) - {*OFF, *CONSOLES}
    assert not loaded.has("build_report")
