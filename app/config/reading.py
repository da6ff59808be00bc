"""Reads the TOML config into one frozen Config; every fault is found before any is reported."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.config.api_keys import ApiKey, ApiKeyField
from app.config.checking import StrictSchema, list_faults
from app.config.references import read_tables
from app.porch.fields import HttpAddress, ReferableString, name_secrets
from app.porch.names import Names, PatternField, check_prefix

IDENTIFIER = validate.Regexp(
    r"^[A-Za-z_][A-Za-z0-9_$]{0,63}\Z", error="must be a plain table or column name"
)


@dataclass(frozen=True)
class Players:
    """Where players live and how they are found; `is_own` when the table is ours to create."""

    table: str = "players"
    id_column: str = "id"
    nickname_column: str = "nickname"
    user_id_column: str = "nickname"
    match: str = "exact"
    unknown: str = "fail"
    is_own: bool = True
    pattern: re.Pattern[str] | None = None
    prefixes: tuple[str, ...] = ("",)

    @cached_property
    def names(self) -> Names:
        """Which nicknames there may be."""
        return Names(self.pattern, self.prefixes, self.unknown == "create")

    def read_name(self, nickname: str) -> str:
        """As PlayersTable, for plugins."""
        return self.names.read(nickname)


@dataclass(frozen=True)
class Inbox:
    """How waiting events are tried again; all times in seconds."""

    retry: bool = True
    retry_delays: tuple[float, ...] = (5, 30, 120, 600, 3600)
    give_up_after: float = 259200


@dataclass(frozen=True)
class Outbox:
    """How reports are sent: so many at once to each destination, in each process."""

    at_once: int = 32


@dataclass(frozen=True)
class Config:
    """The whole config, checked; plugin sections are still raw, their plugins check them.

    What may hold a secret as plain text is left out of its repr.
    """

    path: Path
    database_url: str = field(repr=False)
    is_durable: bool  # whether a commit must be a promise
    api_keys: tuple[ApiKey, ...]
    players: Players
    rewards_file: Path
    inbox: Inbox
    outbox: Outbox
    dispatch_in_workers: bool
    plugins: Mapping[str, Mapping[str, Any]] = field(repr=False)
    only_to: tuple[str, ...] = ()  # whom we ask and tell; empty: everybody
    warnings: tuple[str, ...] = ()  # what works today and should be written otherwise


class DatabaseSchema(StrictSchema):
    url = ReferableString(load_default="sqlite:///var/guerdon.db")
    durable = fields.Boolean(truthy={True}, falsy={False}, load_default=True)


class ApiSchema(StrictSchema):
    keys = fields.List(ApiKeyField(), load_default=list)

    @validates_schema
    def check_apart(self, data: dict[str, Any], **kwargs: Any) -> None:
        keys = [key.reveal() for key in data["keys"]]
        twice = [number for number, key in enumerate(keys) if key in keys[:number]]
        if twice:
            raise ValidationError({"keys": {twice[0]: ["is the same key as another"]}})


class PlayersSchema(StrictSchema):
    table = ReferableString(validate=IDENTIFIER)
    id_column = ReferableString(validate=IDENTIFIER)
    nickname_column = ReferableString(validate=IDENTIFIER)
    user_id_column = ReferableString(validate=IDENTIFIER)
    match = fields.String(validate=validate.OneOf(["exact", "casefold"]))
    # A field; the metaclass takes it from the class before marshmallow's own attribute is read.
    unknown = fields.String(  # type: ignore[assignment]
        validate=validate.OneOf(["fail", "hold", "create"])
    )
    pattern = PatternField()
    prefixes = fields.List(
        fields.String(validate=[validate.Length(max=16), check_prefix]),
        validate=validate.Length(min=1, max=8),
    )

    @validates_schema
    def check_own(self, data: dict[str, Any], **kwargs: Any) -> None:
        if "table" in data and data.get("unknown") == "create":
            raise ValidationError(
                '"create" works with our own table only; use "fail" or "hold"', "unknown"
            )
        for column in () if "table" in data else ("id_column", "nickname_column"):
            if column in data:
                raise ValidationError("needs `table`, the name of your players' table", column)
        if "table" not in data and data.get("user_id_column", "nickname") != "nickname":
            raise ValidationError("our own table has only nickname; set `table`", "user_id_column")


class RewardsSchema(StrictSchema):
    file = ReferableString(load_default="rewards.toml")


class InboxSchema(StrictSchema):
    retry = fields.Boolean(truthy={True}, falsy={False})
    retry_delays = fields.List(
        fields.Float(validate=validate.Range(min=0.05, max=31_536_000)),
        validate=validate.Length(min=1),
    )
    give_up_after = fields.Float(validate=validate.Range(min=1))


class OutboxSchema(StrictSchema):
    at_once = fields.Integer(strict=True, validate=validate.Range(min=1, max=1000))


class DispatcherSchema(StrictSchema):
    in_workers = fields.Boolean(truthy={True}, falsy={False}, load_default=True)


class NetworkSchema(StrictSchema):
    only_to = fields.List(HttpAddress(), load_default=list)


class ConfigSchema(StrictSchema):
    database = fields.Nested(DatabaseSchema)
    api = fields.Nested(ApiSchema)
    players = fields.Nested(PlayersSchema)
    rewards = fields.Nested(RewardsSchema)
    inbox = fields.Nested(InboxSchema)
    outbox = fields.Nested(OutboxSchema)
    dispatcher = fields.Nested(DispatcherSchema)
    network = fields.Nested(NetworkSchema)
    plugins = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String()))


def read_config(path: Path) -> tuple[Config, list[str]]:
    """The Config in the file at `path`, and its faults; what is at fault has its default in it.

    So the plugins can be asked for their faults too. Raises ConfigError when it is not even TOML.
    """
    faults: list[str] = []
    tables, warnings = read_tables(path)
    try:
        loaded = ConfigSchema().load(tables)
    except ValidationError as error:
        faults = [f"{path}: {fault}" for fault in list_faults(error.messages, ConfigSchema())]
        loaded = drop_broken(error.valid_data)
    name_secrets(loaded)
    having_defaults = ("database", "api", "rewards", "dispatcher", "network")
    defaults: dict[str, Any] = {name: {} for name in having_defaults}
    sections = {
        name: ConfigSchema().load(defaults)[name] | loaded.get(name, {}) for name in defaults
    }
    players, inbox = loaded.get("players", {}), loaded.get("inbox", {})
    if "prefixes" in players:
        players["prefixes"] = tuple(dict.fromkeys(players["prefixes"]))
    if "retry_delays" in inbox:
        inbox["retry_delays"] = tuple(inbox["retry_delays"])
    config = Config(
        path=path,
        database_url=sections["database"]["url"],
        is_durable=sections["database"]["durable"],
        api_keys=tuple(sections["api"]["keys"]),
        players=Players(**players, is_own="table" not in players),
        rewards_file=path.parent / sections["rewards"]["file"],
        inbox=Inbox(**inbox),
        outbox=Outbox(**loaded.get("outbox", {})),
        dispatch_in_workers=sections["dispatcher"]["in_workers"],
        plugins=MappingProxyType(loaded.get("plugins", {})),
        only_to=tuple(sections["network"]["only_to"]),
        warnings=tuple(f"{path}: {warning}" for warning in warnings),
    )
    return config, faults


def drop_broken(valid_data: Any) -> dict[str, Any]:
    """The sections of marshmallow's valid_data that are still tables."""
    if not isinstance(valid_data, dict):
        return {}
    return {name: section for name, section in valid_data.items() if isinstance(section, dict)}
