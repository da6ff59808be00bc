"""A page that frames a game: the platform's reply on its way to window.top, by guerdon-g123.js.

The game's client asks the game's server, which is here; that one holds the key to Guerdon.
"""

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from app.playground.actions import Playground
from app.playground.choice import read_choice


def build_framed(playground: Playground) -> Blueprint:
    """GET /framed is the platform's page, GET /framed/game the game in its frame."""
    framed = Blueprint("framed", __name__, url_prefix="/framed")
    # The game runs one script of the service's, and only our own page may frame it.
    policy = (
        f"default-src 'self'; script-src 'self' {playground.courier.address};"
        " form-action 'self'; frame-ancestors 'self'"
    )

    @framed.get("")
    def show() -> str:
        return render_template("framed.html", choice=read_choice())

    @framed.get("/game")
    def show_game() -> Response:
        choice = read_choice()
        level = playground.game.find_level(choice)
        response = make_response(render_template("play.html", choice=choice, level=level))
        response.headers["Content-Security-Policy"] = policy
        return response

    @framed.post("/level")
    def reach_level() -> tuple[Response, int]:
        """The game's server: Guerdon's own answer, byte for byte; 502 where there is none."""
        level = request.form.get("level", type=int) or 0
        answer = playground.reach_level(read_choice(), level).reply
        if not answer.status:
            return jsonify(detail=f"Guerdon gave {answer.text}"), 502
        return Response(answer.text, mimetype="application/json"), answer.status

    @framed.get("/replies")
    def list_replies() -> Response:
        """What the stand-in for G123 answered, in its own words, the latest first."""
        calls = [call for call in reversed(playground.g123.calls) if call.status == 200]
        return jsonify([{"body": call.body, "reply": call.reply} for call in calls])

    return framed
