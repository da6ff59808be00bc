"""One section, one plugin: imported, registered, and checked with all the others."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pluggy
from marshmallow import Schema
from peewee import Model

from app.config.checking import StrictSchema, load_checked
from app.config.reading import Config
from app.config.sections import Players
from app.database.plugin_tables import PluginTables
from app.host.calling import Calling
from app.host.finding import Found, explain_misfit, import_plugin
from app.host.folder import use_folder
from app.host.methods import gather_methods
from app.porch.errors import ConfigError
from app.rules.gifts import RewardKind


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


BRINGING = ("read_delivery", "fetch_events", "poll_source", "open_listeners")


class EmptySection(StrictSchema):
    """The section of a plugin that has no settings_schema."""


class Plugins(Calling):
    """The loaded plugins: their hooks, settings, kinds of reward, models, and what they tell of players."""

    def __init__(
        self,
        registered: Calling,
        settings: Settings,
        kinds: Mapping[str, RewardKind],
        tables: tuple[PluginTables, ...],
        player_schemas: tuple[type[Schema], ...],
        origins: tuple[Origin, ...],
        methods: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        """`methods`: of requests that sources take, by their names, where they say so."""
        self.manager, self.witness = registered.manager, registered.witness
        self.settings = settings
        self.kinds = kinds
        self.tables = tables
        self.models = tuple(model for one in tables for model in one.models)
        self.player_schemas = player_schemas
        self.origins = origins
        self.methods = methods
        self.writes_replies = self.has("write_reply")

    @property
    def hook(self) -> Any:
        return self.manager.hook

    @property
    def id_columns(self) -> dict[str, str]:
        """Where the user ids of a source stand in the players' table, by the sources that say so."""
        said = {name: one.get("user_id_column") for name, one in self.settings.items()}
        return {name: column for name, column in said.items() if column}

    @property
    def sources(self) -> list[str]:
        """Names of the plugins that bring deliveries, in whatever way."""
        return list(dict.fromkeys(name for hook in BRINGING for name in self.list_answerers(hook)))


def load_plugins(config: Config, built_in: Mapping[str, Any] = MappingProxyType({})) -> Plugins:
    """Import and register the plugin of every [plugins.NAME] section; ours first, yours asked first.

    `built_in` are plugins without a section, by their names; they are asked last of all.

    Raises ConfigError with every fault: a section nobody answers, a misspelt hook or argument, a
    wrong setting, a kind of reward given by two.
    """
    faults: list[str] = []
    calling = Calling()
    for name, plugin in built_in.items():
        calling.register(plugin, name)
    origins = tuple(register_all(calling, config, faults))
    sections = check_sections(calling, config, origins, faults)
    kinds = gather_kinds(calling, {one.name for one in origins if one.is_shipped}, faults)
    tables = gather_tables(calling, faults)
    schemas = tuple(schema for _, schema in ask_all(calling, "player_schema", faults))
    settings = Settings(sections, config.players)
    methods = {} if faults else gather_methods(calling, settings, faults)
    if faults:
        raise ConfigError(faults)
    return Plugins(calling, settings, kinds, tables, schemas, origins, methods)


def register_all(calling: Calling, config: Config, faults: list[str]) -> Iterator[Origin]:
    """Each plugin of the config, registered, ours first; what is wrong with one is added to `faults`."""
    found = find_all(calling, config, faults)
    for name, (plugin, place, is_shipped) in sorted(
        found.items(), key=lambda one: not one[1].is_shipped
    ):
        try:
            calling.register(plugin, name)
        except pluggy.PluginValidationError as error:
            faults.append(f"plugin {name}: {explain_misfit(error)}")
            if calling.manager.has_plugin(name):
                calling.manager.unregister(name=name)
            continue
        hooks = calling.list_hooks(name)
        if not hooks:
            faults.append(
                f"plugin {name} ({place}): answers no hook; mark its functions with @hookimpl"
            )
        yield Origin(name, place, is_shipped, hooks)


def find_all(calling: Calling, config: Config, faults: list[str]) -> dict[str, Found]:
    """The plugin of each section, by its name; a section that has none is a fault."""
    use_folder(config.plugins_folder)
    found: dict[str, Found] = {}
    for name in config.plugins:
        if calling.manager.has_plugin(name):
            faults.append(f"{config.path}: [plugins.{name}] has the name of what is built in")
            continue
        try:
            found[name] = import_plugin(name, config)
        except ConfigError as error:
            faults += error.faults
    return found


def check_sections(
    calling: Calling, config: Config, origins: Sequence[Origin], faults: list[str]
) -> dict[str, Mapping[str, Any]]:
    """Each plugin's section, as its own schema reads it."""
    sections: dict[str, Mapping[str, Any]] = {}
    schemas = dict(ask_all(calling, "settings_schema", faults))
    for name in (origin.name for origin in origins):
        schema = schemas.get(name, EmptySection)
        try:
            place = f"{config.path}: [plugins.{name}] "
            loaded = load_checked(schema(), dict(config.plugins[name]), place)
            sections[name] = MappingProxyType(loaded)
        except ConfigError as error:
            faults += error.faults
    return sections


LONGEST_CHANGE = 180  # characters; with the plugin's name it fits its column


def is_class_of(value: Any, base: type) -> bool:
    return inspect.isclass(value) and issubclass(value, base)


ANSWERS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "settings_schema": (
        "a marshmallow Schema class",
        lambda answer: is_class_of(answer, Schema),
    ),
    "player_schema": (
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
    "plugin_migrations": (
        f"a dict of names, of 1 to {LONGEST_CHANGE} characters, and functions that take a database",
        lambda answer: (
            isinstance(answer, dict)
            and all(
                isinstance(name, str) and 0 < len(name) <= LONGEST_CHANGE and callable(change)
                for name, change in answer.items()
            )
        ),
    ),
}


def ask_all(calling: Calling, hook: str, faults: list[str]) -> Iterator[tuple[str, Any]]:
    """Each plugin's own answer to a hook without arguments; one that raises is a fault."""
    for answer in calling.ask_each(hook):
        if answer.error is not None:
            faults.append(f"plugin {answer.plugin}: {hook}() failed: {answer.error!r}")
        for value in answer.value or ():
            if ANSWERS[hook][1](value):
                yield answer.plugin, value
            else:
                faults.append(f"plugin {answer.plugin}: {hook}() must return {ANSWERS[hook][0]}")


def gather_tables(calling: Calling, faults: list[str]) -> tuple[PluginTables, ...]:
    """What each plugin that has models keeps in the database; changes without a model are a fault."""
    models = dict(ask_all(calling, "plugin_models", faults))
    changes = dict(ask_all(calling, "plugin_migrations", faults))
    faults += [
        f"plugin {name}: plugin_migrations() changes tables, and plugin_models() names none"
        for name in changes.keys() - models.keys()
    ]
    return tuple(
        PluginTables(name, tuple(some), changes.get(name, {})) for name, some in models.items()
    )


def gather_kinds(calling: Calling, shipped: set[str], faults: list[str]) -> dict[str, RewardKind]:
    """Each kind of reward and its giver; a studio's plugin takes a kind over from one of ours."""
    givers: dict[str, list[RewardKind]] = {}
    for name, schemas in ask_all(calling, "reward_schemas", faults):
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
