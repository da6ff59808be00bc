"""guerdon plugins: what is loaded, and what one of them does for a vote."""

import click

from app.cli.context import find_config, open_configured
from app.config.environment import load_environment
from app.config.reading import read_config
from app.playground.tracing import trace_vote
from app.terminal import tell


@click.command("plugins")
@click.option(
    "--trace", "traced", metavar="NAME", help="pay a vote apart, and show each call of this one"
)
@click.option("--nickname", default="Alice", show_default=True, help="who votes, with --trace")
@click.option("--server", default="1", show_default=True, help="where, with --trace")
def list_plugins(traced: str | None, nickname: str, server: str) -> None:
    """Each plugin, where it came from, its hooks; or each call of one."""
    if traced is None:
        for origin in open_configured().plugins.origins:
            tell(f"{origin.name}  ({origin.place})", f"    {', '.join(origin.hooks)}")
        return
    load_environment(find_config())
    config, _ = read_config(find_config())
    outcome = trace_vote(config, traced, nickname, server, tell)
    tell(f"the vote is {outcome.state}{': ' if outcome.reason else ''}{outcome.reason}")
