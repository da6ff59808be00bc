"""guerdon dashboard: the operators' pages, in a process of their own; who may see them."""

import os
import signal
import sys

import click

from app.cli.context import open_configured
from app.dashboard.keys import change_key
from app.dashboard.people import hash_password
from app.porch.errors import GuerdonError
from app.terminal import tell

SETTINGS, WSGI_APP = "python:app.serving.dashboard_settings", "app.serving.dashboard_wsgi:app"
SHORTEST_PASSWORD = 12  # characters
CLOSED = (
    "the dashboard is closed until [dashboard] names who may come in: run `guerdon dashboard password`,"
    " and add what it prints to users there"
)


@click.group(invoke_without_command=True)
@click.pass_context
def dashboard(context: click.Context) -> None:
    """Serve the operators' pages at GUERDON_DASHBOARD_BIND, by default 127.0.0.1:8002."""
    if context.invoked_subcommand is not None:
        return
    guerdon = open_configured()  # every fault at once, before gunicorn starts
    if not guerdon.config.dashboard.is_open:  # /metrics is there all the same
        tell(f"{guerdon.config.path}: {CLOSED}", err=True)
    # gunicorn is imported first, and Ctrl-C would be a traceback: its config lets it through again.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    gunicorn = [sys.executable, "-P", "-m", "app.serving", "-c", SETTINGS, WSGI_APP]
    os.execv(sys.executable, gunicorn)  # noqa: S606  (no shell is what we want)


@dashboard.command("password")
@click.argument("name")
@click.option("--role", type=click.Choice(["look", "act"]), default="look", show_default=True,
              help="what this person may do")  # fmt: skip
@click.password_option(help="asked for where it is not given; better so")
def print_password(name: str, role: str, password: str) -> None:
    """Print the line of [dashboard] users for NAME, with a hash of the password."""
    if len(password) < SHORTEST_PASSWORD:
        raise GuerdonError(
            f"a password has at least {SHORTEST_PASSWORD} characters: it is tried from afar"
        )
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    tell(f'{{ name = "{quoted}", password = "{hash_password(password)}", role = "{role}" }},')


@dashboard.command("sign-out")
def sign_everybody_out() -> None:
    """End every session of the dashboard at once."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        change_key(guerdon)
    tell("every session is over")
