"""RCON: claims delivered to the consoles of Minecraft, Palworld, ARK and others that speak Source RCON.

What a console answers tells what became of a claim, by patterns; an answer that fits none is for a person.
"""

import re
from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields, validate

import app
from app import ClaimPlan, ClaimResult, Dialect, GameServer, QueuedClaim, Settings, hookimpl

NAME = "rcon"
COLOUR = re.compile("§.")  # Minecraft's
ADDRESS = validate.Regexp(
    r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]{1,253}):[0-9]{1,5}\Z", error="must be as host:25575"
)
MINECRAFT = Dialect(
    names=re.compile(r"[A-Za-z0-9_]{1,16}"),
    done=[
        re.compile(
            r"^(Gave|Given|Applied|Set|Added|Granted|Made|Teleported|Summoned|Dropped|Loaded|Executed"
            r"|Showing|Unlocked|Played|Removed|Enchanted|Replaced|Changed|Player is already whitelisted)\b"
        )
    ],
    offline=[
        re.compile(r"^(No player was found|No entity was found|That player cannot be found)"),
        re.compile(r"^(Error: )?Player not found", re.I),
        re.compile(r"^That player does not exist"),
    ],
    refused=[
        re.compile(
            r"^(Unknown|Incorrect|Invalid|Expected|Unable|Usage|Can't|Cannot|An unexpected|Failed)"
        ),
        re.compile(r"^(Could not|Nothing changed|The target|You do not have permission|I'm sorry)"),
        re.compile(r"<--\[HERE\]\s*\Z"),
    ],
    longest=1446,
    list_command="list",
    is_list=re.compile(r"^There are \d+\D+\d+ (max )?players online[:.]?", re.I),
    in_list=re.compile(r"(?:^|[,:\n])\s*(?P<name>[^\s,:]{1,48})(?=\s*(?:,|\n|\Z))"),
)
ARK = Dialect(
    names=re.compile(r"[A-Za-z0-9]{1,40}"),
    done=[re.compile(r"^Server received, But no response!!", re.I)],
    refused=[re.compile(r"^(Command not found|Unknown command)", re.I)],
    list_command="ListPlayers",
    is_list=re.compile(r"^\s*(No Players Connected|(?=\d+\. ))", re.I),
    in_list=re.compile(r"^\s*\d+\. .*, (?P<name>[A-Za-z0-9]{1,40})\s*$", re.M),
)
PALWORLD = Dialect(
    names=re.compile(r"[A-Za-z0-9_]{1,40}"),
    refused=[re.compile(r"^Unknown command", re.I)],
    list_command="ShowPlayers",
    is_list=re.compile(r"^name,playeruid,steamid", re.I),
    in_list=re.compile(r"^.*,(?P<name>[A-Za-z0-9_]{1,40})\s*$", re.M),
)
ANY = Dialect(names=re.compile(r"[A-Za-z0-9_]{1,32}"))
GAMES = {"minecraft": MINECRAFT, "ark": ARK, "palworld": PALWORLD, "source": ANY}
ANY_ID = ("ark", "palworld")  # they answer with other ids than they were asked with
LINES: app.KeptLines[app.RconConnection] = app.KeptLines()


class Console(app.ConsoleSchema):
    address = app.ReferableString(required=True, validate=ADDRESS)
    password = app.SecretField(required=True)
    game = fields.String(load_default="source", validate=validate.OneOf(list(GAMES)))
    any_id = fields.Boolean(truthy={True}, falsy={False}, load_default=None)
    marks_end = fields.Boolean(truthy={True}, falsy={False}, load_default=None)


class Section(Schema):
    servers = app.ConsolesField(Console)


def choose(section: Any) -> Dialect:
    return GAMES[section["game"]]


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def game_servers(settings: Settings) -> list[GameServer]:
    return app.list_game_servers(NAME, settings[NAME]["servers"], choose)


@hookimpl
def plan_claim(claim: QueuedClaim, server: GameServer, settings: Settings) -> ClaimPlan | None:
    if server.plugin != NAME:
        return None
    section = settings[NAME]["servers"][server.name]
    return app.plan_command(claim, section, choose(section))


@hookimpl
def list_online(server: GameServer, settings: Settings) -> frozenset[str] | None:
    if server.plugin != NAME:
        return None
    dialect = choose(settings[NAME]["servers"][server.name])
    players = dialect.read_list(run(server, settings, dialect.list_command))
    if players is None:
        raise app.NotSent(f"the answer to {dialect.list_command} is no list of players")
    return players


@hookimpl
def send_claim(
    plan: ClaimPlan, server: GameServer, settings: Settings, seconds_left: Callable[[], float]
) -> ClaimResult | None:
    if server.plugin != NAME:
        return None
    return app.judge_answer(run(server, settings, plan.command, seconds_left), plan)


@hookimpl
def check_claim(plan: ClaimPlan, server: GameServer, settings: Settings) -> bool | None:
    if server.plugin != NAME:
        return None
    return app.judge_check(run(server, settings, plan.check), plan)


def run(
    server: GameServer, settings: Settings, command: str, left: Callable[[], float] | None = None
) -> str:
    """What the console answers, without colours. Raises NotSent and OutcomeUnknown."""
    section = settings[NAME]["servers"][server.name]
    host, _, port = section["address"].rpartition(":")
    game, password = section["game"], section["password"]
    any_id = game in ANY_ID if section["any_id"] is None else section["any_id"]
    marks_end = game not in ANY_ID if section["marks_end"] is None else section["marks_end"]

    def open_line() -> app.RconConnection:
        address = host.strip("[]"), int(port)
        return app.RconConnection(address, password, section["timeout"], any_id, marks_end)

    key = (section["address"], password.reveal(), section["timeout"], any_id, marks_end)
    with LINES.borrow(key, open_line) as line:
        return COLOUR.sub("", line.run(command, left))
