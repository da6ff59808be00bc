"""One section, one plugin: imported, registered, and checked with all the others."""

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pluggy
from marshmallow import Schema
from peewee import Model

import plugins
from app.config.checking import StrictSchema, load_checked
from app.config.reading import Config, Players
from app.config.rules import RewardKind
from app.host.finding import explain_misfit, import_plugin
from app.porch import hookspecs
from app.porch.errors import ConfigError


@dataclass(frozen=True)
class Origin:
    """Where a plugin came from, for `guerdon plugins`."""

    name: str
    place: str
    is_shipped: bool
    hooks: tuple[str, ...]


class Settings(dict[str, Mapping[str, Any]]):
    """Each plugin's checked section by its name; `players` tells where players live."""

    def __init__(self, sections: Mapping[str, Mapping[str, Any]], players: Players) -> None:
        super().__init__(sections)
        self.players = players


class EmptySection(StrictSchema):
    """The section of a plugin that has no settings_schema."""


@dataclass(frozen=True)
class Plugins:
    """The loaded plugins: their hooks, settings, kinds of reward and models."""

    manager: pluggy.PluginManager
    settings: Settings
    kinds: Mapping[str, RewardKind]
    models: tuple[Any, ...]
    origins: tuple[Origin, ...]
    answered: "Answered"

    @property
    def hook(self) -> Any:
        return self.manager.hook

    @property
    def sources(self) -> list[str]:
        """Names of the plugins that read deliveries."""
        return [impl.plugin_name for impl in self.manager.hook.read_delivery.get_hookimpls()]

    def has(self, hook: str) -> bool:
        """Whether any plugin answers this hook: a call nobody hears is not worth making."""
        return bool(getattr(self.manager.hook, hook).get_hookimpls())

    def list_answerers(self, hook: str) -> list[str]:
        """The plugins that answer a hook; who only wraps it does not."""
        impls = getattr(self.manager.hook, hook).get_hookimpls()
        return [impl.plugin_name for impl in impls if not (impl.wrapper or impl.hookwrapper)]

    def only(self, hook: str, plugin: str) -> Any:
        """The hook as answered by one plugin, and wrapped: where one's failure is its own."""
        others = {name for name in self.list_answerers(hook) if name != plugin}
        named = self.manager.list_name_plugin()
        return self.manager.subset_hook_caller(hook, [p for name, p in named if name in others])


class Answered(threading.local):
    """The plugin whose grant_reward gave the latest receipt: the ledger says who paid."""

    plugin: str = ""


def load_plugins(config: Config) -> Plugins:
    """Import and register the plugin of every [plugins.NAME] section; ours first, yours asked first.

    Raises ConfigError with every fault: a section nobody answers, a misspelt hook or argument, a
    wrong setting, a kind of reward given by two.
    """
    faults: list[str] = []
    manager = pluggy.PluginManager(hookspecs.NAME)
    manager.add_hookspecs(hookspecs)
    origins = tuple(register_all(manager, config, faults))
    sections = check_sections(manager, config, origins, faults)
    kinds = gather_kinds(manager, {origin.name for origin in origins if origin.is_shipped}, faults)
    models = tuple(
        model for _, some in call_each(manager, "plugin_models", faults) for model in some
    )
    if faults:
        raise ConfigError(faults)
    answered = Answered()
    sign_receipts(manager, answered)
    return Plugins(manager, Settings(sections, config.players), kinds, models, origins, answered)


def register_all(
    manager: pluggy.PluginManager, config: Config, faults: list[str]
) -> Iterator[Origin]:
    """Each plugin of the config, registered; what is wrong with one is added to `faults`."""
    for name in sorted(config.plugins, key=lambda name: name not in plugins.SHIPPED):
        try:
            plugin, place = import_plugin(name, config)
            manager.register(plugin, name)
            manager.check_pending()
        except ConfigError as error:
            faults += error.faults
            continue
        except pluggy.PluginValidationError as error:
            faults.append(f"plugin {name}: {explain_misfit(error)}")
            if manager.has_plugin(name):
                manager.unregister(name=name)
            continue
        hooks = tuple(sorted(caller.name for caller in manager.get_hookcallers(plugin) or ()))
        if not hooks:
            faults.append(
                f"plugin {name} ({place}): answers no hook; mark its functions with @hookimpl"
            )
        yield Origin(name, place, name in plugins.SHIPPED, hooks)


