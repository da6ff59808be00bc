"""Keeps the laws of the house by reading its source: floors, the porch, what plugins never do."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
import plugins
from app import hookspecs
from tests.conftest import FIRST, ON_MYSQL
from tests.servers import ROOT

# A module may import what is strictly below it. A new module needs a floor here.
FLOORS = {
    "app.crashing": 0, "app.errors": 0, "app.keys": 0, "app.hookspecs": 0, "app.secret": 0, "app.raw_json": 0,
    "app.interrupting": 0,
    "app.escaping": 0, "app.names": 0.1,
    "app.steps": 0, "app.clock": 0,
    "app.strict_json": 0.1, "app.checking": 0.1, "app.exchange": 0.1, "app.addresses": 0.1, "app.tokens": 0.1,
    "app.game_events": 0.1, "app.schedules": 0.1, "app.conditions": 0.1, "app.masking": 0.2,
    "app.columns": 0.1,
    "app.batching": 1, "app.pending": 0.1, "app.config": 1, "app.logs": 1, "app.models": 1, "app.network": 1,
    "app.references": 0.2, "app.faults": 0.1, "app.complaints": 0.2, "app.guarding": 0.3,
    "app.database_words": 0.3,
    "app.transactions": 1, "app.database": 1.1, "app.durability": 1.2, "app.writing": 1.2, "app.readiness": 2,
    "app.leases": 2, "app.migrating": 2, "app.migrations": 2, "app.player_search": 2, "app.players": 2.1,
    "app.rules": 2, "app.turns": 2,
    "app.sharing": 1.2,
    "app.decimals": 0.1,
    "app.chunks": 1.2,
    "app.reward_fields": 0.1,
    "app.upserting": 2, "app.ledger": 2.1, "app.plugin_finding": 2,
    "app.plugin_manager": 2.1, "app.granting": 2.2, "app.rule_warnings": 2.2,
    "app.inspection": 2.2, "app.recipients": 2.3, "app.reporting": 2.3, "app.sending": 2.3,
    "app.claims": 3, "app.reports": 2.4, "app.recording": 2.4, "app.lanes": 2.3,
    "app.beginning": 2.4, "app.payments": 2.4, "app.suspects": 2.5, "app.paying": 2.6, "app.settling": 3,
    "app.timeline": 3, "app.deliveries": 3.1, "app.unpaid": 2.1, "app.repaying": 3.1,
    "app.inbox": 3.2, "app.outbox": 3.2, "app.dispatcher": 3.3, "app.guerdon": 3.4,
    "app.door": 0.1, "app.refusals": 0.1, "app.api_keys": 0.1, "app.database_urls": 0.1,
    "app.answer_headers": 4, "app.resolving": 0.2,
    "app.bodies": 4, "app.schemas": 4, "app.webhooks": 4.05, "app.answers": 4.05, "app.examples": 4.05,
    "app.game_schemas": 4.05, "app.health": 4.1, "app.api": 4.1, "app.game_api": 4.2,
    "app.openapi": 4.2, "app.building": 4.3, "app.terminal": 4, "app.opening": 4, "app.playground": 4.2,
    "app.report_commands": 4.2, "app.repay_commands": 4.25, "app.cli": 4.3,
    "app": 5,
    "wsgi": 6,
}  # fmt: skip
ROOMS = ("app.migrations", "app.playground")  # of several files, which may import each other
FINDERS = ("app.plugin_finding", "app.plugin_manager")  # they import plugins, whichever there are
PLATFORMS = ("gamemonitoring", "sud", "g123")
NETWORK = {"asyncio", "ftplib", "http", "smtplib", "socket", "ssl", "subprocess", "urllib"}
LONGEST = 300  # lines of a file of app/, all of them, but for hookspecs
LONGEST_PLUGIN = 150  # lines, all of them

APP_FILES = sorted((ROOT / "app").rglob("*.py"))
PLUGIN_FILES = sorted(
    path for path in (ROOT / "plugins").glob("*.py") if path.name != "__init__.py"
)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return next((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), module)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def list_imports(tree: ast.Module) -> Iterator[str]:
    """Every module imported anywhere in the file; `from app import x` is x, where x is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if room_of(inner) in FLOORS else str(node.module)


def list_calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call, by the last part of its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            yield getattr(function, "attr", getattr(function, "id", "")), node


