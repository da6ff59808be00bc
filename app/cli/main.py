"""guerdon …: what a person types. Each command reads config/guerdon.toml, or what GUERDON_CONFIG names."""

import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from peewee import PeeweeException

from app.cli.context import count, enter_folder, open_configured, show_progress
from app.cli.events import events
from app.cli.privacy import erase_player, export_player, show_erasures
from app.cli.reports import reports
from app.cli.totals import import_totals
from app.config.reading import find_folder
from app.database.words import explain_cause, explain_database_error
from app.doctor.pids import find_pid_file, prepare_pid_file
from app.guerdon import Guerdon
from app.interrupting import end_in_order
from app.metrics.folder import remove_files_of_dead
from app.porch.errors import ConfigError, GuerdonError
from app.porch.types import Command
from app.reporting.outbox import STOP_PATIENCE
from app.rules.sentences import say_rule
from app.terminal import tell

WSGI_APP = "app.serving.wsgi:app"
# Commands that load the web, or what no other needs.
WHEN_ASKED = {
    "acts": "app.cli.replay",
    "causes": "app.cli.replay",
    "replay": "app.cli.replay",
    "backup": "app.cli.backups",
    "claims": "app.cli.claims",
    "doctor": "app.cli.doctor",
    "playground": "app.cli.playground",
    "run": "app.cli.playground",
    "counters": "app.cli.counters",
    "dashboard": "app.cli.dashboard",
    "draws": "app.cli.counters",
    "hooks": "app.cli.hooks",
    "init": "app.cli.scaffold",
    "metrics": "app.cli.metrics",
    "plugin": "app.cli.scaffold",
    "parties": "app.cli.counters",
    "plugins": "app.cli.plugins",
    "rankings": "app.cli.counters",
    "reconcile": "app.cli.reconcile",
    "reload": "app.cli.reload",
    "restore-check": "app.cli.backups",
    "retention": "app.cli.privacy",
    "rules": "app.cli.rules",
    "sign": "app.cli.trigger",
    "stats": "app.cli.stats",
    "tail": "app.cli.tail",
    "top": "app.cli.counters",
    "trigger": "app.cli.trigger",
}

NAMES = {
    "backup": "make",
    "doctor": "examine",
    "hooks": "show_hooks",
    "metrics": "show_metrics",
    "plugins": "list_plugins",
    "reload": "reload_service",
    "restore-check": "check_restoring",
}  # of those that are not called as they are typed


