"""marshmallow: what /v1 answers, as /openapi.json describes it; app/history gives what they are made of."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields

from app.database.states import REPORT_STATES
from app.history.states import EventState, SendResult
from app.web.schemas import say


def tell_text(text: str, **more: Any) -> fields.String:
    return fields.String(required=True, **say(text, **more))


def tell_number(text: str, **more: Any) -> fields.Integer:
    return fields.Integer(required=True, **say(text, **more))


def maybe_text(text: str, **more: Any) -> fields.String:
    return fields.String(required=True, allow_none=True, **say(text, **more))


def tell_time(text: str) -> fields.String:
    return tell_text(f"{text}; ISO 8601, UTC", format="date-time")


def maybe_time(text: str) -> fields.String:
    return maybe_text(f"{text}; ISO 8601, UTC", format="date-time")


class Reply(fields.Dict):
    """A JSON object whose text stands in the answer byte for byte: a RawJson."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value


class Step(Schema):
    at = maybe_time("when")
    what = tell_text("in a word or two", example="granted")
    detail = tell_text("in a sentence")


class GrantAnswer(Schema):
    id = tell_number("grows with time; asks for what was granted before it")
    rule = tell_text("the name of the rule in rewards.toml", example="every vote")
    plugin = tell_text("who gave it")
    reward = tell_text("its kind, as the rule has it")
    params = fields.Dict(required=True, **say("as the rule has them", example={"amount": "100.00"}))
    player_id = tell_text("the player's id, as text; a binary one in hex")
    nickname = tell_text("the player's")
    server_id = tell_text("the event's; empty where it has none")
    user_id = tell_text("the event's; empty where it has none")
    receipt = fields.Dict(required=True, **say("what the plugin noted when it gave it"))
    granted_at = tell_time("when it was paid")


class ReportInShort(Schema):
    id = tell_number("asks GET /v1/reports/{id}")
    reporter = tell_text("the plugin that sends it")
    kind = tell_text("what it tells of", example="level_up")
    state = tell_text(
        "ready: will be sent; leased: is being sent; dead: is not sent again", enum=[*REPORT_STATES]
    )
    sends = tell_number("how often it has left")
    last_error = maybe_text("why its latest send failed")
    response = Reply(
        required=True, allow_none=True, **say("the platform's own reply, as it came; null without")
    )


class SendAnswer(Schema):
    number = tell_number("1 for the first")
    begun_at = tell_time("when it left")
    ended_at = maybe_time("null while it runs, and for ever if its sender was killed")
    result = tell_text("unknown: it has no end", enum=[*SendResult])
    status = fields.Integer(required=True, allow_none=True, **say("HTTP, if it was answered"))
    latency_ms = fields.Integer(required=True, allow_none=True, **say("until its end"))
    error = maybe_text("why it failed")
    answer = maybe_text("the beginning of what was answered")


class ReportAnswer(ReportInShort):
    """GET /v1/reports/<id>"""

    key = tell_text("there is one report of a reporter, kind and key")
    next_send_at = maybe_time("null when it is not sent again")
    created_at = tell_time("when it was queued, with its event's payment")
    delivered_at = maybe_time("when it was delivered")
    attempts = fields.List(fields.Nested(SendAnswer), required=True, **say("the latest 200"))


class EventInShort(Schema):
    type = tell_text("of the event", example="level_up")
    id = tell_text("of the event", example="123:s73:10")
    state = tell_text(
        "waiting: is tried again; dead: a person has to have it tried again", enum=[*EventState]
    )
    last_error = fields.String(**say("why it is not settled"))


class EventAnswer(Schema):
    """What every POST /v1/events/<type> answers."""

    event = fields.Nested(EventInShort, required=True)
    grants = fields.List(fields.Nested(GrantAnswer), required=True, **say("what it paid"))
    reports = fields.List(fields.Nested(ReportInShort), required=True, **say("what it told"))


