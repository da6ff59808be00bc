"""The one way to a terminal: every line is made fit to be read there, whoever wrote its words."""

import click

from app.porch.text import escape_text


def tell(*lines: str, err: bool = False) -> None:
    """Print each of these on a line of its own, on standard output, or on standard error."""
    for line in lines:
        click.echo(escape_text(line), err=err)
