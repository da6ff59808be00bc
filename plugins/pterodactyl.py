"""Pterodactyl and Pelican: claims given to a game's console by the panel's client API.

The panel answers that it took a command, never what the game made of it: `taken_is` says what that counts
as. Whether the server runs is asked before, so that nothing is sent to one that is stopped.
"""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields, validate

import app
from app import (
    ClaimPlan,
    ClaimResult,
    ClaimState,
    Dialect,
    GameServer,
    Http,
    NotSent,
    QueuedClaim,
    Settings,
    hookimpl,
)

NAME = "pterodactyl"
PANEL = Dialect(longest=4000)
REFUSED = (400, 422)  # the panel read it, and gave it to nobody
STOPPED = 502
LATER = (401, 403, 404, 409, 429)  # nor these; a person, or time, mends them


class Server(app.ConsoleSchema):
    panel = app.HttpAddress(required=True)
    key = app.SecretField(required=True)
    server = fields.String(required=True, validate=validate.Regexp(r"^[a-f0-9-]{8,36}\Z"))
    taken_is = fields.String(
        load_default="unknown", validate=validate.OneOf([ClaimState.DONE, ClaimState.UNKNOWN])
    )
    names = app.PatternField(required=True)


class Section(Schema):
    servers = app.ConsolesField(Server)


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def game_servers(settings: Settings) -> list[GameServer]:
    return app.list_game_servers(NAME, settings[NAME]["servers"], lambda section: PANEL)


@hookimpl
def plan_claim(claim: QueuedClaim, server: GameServer, settings: Settings) -> ClaimPlan | None:
    if server.plugin != NAME:
        return None
    return app.plan_command(claim, settings[NAME]["servers"][server.name], PANEL)


@hookimpl
def send_claim(
    plan: ClaimPlan, server: GameServer, http: Http, settings: Settings,
    seconds_left: Callable[[], float],
) -> ClaimResult | None:  # fmt: skip
    if server.plugin != NAME:
        return None
    section = settings[NAME]["servers"][server.name]
    require_running(section, http)
    if (left := seconds_left()) <= 0:
        raise NotSent("it was too late to send it")
    body = app.dump_json({"command": plan.command}).encode()
    total = min(section["timeout"], left)
    answer = ask(section, http, "POST", "command", total, body)  # a failure leaves it unknown
    told = f"HTTP {answer.status}"
    if answer.status == 204:
        why = (
            "" if section["taken_is"] == ClaimState.DONE else "the panel took it, and tells no more"
        )
        return ClaimResult(ClaimState(section["taken_is"]), told, why)
    if answer.status == STOPPED or answer.status in LATER:
        raise NotSent(f"the panel answered {told}", retry_in=30)
    is_refused = answer.status in REFUSED
    state = ClaimState.REFUSED if is_refused else ClaimState.UNKNOWN
    return ClaimResult(state, told, f"the panel answered {told}")


def require_running(section: Any, http: Http) -> None:
    """Raise NotSent where the panel does not answer, or the server does not run: nothing has left yet."""
    try:
        answer = ask(section, http, "GET", "resources", section["timeout"])
    except app.NetworkFailed as error:
        raise NotSent(f"the panel does not answer: {error}") from None
    if answer.status != 200 or b'"current_state":"running"' not in answer.body.replace(b" ", b""):
        raise NotSent(
            f"the server does not run, or the key is none for it: HTTP {answer.status}", 30
        )


def ask(
    section: Any, http: Http, method: str, what: str, total: float, body: bytes | None = None
) -> app.HttpAnswer:
    url = f"{section['panel'].rstrip('/')}/api/client/servers/{section['server']}/{what}"
    headers = {"Authorization": f"Bearer {section['key'].reveal()}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    return http.request(method, url, body=body, headers=headers, total=total)
