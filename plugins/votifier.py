"""Votifier: Minecraft's lists connect to a port, by v1 (RSA) or NuVotifier's v2 (HMAC), or post v2 over HTTP.

v1 is as the wiki of vexsoftware/votifier has it, v2 as NuVotifier's code; the form over HTTP is that of
Hyvote's README. Whoever has the *public* key can make a v1 vote, of any time: so it counts when it comes.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields, validate

import app
from app import BadDelivery, BadSignature, Delivery, Event, hookimpl

NAME, VOTE = "votifier", "server.vote"
FIELDS = ("serviceName", "username", "address", "timestamp")
LIMIT, V1 = 4096, "v1 public key"  # bytes of a vote; what stands for a token's name


class Section(Schema):
    bind = fields.String(load_default="127.0.0.1:8192", validate=validate.Regexp(r"\S+:\d{1,5}\Z"))
    tokens = fields.Dict(keys=app.PlainText(), values=app.SecretField(), load_default={})
    private_key = app.RsaKeyField(load_default=None)
    allow = fields.List(app.PlainText(), load_default=[])
    server = fields.String(load_default="", validate=validate.Length(0, 255))
    cooldown = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 31 * 86400))


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def commands() -> list[app.Command]:
    text = "Write a new private key to FILE, for v1; print the public key that lists want."
    return [app.Command(NAME, "keys", ["file"], text, write_key)]


def write_key(db: Any, progress: Any, file: str) -> str:
    return app.write_rsa_key(Path(file))


@hookimpl
def event_types() -> dict[str, app.EventType]:
    return {VOTE: app.EventType({"site"})}


@hookimpl
def open_listeners(
    deliver: Callable[[Delivery], app.Outcome], settings: app.Settings
) -> list[app.Listener]:
    def serve(client: app.Connection) -> None:
        challenge = secrets.token_urlsafe(18)
        client.send(f"VOTIFIER 2 {challenge}\n".encode())
        raw = app.receive_until(client, app.is_whole_packet)
        if not app.is_frame(raw):
            deliver(read_v1(raw, client.sender, settings[NAME]))  # and nobody is told anything
            return
        try:
            outcome = deliver(read_v2(app.read_frame(raw), settings[NAME], challenge))
        except BadDelivery as error:
            client.send(app.write_status(str(error), type(error).__name__) + b"\r\n")
            raise
        fault = "" if outcome.is_kept else outcome.reason
        client.send(app.write_status(fault, "Unavailable") + b"\r\n")

    return [app.Listener(NAME, settings[NAME]["bind"], serve, limit=LIMIT)]


def read_v2(frame: Any, section: Any, challenge: str = "") -> Delivery:
    """The vote in {payload, signature}; `challenge` is what it has to give back, "" over HTTP."""
    payload, signature = (app.take(frame, key, str) for key in ("payload", "signature"))
    vote = app.read_text(payload)
    tokens = {name.casefold(): token for name, token in section["tokens"].items()}
    token = tokens.get(app.take_text(vote, "serviceName").casefold(), tokens.get("default"))
    if token is None:
        raise BadSignature("no token is for this service, and none is the default")
    app.check_hmac(payload.encode("utf-8", "replace"), signature, [token], form="base64")
    if challenge and app.take(vote, "challenge", str) != challenge:
        raise BadSignature("the challenge is another: this may be an old vote")
    return make_delivery(vote, token.name)


def read_v1(block: bytes, sender: str, section: Any) -> Delivery:
    """The vote in a block that the public key has encrypted."""
    if section["private_key"] is None:
        raise BadDelivery("v1 is off: no private_key is configured")
    if section["allow"] and not app.is_from(sender, section["allow"]):
        raise BadSignature("its address is not among `allow`")
    vote = app.read_lines(app.decrypt_rsa(section["private_key"], block))
    if not vote:
        raise BadSignature("what the private key makes of it is no vote")
    return make_delivery(vote, V1)


def make_delivery(vote: Any, token: str) -> Delivery:
    """A vote has no id: what NuVotifier takes two votes to be the same by stands for one."""
    said = {key: app.take_id(vote, key, "") for key in FIELDS}
    parts = [*said.values(), app.take(vote, "additionalData", str, "")]
    id_ = hashlib.sha256(app.dump_json(parts).encode()).hexdigest()
    name = app.take_text(vote, "username").strip()
    data = {"site": said["serviceName"], "nickname": name, "timestamp": said["timestamp"]}
    return Delivery(NAME, VOTE, id_, token=token, data=data)


@hookimpl
def read_delivery(
    source: str, request: "app.Request", sender: str, settings: app.Settings
) -> Delivery | None:
    """NuVotifier's object without a challenge, or a v1 block in base64."""
    if source != NAME:
        return None
    if request.mimetype != "text/plain":
        return read_v2(app.read_json_object(request, LIMIT), settings[NAME])
    try:
        block = base64.b64decode(app.read_body(request, LIMIT), validate=True)
    except ValueError:
        raise BadDelivery("the body is not base64") from None
    return read_v1(block, sender, settings[NAME])


@hookimpl
def write_reply(source: str, outcome: app.Outcome) -> "app.Response | None":
    if source != NAME:
        return None
    fault = "" if outcome.is_kept else outcome.reason
    status = 400 if outcome.state == app.OutcomeState.REFUSED else 500
    body = app.write_status(fault, "Refused" if status == 400 else "Unavailable")
    return app.Response(body, 200 if outcome.is_kept else status, mimetype="application/json")


@hookimpl
def fetch_events(delivery: Delivery, settings: app.Settings) -> list[Event] | None:
    if delivery.source != NAME:
        return None
    vote, section = delivery.data, settings[NAME]
    at = None if delivery.token == V1 else app.guess_time(vote["timestamp"])
    facts = {"site": vote["site"]}
    event = Event(NAME, VOTE, delivery.id, section["server"], vote["nickname"], "", at, facts,
                  not_within=section["cooldown"], site=vote["site"])  # fmt: skip
    return [event]
