"""Keeps the laws of the house by reading its source: floors, the porch, what plugins never do."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
import plugins
from app.porch import hookspecs
from tests.conftest import FIRST, ON_MYSQL
from tests.world.servers import ROOT

# They play platforms, and start servers to speak to; the last signs as one does.
STAND_INS = ("app.playground", "app.testing", "app.own_signature")
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


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


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
                yield inner if is_module(inner) else str(node.module)


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
    assert find_endings(ast.parse("db.commit()\ndb.execute_sql('commit')")) == ["commit"] * 2
    foreign = "import requests, socket, app\nfrom app.database.models import Event\nfrom plugins import gold"
    assert find_foreign_imports(ast.parse(foreign)) == [
        "requests", "socket", "app.database.models", "plugins.gold",
    ]  # fmt: skip
    assert find_clocks(ast.parse("time.time()\ndatetime.now(UTC)\nself.now()")) == [
        "time.time", "datetime.now",
    ]  # fmt: skip
    assert list(list_strings(ast.parse('"""gold"""\nx = "vip"'))) == ["vip"]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Hold the imports of the app in this folder against the contracts in its pyproject.toml."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_imports_go_down_and_the_web_stays_above() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("porch/errors.py", "import app.paying.players", "imports go down"),
        ("fitness/writing.py", "def f():\n    import app.reporting.outbox", "imports go down"),
        ("database/keys.py", "import app.database.leases", "nothing goes in a circle"),
        ("database/words.py", "from flask import Request", "the web lives above"),
        ("porch/errors.py", "import peewee", "what a plugin may see knows no database"),
        ("newcomer.py", "", "imports go down"),
    ],
)
def test_a_broken_contract_is_found(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "app" / module).open("a") as file:
        file.write(f"\n{line}\n")
    if broken == "nothing goes in a circle":
        with (tmp_path / "app" / "database" / "leases.py").open("a") as file:
            file.write("\nimport app.database.keys\n")

    done = lint_imports(tmp_path)

    assert done.returncode == 1, done.stdout
    assert f"{broken} BROKEN" in done.stdout or "newcomer" in done.stdout


@pytest.mark.parametrize("path", [*APP_FILES, *PLUGIN_FILES], ids=name_of)
def test_the_porch_is_for_plugins(path: Path) -> None:
    """What is behind it imports each thing from where it is; `guerdon hooks` tells of the porch itself."""
    asks_porch = "app" in list_imports(parse(path))

    assert asks_porch == (path in PLUGIN_FILES or path == ROOT / "app" / "cli" / "hooks.py")


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_the_core_never_names_a_plugin(path: Path) -> None:
    module, tree = name_of(path), parse(path)
    imported = {name for name in list_imports(tree) if name.split(".")[0] == "plugins"}
    assert not imported
    if module.startswith(STAND_INS):
        return

    strings = list(list_strings(tree))
    assert not set(strings) & set(plugins.SHIPPED)
    named = re.compile(rf"\b({'|'.join(PLATFORMS)})\b", re.IGNORECASE)
    assert not [text for text in strings if named.search(text)]


# gunicorn's worker reads requests off sockets, and its answers have a Date; sources connect to ports, and
# we to consoles.
SPEAK_SOCKETS = (
    "app.network.resolving", "app.serving.request", "app.serving.worker", "app.listening.clients",
    "app.listening.ports", "app.porch.addresses", "app.network.rcon", "app.network.websockets",
    "app.serving.waiting_room",
)  # fmt: skip
CLOCKS_READ = {"app.database.clock": ["time.time_ns"], "app.serving.hooks": ["time.time"]}


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_only_the_network_room_speaks_http_and_only_one_clock_is_read(path: Path) -> None:
    module, tree = name_of(path), parse(path)
    if module.startswith(STAND_INS):
        return
    imports = {name.split(".")[0] for name in list_imports(tree)}

    assert not imports & {"requests", "http"}
    assert "socket" not in imports or module in SPEAK_SOCKETS
    assert "urllib3" not in imports or module in ("app.network.client", "app.network.exchange")
    assert find_clocks(tree) == CLOCKS_READ.get(module, [])


@pytest.mark.parametrize("path", [*APP_FILES, *PLUGIN_FILES], ids=name_of)
def test_one_room_alone_speaks_to_the_terminal(path: Path) -> None:
    """What it prints is escaped; a stranger's words are among what commands tell."""
    printed = {"echo", "secho", "echo_via_pager", "print", "style"}
    calls = {name for name, _ in list_calls(parse(path))}
    if name_of(path).startswith("app.testing"):
        printed = {"echo"}  # it runs as programs of its own, whose output a test reads

    assert calls & printed == ({"echo"} if name_of(path) == "app.terminal" else set())


@pytest.mark.parametrize("path", APP_FILES, ids=name_of)
def test_a_room_stays_small(path: Path) -> None:
    if name_of(path) != "app.porch.hookspecs":  # the manual
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
    function = "" if is_module(name) else name.rpartition(".")[2]
    path = ROOT.joinpath(*name.removesuffix(f".{function}").split(".")).with_suffix(".py")
    assert f"def {function}" in path.read_text()
