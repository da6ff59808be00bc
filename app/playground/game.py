"""The page for levels and rounds: what a game server tells, and what becomes of its reports."""

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from app.playground import words
from app.playground.actions import Playground
from app.playground.choice import SERVERS, Choice, go_back, read_choice
from app.playground.server import RANKS, ROBOTS
from app.playground.states import ClaimState

HIGHEST_LEVEL = 2**31 - 1
LEASES = (30, 5, 300)  # seconds, to choose from


def build_game(playground: Playground) -> Blueprint:
    """GET /game and a POST for each button; every POST answers with the way back to the page."""
    game, buttons = Blueprint("game", __name__, url_prefix="/game"), GameButtons(playground)
    game.get("", endpoint="show")(lambda: render_game(playground, read_choice()))
    game.post("/level")(buttons.reach_level)
    game.post("/start")(buttons.start_round)
    game.post("/settle")(buttons.settle_round)
    game.post("/claims")(buttons.fetch_claims)
    game.post("/claims/ack")(buttons.acknowledge_claim)
    game.post("/again")(buttons.tell_again)
    game.post("/behave")(buttons.behave)
    return game


class GameButtons:
    """What each button of the page does."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground

    def reach_level(self) -> Response:
        choice, level = read_choice(), request.form.get("level", type=int)
        if level is None or not 0 <= level <= HIGHEST_LEVEL:
            abort(400, f"a level is a whole number from 0 to {HIGHEST_LEVEL}")
        self._playground.reach_level(choice, level)
        return go_back(choice, "game.show")

    def start_round(self) -> Response:
        choice = read_choice()
        self._playground.start_round(choice)
        return go_back(choice, "game.show")

    def settle_round(self) -> Response:
        choice, rank = read_choice(), request.form.get("rank", type=int)
        self._playground.settle_round(choice, rank if rank in RANKS else RANKS[0])
        return go_back(choice, "game.show")

    def fetch_claims(self) -> Response:
        choice, seconds = read_choice(), request.form.get("lease", type=int)
        self._playground.claims.fetch(choice.server, seconds if seconds in LEASES else LEASES[0])
        return go_back(choice, "game.show")

    def acknowledge_claim(self) -> Response:
        self._playground.claims.acknowledge(request.form.get("claim", type=int))
        return go_back(read_choice(), "game.show")

    def tell_again(self) -> Response:
        told = self._playground.telling.find(request.form.get("number", type=int))
        choice = self._playground.tell_again(told) if told else read_choice()
        return go_back(choice, "game.show")

    def behave(self) -> Response:
        for name, stand_in in self._playground.stand_ins.items():
            way = request.form.get(name, stand_in.way)
            if way not in stand_in.ways:
                abort(400, f"{name} has no such way to answer")
            stand_in.behave(way)
        return go_back(read_choice(), "game.show")


def render_game(playground: Playground, choice: Choice) -> str:
    told, rules = playground.telling.follow(), playground.guerdon.rules
    claims = [one for one in playground.claims.list_fetched() if one.server_id == choice.server]
    level = playground.game.find_level(choice)
    return render_template(
        "game.html",
        choice=choice,
        servers=SERVERS,
        player=playground.courier.read_player(choice.nickname),
        level=level,
        earned=words.describe_level(rules, choice.server, level),
        ranks={rank: words.describe_rank(rules, choice.server, rank) for rank in RANKS},
        round_id=playground.game.find_round(choice),
        mates=playground.game.list_mates(choice),
        robots=ROBOTS,
        stand_ins=playground.stand_ins,
        targets=playground.targets,
        told=told,
        claims=claims,
        claimed=playground.claims.answers.get(choice.server),
        leases=LEASES,
        is_moving=any(one.is_moving for one in told)
        or any(one.state is ClaimState.LEASED for one in claims),
    )