class Friendly(click.Group):
    """Prints our own errors as sentences, with exit code 1; knows the plugins' commands too."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        end_in_order()
        return super().main(*args, **kwargs)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in WHEN_ASKED:
            found: click.Command = getattr(import_module(WHEN_ASKED[name]), NAMES.get(name, name))
            return found
        known = super().get_command(context, name)
        return known or build_plugin_groups(open_configured()).get(name)

    def list_commands(self, context: click.Context) -> list[str]:
        try:
            theirs = list(build_plugin_groups(open_configured()))
        except GuerdonError:
            theirs = []  # --help works without a config
        return sorted([*super().list_commands(context), *WHEN_ASKED]) + theirs

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ConfigError as error:
            tell(*error.faults, err=True)
        except GuerdonError as error:
            tell(": ".join(filter(None, [str(error), explain_cause(error)])), err=True)
        except PeeweeException as error:
            tell(f"the database failed: {explain_database_error(error)}", err=True)
        raise SystemExit(1)


def build_plugin_groups(guerdon: Guerdon) -> dict[str, click.Group]:
    """The commands that plugins bring, each in its group."""
    groups: dict[str, click.Group] = {}
    for commands in guerdon.plugins.hook.commands():
        for command in commands:
            group = groups.setdefault(command.group, click.Group(command.group))
            group.add_command(build_plugin_command(guerdon, command))
    return groups


def build_plugin_command(guerdon: Guerdon, command: Command) -> click.Command:
    def run(**arguments: str) -> None:
        with guerdon.database.connection_context():
            # Its line breaks are its own; what else steers a terminal is not.
            tell(*str(command.run(guerdon.database, show_progress, **arguments)).split("\n"))

    arguments: list[click.Parameter] = [click.Argument([name]) for name in command.arguments]
    return click.Command(command.name, params=arguments, callback=run, help=command.help)


@click.group(cls=Friendly)
@click.option(
    "-C",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=enter_folder,
    help="do as if started in this folder",
    metavar="DIR",
)
@click.version_option(package_name="guerdon")
def main() -> None:
    """Turns votes into rewards, exactly once."""


@main.command()
def migrate() -> None:
    """Create and upgrade the tables; safe to run twice, and twice at once."""
    # Told to stop, it leaves through the door: the next one need not wait for its lock to run out.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    done = open_configured().migrate(show_progress)
    tell(*(done or ["the tables are up to date"]))


@main.command()
@click.option("--strict", is_flag=True, help="exit 2 where there is something to warn of")
def check(strict: bool) -> None:
    """Read the config, load the plugins, inspect the database; say what is wrong."""
    guerdon = open_configured()
    warnings, faults = guerdon.list_warnings(), guerdon.inspect()
    if not faults:
        warnings += guerdon.bookkeeping.list_warnings()
    faults += guerdon.compare_clocks()
    tell(*(f"warning: {warning}" for warning in warnings), *faults, err=True)
    if faults:
        raise SystemExit(1)
    tell(*map(say_rule, guerdon.rules.all), *guerdon.bookkeeping.list_commitments())
    rules = len(guerdon.rules.all)
    counted = f"{count(len(guerdon.plugins.origins), 'plugin')}, {count(rules, 'rule')}"
    heading = f"no fault, {count(len(warnings), 'warning')}" if warnings else "all is well"
    tell(f"{heading}: {counted}, database ready")
    if warnings and strict:
        raise SystemExit(2)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("gunicorn_options", nargs=-1, type=click.UNPROCESSED)
def serve(gunicorn_options: tuple[str, ...]) -> None:
    """Serve with gunicorn; further options are gunicorn's.

    Its settings are those of gunicorn.conf.py beside the config, or Guerdon's own where there is none.
    """
    guerdon = open_configured()  # every fault at once, before gunicorn starts
    remove_files_of_dead(guerdon.metrics_folder / "serve")
    own = guerdon.config.path.parent / "gunicorn.conf.py"
    settings = str(own) if own.exists() else "python:app.serving.settings"
    # gunicorn is imported first, and Ctrl-C would be a traceback: its config lets it through again.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    # -P: what lies where it is started, as another `app`, is not taken for ours.
    bind = os.environ.get("GUERDON_BIND", "127.0.0.1:8000")
    os.environ.update(prepare_pid_file(find_pid_file(find_folder(guerdon.config.path), bind)))
    gunicorn = [sys.executable, "-P", "-m", "app.serving", "-c", settings, *gunicorn_options]
    os.execv(sys.executable, [*gunicorn, WSGI_APP])  # noqa: S606  (no shell is what we want)


@main.command()
@click.option(
    "--patience", default=STOP_PATIENCE, show_default=True, type=click.FloatRange(0),
    help="seconds for sends under way, when told to stop",
)  # fmt: skip
def dispatch(patience: float) -> None:
    """Try waiting events and send reports, alone; Ctrl-C or SIGTERM finishes what is in hand."""
    guerdon = open_configured()
    guerdon.log_warnings()
    remove_files_of_dead(guerdon.metrics_folder / "dispatch")
    guerdon.start_measuring("dispatch")
    dispatcher = guerdon.dispatcher

    def stop(number: int, frame: Any) -> None:
        dispatcher.request_stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    dispatcher.run()
    if not guerdon.outbox.stop(patience):
        os._exit(0)  # Python would wait for a send that hangs; its lease runs out instead


@main.group()
def players() -> None:
    """Our own table of players; what they had voted elsewhere."""


@players.command("add")
@click.argument("nickname")
def add_player(nickname: str) -> None:
    """Add a player to our own table."""
    added = open_configured().add_player(nickname)
    if added is None:
        raise GuerdonError(f"there is a player {nickname.strip()} already")
    tell(f"added {added}")


main.add_command(events)
for command in (import_totals, export_player, erase_player, show_erasures):
    players.add_command(command)
main.add_command(reports)
