"""Who is paid: the player of each event, as a plugin knows him, from the table, or newly created."""

from collections.abc import Callable, Mapping, Sequence

from app.database import Database
from app.errors import NotReady, RefusedName, UnknownPlayer
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
        if self._unknown == "create":
            missing = [place for place, one in enumerate(found) if type(one) is UnknownPlayer]
            if missing:
                refused = self._create({place: events[place] for place in missing})
                found = self._finder.find_players(events)
                for place, reason in refused.items():
                    found[place] = (
                        reason if isinstance(found[place], UnknownPlayer) else found[place]
                    )
        return [
            answer if isinstance(answer, Player) else judge_unknown(answer, self._unknown)
            for answer in found
        ]

    def _create(self, events: Mapping[int, Event]) -> dict[int, RefusedName]:
        """Make players of these events' nicknames; for those of which none may be made, why."""
        now, made = self._now(), set()
        refused: dict[int, RefusedName] = {}
        for place, event in events.items():
            try:
                name = self._finder.name_new_player(event)
            except RefusedName as error:
                refused[place] = error
                continue
            if (meaning := self._finder.fold(name)) not in made:
                made.add(meaning)
                self._finder.create_player(name, now)
        return refused


def judge_unknown(reason: NotReady, unknown: str) -> Outcome:
    """The outcome of an event that has no player, under [players] unknown."""
    holds = unknown == "hold" and isinstance(reason, UnknownPlayer)
    return Outcome("held" if holds else "waiting", reason.reason)