def list_strings(tree: ast.Module) -> Iterator[str]:
    """Every string that is no docstring."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_string = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_string and id(node) not in docstrings:
            yield node.value


def find_upward_imports(module: str, tree: ast.Module) -> list[str]:
    floor, room = FLOORS[room_of(module)], room_of(module)
    inner = {name for name in list_imports(tree) if name.split(".")[0] in ("app", "wsgi")}
    return sorted(
        name for name in inner if room_of(name) != room and FLOORS[room_of(name)] >= floor
    )


ENDS = {"commit", "rollback", "close", "close_all", "manual_close", "begin", "session_start"}


def find_endings(tree: ast.Module) -> list[str]:
    """Calls that would end the transaction that pays."""
    found = [name for name, _ in list_calls(tree) if name in ENDS]
    words = r"\s*(COMMIT|ROLLBACK|BEGIN|START|END)\b"
    return found + [text for text in list_strings(tree) if re.match(words, text, re.IGNORECASE)]


def find_foreign_imports(tree: ast.Module) -> list[str]:
    allowed = {"app", "marshmallow", "peewee"} | (set(sys.stdlib_module_names) - NETWORK)
    return [
        name
        for name in list_imports(tree)
        if name.startswith(("app.", "plugins")) or name.split(".")[0] not in allowed
    ]


CLOCKS = {"time", "time_ns", "now", "utcnow", "today"}


def find_clocks(tree: ast.Module) -> list[str]:
    """Calls such as time.time() and datetime.now(): time is an argument."""
    return [
        ast.unparse(call.func)
        for name, call in list_calls(tree)
        if name in CLOCKS
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) in ("time", "datetime", "date", "datetime.datetime")
    ]


def test_it_works() -> None:
    """The readers of the source see what they are there to see."""
    assert find_upward_imports("app.rules", ast.parse("def f():\n from app import api")) == [
        "app.api"
    ]
    assert find_upward_imports("app.config", ast.parse("import app.logs, app.errors")) == [
        "app.logs"
    ]
    assert find_upward_imports("app.errors", ast.parse("from app import Event")) == ["app"]
    assert find_endings(ast.parse("db.commit()\ndb.execute_sql('commit')")) == ["commit"] * 2
    foreign = "import requests, socket, app\nfrom app.models import Event\nfrom plugins import gold"
    assert find_foreign_imports(ast.parse(foreign)) == [
        "requests", "socket", "app.models", "plugins",
    ]  # fmt: skip
    assert find_clocks(ast.parse("time.time()\ndatetime.now(UTC)\nself.now()")) == [
        "time.time", "datetime.now",
    ]  # fmt: skip
    assert list(list_strings(ast.parse('"""gold"""\nx = "vip"'))) == ["vip"]


@pytest.mark.parametrize("path", [*APP_FILES, ROOT / "wsgi.py"], ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    module = name_of(path)
    assert room_of(module) in FLOORS, f"{module} has no floor: give it one in FLOORS"

    assert find_upward_imports(module, parse(path)) == []


def test_every_floor_is_lived_on() -> None:
    there = {room_of(name_of(path)) for path in APP_FILES} | {"wsgi"}

    assert set(FLOORS) == there


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_flask_lives_on_the_upper_floors(path: Path) -> None:
    imports = {name.split(".")[0] for name in list_imports(parse(path))}
    is_typing_only = name_of(path) in ("app.hookspecs", "app.strict_json")
    if "flask" in imports and not is_typing_only:
        assert FLOORS[room_of(name_of(path))] >= 4


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_the_core_never_names_a_plugin(path: Path) -> None:
    module, tree = name_of(path), parse(path)
    imported = {name for name in list_imports(tree) if name.split(".")[0] == "plugins"}
    assert imported <= ({"plugins"} if module in FINDERS else set())
    if room_of(module) == "app.playground":
        return  # it stands in for the platforms

    strings = list(list_strings(tree))
    assert not set(strings) & set(plugins.SHIPPED)
    named = re.compile(rf"\b({'|'.join(PLATFORMS)})\b", re.IGNORECASE)
    assert not [text for text in strings if named.search(text)]


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_only_the_network_room_speaks_http_and_only_one_clock_is_read(path: Path) -> None:
    module, tree = name_of(path), parse(path)
    if room_of(module) == "app.playground":
        return
    imports = {name.split(".")[0] for name in list_imports(tree)}

    assert not imports & {"requests", "http"}
    assert "socket" not in imports or module == "app.resolving"
    assert "urllib3" not in imports or module in ("app.network", "app.exchange")
    assert find_clocks(tree) == ([] if module != "app.clock" else ["time.time_ns"])


@pytest.mark.parametrize("path", [*APP_FILES, *PLUGIN_FILES], ids=name_of)
def test_one_room_alone_speaks_to_the_terminal(path: Path) -> None:
    """What it prints is escaped; a stranger's words are among what commands tell."""
    printed = {"echo", "secho", "echo_via_pager", "print", "style"}
    calls = {name for name, _ in list_calls(parse(path))}

    assert calls & printed == ({"echo"} if name_of(path) == "app.terminal" else set())


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_a_room_stays_small(path: Path) -> None:
    if name_of(path) != "app.hookspecs":  # the manual
        assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=name_of)
