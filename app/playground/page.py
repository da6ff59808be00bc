"""The page: choose a player and a server, vote, and see delivery, reply, grants and balance."""

from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.guerdon import Guerdon
from app.languages import add_languages
from app.playground import words
from app.playground.actions import Playground
from app.playground.choice import SERVERS, Choice, go_back, read_choice
from app.playground.console import GameConsole
from app.playground.elsewhere import build_elsewhere
from app.playground.framed import build_framed
from app.playground.g123 import build_g123
from app.playground.game import build_game
from app.playground.gamemonitoring import build_vote_api
from app.playground.journal import is_moving
from app.playground.language import build_language
from app.playground.players import DEMO_PLAYERS
from app.playground.programme import build_programme
from app.playground.reconciling import COUNTS, Reconciling, build_reconciling
from app.playground.sites import NOBODY, Operators, build_sites
from app.playground.stage import Stage
from app.playground.sud import build_app_server
from app.playground.trigger import build_trigger
from app.playground.webhook import build_webhook
from app.porch.errors import GuerdonError
from app.porch.text import escape_text

OUTAGES = (4, 8, 60)  # seconds, to choose from
PAGES = ("page.show", "game.show", "sites.show")
POLICY = {
    "Content-Security-Policy": "default-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def build_playground(
    guerdon: Guerdon, address: str, own_address: str, stage: Stage,
    console: GameConsole | None = None, operators: Operators = NOBODY,
) -> Flask:  # fmt: skip
    """The playground's web, for the service at `address`; programmes are played on `stage`.

    `console` is that of a game, where somebody may connect to it, and `operators` are where one decides.
    Raises ConfigError where the config lacks what it needs.
    """
    playground = Playground(guerdon, address, own_address)
    reconciling = Reconciling(playground)
    app = Flask("app.playground")
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost", "[::1]"]
    app.jinja_env.filters["shown"] = escape_text
    app.jinja_env.globals.update(
        words=words, own_address=own_address, address=address, demo_players=DEMO_PLAYERS,
        can_add=guerdon.config.players.is_own,
    )  # fmt: skip
    for part in (
        build_vote_api(playground.platform), build_g123(playground.g123),
        build_app_server(playground.app_server), build_page(playground, reconciling),
        build_reconciling(reconciling), build_game(playground),
        build_framed(playground), build_webhook(), build_elsewhere(),
        build_trigger(playground), build_programme(stage), build_language(),
        build_sites(playground, console or GameConsole(""), operators),
    ):  # fmt: skip
        app.register_blueprint(part)
    add_languages(app)
    app.before_request(refuse_others)
    app.after_request(set_policy)
    return app


def refuse_others() -> None:
    """A page from elsewhere, open in the same browser, may not press our buttons."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        abort(403)


def set_policy(response: Response) -> Response:
    """Nothing that is not ours is ever loaded or run; a view may set a policy of its own."""
    for name, value in POLICY.items():
        response.headers.setdefault(name, value)
    return response


def build_page(playground: Playground, reconciling: Reconciling) -> Blueprint:
    """GET / and a POST for each button; every POST answers with the way back to the page."""
    page, buttons = Blueprint("page", __name__), Buttons(playground)
    page.get("/", endpoint="show")(lambda: render_page(playground, reconciling, read_choice()))
    page.post("/vote")(buttons.vote)
    page.post("/forged")(buttons.vote_forged)
    page.post("/test")(buttons.send_test)
    page.post("/stranger")(buttons.vote_as_stranger)
    page.post("/outage")(buttons.vote_in_outage)
    page.post("/again")(buttons.deliver_again)
    page.post("/players")(buttons.add)
    return page


class Buttons:
    """What each button of the page does."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground

    def vote(self) -> AnyResponse:
        return go_back(self._playground.vote("A vote", read_choice()))

    def vote_forged(self) -> AnyResponse:
        return go_back(self._playground.vote("A wrong signature", read_choice(), is_forged=True))

    def send_test(self) -> AnyResponse:
        return go_back(self._playground.vote("A test delivery", read_choice(), is_test=True))

    def vote_as_stranger(self) -> AnyResponse:
        return go_back(self._playground.vote_as_stranger(read_choice()))

    def vote_in_outage(self) -> AnyResponse:
        asked = request.form.get("seconds", type=int) or OUTAGES[0]
        seconds = min(max(asked, 1), 600)
        return go_back(self._playground.vote_in_outage(read_choice(), seconds))

    def deliver_again(self) -> AnyResponse:
        entry = self._playground.journal.find(request.form.get("number", type=int))
        return go_back(self._playground.deliver_again(entry) if entry else read_choice())

    def add(self) -> AnyResponse:
        choice = read_choice()
        try:
            self._playground.guerdon.add_player(choice.nickname)
        except GuerdonError as error:  # nobody may be called so, or the table is the game's
            abort(400, str(error))
        page = request.form.get("page", "")
        return go_back(choice, page if page in PAGES else PAGES[0])


def render_page(playground: Playground, reconciling: Reconciling, choice: Choice) -> str:
    entries, told = playground.journal.follow(), playground.telling.follow()
    rules = playground.guerdon.rules
    return render_template(
        "page.html",
        choice=choice,
        servers={server: words.describe_server(rules, server) for server in SERVERS},
        outages=OUTAGES,
        player=playground.courier.read_player(choice.nickname),
        entries=entries,
        fails_until=playground.platform.fails_until,
        counts=COUNTS,
        losing=playground.losing,
        compared=reconciling.latest,
        can_reconcile=reconciling.is_possible,
        is_moving=any(map(is_moving, entries))
        or bool(playground.platform.fails_until)
        or any(one.is_moving for one in told),
        api_url=playground.api_url,
        told=told,
    )
