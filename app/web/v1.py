"""/v1, for game servers and the studio's tools; errors are application/problem+json (RFC 9457)."""

from collections.abc import Callable
from functools import wraps
from secrets import token_hex
from typing import Any

import structlog
from flask import Request, Response, current_app, g, request
from flask.json import dumps
from flask_smorest import Api, Blueprint, abort
from marshmallow import Schema
from peewee import PeeweeException
from webargs import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from app.config.api_keys import find_key, find_scopes
from app.database.models import Grant
from app.database.states import BoxState
from app.guerdon import Guerdon
from app.history.timeline import describe_event, describe_grant
from app.paying.claims import LONGEST_LEASE, acknowledge_claim, lease_claims
from app.paying.describing import describe_player
from app.porch.errors import AmbiguousPlayer, BadClaim, DatabaseUnavailable, RefusedName
from app.porch.json import dump_raw_json, is_deep, read_float, read_json
from app.porch.text import format_time
from app.web import examples
from app.web.answers import Acknowledged, EventStory, LeaseAnswer, PlayerAnswer, Problem
from app.web.origins import is_preflight
from app.web.schemas import Acknowledgement, LeaseRequest, PlayerQuery

log = structlog.get_logger()
v1 = Blueprint("v1", "v1", url_prefix="/v1", description="For game servers.")

GRANTS_SHOWN = 50
LARGEST_ID = 2**63 - 1
LONGEST_BODY = 1 << 20  # bytes


class JsonParser(FlaskParser):
    """Reads a body as JSON whatever its Content-Type says: a lease that is given must not be missed."""

    def load_json(self, req: Request, schema: Any) -> Any:
        # Where the length is not announced, werkzeug cuts the body at the maximum without a word.
        req.max_content_length = LONGEST_BODY + 1
        raw = req.get_data()
        if len(raw) > LONGEST_BODY:
            return abort(413, message=f"the body is longer than {LONGEST_BODY} bytes")
        try:
            body = read_json(raw, read_float) if raw else missing
        except ValueError:
            return abort(400, message="the body is not JSON in UTF-8")
        return abort(400, message="the body is nested too deeply") if is_deep(body) else body

    def load_querystring(self, req: Request, schema: Any) -> Any:
        try:
            return super().load_querystring(req, schema)
        except UnicodeDecodeError:
            return abort(422, message="the query is not UTF-8")


v1.ARGUMENTS_PARSER = JsonParser()


class ProblemApi(Api):  # type: ignore[misc]
    """flask-smorest with RFC 9457 errors."""

    ERROR_SCHEMA = Problem
    DEFAULT_ERROR_RESPONSE_NAME = None  # each status is described by itself

    def handle_http_exception(self, error: HTTPException) -> Response:
        data = getattr(error, "data", None) or {}
        status = error.code or 500
        problem = {
            "type": "about:blank",
            "title": error.name,
            "status": status,
            "detail": data.get("message") or error.description or error.name,
        }
        errors = data.get("errors") or data.get("messages")
        if errors:
            problem["errors"] = errors.get("json", errors)
            problem["detail"] = "the input is not valid; see errors"
        response = Response(dumps(problem), status, mimetype="application/problem+json")
        for name, value in (data.get("headers") or {}).items():
            response.headers[name] = value
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response


class RestOfPath(PathConverter):
    """As path, but it may begin with a slash, or hold a line break."""

    regex = "(?s:.+?)"
    part_isolating = False


def get_guerdon() -> Guerdon:
    guerdon: Guerdon = current_app.extensions["guerdon"]
    return guerdon


@v1.before_request
def check_key() -> None:
    """Only the holder of one of [api] keys comes in; its name is kept with what it brings."""
    if is_preflight(request, get_guerdon().config.api.web_origins):
        return
    key = find_key(request.headers.get("Authorization", ""), get_guerdon().config.api.keys)
    if key is None:
        headers = {"WWW-Authenticate": "Bearer"}
        abort(401, message="send Authorization: Bearer with one of [api] keys", headers=headers)
    elif lacking := find_scopes(request.method, request.path) - key.opens:
        abort(403, message=f"the key {key.name!r} has not the scope {', '.join(sorted(lacking))}")
    else:
        g.key_name = key.name


def with_database(view: Callable[..., Any]) -> Callable[..., Any]:
    """Run a view with a connection; 503 while the database does not answer."""

    @wraps(view)
    def connected(*args: Any, **kwargs: Any) -> Any:
        guerdon = get_guerdon()
        try:
            guerdon.require_fit_database()
            with guerdon.database.connection_context():
                return view(*args, **kwargs)
        except (PeeweeException, DatabaseUnavailable) as error:
            log.error("database failed", path=request.path, reason=type(error).__name__)
            abort(503, message="the database does not answer", headers={"Retry-After": "5"})

    return connected


