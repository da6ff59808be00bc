"""/v1/leaderboards and /v1/goals: what a studio's own page shows of votes."""

from typing import Any

from flask import Response
from flask_smorest import abort
from marshmallow import Schema, fields, validate

from app.counting.boards import UNITS
from app.porch.errors import GuerdonError
from app.rules.calendar import Unit
from app.web.answers import tell_number, tell_text
from app.web.schemas import say
from app.web.v1 import get_guerdon, show_json, v1, with_database

LONGEST_BOARD = 100


class BoardQuery(Schema):
    period = fields.String(**say("another than this one, as 2026-11; a week by its first day"))
    server = fields.String(**say("only votes for this server"))
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, LONGEST_BOARD), **say("how many players")
    )


class BoardPlace(Schema):
    place = tell_number("1 is the first; equal ones are in the order in which they got there")
    nickname = tell_text("the player's", example="Bob")
    votes = tell_number("in this period")


class Goal(Schema):
    rule = tell_text("the name of the rule with a party", example="vote party")
    every = tell_number("votes that make a round")
    votes = tell_number("votes of the next round so far")
    left = tell_number("votes that it still needs")
    rounds = tell_number("rounds so far")


@v1.get("/leaderboards/<unit>", tags=["Boards"])
@v1.arguments(BoardQuery, location="query")
@v1.response(200, BoardPlace(many=True))
@with_database
def show_board(arguments: dict[str, Any], unit: str) -> Response:
    """Who has voted most in a day, week, month, year, or ever; by the calendar of the rules.

    `unit` is one of day, week, month, year, ever. Needs the scope `boards`, which `read` has too.
    """
    if unit not in UNITS:
        abort(404, message=f"there is no leaderboard {unit!r}, only {', '.join(UNITS)}")
    guerdon = get_guerdon()
    try:
        board = guerdon.showing.list_board(
            Unit(unit), arguments.get("period"), arguments.get("server"), arguments["limit"],
            guerdon.now(),
        )  # fmt: skip
    except GuerdonError as error:
        return abort(422, message=str(error))  # type: ignore[no-any-return]
    return show_json(BoardPlace(many=True).dump(board))


@v1.get("/goals", tags=["Boards"])
@v1.response(200, Goal(many=True))
@with_database
def show_goals() -> Response:
    """Each party of the rules: how many votes its next round has, and how many it needs.

    Needs the scope `boards`, which `read` has too.
    """
    guerdon = get_guerdon()
    return show_json(Goal(many=True).dump(guerdon.showing.list_goals(guerdon.now())))