def check_sections(
    manager: pluggy.PluginManager, config: Config, origins: Sequence[Origin], faults: list[str]
) -> dict[str, Mapping[str, Any]]:
    """Each plugin's section, as its own schema reads it."""
    sections: dict[str, Mapping[str, Any]] = {}
    schemas = dict(call_each(manager, "settings_schema", faults))
    for name in (origin.name for origin in origins):
        schema = schemas.get(name, EmptySection)
        try:
            place = f"{config.path}: [plugins.{name}] "
            loaded = load_checked(schema(), dict(config.plugins[name]), place)
            sections[name] = MappingProxyType(loaded)
        except ConfigError as error:
            faults += error.faults
    return sections


def is_class_of(value: Any, base: type) -> bool:
    return inspect.isclass(value) and issubclass(value, base)


ANSWERS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "settings_schema": (
        "a marshmallow Schema class",
        lambda answer: is_class_of(answer, Schema),
    ),
    "reward_schemas": (
        "a dict of kinds and their marshmallow Schema classes",
        lambda answer: (
            isinstance(answer, dict)
            and all(is_class_of(schema, Schema) for schema in answer.values())
        ),
    ),
    "plugin_models": (
        "a list of Peewee models",
        lambda answer: (
            isinstance(answer, list | tuple) and all(is_class_of(model, Model) for model in answer)
        ),
    ),
}


def call_each(
    manager: pluggy.PluginManager, hook: str, faults: list[str]
) -> Iterator[tuple[str, Any]]:
    """Each plugin's own answer to a hook without arguments; one that raises is a fault."""
    for impl in getattr(manager.hook, hook).get_hookimpls():
        try:
            answer = impl.function()
        except Exception as error:
            faults.append(f"plugin {impl.plugin_name}: {hook}() failed: {error!r}")
        else:
            if answer is not None and not ANSWERS[hook][1](answer):
                faults.append(f"plugin {impl.plugin_name}: {hook}() must return {ANSWERS[hook][0]}")
            elif answer is not None:
                yield impl.plugin_name, answer


def gather_kinds(
    manager: pluggy.PluginManager, shipped: set[str], faults: list[str]
) -> dict[str, RewardKind]:
    """Each kind of reward and its giver; a studio's plugin takes a kind over from one of ours."""
    givers: dict[str, list[RewardKind]] = {}
    for name, schemas in call_each(manager, "reward_schemas", faults):
        for kind, schema in schemas.items():
            givers.setdefault(kind, []).append(RewardKind(name, schema))
    kinds = {}
    for kind, candidates in givers.items():
        theirs = [candidate for candidate in candidates if candidate.plugin not in shipped]
        ours = [candidate for candidate in candidates if candidate.plugin in shipped]
        rivals = theirs or ours
        if len(rivals) > 1:
            both = " and ".join(sorted(rival.plugin for rival in rivals))
            faults.append(f'reward "{kind}": the plugins {both} both give it; switch one off')
        kinds[kind] = rivals[0]
        if theirs and ours:
            kinds[kind] = replace(rivals[0], ours=ours[0].schema)
    return kinds


def sign_receipts(manager: pluggy.PluginManager, answered: Answered) -> None:
    """Have each grant_reward leave its plugin's name in `answered` when it gives a receipt."""

    def sign(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def grant(*args: Any) -> Any:
            receipt = function(*args)
            if receipt is not None:
                answered.plugin = name
            return receipt

        return grant

    for impl in manager.hook.grant_reward.get_hookimpls():
        if not impl.wrapper and not impl.hookwrapper:
            # pluggy calls this final, but offers no other way to know who answered.
            impl.function = sign(impl.function, impl.plugin_name)  # type: ignore[misc]
