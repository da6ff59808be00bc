"""top.gg: votes for a bot or a server of Discord, by its webhooks of v1 (signed) and of v0 (a bare secret).

Both as docs.top.gg and its official kits have them; `entity` of v0 is what one integrator saw. A site that
retries at once, and takes any 4xx for final, is answered 2xx as soon as nothing can be lost.
"""

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import app
from app import BadDelivery, BadSignature, Delivery, Event, hookimpl

NAME, VOTE = "topgg", "server.vote"
LARGEST = 65536  # bytes
SIGNATURE = re.compile(r"t=(\d{1,15}),v1=([0-9a-f]{64})")
COOLDOWN = 6 * 3600  # seconds: longer than it is sent again, shorter than until the next vote


class Section(Schema):
    secrets = fields.List(app.SecretField(), load_default=[])
    authorization = fields.List(app.SecretField(), load_default=[])
    server = fields.String(load_default="", validate=validate.Length(0, 255))
    user_id_column = app.ColumnName()  # where ids of Discord stand; absent: as [players] says

    @validates_schema
    def check_secrets(self, data: dict[str, Any], **kwargs: Any) -> None:
        if not data["secrets"] and not data["authorization"]:
            raise ValidationError(
                "is missing, and so is `authorization` of v0: one is needed", "secrets"
            )


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def event_types() -> dict[str, app.EventType]:
    return {VOTE: app.EventType({"site", "name", "weight", "project", "query"})}


@hookimpl
def read_delivery(
    source: str, request: "app.Request", settings: app.Settings, now: int
) -> Delivery | None:
    if source != NAME:
        return None
    raw, section = app.read_body(request, LARGEST), settings[NAME]
    signature = request.headers.get("x-topgg-signature", "")
    if signature:
        token = check_signature(raw, signature, section["secrets"])
        return read_v1(app.read_json_object(request, LARGEST), token)
    if not section["authorization"]:
        raise BadSignature(
            "it is not signed, and [plugins.topgg] authorization, for v0, is not set"
        )
    token = app.find_named(request.headers.get("Authorization", ""), section["authorization"])
    return read_v0(app.read_json_object(request, LARGEST), app.make_id(now), token)


def check_signature(raw: bytes, header: str, secrets: list[app.Secret]) -> str:
    """The name of the secret that signed. A vote's id is known for ever, so its age does not matter."""
    found = SIGNATURE.fullmatch(header.replace(" ", ""))
    if not found:
        raise BadSignature("x-topgg-signature is not as t=…,v1=…")
    return app.check_hmac(found[1].encode() + b"." + raw, found[2], secrets)


def read_v1(body: dict[str, Any], token: str) -> Delivery:
    type_ = app.take_text(body, "type")
    if type_ == "webhook.test":
        return Delivery(NAME, type_, "test", is_test=True, token=token)
    if type_ != "vote.create":
        return Delivery(NAME, type_, "", ignored="not a vote", token=token)
    vote = {
        "user": app.take_id(body, "data.user.platform_id"),
        "name": app.take_text(body, "data.user.name", ""),
        "weight": app.take(body, "data.weight", int, 1),
        "project": app.take_id(body, "data.project.platform_id", ""),
        "query": app.take_text(body, "data.query", "", 1024),
        "at": app.guess_time(app.take_text(body, "data.created_at")),
    }
    return Delivery(NAME, VOTE, app.take_id(body, "data.id"), token=token, data=vote)


def read_v0(body: dict[str, Any], id_: str, token: str) -> Delivery:
    """A vote without id and time: each request is one of its own, and COOLDOWN says which is paid."""
    type_ = app.take_text(body, "type")
    if type_ == "test":
        return Delivery(NAME, type_, "test", is_test=True, token=token)
    if type_ != "upvote":
        raise BadDelivery("type is neither upvote nor test")
    project = next((body[key] for key in ("guild", "bot", "entity") if body.get(key)), "")
    vote = {
        "user": app.take_id(body, "user"),
        "name": "",
        "weight": 2 if app.take(body, "isWeekend", bool, False) else 1,
        "project": app.take_id({"project": project}, "project"),
        "query": app.take_text(body, "query", "", 1024),
        "at": None,
    }
    return Delivery(NAME, VOTE, id_, token=token, data=vote)


@hookimpl
def write_reply(source: str, outcome: app.Outcome) -> "app.Response | None":
    return app.Response(status=204) if source == NAME and outcome.is_kept else None


@hookimpl
def fetch_events(delivery: Delivery, settings: app.Settings) -> list[Event] | None:
    if delivery.source != NAME:
        return None
    vote, server = delivery.data, settings[NAME]["server"]
    facts = {key: vote[key] for key in ("name", "weight", "project", "query")} | {"site": "top.gg"}
    within = COOLDOWN if vote["at"] is None else 0
    event = Event(
        NAME, VOTE, delivery.id, server, "", vote["user"], vote["at"], facts, not_within=within
    )
    return [event]
