"""guerdon sign, and guerdon trigger: what the platform does, by hand."""

import json
import os
from pathlib import Path

import click

from app.cli.context import open_configured
from app.own_signature import find_token, sign_fields
from app.playground.processes import format_address
from app.playground.trigger import ask_playground, send_test
from app.porch.errors import GuerdonError
from app.terminal import tell


@click.command()
@click.argument("file", required=False, type=click.Path(allow_dash=True, path_type=Path))
@click.option("--event-id", help="instead of a file: the vote's id")
@click.option("--event-type", default="server.vote", show_default=True)
@click.option("--test", "is_test", is_flag=True, help="as a test delivery")
def sign(file: Path | None, event_id: str | None, event_type: str, is_test: bool) -> None:
    """Print a delivery with its signature: the JSON object in FILE (- is standard input), or of flags."""
    if (file is None) == (event_id is None):
        raise click.UsageError("name a FILE, or say --event-id")
    token = find_token(open_configured())
    flags = {"event_id": event_id, "event_type": event_type, "is_test": is_test}
    tell(sign_fields(flags if file is None else read_fields(file), token))


def read_fields(file: Path) -> object:
    """The JSON in a file. Raises GuerdonError where it is none."""
    try:
        with click.open_file(str(file), encoding="utf-8") as opened:
            return json.load(opened)
    except (OSError, ValueError) as error:
        raise GuerdonError(f"{file} cannot be read as JSON: {error}") from None


@click.group()
def trigger() -> None:
    """Have something happen that platforms do."""


@trigger.command("vote")
@click.option("--nickname", default="Alice", show_default=True)
@click.option("--server", default="1", show_default=True)
@click.option(
    "--to", help="a live service, as https://votes.example: it gets a signed test delivery"
)
def trigger_vote(nickname: str, server: str, to: str | None) -> None:
    """A vote at the playground of `guerdon run`, or a test delivery at a live service."""
    if to is not None:
        reply, meaning = send_test(open_configured(), to)
        tell(f"{reply.status or 'nothing'} after {reply.took} ms: {meaning}")
        if reply.text and reply.status != 204:
            tell(f"it said: {reply.text}")
        if reply.status != 204:
            raise SystemExit(1)
        return
    bind = os.environ.get("GUERDON_PLAYGROUND_BIND", "127.0.0.1:8001")
    told = ask_playground(format_address(bind), nickname, server)
    tell(f"vote {told['id']} by {nickname} on server {server}: answered {told['status']}")
    tell(told["verdict"], *filter(None, [told["reason"]]))
    tell(*(f"  {grant}" for grant in told["grants"]))
