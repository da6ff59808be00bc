"""The tests that `guerdon plugin check` runs: classes that inherit a contract, written for one plugin."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.config.checking import read_toml
from app.config.reading import Config
from app.guerdon import Guerdon
from app.playground.sections import dump, forget_column
from app.porch.errors import GuerdonError
from app.porch.fields import HttpAddress

HEAD = """from pathlib import Path
import pytest
from app.testing import RewardContract
from app.testing.contracts.recorded import RecordedContract, TriedReporter
from app.testing.contracts.source import StrangersContract

@pytest.fixture
def guerdon_plugins():
    return Path({plugins!r})
"""
# Nobody real is asked or told, and whoever the site names is a player.
APART = """[players]
unknown = "create"
[dispatcher]
consoles = false
[network]
proxy = "http://127.0.0.1:9"
direct = ["127.0.0.1"]
"""
PLATFORM = "{platform}"  # where the contract of reporters puts the address of its stand-in


def write_head(config: Config) -> str:
    """What all classes need."""
    return HEAD.format(plugins=str(config.plugins_folder))


def write_class(name: str, contract: str, **members: Any) -> str:
    """A class of tests that inherits this contract, with these members."""
    lines = (f"    {member} = {value!r}\n" for member, value in members.items())
    return f"\n\nclass Test{name}({contract}):\n{''.join(lines)}"


def write_section(name: str, values: Mapping[str, Any]) -> str:
    """The TOML of a plugin's section."""
    pairs = (f"{dump(key)} = {dump(value)}\n" for key, value in values.items())
    return f"[plugins.{name}]\n{''.join(pairs)}"


def write_all_sections(config: Config) -> str:
    """The TOML of all plugins: one that gives rewards may need others, as that of gold."""
    sections = forget_column(config.plugins)
    return "".join(write_section(name, values) for name, values in sections.items())


def list_kinds(guerdon: Guerdon, name: str) -> list[str]:
    """The kinds of reward that a plugin says are its own.

    Raises GuerdonError for one that gives others', and does not say which.
    """
    kinds = [kind for kind, one in guerdon.plugins.kinds.items() if one.plugin == name]
    if not kinds:
        raise GuerdonError(f"{name} gives rewards of others: say which, as --reward gold")
    return kinds


def write_reward_classes(
    guerdon: Guerdon, name: str, kinds: Sequence[str], adds_up: bool
) -> Iterator[str]:
    """One for each of these kinds."""
    section = write_all_sections(guerdon.config) + APART
    for number, kind in enumerate(kinds, 1):
        of = f"{kind}: " if len(kinds) > 1 else ""
        yield write_class(
            f"Reward{number}", "RewardContract",
            of=of, plugin=name, section=section, reward=dict(find_reward(guerdon, kind)), adds_up=adds_up,
        )  # fmt: skip


def find_reward(guerdon: Guerdon, kind: str) -> Mapping[str, Any]:
    """A reward of this kind, as the first rule that gives it has it. Raises GuerdonError for none."""
    rules = read_toml(guerdon.config.rewards_file).get("rules", [])
    given = (reward for rule in rules for reward in rule.get("give", []))
    found: Mapping[str, Any] | None = next(
        (reward for reward in given if reward.get("reward") == kind), None
    )
    if found is None:
        raise GuerdonError(
            f'no rule in {guerdon.config.rewards_file} gives "{kind}": put one there, to be tried'
        )
    return found


def write_reporter_class(guerdon: Guerdon, name: str, reply: Any, sets_its_times: bool) -> str:
    """A class with each address of the section where the stand-in is, its path kept.

    Raises GuerdonError where the section has none: nobody real may be told of what is only tried.
    """
    values = dict(guerdon.config.plugins[name])
    addresses = list(find_addresses(guerdon, name))
    if not addresses:
        raise GuerdonError(
            f"[plugins.{name}] has no address that could be a stand-in's while this is tried: have its"
            " settings_schema name one, as url = HttpAddress(required=True)"
        )
    for setting in addresses:
        path = urlsplit(str(values.get(setting, ""))).path
        values[setting] = PLATFORM + path
    section = write_section(name, values) + APART
    return write_class(
        "Reporter", "TriedReporter",
        plugin=name, section=section, reply=reply, sets_its_times=sets_its_times,
    )  # fmt: skip


def find_addresses(guerdon: Guerdon, name: str) -> Iterator[str]:
    """The settings of a plugin's section that are addresses."""
    plugin: Any = guerdon.plugins.manager.get_plugin(name)
    if not hasattr(plugin, "settings_schema"):
        return
    for setting, field in plugin.settings_schema()().fields.items():
        if isinstance(field, HttpAddress):
            yield field.data_key or setting


def write_source_class(guerdon: Guerdon, name: str, contract: str, **members: Any) -> str:
    """A class for a source, with what is known of its site."""
    section = write_section(name, guerdon.config.plugins[name]) + APART
    return write_class("Source", contract, plugin=name, section=section, **members)
