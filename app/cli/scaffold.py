"""guerdon init, and guerdon plugin new: something to begin with."""

import os
import secrets
from pathlib import Path

import click

from app.cli.context import find_config, shorten_path
from app.cli.plugin_check import check_plugin
from app.config.reading import find_folder, read_config
from app.porch.errors import ConfigError
from app.scaffold.package import write_package
from app.scaffold.plugin import KINDS, Made, add_section, add_text, require_name, write_plugin
from app.scaffold.studio import write_studio
from app.terminal import tell


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a studio's own folder: config, rules, a plugin and its test, a unit file."""
    for path in write_studio(folder):
        tell(f"wrote {shorten_path(path)}")
    tell("", f"Next: cd {folder} && guerdon run", "See README.md there for the rest.")


@click.group()
def plugin() -> None:
    """Begin a plugin of your own, and prove it."""


plugin.add_command(check_plugin)


@plugin.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="what it is")
@click.option("--write", "is_written", is_flag=True, help="put its section into the config")
@click.option("--package", "is_package", is_flag=True, help="make a distribution of its own")
def new_plugin(name: str, kind: str, is_written: bool, is_package: bool) -> None:
    """Write a plugin that works as it is, and a test that passes; say what to paste."""
    require_name(name)
    if is_package and is_written:
        raise click.UsageError("--package is for a folder of its own: paste its section by hand")
    if is_package:
        show(write_package(name, kind, Path.cwd()), Path("config/guerdon.toml"))
        return
    config, _ = read_config(find_config())
    if is_written and name in config.plugins:
        raise ConfigError([f"{config.path}: has a section [plugins.{name}] already"])
    tests = find_folder(config.path) / "tests"
    made = write_plugin(name, kind, config.plugins_folder, tests)
    if not is_written:
        show(made, config.path)
        return
    add_section(config.path, made, name)
    tell(
        *(f"wrote {shorten_path(path)}" for path in made.paths),
        f"added [plugins.{name}] to {shorten_path(config.path)}",
    )
    if made.rules:
        add_text(config.rewards_file, made.rules)
        tell(f"added a rule to {shorten_path(config.rewards_file)}")
    if made.secret:
        keep_secret(find_folder(config.path) / ".env", made.secret)


def keep_secret(path: Path, variable: str) -> None:
    """Put one that nobody knows into .env, so that all commands work; the site's own takes its place."""
    if variable in os.environ:
        return
    if not path.is_file():
        tell(f"set {variable} in the environment: the secret that the site gives you")
        return
    note = (
        f"# From the site; until then every vote is refused, as nobody knows this one:\n{variable}="
    )
    add_text(path, f"{note}{secrets.token_urlsafe(32)}\n")
    tell(f"added {variable} to {shorten_path(path)}: put the secret there that the site gives you")


def show(made: Made, config: Path) -> None:
    """What was written, and what is to be pasted where."""
    tell(*(f"wrote {shorten_path(path)}" for path in made.paths))
    tell("", f"To switch it on, put at the end of {shorten_path(config)}:", "")
    tell(*made.section.splitlines())
    if made.rules:
        tell("", "and into rewards.toml beside it, for example:", "", *made.rules.splitlines())
    tell("", "then: guerdon migrate && guerdon check && pytest")
