"""Lists of the ListForge family (rust-servers.net, ark-servers.net, minecraft-mp.com and the like): asked.

Votes are read from the list's API, paid, and then claimed there, so that a plugin in the game does not pay
them too. Checking and claiming are documented by the sites (rust-servers.net/help/api); that the list of
recent votes has `timestamp`, `nickname`, `steamid` and `claimed` is what several integrators agree on.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from marshmallow import Schema, fields, validate

import app
from app import BadDelivery, Delivery, Event, EventType, NotReady, Report, hookimpl

NAME, VOTE, CLAIM = "listforge", "server.vote", "claim"
LARGEST = 4 << 20  # bytes of a list
DAY, OVERLAP = 86_400, 3600  # seconds: a site has votes claimed for a day; a list may be late
CLAIMS = {"1": True, "0": False}  # claimed by this call, or not: it was before, or is too old


class Site(Schema):
    url = app.HttpAddress(required=True)
    key = app.SecretField(required=True)
    server = app.PlainText(required=True)


class Section(Schema):
    sites = fields.Dict(
        keys=app.PlainText(64),
        values=fields.Nested(Site),
        required=True,
        validate=validate.Length(1),
    )
    every = fields.Integer(load_default=180, strict=True, validate=validate.Range(60, 86400))
    claims = fields.Boolean(load_default=True)
    user_id_column = app.ColumnName()  # where steamids stand; absent: players go by their nicknames


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def event_types(settings: app.Settings) -> dict[str, EventType]:
    servers = [site["server"] for site in settings[NAME]["sites"].values()]
    return {VOTE: EventType({"site", "nickname", "steamid"}, servers)}


def ask(site: Mapping[str, Any], **query: str) -> str:
    """The address of a question to a site's API."""
    return app.make_url(site["url"], "/api/", **query, key=site["key"].reveal())


@hookimpl
def poll_source(place: Any, http: app.Http, settings: app.Settings, now: int) -> app.Polled:
    """Each site by itself: one that fails is asked again from where it was."""
    places, deliveries, faults = dict(place or {}), [], []
    for name, site in settings[NAME]["sites"].items():
        since = places.get(name, now // 1000 - DAY + OVERLAP) - OVERLAP
        try:
            votes = list_votes_of(name, site, http)
        except NotReady as error:
            faults.append(f"{name}: {error.reason}")
            continue
        deliveries += [one for at, one in votes if at > since]
        places[name] = max([at for at, _ in votes] + [since + OVERLAP])
    return deliveries, places, settings[NAME]["every"], "; ".join(faults)


def list_votes_of(name: str, site: Mapping[str, Any], http: app.Http) -> list[tuple[int, Delivery]]:
    """The votes in a site's list that nobody has claimed there, each with its time (s)."""
    url = ask(site, object="servers", element="votes", format="json")
    try:
        entries = app.take(app.fetch_json(http, url, LARGEST), "votes", list)
    except BadDelivery as error:
        raise NotReady(f"its answer is no list of votes: {error}") from None
    found = []
    for entry in entries:
        with suppress(BadDelivery, ValueError):  # a vote without a name is nobody's
            if app.take_id(entry, "claimed", "0") == "0":
                found.append(read_vote(name, site, entry))
    return found


def read_vote(name: str, site: Mapping[str, Any], entry: Any) -> tuple[int, Delivery]:
    """One vote of the list. Its key hangs on host, server, player and time, as it has no id."""
    at = int(app.take_id(entry, "timestamp", longest=12))
    nickname, steamid = (app.take_id(entry, key, "").strip() for key in ("nickname", "steamid"))
    who = steamid or nickname.casefold()
    if not who:
        raise BadDelivery("it has no name")
    host = app.find_host(site["url"])
    data = {"site": name, "server": site["server"], "at": at}
    data |= {"nickname": nickname, "steamid": steamid}
    return at, Delivery(NAME, VOTE, f"{host} {site['server']} {at} {who}"[:255], data=data)


@hookimpl
def fetch_events(delivery: Delivery, settings: app.Settings) -> list[Event] | None:
    if delivery.source != NAME:
        return None
    vote, by_id = delivery.data, "user_id_column" in settings[NAME]
    steamid = vote["steamid"]
    nickname = "" if by_id and steamid else vote["nickname"]
    facts = {key: vote[key] for key in ("site", "nickname", "steamid")}
    event = Event(
        NAME, VOTE, delivery.id, vote["server"], nickname, steamid, vote["at"] * 1000, facts
    )
    return [event]


@hookimpl
def build_report(event: Event, settings: app.Settings) -> Report | None:
    """Once it is paid, it is claimed at the site."""
    if event.source != NAME or event.data["site"] not in settings[NAME]["sites"]:
        return None
    body = app.dump_json({key: event.data[key] for key in ("site", "nickname", "steamid")}).encode()
    return Report(NAME, CLAIM, event.id, body) if settings[NAME]["claims"] else None


@hookimpl
def send_report(report: Report, http: app.Http, settings: app.Settings) -> dict[str, Any] | None:
    if report.reporter != NAME:
        return None
    vote = json.loads(report.body)
    site = settings[NAME]["sites"].get(vote["site"])
    if site is None:
        raise app.DeliveryError(f"there is no site {vote['site']} any more", permanent=True)
    who = {"steamid": vote["steamid"]} if vote["steamid"] else {"username": vote["nickname"]}
    answer = http.request("GET", ask(site, action="post", object="votes", element="claim", **who))
    said = answer.body.decode("ascii", "replace").strip()
    if answer.status != 200 or said not in CLAIMS:
        raise app.DeliveryError(f"it answered {answer.status} and no number")
    return {"claimed": CLAIMS[said]}