def test_a_plugin_speaks_to_the_porch_alone(path: Path) -> None:
    tree = parse(path)

    assert find_foreign_imports(tree) == []
    asked = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "app"
        for alias in node.names
    } | {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "app"
    }
    assert asked
    assert asked <= set(app.__all__)


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=name_of)
def test_a_plugin_ends_no_transaction_reads_no_clock_and_is_short(path: Path) -> None:
    tree = parse(path)

    assert find_endings(tree) == []
    assert find_clocks(tree) == []
    assert len(path.read_text().splitlines()) <= LONGEST_PLUGIN


def test_the_porch_is_there_and_in_order() -> None:
    assert list(app.__all__) == sorted(app.__all__)
    assert all(hasattr(app, name) for name in app.__all__)


def test_the_shipped_plugins_are_the_files_there_and_each_has_its_tests() -> None:
    assert sorted(plugins.SHIPPED) == [path.stem for path in PLUGIN_FILES]
    for name in plugins.SHIPPED:
        assert (ROOT / "tests" / "plugins" / f"test_{name}.py").exists(), name


HOOKS = [
    name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), f"{hookspecs.NAME}_spec")
]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_explained_and_used(hook: str) -> None:
    assert len((getattr(hookspecs, hook).__doc__ or "").split()) >= 8
    users = [*PLUGIN_FILES, *(ROOT / "tests").rglob("test_*.py")]
    assert any(re.search(rf"\bdef {hook}\(", path.read_text()) for path in users)


# Stories that cross all rooms: each of their tests is one.
STORIES = {
    "test_readme",
    "test_under_fire",
    "test_reports_under_fire",
    "test_crash_points",
    "test_storms",
    "test_slow_database",
    "test_locked_rows",
    "test_lost_connections",
    "test_corners",
    "test_misbehaving_plugins",
}
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))
OF_MARIADB_ALONE = {"test_backups", "test_database_words"}  # its own dump, its own numbers


@pytest.mark.parametrize("path", TEST_FILES, ids=name_of)
def test_every_test_file_begins_with_test_it_works_and_mocks_nothing(path: Path) -> None:
    tree = parse(path)
    tests = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]

    assert tests[0] == "test_it_works" or path.stem in STORIES
    assert len(set(tests)) == len(tests)
    assert not {name for name in list_imports(tree) if "mock" in name}


def test_the_files_that_begin_first_are_there() -> None:
    assert set(FIRST) <= {path.stem for path in TEST_FILES}
    assert len(set(FIRST)) == len(FIRST)


@pytest.mark.parametrize("path", TEST_FILES, ids=name_of)
def test_what_is_run_on_mariadb_is_run_on_mysql_too(path: Path) -> None:
    """By the mark on_servers and the fixture database_server, which mean both."""
    if path.stem in OF_MARIADB_ALONE:
        return
    tree = parse(path)

    for _, call in list_calls(tree):
        assert not ast.unparse(call).startswith(
            "pytest.mark.parametrize('database_url', ['mariadb']"
        )
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    assert "mariadb" not in arguments


@pytest.mark.parametrize("name", sorted(ON_MYSQL))
def test_what_is_run_on_mysql_every_time_is_there(name: str) -> None:
    _, module, *test = name.split(".")
    source = (ROOT / "tests" / f"{module}.py").read_text()
    assert all(f"def {function}(" in source for function in test)
