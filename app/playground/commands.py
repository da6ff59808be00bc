"""guerdon playground, and guerdon run: the service and the playground together."""

import logging
import os
import tempfile
import threading
import time
from pathlib import Path

import click
from werkzeug.serving import make_server

from app.errors import GuerdonError
from app.guerdon import Guerdon
from app.opening import open_configured
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
from app.playground.sections import write_config
from app.terminal import tell

# Names that nobody takes for secrets: they are good for this machine only.
SECRETS = {
    "GUERDON_API_KEY": "playground-api-key",
    "GAMEMONITORING_TOKEN": "playground-webhook-token",
}

WELCOME = """
  Guerdon runs. Open the playground and vote:

    {playground}

  Service     {service}
  Reports     of levels and rounds: {playground}/game
  Players     {players}
  Ask it      curl -H "Authorization: Bearer {key}" {service}/v1/players/Alice

  Ctrl-C ends both.
"""


@click.command()
def playground() -> None:
    """A page to vote on, and stand-ins for the platforms; for trying out, never for production."""
    bind, service = prepare_environment()
    ending = Ending()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the page shows what was asked
    host, port = split_bind(bind)
    app = build_playground(open_configured(), service, format_address(bind))
    server = make_server(host, port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell(f"the playground is at {format_address(bind)}; it delivers to {service}")
    while not ending.is_asked:
        time.sleep(PAUSE)
    server.shutdown()
    server.server_close()


@click.command()
def run() -> None:
    """The service and the playground, with players to try; Ctrl-C ends both."""
    bind, service = prepare_environment()
    require_free(bind, "GUERDON_PLAYGROUND_BIND")
    require_free(os.environ["GUERDON_BIND"], "GUERDON_BIND")
    guerdon = open_configured()
    guerdon.migrate()
    players = add_demo_players(guerdon)
    key = os.environ["GUERDON_API_KEY"]
    welcome = WELCOME.format(
        playground=format_address(bind),
        service=service,
        players=players,
        key=key if key in SECRETS.values() else "$GUERDON_API_KEY",
    )
    answering = [f"{service}/readyz", format_address(bind)]
    with tempfile.TemporaryDirectory(prefix="guerdon-") as folder:
        path = write_config(guerdon.config, format_address(bind), Path(folder))
        os.environ["GUERDON_CONFIG"] = str(path)
        run_together(["serve", "playground"], answering, welcome)


def prepare_environment() -> tuple[str, str]:
    """Fill in what the environment leaves out; the playground's bind and the service's address.

    Raises GuerdonError where the playground, or secrets that everybody knows, would be open to others.
    """
    bind = os.environ.setdefault("GUERDON_PLAYGROUND_BIND", "127.0.0.1:8001")
    service = os.environ.setdefault("GUERDON_BIND", "127.0.0.1:8000")
    if not is_loopback(split_bind(bind)[0]):
        raise GuerdonError(
            "the playground is for this machine: GUERDON_PLAYGROUND_BIND is not loopback"
        )
    missing = [name for name in SECRETS if not os.environ.get(name)]
    if missing and not is_loopback(split_bind(service)[0]):
        raise GuerdonError(f"GUERDON_BIND is not loopback: set {' and '.join(missing)} yourself")
    os.environ.update({name: SECRETS[name] for name in missing})
    os.environ.setdefault("GAMEMONITORING_API_URL", format_address(bind))
    return bind, format_address(service)


def add_demo_players(guerdon: Guerdon) -> str:
    """Add them where the table is ours; who is there to vote for, in words."""
    if not guerdon.config.players.is_own:
        return f"those of your table {guerdon.config.players.table}"
    for nickname in DEMO_PLAYERS:
        guerdon.add_player(nickname)
    return f"{', '.join(DEMO_PLAYERS)}, and whom you add"
