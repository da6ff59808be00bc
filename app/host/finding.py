"""Finds the plugin of a section: a file in plugins/ first, then an installed entry point."""

import difflib
import importlib
import importlib.util
import inspect
import re
from importlib.metadata import entry_points
from typing import Any

import pluggy

import plugins
from app.config.checking import suggest
from app.config.reading import Config
from app.porch import hookspecs
from app.porch.errors import ConfigError


def import_plugin(name: str, config: Config) -> tuple[Any, str]:
    """The plugin object of a section, and where it came from."""
    place = f"{config.path}: [plugins.{name}]"
    if name.isidentifier() and importlib.util.find_spec(f"plugins.{name}") is not None:
        try:
            module = importlib.import_module(f"plugins.{name}")
        except Exception as error:
            raise ConfigError(
                [f"{place} plugins/{name}.py cannot be imported: {error!r}"]
            ) from error
        return module, f"plugins/{name}.py"
    for entry in entry_points(group=hookspecs.NAME, name=name):
        try:
            loaded = entry.load()
            plugin = loaded() if inspect.isclass(loaded) else loaded
        except Exception as error:
            raise ConfigError([f"{place} {entry.value} cannot be imported: {error!r}"]) from error
        source = entry.dist.name if entry.dist else "an entry point"
        return plugin, f"{entry.value} of {source}"
    known = [*plugins.SHIPPED, *(entry.name for entry in entry_points(group=hookspecs.NAME))]
    raise ConfigError([
        f"{place} no plugin answers to it: there is neither a file plugins/{name}.py nor "
        f'an entry point "{name}" in the group "{hookspecs.NAME}"{suggest(name, known)}'
    ])  # fmt: skip


def explain_misfit(error: pluggy.PluginValidationError) -> str:
    text = " ".join(str(error).split())
    known = [name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "guerdon_spec")]
    unknown = re.search(r"unknown hook '(\w+)'", text)
    guess = difflib.get_close_matches(unknown[1], known, 1) if unknown else []
    return f"{text}; did you mean {guess[0]}?" if guess else text
