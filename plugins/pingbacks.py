"""Toplists that call when somebody voted: GET or POST /webhooks/pingbacks/<site>.

The voter's name went out in the vote link and comes back unsigned. So a site is known by a key it sends, by
its addresses, or by a key of ours behind its name in the address: .../pingbacks/<site>/<key>. What they send
stands in pingbacks.toml beside this; a section may say it all by hand instead. A, as the site documents it:
gtop100, arena-top100, rsps-list, top100arena, gaming-toplist, ontop500, arenatop100, rspslist, rune-ad,
scapepulse. B, as several integrators do it: xtremetop100, topg, mmtop200.
"""

from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import app
from app import BadDelivery, Delivery, Event, EventType, hookimpl

NAME, VOTE = "pingbacks", "server.vote"
LARGEST = 1 << 20  # bytes: one request may bring many votes
MISSING = {
    "key": "is missing, and so are `senders`: anybody could vote for anybody. Set the key that the"
    ' site sends, as { env = "NAME" }; where it sends none, put it behind the name in the address',
    "voter": "is missing: name the field that says who voted",
    "counted": "is missing: say what `success` holds where the vote did count",
    "id": "is missing: name the field that tells one vote from another, or set not_within",
}
BY_ADDRESS = (
    "is missing: this site says only from which address somebody voted. Name the column of [players]"
    " table that has a player's address"
)


class Site(app.PresetSchema):
    presets = Path(__file__).with_suffix(".toml")
    key = app.SecretField()
    key_at, key_header, test_key = (fields.String(load_default="") for _ in range(3))
    senders, counted, nobody = (fields.List(fields.String(), load_default=[]) for _ in range(3))
    voter, success, votes_at, id = (fields.String(load_default="") for _ in range(4))
    voter_is = fields.String(
        load_default="nickname", validate=validate.OneOf(("nickname", "user_id"))
    )
    server_id = fields.String(load_default="", validate=validate.Length(max=255))
    not_within = fields.Integer(strict=True, load_default=0, validate=validate.Range(0, 31 * 86400))

    @validates_schema
    def require_whole(self, site: dict[str, Any], **_: Any) -> None:
        wrong = {
            "key": not (site.get("key") or site["senders"]),
            "voter": not site["voter"],
            "counted": site["success"] and not site["counted"],
            "id": not (site["id"] or site["not_within"]),
        }
        if faults := {name: [MISSING[name]] for name, is_wrong in wrong.items() if is_wrong}:
            raise ValidationError(faults)


class Section(Schema):
    user_id_column = app.ColumnName()
    sites = app.SitesField(Site, NAME)

    @validates_schema
    def require_column(self, section: dict[str, Any], **_: Any) -> None:
        if "user_id_column" not in section and any(
            one["voter"] == "ip" for one in section["sites"].values()
        ):
            raise ValidationError(BY_ADDRESS, "user_id_column")


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def event_types() -> dict[str, EventType]:
    return {VOTE: EventType(facts=("site",))}


@hookimpl
def source_methods() -> dict[str, list[str]]:
    return {NAME: ["GET", "POST"]}


@hookimpl
def read_delivery(
    source: str, request: "app.Request", rest: str, sender: str, settings: app.Settings, now: int
) -> Delivery | list[Delivery] | None:
    if source != NAME:
        return None
    (name, _, behind), sites = rest.partition("/"), settings[NAME]["sites"]
    if name not in sites:
        raise BadDelivery("there is no site of this name", 404)
    site, body = sites[name], app.read_fields(request, LARGEST)
    if site["senders"] and not app.is_from(sender, site["senders"]):
        raise BadDelivery(f"{sender} is none of this site's senders", 403)
    token = ""
    if key := site.get("key"):
        header, field = site["key_header"], site["key_at"]
        given = app.take_id(body, field, "") if field else behind.rstrip("/")
        given = request.headers.get(header, "") if header else given
        if given and given == site["test_key"]:
            return Delivery(NAME, VOTE, name, is_test=True)
        token = app.find_named(given, [key])
    if site["votes_at"] not in body:
        return read_vote(name, site, body, token, now)
    many = app.take(body, site["votes_at"], list)
    return [read_one_of_many(name, site, one, token, now) for one in many]


def read_one_of_many(name: str, site: Any, vote: Any, token: str, now: int) -> Delivery:
    """One bad vote holds none of the others."""
    pieces = vote if isinstance(vote, list) else [vote]
    try:
        if not all(isinstance(piece, dict) for piece in pieces):
            raise BadDelivery("a vote is no object")
        body = {key: value for piece in pieces for key, value in piece.items()}
        return read_vote(name, site, body, token, now)
    except BadDelivery as error:
        return Delivery(NAME, VOTE, name, ignored=str(error), token=token)


def read_vote(name: str, site: Any, body: dict[str, Any], token: str, now: int) -> Delivery:
    if site["success"] and read_success(body, site["success"]) not in site["counted"]:
        return Delivery(NAME, VOTE, name, ignored="the site did not count it", token=token)
    voter = app.take_id(body, site["voter"], "").strip()
    if not voter or voter in site["nobody"]:
        return Delivery(NAME, VOTE, name, ignored="it names no voter", token=token)
    parts = [app.take_id(body, site["id"])] if site["id"] else [str(now), voter]
    told = {site["voter_is"]: voter, "server_id": site["server_id"], "data": {"site": name}}
    told |= {"site": name, "not_within": site["not_within"]}
    return Delivery(NAME, VOTE, app.join_key(*parts, name), token=token, data=told)


def read_success(body: dict[str, Any], path: str) -> str:
    """What a site says of success, as text: 0, "0" and true are ways of writing it; "" says nothing."""
    values = [body[one] for one in path.split("|") if isinstance(body.get(one), str | int)]
    return str(values[0]).strip().lower() if values else ""


@hookimpl
def fetch_events(delivery: Delivery) -> list[Event] | None:
    return [Event(NAME, VOTE, delivery.id, **delivery.data)] if delivery.source == NAME else None


@hookimpl
def write_reply(source: str, outcome: app.Outcome) -> "app.Response | None":
    if source != NAME or not outcome.is_kept:
        return None
    return app.Response("OK", mimetype="text/plain", headers={"Cache-Control": "no-store"})
