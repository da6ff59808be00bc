"""guerdon plugin check: the contracts of the kit, run on a plugin as the config has it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from app.cli.context import open_configured
from app.config.checking import read_toml
from app.config.reading import Config
from app.guerdon import Guerdon
from app.playground.sections import dump
from app.porch.errors import GuerdonError
from app.terminal import tell

TESTS = """from pathlib import Path
import pytest
from app.testing import RewardContract

@pytest.fixture
def guerdon_plugins():
    return Path({plugins!r})
"""
REWARD = """
class TestReward{number}(RewardContract):
    of = {of!r}
    plugin = {plugin!r}
    section = {section!r}
    reward = {reward!r}
    adds_up = {adds_up!r}
"""
QUIET = ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "app.testing.telling"]


@click.command("check")
@click.argument("name")
@click.option(
    "--database", default="sqlite", help="as pytest's --guerdon-database", show_default=True
)
@click.option(
    "--adds-up/--once", default=True, help="whether a second vote gives more than the first"
)
def check_plugin(name: str, database: str, adds_up: bool) -> None:
    """Prove a plugin against its contract: killed, at once, in batches, on a database of its own."""
    if find_spec("pytest") is None:
        raise GuerdonError("this needs pytest: pip install 'guerdon[kit]'")
    guerdon = open_configured()
    config, rewards = guerdon.config, list(list_rewards(guerdon, name))
    guerdon.close()
    tests = write_tests(config, name, rewards, adds_up)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_contract.py").write_text(tests)
        (Path(folder) / "pytest.ini").touch()
        done = subprocess.run(  # noqa: S603  (nobody else chooses its words)
            [sys.executable, "-P", "-m", "pytest", *QUIET, f"--guerdon-database={database}", folder],
            cwd=folder, check=False, env=dict(os.environ),
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(1)
    tell(f"{name} keeps its contract")


def list_rewards(guerdon: Guerdon, name: str) -> Iterator[Mapping[str, Any]]:
    """A reward of each kind that the plugin gives, as the first rule that gives it has it.

    Raises GuerdonError where there is no such plugin, or no rule that gives its kind.
    """
    if name not in guerdon.config.plugins:
        raise GuerdonError(f"{guerdon.config.path} has no section [plugins.{name}]")
    rules = read_toml(guerdon.config.rewards_file).get("rules", [])
    given = [reward for rule in rules for reward in rule.get("give", [])]
    kinds = [kind for kind, one in guerdon.plugins.kinds.items() if one.plugin == name]
    if not kinds:
        raise GuerdonError(
            f"{name} gives no reward; sources and reporters have contracts in app.testing"
        )
    for kind in kinds:
        found = next((reward for reward in given if reward.get("reward") == kind), None)
        if found is None:
            raise GuerdonError(
                f'no rule in {guerdon.config.rewards_file} gives "{kind}": put one there, to be tried'
            )
        yield found


def write_tests(config: Config, name: str, rewards: list[Mapping[str, Any]], adds_up: bool) -> str:
    """The code of the tests that inherit the contract."""
    pairs = (f"{dump(key)} = {dump(value)}\n" for key, value in config.plugins[name].items())
    section = f"[plugins.{name}]\n{''.join(pairs)}"
    tests = [TESTS.format(plugins=str(config.plugins_folder))]
    for number, reward in enumerate(rewards, 1):
        of = f"{reward['reward']}: " if len(rewards) > 1 else ""
        tests.append(
            REWARD.format(
                number=number,
                of=of,
                plugin=name,
                section=section,
                reward=dict(reward),
                adds_up=adds_up,
            )
        )
    return "".join(tests)
