"""Rust's WebRCON: claims delivered as commands over a WebSocket, each answer known by its Identifier.

Chat and log lines come between the answers; whatever has another Identifier is nobody's answer.
"""

import json
import random
import re
import time
from collections.abc import Callable
from typing import Any

from marshmallow import Schema, validate

import app
from app import ClaimPlan, ClaimResult, Dialect, GameServer, QueuedClaim, Settings, hookimpl

NAME, LIST = "webrcon", "playerlist"
MOST_BETWEEN = 1000  # messages that are not ours before an answer
RUST = Dialect(
    names=re.compile(r"[A-Za-z0-9_]{1,32}"),
    done=[re.compile(r"^Player '.{1,100}' added to group", re.I)],
    offline=[re.compile(r"^(Couldn't find player|Player not found)", re.I)],
    refused=[
        re.compile(r"^(Command '.{1,200}' not found|Invalid Item|Couldn't give item|Unknown)", re.I)
    ],
    list_command=LIST,
)
LINES: app.KeptLines[app.WebSocketLine] = app.KeptLines()


class Console(app.ConsoleSchema):
    address = app.ReferableString(
        required=True,
        validate=validate.Regexp(
            r"^wss?://[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}\Z", error="must be as ws://host:28016"
        ),
    )
    password = app.SecretField(required=True)


class Section(Schema):
    servers = app.ConsolesField(Console)


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def game_servers(settings: Settings) -> list[GameServer]:
    return app.list_game_servers(NAME, settings[NAME]["servers"], lambda section: RUST)


@hookimpl
def plan_claim(claim: QueuedClaim, server: GameServer, settings: Settings) -> ClaimPlan | None:
    if server.plugin != NAME:
        return None
    return app.plan_command(claim, settings[NAME]["servers"][server.name], RUST)


@hookimpl
def list_online(server: GameServer, settings: Settings) -> frozenset[str] | None:
    """By their names and by their SteamIDs: a site may know players by either."""
    if server.plugin != NAME:
        return None
    try:
        listed = json.loads(run(server, settings, LIST))
        names = [str(one[key]) for one in listed for key in ("SteamID", "DisplayName")]
    except (ValueError, KeyError, TypeError):
        raise app.NotSent(f"the answer to {LIST} is no list of players") from None
    return frozenset(names)


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
    """What the game answers. Raises NotSent and OutcomeUnknown."""
    section = settings[NAME]["servers"][server.name]
    address, password, timeout = (section[name] for name in ("address", "password", "timeout"))
    key = (address, password.reveal(), timeout)
    with LINES.borrow(key, lambda: app.WebSocketLine(address, password, timeout)) as line:
        identifier = random.randrange(1000, 1 << 31)
        seconds = timeout if left is None else min(timeout, left())
        deadline = time.monotonic() + seconds
        said = {"Identifier": identifier, "Message": command, "Name": "Guerdon"}
        line.send(json.dumps(said), seconds)
        for _ in range(MOST_BETWEEN):
            answer = read_frame(line.read(deadline))
            if answer.get("Identifier") == identifier:
                return str(answer.get("Message", ""))
    raise app.OutcomeUnknown("only messages to others came")


def read_frame(text: str) -> dict[str, Any]:
    """A message as JSON; {} for what is none."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return frame if isinstance(frame, dict) else {}
