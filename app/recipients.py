"""Who is paid: the player of each event, as a plugin knows him, from the table, or newly created."""

from collections.abc import Callable, Sequence

from app.database import Database
from app.errors import NotReady, UnknownPlayer
from app.granting import call_plugin
from app.hookspecs import Event, Outcome, Player
from app.players import PlayerFinder
from app.plugin_manager import Plugins


class Recipients:
    """Finds the players of a batch: the plugins first, the rest in one query."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        finder: PlayerFinder,
        unknown: str,
        now: Callable[[], int],
    ) -> None:
        """`unknown` is [players] unknown; `now` gives ms since the epoch."""
        self._database = database
        self._plugins = plugins
        self._finder = finder
        self._unknown = unknown
        self._now = now
        finders = plugins.hook.find_player.get_hookimpls()
        self._plugins_asked = " or ".join(impl.plugin_name for impl in finders)

    def find(self, events: Sequence[Event]) -> list[Player | Outcome]:
        """Inside: for each event its player, or the outcome of an event that has none."""
        answers: list[Player | Outcome | None] = [self._ask_plugins(event) for event in events]
        open_places = [place for place, answer in enumerate(answers) if answer is None]
        if open_places:
            searched = self._search([events[place] for place in open_places])
            for place, answer in zip(open_places, searched, strict=True):
                answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def _ask_plugins(self, event: Event) -> Player | Outcome | None:
        if not self._plugins_asked:
            return None
        try:
            player = call_plugin(
                self._plugins_asked, "find_player", self._plugins.hook.find_player,
                event=event, db=self._database, settings=self._plugins.settings,
            )  # fmt: skip
        except NotReady as error:
            return Outcome("waiting", error.reason, error.retry_in)
        if player is not None and not isinstance(player, Player):
            reason = f"find_player of {self._plugins_asked} returned no Player"
            return Outcome("waiting", reason)
        return player

    def _search(self, events: Sequence[Event]) -> list[Player | Outcome]:
        found = self._finder.find_players(events)
        unknown = [
            event.nickname.strip() or event.user_id.strip()
            for event, answer in zip(events, found, strict=True)
            if isinstance(answer, UnknownPlayer)
        ]
        if unknown and self._unknown == "create":
            self._create(unknown)
            found = self._finder.find_players(events)
        return [self._judge(answer) for answer in found]

    def _create(self, names: Sequence[str]) -> None:
        now = self._now()
        for name in self._finder.drop_equal(name for name in names if name):
            self._finder.create_player(name, now)

    def _judge(self, answer: Player | NotReady) -> Player | Outcome:
        if isinstance(answer, Player):
            return answer
        holds = self._unknown == "hold" and isinstance(answer, UnknownPlayer)
        return Outcome("held" if holds else "waiting", answer.reason)
