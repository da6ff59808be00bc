"""What a database does wrong is said in words: on the command line, by check, and without a password."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from peewee import IntegrityError, OperationalError

from app.cli.main import main
from app.database.words import explain_cause, explain_database_error
from app.guerdon import Guerdon
from app.porch.errors import DatabaseUnavailable, GuerdonError
from app.testing.database_servers import DatabaseServer
from app.testing.ports import find_free_port

PASSWORD = "sesame-0pen"


def run(config: Path, *words: str) -> Result:
    result = CliRunner().invoke(main, words, env={"GUERDON_CONFIG": str(config)})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert PASSWORD not in result.output
    assert "p%40ss" not in result.output
    return result


@pytest.fixture
def clerk(database_server: DatabaseServer) -> str:
    """A user who may connect and no more."""
    database_server.run(f"CREATE USER IF NOT EXISTS weak@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
    return f"mysql://weak:{PASSWORD}@127.0.0.1:{database_server.port}"


@pytest.mark.on_servers
def test_it_works(
    write_config: Callable[..., Path], database_server: DatabaseServer, clerk: str
) -> None:
    name, port = database_server.create_database(), find_free_port()
    there = clerk.rpartition("@")[2]
    for url, words in {
        f"mysql://game:{PASSWORD}@{there}/{name}": "it refuses this user or password (1045)",
        f"{clerk}/{name}": "its user has no rights on this database: GRANT them (1044)",
        database_server.url(
            "none"
        ): "there is no database of this name: create it, or mend the name (1049)",
        f"mysql://game:x@127.0.0.1:{port}/x": "nobody listens at its host and port (2003)",
        f"mysql://game:{PASSWORD}@no-such-host.invalid/x": "its host is not known (2003)",
    }.items():
        config = write_config(url=url)

        listed, checked = run(config, "events", "list"), run(config, "check")

        assert (listed.exit_code, checked.exit_code) == (1, 1)
        assert listed.stderr == f"the database failed: {words}\n"
        assert checked.stderr == f"[database] url: the database does not answer: {words}\n"
        assert words in run(config, "migrate").stderr


@pytest.mark.on_servers
def test_a_privilege_that_is_missing_is_told(
    open_service: Callable[..., Guerdon], database_server: DatabaseServer, clerk: str,
    write_config: Callable[..., Path],
) -> None:  # fmt: skip
    guerdon = open_service()
    name = guerdon.database.database
    guerdon.close()
    database_server.run(f"GRANT SELECT ON {name}.* TO weak@'127.0.0.1'")

    result = run(write_config(url=f"{clerk}/{name}"), "players", "add", "Eve")

    assert result.exit_code == 1
    assert result.stderr == "the database failed: our database user may not do that\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_cannot_be_used_is_told(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no database" * 200)
    config = write_config(url=f"sqlite:///{tmp_path}/text")

    for words in (("events", "list"), ("check",)):
        assert "its file is no SQLite database" in run(config, *words).stderr


def test_on_old_tables_a_command_says_migrate(open_service: Callable[..., Guerdon]) -> None:
    """A column that came later, and a table."""
    guerdon = open_service()
    config = guerdon.config.path
    shows, lists = ("show", "server.vote", "v1"), ("list", "--state", "dead")
    assert run(config, "events", *lists).exit_code == 0
    for change, lacking, words in (
        ("ALTER TABLE guerdon_events DROP COLUMN earns", "earns", shows),
        ("DROP TABLE guerdon_inbox", "guerdon_inbox", lists),
    ):
        with guerdon.database.connection_context():
            guerdon.database.execute_sql(change)
        guerdon.database.close_all()

        result = run(config, "events", *words)

        assert result.exit_code == 1
        assert result.stderr.startswith("the database failed: the tables are not up to date (")
        assert result.stderr.endswith("): run `guerdon migrate`\n")
        if guerdon.database.family == "sqlite":
            assert f"{lacking} is not there" in result.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError(1130, "no"), "its user may not connect from this host (1130)"),
        (OperationalError(2003, "to 'x' (timed out)"), "its host does not answer (2003)"),
        (OperationalError(2003, "not just now"), "no connection to it can be made (2003)"),
        (OperationalError("database is locked"), "somebody holds its file"),
        (OperationalError("attempt to write a readonly database"), "it is read-only"),
        (OperationalError(9999, "of game:secret"), "OperationalError 9999"),
        (IntegrityError(), "IntegrityError"),
    ],
)
def test_each_error_has_words_or_its_name(error: Any, words: str) -> None:
    assert explain_database_error(error) == words


def test_an_error_of_ours_is_told_with_the_databases() -> None:
    ours = DatabaseUnavailable("the database does not answer")
    ours.__cause__ = OperationalError(1045, f"Access denied ({PASSWORD})")

    assert explain_cause(ours) == "it refuses this user or password (1045)"
    assert explain_cause(GuerdonError("no event")) == ""
