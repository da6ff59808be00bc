"""Which rewards an event earns: the rules of rewards.toml, checked at the start, applied purely."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields, validate

from app.config.checking import StrictSchema, list_faults, load_checked, read_toml, suggest
from app.config.conditions import Condition, ConditionField
from app.porch.errors import ConfigError
from app.porch.types import Event, Reward

LONGEST_PARAMS = 65_535  # bytes; what MySQL's TEXT holds


@dataclass(frozen=True)
class Gift:
    """One line of a rule's `give`: the reward, who gives it, its parameters as the ledger keeps them."""

    rule: str
    plugin: str
    reward: Reward
    params_json: str


@dataclass(frozen=True)
class Rule:
    """Which events of its type it pays for, and what; `servers` None: those of every server."""

    servers: frozenset[str] | None
    where: Mapping[str, Condition]
    gifts: tuple[Gift, ...]
    name: str = ""

    def does_match(self, event: Event) -> bool:
        if self.servers is not None and event.server_id not in self.servers:
            return False
        return all(holds(event.data.get(fact)) for fact, holds in self.where.items())


@dataclass(frozen=True)
class Rules:
    """All rules, by the event type they are for."""

    by_type: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)

    def choose_gifts(self, event: Event) -> list[Gift]:
        """What this event earns: every rule that matches pays, in the file's order."""
        if not event.earns:
            return []
        rules = self.by_type.get(event.type, ())
        return [gift for rule in rules if rule.does_match(event) for gift in rule.gifts]

    @property
    def rewards(self) -> list[Reward]:
        """Every reward of every rule."""
        return [
            gift.reward for some in self.by_type.values() for rule in some for gift in rule.gifts
        ]


class ServerField(fields.Field[Any]):
    """A server's id, or a list of them; numbers and strings mean the same."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> frozenset[str]:
        values = value if isinstance(value, list) else [value]
        if not values or not all(
            isinstance(one, str | int) and not isinstance(one, bool) and str(one) for one in values
        ):
            raise ValidationError("must be a server's id, or a list of them")
        return frozenset(str(one) for one in values)


class RuleSchema(StrictSchema):
    name = fields.String(validate=validate.Length(min=1, max=255))
    on = fields.String(required=True, validate=validate.Length(min=1, max=64))
    server = ServerField()
    where = fields.Dict(
        keys=fields.String(), values=ConditionField(), validate=validate.Length(min=1)
    )
    give = fields.List(
        fields.Dict(keys=fields.String()), required=True, validate=validate.Length(min=1)
    )


class RulesSchema(StrictSchema):
    rules = fields.List(fields.Dict(keys=fields.String()), load_default=list)


@dataclass(frozen=True)
class RewardKind:
    """A kind of reward: the plugin that gives it and the schema of its parameters.

    `ours` is the schema of the shipped plugin that a studio's has taken the kind over from, if any:
    what it knows of keeps its check, so that a schema which only names `amount` lets no "-1" through.
    """

    plugin: str
    schema: type[Schema]
    ours: type[Schema] | None = None


def read_rules(path: Path, kinds: Mapping[str, RewardKind] | None) -> Rules:
    """The rules in a file; ConfigError with every fault, each naming file, rule, reward and field.

    `kinds` None: they are not known, and the rest of the file is read without asking for them.
    """
    rules = load_checked(RulesSchema(), read_toml(path), f"{path}: ")["rules"]
    faults: list[str] = []
    seen: set[str] = set()
    by_type: dict[str, list[Rule]] = {}
    for number, raw in enumerate(rules, 1):
        label = (
            f'rule {number} "{raw["name"]}"'
            if isinstance(raw.get("name"), str)
            else f"rule {number}"
        )
        try:
            rule = RuleSchema().load(raw)
        except ValidationError as error:
            faults += [
                f"{path}: {label}: {fault}" for fault in list_faults(error.messages, RuleSchema())
            ]
            continue
        name = rule.get("name", f"rule {number}")
        if name in seen:
            faults.append(
                f"{path}: {label}: another rule has this name; the ledger needs to tell them apart"
            )
        seen.add(name)
        gifts = []
        for raw_reward in rule["give"]:
            try:
                gifts += list_gifts(name, raw_reward, kinds)
            except ConfigError as error:
                faults += [f"{path}: {label}: {fault}" for fault in error.faults]
        read = Rule(rule.get("server"), rule.get("where", {}), tuple(gifts), name)
        by_type.setdefault(rule["on"], []).append(read)
    if faults:
        raise ConfigError(faults)
    return Rules({type_: tuple(some) for type_, some in by_type.items()})


def list_gifts(
    rule: str, raw: Mapping[str, Any], kinds: Mapping[str, RewardKind] | None
) -> list[Gift]:
    """The gift of one entry of a rule; none where the kinds of reward are not known."""
    params = dict(raw)
    name = params.pop("reward", None)
    if not isinstance(name, str):
        raise ConfigError(['give: reward is missing: write { reward = "gold", ... }'])
    return [] if kinds is None else [read_gift(rule, name, params, kinds)]


def read_gift(
    rule: str, name: str, params: Mapping[str, Any], kinds: Mapping[str, RewardKind]
) -> Gift:
    if name not in kinds:
        known = ", ".join(sorted(kinds)) or "none"
        raise ConfigError([
            f'reward "{name}": no plugin that is switched on gives it (there are: {known}); '
            f"switch its plugin on with a section [plugins.NAME]{suggest(name, kinds)}"
        ])  # fmt: skip
    kind = kinds[name]
    loaded = load_params(kind, params, f'reward "{name}": ')
    try:
        params_json = dump_json(loaded)
    except (TypeError, ValueError) as error:
        fault = f'reward "{name}": the ledger cannot keep what its schema loads: {error}'
        raise ConfigError([fault]) from None
    if len(params_json.encode()) > LONGEST_PARAMS:
        fault = f'reward "{name}": is longer than the {LONGEST_PARAMS} bytes of JSON that the ledger keeps'
        raise ConfigError([fault])
    return Gift(rule, kind.plugin, Reward(name, loaded), params_json)


def load_params(kind: RewardKind, params: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The parameters as their schema loads them; ConfigError with what it, or ours, refuses."""
    faults = find_faults_by_ours(kind, params)
    try:
        loaded = load_checked(kind.schema(), params, place)
    except ConfigError as error:
        more = [place + fault for fault in faults if place + fault not in error.faults]
        raise ConfigError([*error.faults, *more]) from None
    if faults:
        taken = f"({kind.plugin} takes it over; what has our name keeps our check)"
        raise ConfigError([f"{place}{fault} {taken}" for fault in faults])
    return loaded


def find_faults_by_ours(kind: RewardKind, params: Mapping[str, Any]) -> list[str]:
    """What the taken-over plugin refuses of the parameters that it knows; none need be there."""
    if kind.ours is None:
        return []
    names = {field.data_key or name: name for name, field in kind.ours().load_fields.items()}
    shared = {name: value for name, value in params.items() if name in names}
    checked = kind.ours(only=[names[name] for name in shared], partial=True)
    return list(list_faults(checked.validate(shared)))


def dump_json(value: Any) -> str:
    """Compact JSON; Decimals and dates become strings, and text that has no UTF-8 is escaped.

    Raises TypeError or ValueError for what JSON cannot hold, as NaN, or a tuple for a key.
    """
    text = ENCODER.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), separators=(",", ":"))
    return text


def describe_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date | time | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=describe_value
)
