"""The sections of the config: what each is once it is read, with its defaults, and how it is checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from app.config.api_keys import ApiKey, ApiKeyField
from app.config.checking import StrictSchema
from app.porch.fields import (
    IDENTIFIER,
    HttpAddress,
    ReferableString,
    Secret,
    SecretField,
    name_secrets,
)
from app.porch.names import Names, PatternField, check_prefix

ORIGIN = validate.Regexp(
    r"^https?://[^/]+\Z", error="must be as https://www.studio.example, without a path"
)


@dataclass(frozen=True)
class Database:
    """Where the tables are; `durable`: whether a commit must be a promise."""

    url: str = field(default="", repr=False)  # it may hold a password; read_config fills it in
    durable: bool = True


@dataclass(frozen=True)
class Api:
    """Who may ask /v1; pages of which origins may have a browser ask for boards."""

    keys: tuple[ApiKey, ...] = ()
    web_origins: tuple[str, ...] = ()


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
    source_columns: Mapping[str, str] = field(default_factory=dict)  # of user ids, by source

    @cached_property
    def names(self) -> Names:
        """Which nicknames there may be."""
        return Names(self.pattern, self.prefixes, self.unknown == "create")

    def find_id_column(self, source: str) -> str:
        """Where the user ids of a source stand: one site's are of Discord, another's of Steam."""
        return self.source_columns.get(source, self.user_id_column)

    @cached_property
    def id_columns(self) -> tuple[str, ...]:
        """All columns of user ids."""
        return tuple(dict.fromkeys((self.user_id_column, *self.source_columns.values())))

    def read_name(self, nickname: str) -> str:
        """As PlayersTable, for plugins."""
        return self.names.read(nickname)


@dataclass(frozen=True)
class Studio:
    """Where the studio's own plugins are; "": in the folder plugins of its own."""

    plugins: str = ""


@dataclass(frozen=True)
class Rewards:
    """Where the rules are, beside the config; what their draws go by, the current secret first."""

    file: str = "rewards.toml"
    draw_secrets: tuple[Secret, ...] = field(default=(), repr=False)


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
class Dispatcher:
    """Whether workers serve inbox, outbox and consoles too, or `guerdon dispatch` alone."""

    in_workers: bool = True
    consoles: bool | tuple[str, ...] = True  # whether claims are delivered; or to whose, by plugin


@dataclass(frozen=True)
class Network:
    """Whom we ask and tell, and by which way."""

    only_to: tuple[str, ...] = ()  # empty: everybody
    proxy: str = ""  # http://host:port; empty: none
    proxy_user: str = ""
    proxy_password: Secret | None = None
    direct: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")  # hosts that need no proxy


class SectionSchema(StrictSchema):
    """Loads a section as what it `makes`: what is not said has the default there."""

    makes: ClassVar[type]

    @post_load
    def make(self, loaded: dict[str, Any], **kwargs: Any) -> Any:
        """The section, frozen; its lists too."""
        name_secrets(loaded)
        return self.makes(
            **{key: tuple(one) if isinstance(one, list) else one for key, one in loaded.items()}
        )


class DatabaseSchema(SectionSchema):
    makes = Database
    url = ReferableString(
        validate=validate.Length(
            min=1, error="must begin with sqlite:/// or mysql:// (it is empty)"
        )
    )
    durable = fields.Boolean(truthy={True}, falsy={False})


class ApiSchema(SectionSchema):
    makes = Api
    keys = fields.List(ApiKeyField())
    web_origins = fields.List(HttpAddress(validate=ORIGIN))

    @validates_schema
    def check_apart(self, data: dict[str, Any], **kwargs: Any) -> None:
        keys = [key.reveal() for key in data.get("keys", ())]
        twice = [number for number, key in enumerate(keys) if key in keys[:number]]
        if twice:
            raise ValidationError({"keys": {twice[0]: ["is the same key as another"]}})


class PlayersSchema(SectionSchema):
    makes = Players
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

    @post_load
    def make(self, loaded: dict[str, Any], **kwargs: Any) -> Players:
        """Whether the table is ours goes by whether one is named."""
        prefixes = list(dict.fromkeys(loaded.pop("prefixes", [""])))
        told = {**loaded, "prefixes": prefixes, "is_own": "table" not in loaded}
        players: Players = super().make(told)
        return players

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


class StudioSchema(SectionSchema):
    makes = Studio
    plugins = ReferableString(validate=validate.Length(min=1))


class RewardsSchema(SectionSchema):
    makes = Rewards
    file = ReferableString()
    draw_secrets = fields.List(SecretField(), validate=validate.Length(min=1))


class InboxSchema(SectionSchema):
    makes = Inbox
    retry = fields.Boolean(truthy={True}, falsy={False})
    retry_delays = fields.List(
        fields.Float(validate=validate.Range(min=0.05, max=31_536_000)),
        validate=validate.Length(min=1),
    )
    give_up_after = fields.Float(validate=validate.Range(min=1))


class OutboxSchema(SectionSchema):
    makes = Outbox
    at_once = fields.Integer(strict=True, validate=validate.Range(min=1, max=1000))


class ChosenField(fields.Field[bool | tuple[str, ...]]):
    """Whether at all, or a list of plugins for which."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool | tuple[str, ...]:
        is_list = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        if not is_list and not isinstance(value, bool):
            raise ValidationError('must be true, false, or a list of plugins, as ["rcon"]')
        return value if isinstance(value, bool) else tuple(value)


class DispatcherSchema(SectionSchema):
    makes = Dispatcher
    in_workers = fields.Boolean(truthy={True}, falsy={False})
    consoles = ChosenField()


class NetworkSchema(SectionSchema):
    makes = Network
    only_to = fields.List(HttpAddress())
    proxy = HttpAddress()
    proxy_user = ReferableString(validate=validate.Regexp(r"^[^:\x00-\x1f]+\Z"))
    proxy_password = SecretField()
    direct = fields.List(fields.String(validate=validate.Length(min=1, max=255)))

    @validates_schema
    def check_proxy(self, data: dict[str, Any], **kwargs: Any) -> None:
        parts = urlsplit(data.get("proxy", "http://host"))
        if parts.scheme != "http" or parts.path.strip("/"):
            raise ValidationError("must be as http://host:port: it is asked in plain", "proxy")
        for name in ("proxy_user", "proxy_password", "direct"):
            if name in data and "proxy" not in data:
                raise ValidationError("needs `proxy`, the address of one", name)
        if ("proxy_user" in data) != ("proxy_password" in data):
            raise ValidationError("wants both, or neither", "proxy_user")
