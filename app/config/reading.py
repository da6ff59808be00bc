"""Reads the TOML config into one frozen Config; every fault is found before any is reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import ValidationError, fields

from app.config import sections
from app.config.checking import StrictSchema, list_faults
from app.config.dashboard import Dashboard, DashboardSchema
from app.config.reconciling import Reconcile, ReconcileSchema
from app.config.references import place_database, read_tables
from app.config.retention import Retention, RetentionSchema
from app.config.server import Server, ServerSchema
from app.config.watching import Alerts, AlertsSchema, Metrics, MetricsSchema
from app.porch.errors import ConfigError

SECTIONS: Mapping[str, type[sections.SectionSchema]] = {
    "database": sections.DatabaseSchema,
    "api": sections.ApiSchema,
    "players": sections.PlayersSchema,
    "studio": sections.StudioSchema,
    "rewards": sections.RewardsSchema,
    "inbox": sections.InboxSchema,
    "outbox": sections.OutboxSchema,
    "dispatcher": sections.DispatcherSchema,
    "network": sections.NetworkSchema,
    "reconcile": ReconcileSchema,
    "retention": RetentionSchema,
    "metrics": MetricsSchema,
    "alerts": AlertsSchema,
    "dashboard": DashboardSchema,
    "server": ServerSchema,
}
USUAL_DATABASE = "sqlite:///var/guerdon.db"  # in the studio's folder
PLUGINS = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String()))
ConfigSchema = StrictSchema.from_dict(
    {**{name: fields.Nested(schema) for name, schema in SECTIONS.items()}, "plugins": PLUGINS}
)


@dataclass(frozen=True)
class Config:
    """The whole config, checked; plugin sections are still raw, their plugins check them."""

    path: Path
    database: sections.Database
    api: sections.Api
    players: sections.Players
    studio: sections.Studio
    rewards: sections.Rewards
    inbox: sections.Inbox
    outbox: sections.Outbox
    dispatcher: sections.Dispatcher
    network: sections.Network
    reconcile: Reconcile
    retention: Retention
    metrics: Metrics
    alerts: Alerts
    dashboard: Dashboard
    server: Server
    plugins: Mapping[str, Mapping[str, Any]] = field(repr=False)  # they may hold secrets
    warnings: tuple[str, ...] = ()  # what works today and should be written otherwise

    @property
    def rewards_file(self) -> Path:
        """Where the rules are."""
        return self.path.parent / self.rewards.file

    @property
    def plugins_folder(self) -> Path:
        """Where the studio's own plugins are, if it has any."""
        named = self.studio.plugins
        return (self.path.parent / named if named else find_folder(self.path) / "plugins").resolve()


def find_folder(path: Path) -> Path:
    """The studio's own folder: that of its config, or the one around it where that is called config."""
    folder = path.absolute().parent
    return folder.parent if folder.name == "config" else folder


def read_config(path: Path) -> tuple[Config, list[str]]:
    """The Config in the file at `path`, and its faults; what is at fault has its default in it.

    So the plugins can be asked for their faults too. Raises ConfigError when it is not even TOML.
    """
    faults: list[str] = []
    tables, warnings = read_tables(path)
    try:
        loaded: Any = ConfigSchema().load(tables)
    except ValidationError as error:
        faults = [f"{path}: {fault}" for fault in list_faults(error.messages, ConfigSchema())]
        loaded = error.valid_data if isinstance(error.valid_data, dict) else {}
    found = {name: make_section(schema, loaded.get(name)) for name, schema in SECTIONS.items()}
    try:
        said = found["database"].url
        place = (said, path.parent) if said else (USUAL_DATABASE, find_folder(path))
        url = place_database(*place)
        found["database"] = replace(found["database"], url=url)
    except ConfigError as error:
        faults += [f"{path}: {fault}" for fault in error.faults]
    plugins = loaded.get("plugins")
    config = Config(
        path=path,
        plugins=MappingProxyType(plugins if isinstance(plugins, dict) else {}),
        warnings=tuple(f"{path}: {warning}" for warning in warnings),
        **found,
    )
    return config, faults


def make_section(schema: type[sections.SectionSchema], loaded: Any) -> Any:
    """A section as it was loaded, or made of what was right in it."""
    if is_dataclass(loaded):
        return loaded
    return schema().make(dict(loaded) if isinstance(loaded, dict) else {})
