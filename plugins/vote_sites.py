"""Vote sites that post each vote, signed, as JSON or a form: POST /webhooks/vote_sites/<site>.

What they send and sign stands in vote_sites.toml beside this; a section may say it all by hand instead.
A, as the site documents it: hytale-servers, top-server, gameserverlist, xenforo, votepipe, bestmine,
serversminecraft, discordbotlist, discords, discordlist, discollab. B, as several integrators do it:
mineserv, hotmc, topcraft, minecraftrating, mctop. C, as one does: hytalecharts, infinity.
"""

from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import app
from app import BadDelivery, BadSignature, Delivery, Event, EventType, hookimpl

NAME, VOTE = "vote_sites", "server.vote"
LARGEST = 1 << 20  # bytes: discords.com lists all who voted this month
MONTH = validate.Range(0, 31 * 86400)  # seconds
MISSING = {
    "secret": 'is missing: set secret = {{ env = "NAME" }} to the one that the site signs by',
    "header": "is missing: name the header, or by `signature` the field, that has the signature",
    "signed": 'must be as "{body}", "{timestamp}.{body}", or "{name}|{time}|{secret}" of fields',
    "timestamp": "is missing: name the header whose time is signed",
    "nickname": "is missing: name the field that says who voted, here or by `user_id`",
    "id": "is missing: name the fields that tell one vote from another, or set not_within",
    "unsigned_voter": "the site does not sign who voted: whoever has seen one request may write"
    " any name into it. Set it to true to take that, with `senders` if you know its addresses",
}


class Site(app.PresetSchema):
    presets = Path(__file__).with_suffix(".toml")
    secret = app.SecretField(required=True, error_messages={"required": MISSING["secret"]})
    header, prefix, signature, signed, timestamp, nickname, user_id = (
        fields.String(load_default="") for _ in range(7)
    )
    time, server, type, test_flag = (fields.String(load_default="") for _ in range(4))
    digest = fields.String(
        validate=validate.OneOf(("md5", "sha1", "sha256")), load_default="sha256"
    )
    id, votes, senders = (fields.List(fields.String(), load_default=[]) for _ in range(3))
    tests = fields.List(fields.String(), load_default=["test"])
    server_id = fields.String(load_default="", validate=validate.Length(max=255))
    not_within = fields.Integer(strict=True, load_default=0, validate=MONTH)
    max_age = fields.Integer(strict=True, load_default=0, validate=MONTH)  # 0: of any time
    unsigned_voter = fields.Boolean(load_default=False)

    @validates_schema
    def require_whole(self, site: dict[str, Any], **_: Any) -> None:
        names = app.list_holes(site["signed"])
        voters, is_whole = {site["nickname"], site["user_id"]} - {""}, "body" in names
        odd = names - {"body", "timestamp"} if is_whole else not names
        is_keyed = site["id"] or site["not_within"] or (site["time"] in names and not is_whole)
        is_signed = not site["signed"] or is_whole or voters <= names
        wrong = {
            "header": not (site["header"] or site["signature"]),
            "signed": site["signed"] and odd,
            "timestamp": is_whole and "timestamp" in names and not site["timestamp"],
            "nickname": not voters,
            "id": not is_keyed,
            "unsigned_voter": not (is_signed or site["unsigned_voter"]),
        }
        if faults := {name: [MISSING[name]] for name, is_wrong in wrong.items() if is_wrong}:
            raise ValidationError(faults)


class Section(Schema):
    user_id_column = app.ColumnName()
    sites = app.SitesField(Site, NAME)


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def event_types() -> dict[str, EventType]:
    return {VOTE: EventType(facts=("site",))}


@hookimpl
def source_methods() -> dict[str, list[str]]:
    return {NAME: ["POST"]}


@hookimpl
def read_delivery(
    source: str, request: "app.Request", rest: str, sender: str, settings: app.Settings, now: int
) -> Delivery | None:
    if source != NAME:
        return None
    name, sites = rest.rstrip("/"), settings[NAME]["sites"]
    if name not in sites:
        raise BadDelivery("there is no site of this name", 404)
    site, headers, raw = sites[name], request.headers, app.read_body(request, LARGEST)
    if site["senders"] and not app.is_from(sender, site["senders"]):
        raise BadDelivery(f"{sender} is none of this site's senders", 403)
    stamp, names = headers.get(site["timestamp"] or "-", ""), app.list_holes(site["signed"])
    values, body = {"body": raw, "timestamp": stamp.encode()}, {}
    if "body" not in names:
        body = app.read_fields(request, LARGEST)
        values = {one: app.take_id(body, one).encode() for one in names - {"secret"}}
    given = headers.get(site["header"] or "-") or app.take_text(body, site["signature"], "")
    given = given.removeprefix(site["prefix"]).strip()
    signed = app.check_pattern(site["signed"], values, given, site["secret"], site["digest"])
    key = signed if site["time"] in names and "body" not in names else ""
    return read_vote(name, site, body or app.read_fields(request, LARGEST), key, stamp, now)


def read_vote(
    name: str, site: Any, body: dict[str, Any], key: str, stamp: str, now: int
) -> Delivery:
    kind, token = app.take_id(body, site["type"], ""), site["secret"].name
    if kind.lower() in site["tests"] or app.take(body, site["test_flag"], bool, False):
        return Delivery(NAME, VOTE, name, is_test=True, token=token)
    if kind and site["votes"] and kind not in site["votes"]:
        return Delivery(NAME, VOTE, name, ignored=f"no vote, but {kind}", token=token)
    nickname, user_id = (app.take_id(body, site[path], "") for path in ("nickname", "user_id"))
    if not nickname.strip() and not user_id.strip():
        raise BadDelivery(f"{site['nickname'] or site['user_id']} is missing")
    stamp = app.take_id(body, site["time"], "") or stamp
    time = app.read_time(stamp, site["time"] or site["timestamp"]) if stamp else None
    if time is None and (site["max_age"] or site["time"] in site["id"]):
        raise BadDelivery(f"{site['time']} is missing")
    if time is not None and site["max_age"] and abs(now - time) > site["max_age"] * 1000:
        raise BadSignature(f"{site['time']} is not within max_age of now: is the clock right?")
    known = {site["nickname"]: nickname, site["user_id"]: user_id, site["time"]: stamp}
    parts = [known[one] if one in known else app.take_id(body, one) for one in site["id"]]
    if not parts:  # `key`: where nothing stands between name and time, both readings have it
        parts = [key] if key else [str(now), nickname, user_id]
    told = {"nickname": nickname, "user_id": user_id, "occurred_at": time, "data": {"site": name}}
    server = site["server_id"] or app.take_id(body, site["server"], "")
    told |= {"server_id": server, "site": name, "not_within": site["not_within"]}
    return Delivery(NAME, VOTE, app.join_key(*parts, name), token=token, data=told)


@hookimpl
def fetch_events(delivery: Delivery) -> list[Event] | None:
    return [Event(NAME, VOTE, delivery.id, **delivery.data)] if delivery.source == NAME else None


@hookimpl
def write_reply(source: str, outcome: app.Outcome) -> "app.Response | None":
    is_mine = source == NAME and outcome.is_kept
    return app.Response("OK", mimetype="text/plain") if is_mine else None  # 200, as some ask
