"""guerdon backup and restore-check: a good copy while the service runs; whether a copy would do."""

from pathlib import Path

import click

from app.backups.making import make_backup
from app.backups.trying import try_backup
from app.cli.context import find_config, open_configured
from app.config.environment import load_environment
from app.config.reading import read_config
from app.porch.errors import ConfigError
from app.terminal import tell

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("backup")
@click.argument("file", type=FILE)
@click.option("--replace", "may_replace", is_flag=True, help="where there is such a file already")
def make(file: Path, may_replace: bool) -> None:
    """Copy the whole database into FILE, as of one moment, while the service runs.

    A SQLite file; or the SQL that mariadb-dump or mysqldump writes. It gets its name when it is whole.
    """
    note = make_backup(open_configured(), file, may_replace)
    tell(f"{note.file}: {note.bytes:,} bytes; `guerdon restore-check {file}` tries it")


@click.command("restore-check")
@click.argument("file", type=FILE)
@click.option(
    "--into", metavar="NAME", help="an empty database on the config's server, to try it in"
)
def check_restoring(file: Path, into: str | None) -> None:
    """Say whether the backup FILE would work: it is restored elsewhere, and inspected there."""
    path = find_config()
    load_environment(path)
    config, faults = read_config(path)
    if faults:
        raise ConfigError(faults)
    trial = try_backup(config, file, into)
    tell(*trial.holds)
    tell(*trial.faults, err=True)
    if trial.faults:
        raise SystemExit(1)
    tell(f"{file} would work")
