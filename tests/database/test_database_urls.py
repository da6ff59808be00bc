"""Whatever stands as [database] url is a database or a sentence; what we make is for us alone."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.database.opening import MariaDB, Sqlite, open_database
from app.guerdon import Guerdon
from app.porch.errors import ConfigError
from app.testing.deliveries import post_vote

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = "hunter2-of-ours"


@pytest.fixture(autouse=True)
def stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths lead into a folder of the test."""
    monkeypatch.chdir(tmp_path)


def test_it_works() -> None:
    assert isinstance(open_database("sqlite:///var/a.db"), Sqlite)
    assert isinstance(open_database("SQLite:///b.db"), Sqlite)
    for url in ("mysql://game:x@host/name", "mariadb://host:3307/name?ssl_disabled=true"):
        assert isinstance(open_database(url), MariaDB)
    assert Path("var").is_dir()


WRONG = [
    "", "sqlite:", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a\0b", "sqlite:///file/x.db",
    "sqlite:///folder", "sqlite:////proc/nothing/x.db", "sqlite:///" + "x" * 5000 + "/a.db",
    f"mysql://game:{SECRET}@[::1/game", f"mysql://game:{SECRET}@host:port/game",
    f"mysql://game:{SECRET}@host:99999/game", f"mysql://game:{SECRET}@host:0/game",
    f"mysql://game:{SECRET}@host", f"mysql://game:{SECRET}@host/", f"mysql://game:{SECRET}/x@host/game",
    f"mysql://game:{SECRET}#x@host/game", f"mysql://game:{SECRET}?x@host/game",
    f"mysql://game:{SECRET}@host/game?nonsense=1", f"mysql://game:{SECRET}@host/game?charset=latin1",
    f"mysql://game:{SECRET}@host/game?autocommit=true", f"mysql://game:{SECRET}@host/game?init_command=x",
    f"mysql://game:{SECRET}@host/game?connect_timeout={SECRET}", f"mysql://game:{SECRET}@host/a/b",
    f"mysql://game:{SECRET}@host/game?ssl_ca={SECRET}", f"mysql://game:{SECRET}@host/game#{SECRET}",
    f"mysql://game@host/game?password={SECRET}", f"mysql://game@host/game?passwd={SECRET}",
    f"mysql:game:{SECRET}@host/game", f"mysql://game:{SECRET}\n@host/game", f"mysql://[{SECRET}]/game",
    f"postgres://game:{SECRET}@host/game", f"//game:{SECRET}@host/game", f"mysql://\u2100{SECRET}/x",
]  # fmt: skip


@pytest.mark.parametrize("url", WRONG, ids=lambda url: url[:60].encode("unicode_escape").decode())
def test_a_url_that_is_none_is_a_sentence_without_its_password(url: str) -> None:
    Path("file").touch()
    Path("folder").mkdir()

    with pytest.raises(ConfigError) as caught:
        open_database(url)

    (fault,) = caught.value.faults
    assert fault.startswith("[database] url: ")
    assert SECRET not in fault
    assert caught.value.__cause__ is None


PARTS = st.sampled_from(
    [":", "/", "//", "@", "[", "]", "?", "#", "%", "%2F", "%zz", "=", "&", "..", "~", " ", "\0",
     "host", ":3306", "name", "ssl_ca", "port", "::1", "é", "\ud800", "\uff20", "?charset=x"]
)  # fmt: skip


@given(
    scheme=st.sampled_from(
        ["mysql:", "mysql://", "MYSQL://", "mariadb://", "sqlite:///", "x:", ""]
    ),
    before=st.lists(PARTS, max_size=4),
    after=st.lists(PARTS | st.text(max_size=4), max_size=8),
)
@example(scheme="mysql://", before=["host", ":"], after=["@", "[", "name"])
@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_url_is_too_odd(scheme: str, before: list[str], after: list[str]) -> None:
    told = find_fault(scheme + "".join([*before, SECRET, *after]))

    assert SECRET not in (told if scheme.lower().startswith("m") else "")


def find_fault(url: str) -> str:
    """What is said of a URL; nothing where it is one."""
    try:
        open_database(url)
    except ConfigError as error:
        return str(error)
    return ""


def read_mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def _loose() -> Any:
    before = os.umask(0o000)
    yield
    os.umask(before)


@on_sqlite
@pytest.mark.usefixtures("_loose")
def test_files_and_folders_that_we_make_are_ours_alone(open_service: Any, tmp_path: Path) -> None:
    guerdon: Guerdon = open_service(url=f"sqlite:///{tmp_path}/var/deep/guerdon.db")
    with guerdon.database.connection_context():
        post_vote(guerdon, "v1")
        files = sorted((tmp_path / "var" / "deep").iterdir())
        modes = {path.name: read_mode(path) for path in files}

    assert modes == dict.fromkeys(["guerdon.db", "guerdon.db-shm", "guerdon.db-wal"], 0o600)
    assert [read_mode(tmp_path / name) for name in ("var", "var/deep")] == [0o700, 0o700]


@on_sqlite
@pytest.mark.usefixtures("_loose")
def test_what_was_there_keeps_its_mode(open_service: Any, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o775)
    (folder / "guerdon.db").touch(mode=0o660)

    guerdon: Guerdon = open_service(url=f"sqlite:///{folder}/guerdon.db")
    post_vote(guerdon, "v1")

    assert read_mode(folder) == 0o775
    assert read_mode(folder / "guerdon.db") == 0o660
