"""marshmallow: the bodies of POST /v1/events/<type>. What the platforms add later is kept."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import (
    INCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    pre_load,
    validate,
    validates_schema,
)

from app.porch.rounds import LARGEST_ROUND
from app.web.schemas import ID, check_unicode, say

INT32 = validate.Range(-(2**31), 2**31 - 1)
INT64 = validate.Range(-(2**63), 2**63 - 1)
SECONDS = validate.Range(0, 2**31 - 1)
NOT_TOO_MANY = validate.Length(max=LARGEST_ROUND)

LATEST = 253_402_300_799_999  # ms: the last that ISO 8601 writes with four digits of the year


class WholeNumber(fields.Integer):
    """A JSON integer; neither a string of digits nor true."""

    def __init__(self, *checks: Any, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=[*checks] or INT32, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return value


class Text(fields.String):
    """A string that can be stored; `longest` characters."""

    def __init__(self, longest: int = 65536, shortest: int = 0, **kwargs: Any) -> None:
        length = validate.Length(shortest, longest)
        super().__init__(validate=[length, check_unicode], **kwargs)


class Yes(WholeNumber):
    """0 or 1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate.OneOf([0, 1]), **kwargs)


class GameSchema(Schema):
    class Meta:
        unknown = INCLUDE


class Custom(GameSchema):
    physical_server = Text(1024, 1, **say("its host and address, as host|203.0.113.7"))


class LevelData(GameSchema):
    game_user_id = Text(255, required=True, **say("the player's id within the game"))
    role = fields.Dict(keys=fields.String(), required=True, **say("the role, as the game has it"))
    custom = fields.Nested(Custom, required=True, **say("physical_server is here, or one level up"))


class LevelUp(GameSchema):
    """POST /v1/events/level_up; `server_id` may also be called game_server_id."""

    uid = fields.String(required=True, validate=ID, **say("the game's own id of the player"))
    server_id = fields.String(required=True, validate=ID, **say("or called game_server_id"))
    ctwid = Text(255, 1, required=True, **say("the id of the same player on the platform"))
    timestamp = WholeNumber(validate.Range(0, LATEST), required=True, **say("ms since the epoch"))
    level = WholeNumber(validate.Range(0, 2**31 - 1), required=True, **say("the level reached"))
    data = fields.Nested(LevelData, required=True)
    custom = fields.Nested(Custom)

    @pre_load
    def take_other_name(self, body: Any, **kwargs: Any) -> Any:
        if isinstance(body, dict) and "game_server_id" in body:
            body = dict(body)
            other = body.pop("game_server_id")
            if body.setdefault("server_id", other) != other:
                raise ValidationError("Is not the server_id.", "game_server_id")
        return body

    @validates_schema
    def check_physical_server(self, body: Mapping[str, Any], **kwargs: Any) -> None:
        if "physical_server" not in {**body["data"]["custom"], **body.get("custom", {})}:
            fault = {"custom": {"physical_server": ["Missing data for required field."]}}
            raise ValidationError({"data": fault})


class Human(GameSchema):
    """What players and results share: a robot's uid is empty, or left out."""

    uid = Text(255, load_default="", **say("the player's id; a robot needs none"))
    is_ai = Yes(required=True, **say("1: a robot, who is never paid"))
    ai_level = WholeNumber(**say("how well the robot plays"))

    @post_load
    def clear_robot(self, human: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return human | {"uid": ""} if human["is_ai"] else human

    @validates_schema
    def check_uid(self, human: Mapping[str, Any], **kwargs: Any) -> None:
        if not human["uid"] and not human["is_ai"]:
            raise ValidationError("Only a robot, is_ai 1, has no uid.", "uid")


class Result(Human):
    rank = WholeNumber(validate.Range(1, 2**31 - 1), required=True, **say("1 for the winner"))
    is_escaped = Yes(required=True, **say("1: left the round early"))
    role = WholeNumber()
    score = WholeNumber()
    is_win = WholeNumber(validate.Range(0, 3))
    award = WholeNumber()
    is_managed = WholeNumber()
    extras = Text()


class Round(GameSchema):
    """What game_start and game_settle share; `mg_id_str` is filled in."""

    mg_id = WholeNumber(INT64, required=True, **say("the game; rules know it as their server"))
    mg_id_str = fields.String(**say("mg_id as text; may be left out"))
    room_id = Text(255, required=True, **say("where it was played"))
    game_mode = WholeNumber(required=True, **say("as the game numbers its modes"))
    game_round_id = fields.String(required=True, validate=ID, **say("one id, one round"))
    battle_start_at = WholeNumber(SECONDS, required=True, **say("seconds since the epoch"))
    report_game_info_extras = Text(load_default="", **say("passed on"))
    report_game_info_key = Text(**say("passed on"))

    @validates_schema
    def check_id(self, message: dict[str, Any], **kwargs: Any) -> None:
        if message.setdefault("mg_id_str", str(message["mg_id"])) != str(message["mg_id"]):
            raise ValidationError("Is not mg_id as text.", "mg_id_str")


ROUND_FIELDS = frozenset(Round().fields)


def check_uids(name: str, humans: Iterable[Mapping[str, Any]]) -> None:
    """Raise ValidationError where one human is there twice: who would be paid for which?"""
    seen: set[str] = set()
    for number, human in enumerate(humans):
        if human["uid"] in seen and not human["is_ai"]:
            raise ValidationError({name: {number: {"uid": ["Is there twice."]}}})
        if not human["is_ai"]:
            seen.add(human["uid"])


class StartMessage(Round):
    players = fields.List(fields.Nested(Human), required=True, validate=NOT_TOO_MANY)

    @validates_schema
    def check_players(self, message: dict[str, Any], **kwargs: Any) -> None:
        check_uids("players", message["players"])


class SettleMessage(Round):
    battle_end_at = WholeNumber(SECONDS, required=True, **say("seconds since the epoch"))
    battle_duration = WholeNumber(SECONDS, required=True, **say("seconds"))
    results = fields.List(fields.Nested(Result), required=True, validate=NOT_TOO_MANY)

    @validates_schema
    def check_results(self, message: dict[str, Any], **kwargs: Any) -> None:
        check_uids("results", message["results"])


class RoundEvent(GameSchema):
    """The leader, and the round in `report_msg`; its fields may also stand beside the leader's."""

    type: str
    uid = fields.String(required=True, validate=ID, **say("the leader's"))
    ss_token = Text(4096, 1, required=True, **say("the leader's; passed on, kept, never shown"))

    @pre_load
    def gather_message(self, body: Any, **kwargs: Any) -> Any:
        if not isinstance(body, dict) or "report_msg" in body or not ROUND_FIELDS & body.keys():
            return body
        apart = ("uid", "ss_token", "report_type")
        message = {name: value for name, value in body.items() if name not in apart}
        return {name: body[name] for name in apart if name in body} | {"report_msg": message}

    @validates_schema
    def check_type(self, body: Mapping[str, Any], **kwargs: Any) -> None:
        if body.get("report_type", self.type) != self.type:
            raise ValidationError(f"Is not {self.type}.", "report_type")


class GameStart(RoundEvent):
    """POST /v1/events/game_start"""

    type = "game_start"
    report_msg = fields.Nested(StartMessage, required=True)


class GameSettle(RoundEvent):
    """POST /v1/events/game_settle"""

    type = "game_settle"
    report_msg = fields.Nested(SettleMessage, required=True)
