"""The page for vote sites and a game's console: vote by each protocol, and see the commands arrive."""

from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.delivering.resolving import ListedClaim, list_claims
from app.playground import site_words, words
from app.playground.actions import Playground
from app.playground.choice import Choice, read_choice
from app.playground.console import GameConsole, Way
from app.playground.site_kinds import SiteName, find_sites
from app.playground.site_votes import SiteVotes
from app.porch.claims import ClaimState
from app.porch.types import Event

CLAIMS_SHOWN = 6
CLAIMS_READ = 50
OVER = (ClaimState.DONE, ClaimState.DEAD)


@dataclass(frozen=True, slots=True)
class Operators:
    """Where a person decides about claims: the dashboard's address, and `guerdon` as one types it here."""

    dashboard: str
    command: str


NOBODY = Operators("", "guerdon")


def build_sites(playground: Playground, console: GameConsole, operators: Operators) -> Blueprint:
    """GET /sites and a POST for each button."""
    sites = Blueprint("sites", __name__, url_prefix="/sites")
    page = SitesPage(playground, console, operators)
    sites.get("", endpoint="show")(page.show)
    sites.post("/vote")(page.vote)
    sites.post("/forged")(page.forge)
    sites.post("/again")(page.repeat)
    sites.post("/online")(page.switch_online)
    sites.post("/console")(page.behave)
    return sites


class SitesPage:
    """The page, and what each of its buttons does."""

    def __init__(self, playground: Playground, console: GameConsole, operators: Operators) -> None:
        self._playground = playground
        self._guerdon = playground.guerdon
        self._console = console
        self._operators = operators
        found = find_sites(playground.guerdon, playground.courier)
        self._votes = SiteVotes(playground.guerdon, playground.courier, found)
        self._servers = self._find_servers()

    def vote(self) -> Response:
        choice, site = read_choice(), self._read_site()
        self._votes.vote(site, choice.nickname)
        return go_back(choice, site)

    def forge(self) -> Response:
        choice, site = read_choice(), self._read_site()
        self._votes.vote(site, choice.nickname, is_forged=True)
        return go_back(choice, site)

    def repeat(self) -> Response:
        """The vote of the form's number once more; without one, the latest of all."""
        choice, votes = read_choice(), self._votes.list_votes()
        latest = votes[0].number if votes else None
        repeated = self._votes.repeat(request.form.get("number", latest, type=int))
        return go_back(choice, repeated.site if repeated else self._read_site())

    def switch_online(self) -> Response:
        """The player joins the game, or leaves it."""
        choice = read_choice()
        self._console.set_online(choice.nickname, request.form.get("online") == "yes")
        return go_back(choice, self._read_site())

    def behave(self) -> Response:
        way = request.form.get("way", "")
        if way not in list(Way):
            abort(400, f"the console has no such way to answer: it is one of {', '.join(Way)}")
        self._console.behave(Way(way))
        return go_back(read_choice(), self._read_site())

    def show(self) -> str:
        choice, votes, claims = read_choice(), self._votes.follow(), self._list_claims()
        is_owed = any(one.state not in OVER for one in claims)
        return render_template(
            "sites.html",
            choice=choice,
            site=self._read_site(),
            sites={name: self._describe_site(name) for name in SiteName},
            says=site_words,
            player=self._playground.courier.read_player(choice.nickname),
            votes=votes,
            console=self._console,
            has_console=bool(self._servers),
            is_online=self._console.is_online(choice.nickname),
            ways=list(Way),
            claims=claims,
            operators=self._operators,
            is_moving=is_owed or any(one.is_open for one in votes),
        )

    def _read_site(self) -> SiteName:
        """The site of this request; the first there is where it names none."""
        known = self._votes.sites
        wanted = request.values.get("site", next(iter(known), SiteName.TOPGG))
        if wanted not in list(SiteName) or (request.method == "POST" and wanted not in known):
            abort(400, f"a site is one of {', '.join(known)}")
        return SiteName(wanted)

    def _describe_site(self, name: SiteName) -> list[str] | None:
        """What a vote by it earns, a reward each; None where the config does not know it."""
        site = self._votes.sites.get(name)
        if site is None:
            return None
        event = Event(site.source, "server.vote", "", site.server)
        return words.describe_gifts(self._guerdon.rules, event)

    def _find_servers(self) -> frozenset[str]:
        """Whose claims the stand-in is sent."""
        consoles = self._guerdon.plugins.settings.get("rcon", {}).get("servers", {})
        return frozenset(id_ for one in consoles.values() for id_ in one["servers"])

    def _list_claims(self) -> list[ListedClaim]:
        states, now = list(ClaimState), self._guerdon.now()
        rows = list_claims(self._guerdon.database, states, now, limit=CLAIMS_READ).rows
        return [row for row in rows if row.server_id in self._servers][:CLAIMS_SHOWN]


def go_back(choice: Choice, site: SiteName) -> Response:
    """To the page, with GET: reloading it presses no button again."""
    page = url_for("sites.show", nickname=choice.nickname, server=choice.server, site=site)
    return redirect(page, 303)
