"""The page: choose a player and a server, vote, and see delivery, reply, grants and balance."""

from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.guerdon import Guerdon
from app.playground import words
from app.playground.actions import Choice, Playground
from app.playground.gamemonitoring import build_vote_api
from app.playground.journal import is_open
from app.playground.players import DEMO_PLAYERS, add_player

SERVERS = ("1", "2", "3")
OUTAGES = (4, 8, 60)  # seconds, to choose from
LONGEST_NICKNAME = 255
POLICY = {
    "Content-Security-Policy": "default-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def build_playground(guerdon: Guerdon, address: str, own_address: str) -> Flask:
    """The playground's web, for the service at `address`. Raises ConfigError without its sections."""
    playground = Playground(guerdon, address)
    app = Flask("app.playground")
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost", "[::1]"]
    app.jinja_env.globals.update(words=words, own_address=own_address)
    app.register_blueprint(build_vote_api(playground.platform))
    app.register_blueprint(build_page(playground))
    app.before_request(refuse_others)
    app.after_request(set_policy)
    return app


def refuse_others() -> None:
    """A page from elsewhere, open in the same browser, may not press our buttons."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        abort(403)


def set_policy(response: Response) -> Response:
    """Nothing that is not ours is ever loaded or run."""
    response.headers.update(POLICY)
    return response


def build_page(playground: Playground) -> Blueprint:
    """GET / and a POST for each button; every POST answers with the way back to the page."""
    page = Blueprint("page", __name__)

    @page.get("/")
    def show() -> str:
        return render_page(playground, read_choice())

    @page.post("/vote")
    def vote() -> AnyResponse:
        return go_back(playground.vote("A vote", read_choice()))

    @page.post("/forged")
    def vote_forged() -> AnyResponse:
        return go_back(playground.vote("A wrong signature", read_choice(), is_forged=True))

    @page.post("/test")
    def send_test() -> AnyResponse:
        return go_back(playground.vote("A test delivery", read_choice(), is_test=True))

    @page.post("/stranger")
    def vote_as_stranger() -> AnyResponse:
        return go_back(playground.vote_as_stranger(read_choice()))

    @page.post("/outage")
    def vote_in_outage() -> AnyResponse:
        seconds = request.form.get("seconds", type=int)
        return go_back(playground.vote_in_outage(read_choice(), min(max(seconds or 4, 1), 600)))

    @page.post("/again")
    def deliver_again() -> AnyResponse:
        entry = playground.journal.find(request.form.get("number", type=int))
        return go_back(playground.deliver_again(entry) if entry else read_choice())

    @page.post("/players")
    def add() -> AnyResponse:
        choice = read_choice()
        add_player(playground.guerdon, choice.nickname)
        return go_back(choice)

    return page


def read_choice() -> Choice:
    """The player and the server of this request; 400 for what cannot be one."""
    nickname = request.values.get("nickname", DEMO_PLAYERS[0]).strip()
    server = request.values.get("server", SERVERS[0])
    if not 0 < len(nickname) <= LONGEST_NICKNAME or server not in SERVERS:
        abort(
            400, f"a nickname has 1 to {LONGEST_NICKNAME} characters; a server is one of {SERVERS}"
        )
    return Choice(nickname, server)


def go_back(choice: Choice) -> AnyResponse:
    """To the page, with GET: reloading it presses no button again."""
    return redirect(url_for("page.show", nickname=choice.nickname, server=choice.server), 303)


def render_page(playground: Playground, choice: Choice) -> str:
    entries = playground.journal.follow()
    rules = playground.guerdon.rules
    return render_template(
        "page.html",
        choice=choice,
        servers={server: words.describe_server(rules, server) for server in SERVERS},
        demo_players=DEMO_PLAYERS,
        outages=OUTAGES,
        player=playground.courier.read_player(choice.nickname),
        can_add=playground.guerdon.config.players.is_own,
        entries=entries,
        fails_until=playground.platform.fails_until,
        is_moving=any(map(is_open, entries)) or bool(playground.platform.fails_until),
        api_url=playground.api_url,
        address=playground.courier.address,
    )
