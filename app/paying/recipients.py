"""Who is paid: the player of each event, as a plugin knows him, from the table, or newly created."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from peewee import IntegrityError

from app.database.opening import Database
from app.host.loading import Plugins
from app.paying.players import PlayerFinder
from app.porch.errors import NotReady, RefusedName, UnknownPlayer
from app.porch.types import Event, Outcome, OutcomeState, Player

EMPTY_ID = "the player has an empty id"


class Recipients:
    """Finds the players of a batch: by the plugins, and the rest in one query."""

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
        self.asks_plugins = plugins.has("find_player")

    def ask_plugins(self, event: Event) -> Player | None:
        """Inside: the player that a plugin knows, if any does. Raises what undoes the event."""
        heard = self._plugins.ask(
            "find_player", event=event, db=self._database, settings=self._plugins.settings
        )
        player: Player | None = heard.value
        if player is not None and not isinstance(player, Player):
            author = heard.find_author(player) or "whoever wraps it"
            raise NotReady(f"find_player of {author} returned no Player")
        if player is not None and not player.key:
            raise NotReady(EMPTY_ID)
        return player

    def find_payees(self, events: Sequence[Event]) -> list[Player | None]:
        """Inside: the players of our own events, by the key that such an event has; None: he is gone."""
        found = self._finder.find_keys({event.user_id for event in events}) if events else {}
        return [found.get(event.user_id) for event in events]

    def search(
        self, events: Sequence[Event], made: list[Player] | None = None
    ) -> list[Player | Outcome]:
        """Inside: for each event its player from the table, or the outcome of an event without one.

        Those whom this transaction has made are added to `made`.
        """
        if not events:
            return []
        found = self._finder.find_players(events)
        if self._unknown == "create":
            missing = [place for place, one in enumerate(found) if type(one) is UnknownPlayer]
            if missing:
                refused, inserted = self._create({place: events[place] for place in missing})
                found = self._finder.find_players(events)
                for place, reason in refused.items():
                    if isinstance(found[place], UnknownPlayer):
                        found[place] = reason
                if made is not None:
                    made += self._list_made(inserted, found)
        return [
            judge_found(answer)
            if isinstance(answer, Player)
            else judge_unknown(answer, self._unknown)
            for answer in found
        ]

    def _list_made(self, names: Sequence[str], found: Sequence[object]) -> list[Player]:
        """Those whom we have called so; also where somebody else may be meant as well by now."""
        sole = {one.nickname: one for one in found if isinstance(one, Player)}
        others = [name for name in names if name not in sole]
        return [sole[name] for name in names if name in sole] + self._finder.list_named(others)

    def unmake(self, players: Iterable[Player]) -> None:
        """Inside: remove players whom `search` has made, and whom nobody is paid for."""
        self._finder.remove_players([player.id for player in players])

    def _create(self, events: Mapping[int, Event]) -> tuple[dict[int, RefusedName], list[str]]:
        """Make players of these events' nicknames: why some may not be made, and who is ours."""
        now, made = self._now(), set()
        refused: dict[int, RefusedName] = {}
        inserted: list[str] = []
        for place, event in events.items():
            try:
                name = self._finder.name_new_player(event)
            except RefusedName as error:
                refused[place] = error
                continue
            if (meaning := self._finder.fold(name)) not in made:
                made.add(meaning)
                if self._insert(name, now):
                    inserted.append(name)
        return refused, inserted

    def _insert(self, name: str, now: int) -> bool:
        """Whether we made a player of this name.

        It may be taken: by somebody who was quicker, and then he is found now, or had to take his
        player back, and then it is free again; or it is not what the table finds, and its event waits.
        """
        for _ in range(2):
            with suppress(IntegrityError), self._database.atomic():
                return self._finder.create_player(name, now)
        return False


def judge_found(player: Player) -> Player | Outcome:
    """A player, unless his id is empty: that is nobody's, and in our tables everybody's."""
    return player if player.key else Outcome(OutcomeState.WAITING, EMPTY_ID)


def judge_unknown(reason: NotReady, unknown: str) -> Outcome:
    """The outcome of an event that has no player, under [players] unknown."""
    holds = unknown == "hold" and isinstance(reason, UnknownPlayer)
    return Outcome(OutcomeState.HELD if holds else OutcomeState.WAITING, reason.reason)
