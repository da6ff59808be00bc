"""GAMEMONITORING's server.vote: a signed delivery names a vote, the vote API says whose it is."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from marshmallow import Schema, fields, validate

import app
from app import BadDelivery, Delivery, Event, EventType, NotReady, hookimpl

NAME, VOTE = "gamemonitoring", "server.vote"
LARGEST, LARGEST_PAGE = 65536, 4 << 20  # bytes: of a delivery and a vote; of a page of the list
READ = (b"event_id", b"event_type", b"is_test")  # of what is signed, what we act on
EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")  # it becomes part of a URL


class Section(Schema):
    api_url = app.HttpAddress(load_default="https://api.gamemonitoring.cn")
    tokens = fields.List(app.SecretField(), required=True, validate=validate.Length(min=1))
    servers = fields.List(fields.String(validate=validate.Length(1, 255)), load_default=[])
    # Seconds; absent: never.
    poll_every = fields.Integer(strict=True, validate=validate.Range(60, 86400))


@hookimpl
def settings_schema() -> type[Schema]:
    return Section


@hookimpl
def event_types() -> dict[str, EventType]:
    return {VOTE: EventType()}  # its facts are whatever the vote API says


@hookimpl
def read_delivery(source: str, request: "app.Request", settings: app.Settings) -> Delivery | None:
    if source != NAME:
        return None
    body = app.read_json_object(request, LARGEST, must_be_unicode=True)
    token = find_token(body, settings[NAME]["tokens"])
    type_, id_ = (write_value(key, body.get(key)) for key in ("event_type", "event_id"))
    if body.get("is_test") is True:
        return Delivery(NAME, type_, id_, is_test=True, token=token)
    if type_ != VOTE:
        return Delivery(NAME, type_, id_, ignored="not an event_type we handle", token=token)
    if not EVENT_ID.fullmatch(id_):
        raise BadDelivery("event_id is not 1 to 128 of A-Z a-z 0-9 _ -")
    return Delivery(NAME, VOTE, id_, token=token)


def find_token(body: dict[str, Any], tokens: list[app.Secret]) -> str:
    """The name of the token whose HMAC-SHA256 over the fields is the signature (sheet, Signature)."""
    texts = {key.encode(): write_value(key, value).encode() for key, value in body.items()}
    given = texts.pop(b"signature", b"").decode()
    signed = b"&".join(map(b"=".join, sorted(texts.items())))
    require_one_reading(signed, texts)
    return app.check_hmac(signed, given, tokens)


def require_one_reading(signed: bytes, texts: dict[bytes, bytes]) -> None:
    """Raise BadDelivery where what is signed could be read in another way than we read it.

    Nothing is escaped in it. So among its pieces at `&`, those that begin with a name of READ have
    to be what was read: one where the body has the name, none where it has not.
    """
    pieces = b"&" + signed
    for name in READ:
        if b"&" in texts.get(name, b"") or pieces.count(b"&%b=" % name) != (name in texts):
            raise BadDelivery(f"what is signed can be read as another {name.decode()}")


def write_value(key: str, value: Any) -> str:
    """A value as PHP's (string) writes what json_decode gave; what nobody ever signed is refused."""
    if isinstance(value, str) and key != "is_test":
        return value
    is_integer = isinstance(value, int) and -(2**63) <= value < 2**63
    if not (value is None or isinstance(value, str) or is_integer):
        raise BadDelivery(f"{key[:40]!a} holds a fraction, a list, an object or too large a number")
    if isinstance(value, bool) or key == "is_test":
        yes, no = ("true", "false") if key == "is_test" else ("1", "")
        return yes if value is True else no
    return "" if value is None else str(value)


@hookimpl
def fetch_events(delivery: Delivery, http: app.Http, settings: app.Settings) -> list[Event] | None:
    if delivery.source != NAME:
        return None
    url = f"{settings[NAME]['api_url'].rstrip('/')}/votes/{delivery.id}"
    try:
        return [read_vote(delivery.id, app.fetch_json(http, url, LARGEST)["response"])]
    except NotReady as error:
        raise NotReady(f"the vote API: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotReady("the vote API's answer is not a vote") from None


def read_vote(id_: str, vote: dict[str, Any]) -> Event:
    """The event of a vote (sheet, GET /votes/{event_id}); raises for what is not a usable one."""
    nickname, created_at = read_id(vote["nickname"]).strip(), vote.get("created_at", 0)
    ids = {part: vote[part].get("id") for part in ("server", "user") if vote.get(part) is not None}
    entity = vote.get("entity_id") if vote.get("entity_type") == "server" else None
    servers = {read_id(ids.get("server")), read_id(entity)} - {""}
    if not nickname or len(servers) > 1 or read_id(vote.get("id", id_)) != id_:
        raise NotReady("the vote has no nickname, two servers, or another id than was asked for")
    is_time = type(created_at) in (int, float) and 0 < created_at < 2**40
    time = int(created_at * 1000) if is_time else None
    return Event(NAME, VOTE, id_, "".join(servers), nickname, read_id(ids.get("user")), time, vote)


@hookimpl
def list_votes(
    since: int, servers: Sequence[str], http: app.Http, settings: app.Settings
) -> Iterator[app.ListedVote]:
    def fetch_page(server: str, page: int) -> Any:  # how they are numbered is not documented
        url = f"{settings[NAME]['api_url'].rstrip('/')}/votes?server_id={server}"
        url += f"&page={page}" * (page > 0)
        return app.fetch_json(http, url, LARGEST_PAGE)["response"]["items"]

    named = sorted({*settings[NAME]["servers"], *servers})
    return app.follow_lists(named, fetch_page, read_listed, since)


@hookimpl
def poll_source(place: Any, http: app.Http, settings: app.Settings, now: int) -> app.Polled | None:
    """Votes whose delivery never came; each is fetched by its id, as if it had."""
    if every := settings[NAME].get("poll_every"):
        return app.poll_list(lambda since: list_votes(since, [], http, settings), place, now, every)
    return None


def read_listed(entry: dict[str, Any]) -> app.ListedVote:
    if not EVENT_ID.fullmatch(id_ := read_id(entry["id"])):
        raise ValueError
    try:
        vote = read_vote(id_, entry)
    except (NotReady, KeyError):  # as its delivery would find it
        vote = Event(NAME, VOTE, id_)
    return app.ListedVote(
        Delivery(NAME, VOTE, id_), vote.server_id, vote.nickname, vote.occurred_at
    )


def read_id(value: Any) -> str:
    """An id, or a nickname of digits, as text: 1 and "1" are the same."""
    if isinstance(value, bool) or not (value is None or isinstance(value, str | int)):
        raise ValueError
    return "" if value is None else str(value)
