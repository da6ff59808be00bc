"""What a rule gives: lines of `give`, checked by the schema of their kind, and the lines one is drawn of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from marshmallow import Schema

from app.config.checking import list_faults, load_checked, suggest
from app.porch.errors import ConfigError
from app.porch.json import dump_json
from app.porch.types import Reward

LONGEST_PARAMS = 65_535  # bytes; what MySQL's TEXT holds
LARGEST_WEIGHT = 10**9


@dataclass(frozen=True)
class Gift:
    """One line of a rule's `give`: the reward, who gives it, its parameters as the ledger keeps them."""

    rule: str
    plugin: str
    reward: Reward
    params_json: str
    rule_text: str = ""  # the fingerprint of its rule


@dataclass(frozen=True)
class WeightedLine:
    """One line of `give_one`; without a gift it gives nothing."""

    weight: int
    gift: Gift | None


@dataclass(frozen=True)
class Choice:
    """The lines of `give_one`, of which one is drawn."""

    lines: tuple[WeightedLine, ...]

    def mark(self, rule_text: str) -> "Choice":
        """The same, its gifts marked with the fingerprint of their rule."""
        return Choice(
            tuple(
                replace(line, gift=replace(line.gift, rule_text=rule_text)) if line.gift else line
                for line in self.lines
            )
        )

    @cached_property
    def weights(self) -> list[int]:
        return [line.weight for line in self.lines]


@dataclass(frozen=True)
class RewardKind:
    """A kind of reward: the plugin that gives it and the schema of its parameters.

    `ours` is the schema of the shipped plugin that a studio's has taken the kind over from, if any:
    what it knows of keeps its check, so that a schema which only names `amount` lets no "-1" through.
    """

    plugin: str
    schema: type[Schema]
    ours: type[Schema] | None = None

    def find_server_fault(self, params: Mapping[str, Any]) -> str:
        """Why it cannot be given where there is no player; its schema's check_for_server says it."""
        check = getattr(self.schema, "check_for_server", None)
        return check(params) if check else 'is for a player, and to = "server" pays none'


def list_gifts(
    rule: str, raw: Mapping[str, Any], kinds: Mapping[str, RewardKind] | None
) -> list[Gift]:
    """The gift of one entry of a rule; none where the kinds of reward are not known."""
    params = dict(raw)
    name = params.pop("reward", None)
    if not isinstance(name, str):
        raise ConfigError(['give: reward is missing: write { reward = "gold", ... }'])
    return [] if kinds is None else [read_gift(rule, name, params, kinds)]


def read_choice(
    rule: str, lines: list[Mapping[str, Any]], kinds: Mapping[str, RewardKind] | None
) -> Choice:
    """The lines of `give_one`. Raises ConfigError with every fault in them."""
    faults: list[str] = []
    read = []
    for number, raw in enumerate(lines, 1):
        params = dict(raw)
        weight = params.pop("weight", None)
        if type(weight) is not int or not 0 < weight <= LARGEST_WEIGHT:
            faults.append(
                f"give_one[{number}]: weight must be a whole number of at least 1, as"
                ' { weight = 70, reward = "gold", ... }'
            )
        try:
            gifts = list_gifts(rule, params, kinds) if params else []
        except ConfigError as error:
            faults += [fault.replace("give:", f"give_one[{number}]:", 1) for fault in error.faults]
            continue
        read.append(WeightedLine(weight or 0, gifts[0] if gifts else None))
    if faults:
        raise ConfigError(faults)
    return Choice(tuple(read))


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
