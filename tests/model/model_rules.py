"""Which event earns what: the rules of the model, and as the text that the service reads."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VOTE, LEVEL_UP = "server.vote", "level_up"

Key = tuple[str, str]  # type and id


@dataclass(frozen=True)
class Event:
    """A vote as the vote API tells it, or a level as a game server does."""

    type: str
    id: str
    server: str
    nickname: str = ""
    uid: str = ""
    level: int = 0

    @property
    def key(self) -> Key:
        return self.type, self.id


@dataclass(frozen=True)
class Rule:
    """A rule of rewards.toml; without servers it is for every one."""

    name: str
    on: str
    give: tuple[dict[str, Any], ...]
    servers: tuple[str, ...] = ()
    level: int = 0  # at least

    def matches(self, event: Event) -> bool:
        is_here = not self.servers or event.server in self.servers
        return self.on == event.type and is_here and event.level >= self.level


SWORDS = {"reward": "item", "item": "sword", "quantity": 2}
CODE = {"reward": "promo_code", "pool": "autumn"}
CLAIM = {
    "reward": "claim",
    "payload": {"command": "give {nickname} diamond {event_id} on {server_id}"},
}


def give_gold(amount: str) -> dict[str, Any]:
    return {"reward": "gold", "amount": amount}


RULES = (
    Rule("every vote", VOTE, (give_gold("100.00"),)),
    Rule("every vote, a little", VOTE, (give_gold("0.05"), SWORDS)),
    Rule("server 1", VOTE, (SWORDS, {"reward": "role", "role": "voter", "days": 1}), ("1",)),
    Rule("server 2", VOTE, ({"reward": "vip", "days": 1}, CLAIM), ("2",)),
    Rule("codes", VOTE, (give_gold("7.30"), CODE), ("1", "2")),
    Rule("founders", VOTE, ({"reward": "role", "role": "voter"},), ("2",)),
    Rule("claims", VOTE, (CLAIM,)),
    Rule("level 10", LEVEL_UP, (give_gold("25.00"), CLAIM), (), 10),
    Rule("levels on server 1", LEVEL_UP, (SWORDS, CODE), ("1",)),
)


def write_rules(rules: Sequence[Rule]) -> str:
    """The text of a rewards.toml."""
    lines = []
    for rule in rules:
        lines += ["[[rules]]", f"name = {json.dumps(rule.name)}", f"on = {json.dumps(rule.on)}"]
        if rule.servers:
            lines.append(f"server = {json.dumps(rule.servers)}")
        if rule.level:
            lines.append(f"where = {{ level = {{ at_least = {rule.level} }} }}")
        lines.append(f"give = [{', '.join(map(write_table, rule.give))}]")
    return "\n".join(lines)


def write_table(table: dict[str, Any]) -> str:
    """An inline table of TOML."""
    pairs = (
        f"{name} = {write_table(value) if isinstance(value, dict) else json.dumps(value)}"
        for name, value in table.items()
    )
    return f"{{ {', '.join(pairs)} }}"
