"""Finds the plugin of a section: a file in plugins/, the studio's before ours, then an entry point."""

import difflib
import importlib
import importlib.util
import inspect
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import pluggy

from app.config.checking import suggest
from app.config.reading import Config
from app.host.folder import find_intruder, is_within
from app.host.ours import FOLDER, SHIPPED
from app.porch import hookspecs
from app.porch.errors import ConfigError


class Found(NamedTuple):
    """A plugin, and where it came from."""

    plugin: Any
    place: str
    is_shipped: bool


def import_plugin(name: str, config: Config) -> Found:
    """The plugin of a section; `use_folder` has said whose files may be it.

    Raises ConfigError for a section that nobody answers, and for what cannot be imported.
    """
    place = f"{config.path}: [plugins.{name}]"
    spec = importlib.util.find_spec(f"plugins.{name}") if name.isidentifier() else None
    if spec is not None:
        return import_file(name, spec.origin, config, place)
    for entry in entry_points(group=hookspecs.NAME, name=name):
        try:
            loaded = entry.load()
            plugin = loaded() if inspect.isclass(loaded) else loaded
        except Exception as error:
            raise ConfigError([f"{place} {entry.value} cannot be imported: {error!r}"]) from error
        source = entry.dist.name if entry.dist else "an entry point"
        return Found(plugin, f"{entry.value} of {source}", False)
    known = [*SHIPPED, *(entry.name for entry in entry_points(group=hookspecs.NAME))]
    raise ConfigError([
        f"{place} no plugin answers to it: there is neither a file plugins/{name}.py nor "
        f'an entry point "{name}" in the group "{hookspecs.NAME}"{suggest(name, known)}'
    ])  # fmt: skip


def import_file(name: str, origin: str | None, config: Config, place: str) -> Found:
    """The plugin in a file of plugins/, which only who may write the config can have put there."""
    is_shipped = origin is not None and is_within(Path(origin), FOLDER) and name in SHIPPED
    if not is_shipped and (intruder := find_intruder(config.plugins_folder, config.path)):
        raise ConfigError([f"{place} plugins/{name}.py is not loaded: {intruder}"])
    try:
        module = importlib.import_module(f"plugins.{name}")
    except Exception as error:
        raise ConfigError([f"{place} plugins/{name}.py cannot be imported: {error!r}"]) from error
    return Found(module, f"plugins/{name}.py", is_shipped)


def explain_misfit(error: pluggy.PluginValidationError) -> str:
    text = " ".join(str(error).split())
    known = [name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "guerdon_spec")]
    unknown = re.search(r"unknown hook '(\w+)'", text)
    guess = difflib.get_close_matches(unknown[1], known, 1) if unknown else []
    wrong = (
        re.search(r"for hook '(\w+)' ", text) if "are declared in the hookimpl" in text else None
    )
    if wrong:
        names = inspect.signature(getattr(hookspecs, wrong[1])).parameters
        return f"{text}; {wrong[1]} may take: {', '.join(names) or 'nothing'}"
    return f"{text}; did you mean {guess[0]}?" if guess else text
