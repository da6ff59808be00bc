"""guerdon metrics: what /metrics of the dashboard's process shows."""

import click

from app.cli.context import open_configured
from app.terminal import tell


@click.command("metrics")
def show_metrics() -> None:
    """The numbers of this host's processes and of the database, in the text that Prometheus reads."""
    tell(*open_configured().watch.write_metrics().decode().splitlines())
