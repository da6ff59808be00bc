"""guerdon playground, and guerdon run: the service and the playground together."""

import logging
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import click
from werkzeug.serving import make_server

from app.cli.context import find_config, open_configured, shorten_path
from app.config.environment import load_environment
from app.config.reading import read_config
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.playground.actions import list_targets
from app.playground.console import GameConsole, open_console
from app.playground.own_database import make_database
from app.playground.page import build_playground
from app.playground.players import DEMO_PLAYERS
from app.playground.processes import (
    PAUSE,
    Ending,
    format_address,
    is_loopback,
    require_free,
    run_together,
    split_bind,
)
from app.playground.reloading import Reloading
from app.playground.sections import DEMO_PASSWORD, DEMO_USER, SECRETS, write_config
from app.playground.site_sections import choose_ports, list_consoles_elsewhere
from app.playground.sites import Operators
from app.playground.stage import Stage
from app.porch.errors import ConfigError, GuerdonError
from app.terminal import tell

WELCOME = """
  Guerdon runs. Open the playground and vote:

    {playground}

  Service     {service}
  Vote sites  top.gg, Votifier, a pingback, and a game's console: {playground}/sites
  Reports     of levels and rounds: {playground}/game
  Dashboard   {dashboard}, as {demo_user} with the password {demo_password}
  Programme   streaks, parties, rankings, with a clock to turn: {playground}/programme
  Players     {players}, and whom you add
  Database    {database}, the playground's own: nothing else is touched, nobody else is told
  Ask it      curl -H "Authorization: Bearer {key}" {service}/v1/players/Alice
  Commands    GUERDON_CONFIG={config} {guerdon} events list

  Ctrl-C ends all.
"""


@click.command()
def playground() -> None:
    """A page to vote on, and stand-ins for the platforms; for trying out, never for production."""
    bind, service = prepare_environment()
    ending = Ending()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the page shows what was asked
    host, port = split_bind(bind)
    guerdon = open_configured()
    require_harmless(guerdon, format_address(bind))
    stage = Stage(guerdon.config.path, guerdon.rules)
    opened = open_console(guerdon, DEMO_PLAYERS)
    dashboard = format_address(os.environ["GUERDON_DASHBOARD_BIND"])
    operators = Operators(
        dashboard, f"GUERDON_CONFIG={shorten_path(guerdon.config.path)} {find_command()}"
    )
    console = opened[0] if opened else GameConsole("")
    app = build_playground(guerdon, service, format_address(bind), stage, console, operators)
    server = make_server(host, port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell(f"the playground is at {format_address(bind)}; it delivers to {service}")
    while not ending.is_asked:
        time.sleep(PAUSE)
    server.shutdown()
    server.server_close()
    stage.close()
    if opened:
        opened[1].stop()


@click.command()
@click.option(
    "--reload", "is_reloading", is_flag=True, help="take over what changes in plugins and config"
)
def run(is_reloading: bool) -> None:
    """The service, the playground and the dashboard, with players to try; Ctrl-C ends all."""
    bind, service = prepare_environment()
    for variable in ("GUERDON_PLAYGROUND_BIND", "GUERDON_BIND", "GUERDON_DASHBOARD_BIND"):
        require_free(os.environ[variable], variable)
    dashboard = format_address(os.environ["GUERDON_DASHBOARD_BIND"])
    load_environment(find_config())  # ours are set already
    yours, _ = read_config(find_config())  # its faults are told where the copy is opened
    database = make_database(yours.database.url)
    ports = choose_ports()
    config = write_config(yours, format_address(bind), database, ports=ports)
    add_demo_players(yours.path, config)
    key = os.environ["GUERDON_API_KEY"]
    welcome = WELCOME.format(
        playground=format_address(bind),
        service=service,
        dashboard=dashboard,
        demo_user=DEMO_USER,
        demo_password=DEMO_PASSWORD,
        players=", ".join(DEMO_PLAYERS),
        database=shorten_path(database),
        config=shorten_path(config),
        guerdon=find_command(),
        key=key if key in SECRETS.values() else "$GUERDON_API_KEY",
    )
    answering = [f"{service}/readyz", format_address(bind), f"{dashboard}/healthz"]
    os.environ["GUERDON_CONFIG"] = str(config)
    all_three = ["serve", "playground", "dashboard"]
    if not is_reloading:
        run_together(all_three, answering, welcome)
        return
    reloading = Reloading(yours, config, format_address(bind), ports)
    run_together(all_three, answering, welcome, reloading.look)
    reloading.stop()


def require_harmless(guerdon: Guerdon, own_address: str) -> None:
    """Raise GuerdonError where the buttons would pay a game's own players, or tell a real platform."""
    targets = [target for target in list_targets(guerdon, own_address).values() if target]
    if not guerdon.config.players.is_own:
        reason = f"pays into your table {guerdon.config.players.table}"
    elif targets:
        reason = f"reports to {targets[0]}"
    elif elsewhere := list_consoles_elsewhere(guerdon):
        reason = f"delivers claims to the console {elsewhere[0]}"
    else:
        return
    raise GuerdonError(
        f"the playground's buttons pay and report in earnest, and this config {reason}:"
        " start `guerdon run`, which works on a database of its own and tells nobody"
    )


def add_demo_players(source: Path, config: Path) -> None:
    """Open the copy of a config, make its tables and its players; faults are told of the original."""
    try:
        guerdon = open_guerdon(config)
    except ConfigError as error:
        raise ConfigError(
            [fault.replace(str(config), str(source)) for fault in error.faults]
        ) from None
    guerdon.migrate()
    for nickname in DEMO_PLAYERS:
        guerdon.add_player(nickname)
    guerdon.close()


def find_command() -> str:
    """`guerdon` as one would type it here: a .venv need not be activated."""
    beside = Path(sys.executable).absolute().with_name("guerdon")
    is_known = shutil.which("guerdon") or not beside.exists()
    return "guerdon" if is_known else str(shorten_path(beside))


def prepare_environment() -> tuple[str, str]:
    """Fill in what the environment leaves out; the playground's bind and the service's address.

    Raises GuerdonError where the playground, or secrets that everybody knows, would be open to others.
    """
    bind = os.environ.setdefault("GUERDON_PLAYGROUND_BIND", "127.0.0.1:8001")
    service = os.environ.setdefault("GUERDON_BIND", "127.0.0.1:8000")
    os.environ.setdefault("GUERDON_DASHBOARD_BIND", "127.0.0.1:8002")
    for variable in ("GUERDON_PLAYGROUND_BIND", "GUERDON_DASHBOARD_BIND"):
        if not is_loopback(split_bind(os.environ[variable])[0]):
            raise GuerdonError(f"the playground is for this machine: {variable} is not loopback")
    missing = [name for name in SECRETS if not os.environ.get(name)]
    if missing and not is_loopback(split_bind(service)[0]):
        raise GuerdonError(f"GUERDON_BIND is not loopback: set {' and '.join(missing)} yourself")
    os.environ.update({name: SECRETS[name] for name in missing})
    os.environ.setdefault("GAMEMONITORING_API_URL", format_address(bind))
    return bind, format_address(service)
