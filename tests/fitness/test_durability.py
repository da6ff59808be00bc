"""Settings of a server by which a commit is no promise: refused, unless the config accepts that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.fitness.durability import judge_settings
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import post_vote

FLUSH = "innodb_flush_log_at_trx_commit"


@contextmanager
def set_global(server: DatabaseServer, name: str, value: str) -> Iterator[None]:
    """A setting of the server, put back at the end."""
    [(before,)] = server.run(f"SELECT @@GLOBAL.{name}")
    server.run(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        server.run(f"SET GLOBAL {name} = {before}")


def test_it_works(guerdon: Guerdon) -> None:
    """What we set up ourselves, and a server with its own defaults, keeps its promises."""
    assert guerdon.inspect() == []


@pytest.mark.on_servers
@pytest.mark.parametrize("value", ["0", "2"])
def test_a_server_that_flushes_late_is_refused_by_check_and_start(
    open_service: Callable[..., Guerdon],
    database_server: DatabaseServer,
    value: str,
    monkeypatch: Any,
) -> None:
    guerdon = open_service()
    monkeypatch.setenv("GUERDON_CONFIG", str(guerdon.config.path))
    with set_global(database_server, FLUSH, value):
        [fault] = guerdon.inspect()
        check = CliRunner().invoke(main, ["check"])
        status = post_vote(guerdon, "v1").status_code

    assert fault.startswith(f"{FLUSH} is {value}: ")
    assert f"SET GLOBAL {FLUSH} = 1" in fault
    assert "`durable = false` in [database]" in fault
    assert (check.exit_code, check.stderr) == (1, f"{fault}\n")
    assert status == 503


@pytest.mark.on_servers
def test_who_accepts_the_loss_is_paid_for(
    open_service: Callable[..., Guerdon], database_server: DatabaseServer
) -> None:
    guerdon = open_service()
    path = guerdon.config.path
    path.write_text(path.read_text().replace("[database]", "[database]\ndurable = false"))
    with set_global(database_server, FLUSH, "2"):
        again = open_again(guerdon)
        assert again.inspect() == []
        assert post_vote(again, "v1").status_code == 204
        again.close()


def open_again(guerdon: Guerdon) -> Guerdon:
    guerdon.close()
    return open_guerdon(guerdon.config.path, guerdon.now)


SOUND = {FLUSH: "1", "innodb_doublewrite": "ON", "log_bin": "OFF", "sync_binlog": "0"}


@pytest.mark.parametrize(
    ("settings", "begins"),
    [
        ({FLUSH: "0"}, f"{FLUSH} is 0: when the server or its machine fails"),
        ({FLUSH: "2"}, f"{FLUSH} is 2: when the server's machine fails"),
        ({"innodb_doublewrite": "OFF"}, "innodb_doublewrite is OFF: "),
        ({"innodb_doublewrite": "DETECT_ONLY"}, "innodb_doublewrite is DETECT_ONLY: "),
        ({"innodb_flush_method": "nosync"}, "innodb_flush_method is nosync: "),
        ({"debug_no_sync": "ON"}, "debug_no_sync is ON: "),
        ({"innodb_redo_log_enabled": "OFF"}, "Innodb_redo_log_enabled is OFF: "),
        ({"log_bin": "ON"}, "sync_binlog is 0 and log_bin is ON: "),
        ({"log_bin": "ON", "sync_binlog": "100"}, "sync_binlog is 100 and log_bin is ON: "),
    ],
)
def test_each_setting_that_loses_commits_is_named(settings: dict[str, str], begins: str) -> None:
    [(fault, remedy)] = judge_settings(SOUND | settings)

    assert fault.startswith(begins)
    assert remedy


@pytest.mark.parametrize(
    "settings",
    [{}, {"log_bin": "ON", "sync_binlog": "1"}, {FLUSH: "3", "log_bin": "ON"},
     {"innodb_doublewrite": "DETECT_AND_RECOVER", "innodb_redo_log_enabled": "ON"},
     {"innodb_flush_method": "O_DIRECT", "debug_no_sync": "OFF"}],
)  # fmt: skip
def test_settings_that_lose_nothing_are_not(settings: dict[str, str]) -> None:
    assert list(judge_settings(SOUND | settings)) == []
