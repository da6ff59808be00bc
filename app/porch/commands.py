"""Claims as commands of a console: what its section says, how a command is made, what its answer means.

What fills a place in a command was chosen by strangers, or by whoever wrote the rule: it is one plain word,
or nothing is sent. So no name and no parameter can end a word, begin a command or choose another player.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.porch.claims import (
    ClaimPlan,
    ClaimResult,
    ClaimState,
    GameServer,
    IfUnknown,
    QueuedClaim,
)
from app.porch.durations import DurationField
from app.porch.errors import RefusedClaim
from app.porch.names import PatternField
from app.porch.text import shorten

Section = Mapping[str, Any]
PLACE = re.compile(r"\{([a-z_]{1,32})\}")
# No space and no quote, which end a word, no @ and no $, which choose others, no ; which ends a command.
WORD = re.compile(r"[A-Za-z0-9_.:-]{1,255}")
ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]+")
NAME = validate.Regexp(r"^[A-Za-z0-9_.-]{1,32}\Z", error="must be 1 to 32 of A-Z a-z 0-9 _ . -")
TEXT = validate.Regexp(
    ONE_LINE.pattern + r"\Z", error="must be one line, without control characters"
)
LOOKED_AT = 4096  # characters of an answer


class PolicySchema(Schema):
    """What is done where nobody knows, and which answers mean that all is well."""

    if_unknown = fields.Enum(IfUnknown, by_value=True)
    check = fields.String(validate=TEXT)
    happened = PatternField()
    not_happened = PatternField()
    done = fields.List(PatternField())

    @validates_schema
    def check_check(self, data: dict[str, Any], **kwargs: Any) -> None:
        """A check is known by what its answer may say, both ways."""
        wanted = data.get("if_unknown") is IfUnknown.CHECK or "check" in data
        for name in ("check", "happened", "not_happened") if wanted else ():
            if name not in data:
                raise ValidationError("is needed where a check is to find out", name)


class CommandSchema(PolicySchema):
    """A command that claims name by `template`, and what holds for it other than for its server."""

    run = fields.String(required=True, validate=TEXT)
    online = fields.Boolean(truthy={True}, falsy={False}, load_default=True)


class ConsoleSchema(PolicySchema):
    """What the section of every console has: whose claims it takes, how they become commands."""

    servers = fields.List(
        fields.String(validate=validate.Length(1, 255)), required=True, validate=validate.Length(1)
    )
    connections = fields.Integer(strict=True, load_default=1, validate=validate.Range(1, 32))
    timeout = fields.Float(load_default=5.0, validate=validate.Range(0.1, 20))  # seconds
    names = PatternField(load_default=None)
    prefixes = fields.List(fields.String(validate=validate.Length(1, 16)), load_default=[])
    expires = DurationField(60, load_default=None)
    offline = fields.List(PatternField(), load_default=[])
    refused = fields.List(PatternField(), load_default=[])
    commands = fields.Dict(
        keys=fields.String(validate=NAME), values=fields.Nested(CommandSchema), load_default={}
    )


class ConsolesField(fields.Dict):
    """The table of a plugin's consoles, `servers.NAME`, each a table of `schema`; there has to be one."""

    def __init__(self, schema: type[Schema]) -> None:
        super().__init__(
            fields.String(validate=NAME), fields.Nested(schema), required=True,
            validate=validate.Length(min=1),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a game's console speaks. Of its patterns one kind has to match an answer, and no other."""

    names: re.Pattern[str] | None = None
    done: Sequence[re.Pattern[str]] = ()
    offline: Sequence[re.Pattern[str]] = ()
    refused: Sequence[re.Pattern[str]] = ()
    longest: int = 4086  # bytes of a command
    list_command: str = ""
    is_list: re.Pattern[str] | None = None  # what the answer to that is, if it is one
    in_list: re.Pattern[str] | None = None  # a name in it, the group "name"

    def read_list(self, answer: str) -> frozenset[str] | None:
        """The names in a list of players; None where it is none."""
        if self.is_list is None or self.in_list is None or not self.is_list.search(answer):
            return None
        rest = self.is_list.sub("", answer, count=1)
        return frozenset(found["name"] for found in self.in_list.finditer(rest))


def list_game_servers(
    plugin: str, sections: Mapping[str, Section], choose: Callable[[Section], Dialect]
) -> list[GameServer]:
    """The consoles of a plugin's section, for the hook game_servers; `choose` gives that of a console."""
    return [
        GameServer(
            plugin, name, one["servers"], one["connections"], bool(choose(one).list_command),
            one["names"] or choose(one).names, one["prefixes"], one["expires"],
        )
        for name, one in sections.items()
    ]  # fmt: skip


def plan_command(claim: QueuedClaim, section: Section, dialect: Dialect) -> ClaimPlan:
    """The command of a claim's payload, { command = "..." }, or { template = "NAME", ... } of the section.

    Raises RefusedClaim where that is no command, or could be another than was meant.
    """
    said = dict(claim.payload)
    if ("command" in said) == ("template" in said):
        raise RefusedClaim(
            'its payload has no `command`, or no `template`, or both: "command" is sent'
        )
    chosen: Section = section
    if "template" in said:
        name = said.pop("template")
        if not isinstance(name, str) or name not in section["commands"]:
            raise RefusedClaim(f"its server has no command {shorten(str(name))} in its section")
        chosen = section["commands"][name]
    values = said | {
        "nickname": claim.nickname, "claim_id": claim.id, "server_id": claim.server_id,
        "event_id": claim.event_id,
    }  # fmt: skip
    command = fill_places(chosen["run"], values) if "run" in chosen else said["command"]
    check_command(command, dialect.longest)
    policy = chosen if "if_unknown" in chosen or "check" in chosen else section
    needs_player = bool(claim.nickname) and chosen.get("online", True)
    check = fill_places(policy["check"], values) if "check" in policy else ""
    return ClaimPlan(
        command, needs_player, policy.get("if_unknown", IfUnknown.ASK), check,
        {name: [*getattr(dialect, name), *section.get(name, ()), *extra(chosen, section, name)]
         for name in ("done", "offline", "refused")}
        | {name: policy.get(name) for name in ("happened", "not_happened")},
    )  # fmt: skip


def extra(chosen: Section, section: Section, name: str) -> Sequence[re.Pattern[str]]:
    return () if chosen is section else chosen.get(name, ())


def fill_places(template: str, values: Mapping[str, Any]) -> str:
    """The template with each {place} filled once, by one plain word. Raises RefusedClaim for another."""

    def fill(found: re.Match[str]) -> str:
        value = values.get(found[1])
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        text = f"{value:f}" if isinstance(value, Decimal) else str(value)
        if not (is_number or isinstance(value, str)):
            raise RefusedClaim(f"its payload has nothing for {found[0]}, or no single word")
        if not WORD.fullmatch(text):
            raise RefusedClaim(f"{shorten(text)} cannot stand in a command, for {found[0]}")
        return text

    return PLACE.sub(fill, template)


def check_command(command: Any, longest: int) -> None:
    """Raise RefusedClaim for what is no single line, or is longer than the game takes (bytes)."""
    if not isinstance(command, str) or not ONE_LINE.fullmatch(command):
        raise RefusedClaim("its command is no single line")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in command):
        raise RefusedClaim("its command holds what ends a line")
    if len(command.encode()) > longest:
        raise RefusedClaim(f"its command is longer than the {longest} bytes that the game takes")


def judge_answer(answer: str, plan: ClaimPlan) -> ClaimResult:
    """What an answer says of a claim: where it fits no kind of pattern, or several, nobody knows."""
    kinds = {"done": ClaimState.DONE, "offline": ClaimState.WAITS, "refused": ClaimState.REFUSED}
    start = answer.strip()[:LOOKED_AT]
    fitting = [kind for kind in kinds if any(pattern.search(start) for pattern in plan.more[kind])]
    if len(fitting) == 1:
        state = kinds[fitting[0]]
        why = {
            ClaimState.WAITS: "its player is not there",
            ClaimState.REFUSED: "the game refused it",
        }
        return ClaimResult(state, answer, why.get(state, ""))
    several = " and ".join(fitting)
    why_not = (
        f"the answer fits the patterns for {several}" if several else "the answer fits no pattern"
    )
    return ClaimResult(ClaimState.UNKNOWN, answer, why_not)


def judge_check(answer: str, plan: ClaimPlan) -> bool | None:
    """What the answer to a check says: given, not given, or None: neither, or both."""
    start = answer.strip()[:LOOKED_AT]
    did, did_not = (bool(plan.more[name].search(start)) for name in ("happened", "not_happened"))
    return did if did != did_not else None
