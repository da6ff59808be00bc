"""Reads rewards.toml: every fault at once, each naming file, rule and key."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.config.checking import StrictSchema, list_faults, load_checked, read_toml
from app.porch.errors import ConfigError
from app.porch.json import dump_json
from app.rules.conditions import Condition, ConditionField
from app.rules.file_keys import BudgetSchema, CalendarSchema
from app.rules.gifts import Choice, Gift, RewardKind, list_gifts, read_choice
from app.rules.judging import list_contradictions
from app.rules.keys import Budget, Payees
from app.rules.rule import PLAYER, Rule, Rules
from app.rules.rule_keys import CountField, LimitField, PartyField, RankingField, StreakField
from app.rules.selecting import hash_text
from app.rules.when import WhenField


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


class SourceField(fields.Field[Any]):
    """The name of a source, or a list of them."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> frozenset[str]:
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(one, str) and one for one in values):
            raise ValidationError(
                "must be a source's name, as its plugin is called, or a list of them"
            )
        return frozenset(values)


def make_lines() -> fields.List[Any]:
    return fields.List(fields.Dict(keys=fields.String()), validate=validate.Length(min=1))


class RuleSchema(StrictSchema):
    name = fields.String(validate=validate.Length(min=1, max=255))
    on = fields.String(required=True, validate=validate.Length(min=1, max=64))
    server = ServerField()
    source = SourceField()
    where = fields.Dict(
        keys=fields.String(), values=ConditionField(), validate=validate.Length(min=1)
    )
    when = WhenField()
    count = CountField()
    streak = StreakField()
    party = PartyField()
    ranking = RankingField()
    limit = LimitField()
    give = make_lines()
    give_one = make_lines()

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def check_together(
        self, data: dict[str, Any], original: Mapping[str, Any], **kwargs: Any
    ) -> None:
        faults = list_contradictions(original, data)
        if "give" not in original and "give_one" not in original:
            faults["give"] = ['is missing: write give = [{ reward = "gold", ... }]']
        if faults:
            raise ValidationError(faults)


class RulesSchema(StrictSchema):
    rules = fields.List(fields.Dict(keys=fields.String()), load_default=list)
    calendar = fields.Nested(CalendarSchema, load_default=lambda: CalendarSchema().load({}))
    budgets = fields.List(fields.Nested(BudgetSchema), load_default=list)


def read_rules(path: Path, kinds: Mapping[str, RewardKind] | None) -> Rules:
    """The rules in a file; ConfigError with every fault, each naming file, rule, reward and field.

    `kinds` None: they are not known, and the rest of the file is read without asking for them.
    """
    file = load_checked(RulesSchema(), read_toml(path), f"{path}: ")
    faults: list[str] = []
    seen: set[str] = set()
    by_type: dict[str, list[Rule]] = {}
    for number, raw in enumerate(file["rules"], 1):
        named = isinstance(raw.get("name"), str)
        label = f'rule {number} "{raw["name"]}"' if named else f"rule {number}"
        try:
            rule = read_rule(raw, number, kinds)
        except ConfigError as error:
            faults += [f"{path}: {label}: {fault}" for fault in error.faults]
            continue
        if rule.name in seen:
            faults.append(
                f"{path}: {label}: another rule has this name; the ledger needs to tell them apart"
            )
        seen.add(rule.name)
        by_type.setdefault(rule.on, []).append(rule)
    rules = Rules(
        {type_: tuple(some) for type_, some in by_type.items()},
        file["calendar"],
        tuple(file["budgets"]),
    )
    faults += [f"{path}: {fault}" for fault in find_budget_faults(rules, kinds)]
    if faults:
        raise ConfigError(faults)
    return rules


def read_rule(raw: Mapping[str, Any], number: int, kinds: Mapping[str, RewardKind] | None) -> Rule:
    """One entry of `[[rules]]`. Raises ConfigError with every fault in it."""
    try:
        said = RuleSchema().load(raw)
    except ValidationError as error:
        raise ConfigError(list(list_faults(error.messages, RuleSchema()))) from None
    name = said.get("name", f"rule {number}")
    faults: list[str] = []
    gifts = []
    for line in said.get("give", ()):
        try:
            gifts += list_gifts(name, line, kinds)
        except ConfigError as error:
            faults += error.faults
    choice = None
    try:
        choice = read_choice(name, said["give_one"], kinds) if "give_one" in said else None
    except ConfigError as error:
        faults += error.faults
    faults += list_unfit_for_servers(said, gifts, choice, kinds)
    if faults:
        raise ConfigError(faults)
    where, player_where = split_where(said.get("where", {}))
    text = find_fingerprint(raw)
    gifts = [replace(gift, rule_text=text) for gift in gifts]
    choice = choice.mark(text) if choice else None
    asked = {key: said.get(key) for key in ("when", "count", "streak", "party", "ranking")}
    return Rule(
        said.get("server"), where, tuple(gifts), name, said["on"], player_where=player_where,
        limits=said.get("limit", ()), choice=choice, fingerprint=text,
        sources=said.get("source"), **asked,
    )  # fmt: skip


def list_unfit_for_servers(
    said: Mapping[str, Any],
    gifts: Iterable[Gift],
    choice: Choice | None,
    kinds: Mapping[str, RewardKind] | None,
) -> list[str]:
    """What a party cannot give to a server, which is no player."""
    party = said.get("party")
    if party is None or party.to != Payees.SERVER or kinds is None:
        return []
    lines = choice.lines if choice else ()
    given = [*gifts, *(line.gift for line in lines if line.gift)]
    return [
        f'reward "{one.reward.kind}": {fault}'
        for one in given
        if (fault := kinds[one.reward.kind].find_server_fault(one.reward.params))
    ]


def split_where(
    where: Mapping[str, Condition],
) -> tuple[dict[str, Condition], dict[str, Condition]]:
    """What is asked of the event, and what of its player, without the word `player.`."""
    of_event = {fact: one for fact, one in where.items() if not fact.startswith(PLAYER)}
    of_player = {fact.removeprefix(PLAYER): where[fact] for fact in where.keys() - of_event.keys()}
    return of_event, of_player


def find_fingerprint(raw: Mapping[str, Any]) -> str:
    """16 hexadecimal digits for the text of a rule but for its name: another text, other digits."""
    text = {key: value for key, value in raw.items() if key != "name"}
    return hash_text(json.loads(dump_json(text)))


def find_budget_faults(rules: Rules, kinds: Mapping[str, RewardKind] | None) -> Iterable[str]:
    """What is wrong with budgets, where the kinds of reward are known."""
    names = [budget.name for budget in rules.budgets]
    for number, budget in enumerate(rules.budgets, 1):
        label = f'budget {number} "{budget.name}"'
        if budget.name in names[: number - 1]:
            yield f"{label}: another budget has this name"
        if kinds is not None:
            yield from (f"{label}: {fault}" for fault in judge_budget(budget, rules, kinds))


def judge_budget(budget: Budget, rules: Rules, kinds: Mapping[str, RewardKind]) -> Iterable[str]:
    """What is wrong with a budget, beside the rewards that rules give."""
    if budget.reward not in kinds:
        known = ", ".join(sorted(kinds)) or "none"
        yield f'reward: no plugin that is switched on gives "{budget.reward}" (there are: {known})'
        return
    for rule in rules.all:
        for reward in rule.rewards:
            if reward.kind == budget.reward and (fault := budget.find_misfit(reward)):
                yield f'sum: rule "{rule.name}": {fault}'
                return