class VerdictAnswer(Schema):
    rule = tell_text("its name in rewards.toml", example="every 25th vote")
    paid = tell_number("how often it paid; 0: it did not")
    why = fields.String(**say("why not, or what it counted", example="24 of 25"))
    draws = fields.List(fields.Dict(), **say("what give_one drew, so that it can be drawn again"))


class EventStory(Schema):
    """GET /v1/events/<type>/<id>"""

    source = tell_text("who told of it", example="game-server")
    type = tell_text("of the event", example="server.vote")
    id = tell_text("of the event")
    state = tell_text(
        "waiting: is tried again; dead: a person has to have it tried again", enum=[*EventState]
    )
    attempts = tell_number("how often it was tried to settle it")
    last_error = maybe_text("why it is not settled")
    next_try_at = maybe_time("null unless it waits")
    server_id = maybe_text("null until it is settled")
    nickname = maybe_text("null until it is settled")
    user_id = maybe_text("null until it is settled")
    occurred_at = maybe_time("when it happened, if its source says so")
    settled_at = maybe_time("when it was paid")
    token = tell_text("the name of the token or key it came with")
    data = fields.Raw(required=True, allow_none=True, **say("as it came, without its tokens"))
    grants = fields.List(fields.Nested(GrantAnswer), required=True, **say("what it paid"))
    reports = fields.List(fields.Nested(ReportInShort), required=True, **say("what it told"))
    verdicts = fields.List(
        fields.Nested(VerdictAnswer),
        required=True,
        **say("of each rule for its type and server: paid, or why not"),
    )
    timeline = fields.List(fields.Nested(Step), required=True, **say("what became of it, in order"))


class VotesAnswer(Schema):
    day = tell_number("of today, by the calendar of the rules")
    week = tell_number("of this week")
    month = tell_number("of this month")
    year = tell_number("of this year")
    ever = tell_number("of all time, with what was imported")


class StreakAnswer(Schema):
    length = tell_number("days in a row with a vote; 0 where it is broken")
    last_day = maybe_text("the last of them", format="date")
    breaks_at = maybe_time("when it breaks, unless there is a vote before")


class PlayerAnswer(Schema):
    """GET /v1/players/<nickname>; each plugin adds what it knows, and its player_schema describes that."""

    class Meta:
        unknown = INCLUDE

    nickname = tell_text("the player's, as the table has it", example="Bob")
    votes = fields.Nested(VotesAnswer, required=True)
    streak = fields.Nested(StreakAnswer, required=True)
    grants = fields.List(
        fields.Nested(GrantAnswer), required=True, **say("the latest 50, or those `before` one")
    )


class Acknowledged(Schema):
    """POST /v1/claims/<id>/ack"""

    id = tell_number("the claim's")
    state = tell_text("it is never leased again", enum=["done"])


class Alive(Schema):
    alive = fields.Boolean(required=True)


class Ready(Schema):
    ready = fields.Boolean(required=True)
    reason = fields.String(**say("why not"))


class ClaimEvent(Schema):
    type = tell_text("of the event", example="server.vote")
    id = tell_text("of the event")


class ClaimAnswer(Schema):
    id = tell_number("give each claim out at most once per id")
    server_id = tell_text("the server that asked", example="1")
    nickname = tell_text("whom to give it to", example="Bob")
    event = fields.Nested(ClaimEvent, required=True)
    payload = fields.Dict(
        required=True,
        **say("as the rule has it", example={"give": "diamond", "count": 1, "to": "Bob"}),
    )
    lease = tell_text("goes with the acknowledgement")


class LeaseAnswer(Schema):
    """POST /v1/claims/lease"""

    lease = tell_text("the lease of all these claims")
    leased_until = tell_time("until when they are yours alone")
    claims = fields.List(fields.Nested(ClaimAnswer), required=True, **say("the oldest first"))


class Problem(Schema):
    """application/problem+json, RFC 9457"""

    type = tell_text("always about:blank", example="about:blank")
    title = tell_text("the status in words")
    status = tell_number("the status")
    detail = tell_text("what is wrong, in a sentence")
    errors = fields.Dict(**say("with 422: what is wrong, field by field"))