@v1.get("/players/<rest:nickname>", tags=["Players"])
@v1.arguments(PlayerQuery, location="query")
@v1.response(200, PlayerAnswer)
@v1.alt_response(409, "CONFLICT")
@with_database
def show_player(arguments: dict[str, Any], nickname: str) -> Response:
    """A player's balance, belongings, votes and latest grants.

    Each plugin adds what it knows. 409: more than one player answers to the nickname.
    """
    guerdon = get_guerdon()
    try:
        player = guerdon.find_player(nickname)
    except AmbiguousPlayer as error:
        abort(409, message=str(error))
    except RefusedName as error:
        abort(404, message=str(error))
    if player is None:
        return abort(404, message=f"there is no player {nickname!r}")  # type: ignore[no-any-return]
    described = describe_player(guerdon.plugins, guerdon.database, player, guerdon.now())
    mine = Grant.player_id == player.key
    if "before" in arguments:
        mine &= Grant.id < arguments["before"]
    grants = Grant.select().where(mine).order_by(Grant.id.desc()).limit(GRANTS_SHOWN)
    shown = [describe_grant(grant) for grant in grants]
    votes = guerdon.showing.describe_votes(player.key, guerdon.now())
    core = PlayerAnswer().dump({"nickname": player.nickname, **votes, "grants": shown})
    counted = {name: core[name] for name in ("votes", "streak")}
    return show_json(
        {"nickname": core["nickname"], **counted, **described, "grants": core["grants"]}
    )


@v1.get("/events/<type>/<rest:id>", tags=["Events"])
@v1.response(200, EventStory)
@with_database
def show_event(type: str, id: str) -> Response:
    """What became of an event, step by step: why was it paid, or why not?

    Votes are of the type server.vote; the id is the platform's. A level_up has the id
    UID:SERVER_ID:LEVEL, a round its game_round_id, a player's part of it GAME_ROUND_ID:UID.
    """
    event = describe_event(get_guerdon().sources, type, id)
    if event is None:
        return abort(404, message=f"no event {type} {id!r} has come")  # type: ignore[no-any-return]
    return show(EventStory(), event)


@v1.post("/claims/lease", tags=["Claims"])
@v1.arguments(LeaseRequest, example=examples.LEASE)
@v1.response(200, LeaseAnswer)
@with_database
def lease(arguments: dict[str, Any]) -> dict[str, Any]:
    """Lease claims of one server: give them out, then acknowledge each.

    They are this server's alone until the lease runs out; what is not acknowledged by then is leased
    again. So give a claim out at most once for each id. Of a server whose console is delivered to by
    Guerdon itself there is never any.
    """
    guerdon = get_guerdon()
    if guerdon.delivering.delivers_to(arguments["server_id"]):
        until = guerdon.now() + int(arguments["seconds"] * 1000)
        return {"lease": token_hex(16), "leased_until": format_time(until), "claims": []}
    leased = lease_claims(
        guerdon.database, arguments["server_id"], arguments["limit"], arguments["seconds"],
        guerdon.now(), guerdon.now.find_running(LONGEST_LEASE * 1000),
    )  # fmt: skip
    if leased["claims"]:
        ids = [claim["id"] for claim in leased["claims"]]
        log.info("claims leased", key=g.key_name, server_id=arguments["server_id"], claims=ids)
    return leased | {"leased_until": format_time(leased["leased_until"])}


@v1.post("/claims/<int:id>/ack", tags=["Claims"])
@v1.arguments(Acknowledgement, required=False, example=examples.ACKNOWLEDGEMENT)
@v1.response(200, Acknowledged)
@v1.alt_response(409, "CONFLICT")
@with_database
def acknowledge(arguments: dict[str, Any], id: int) -> Response:
    """A claim was given out; it is never leased again.

    Acknowledging it again is fine. 409: it is not leased, or is somebody else's by now.
    """
    guerdon = get_guerdon()
    try:
        if id > LARGEST_ID:
            raise BadClaim(f"there is no claim {id}", 404)
        acknowledge_claim(guerdon.database, id, arguments["lease"], guerdon.now())
    except BadClaim as error:
        abort(error.status, message=str(error))
    log.info("claim acknowledged", key=g.key_name, claim=id)
    return show(Acknowledged(), {"id": id, "state": BoxState.DONE})


def show(schema: Schema, answer: Any) -> Response:
    """An answer as its schema describes it."""
    return show_json(schema.dump(answer))


def show_json(answer: Any) -> Response:
    return Response(dump_raw_json(answer), mimetype="application/json")
