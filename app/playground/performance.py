"""What is played on the stage: votes, and a clock that is turned; the dispatcher's own steps follow each.

Nothing here pays: what is played is Guerdon itself, on a database of its own.
"""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from app.database.models import Event as Settled
from app.dispatcher import AT_ONCE
from app.opening import open_guerdon
from app.playground.choice import LONGEST_NICKNAME
from app.playground.players import DEMO_PLAYERS
from app.playground.scene import Entry, describe_scene, describe_settled
from app.playground.stage_clock import StageClock, Turn, write_moment
from app.porch.errors import AmbiguousPlayer, ConfigError, GuerdonError, RefusedName
from app.porch.hookspecs import hookimpl
from app.porch.types import DONE, Delivery, Event, EventType, Http, Player, Settings

SOURCE = "guerdon-stage"  # no plugin can have such a name
VOTE = "server.vote"
MOST_PLAYERS = 20
MOST_DAYS = 31
LONGEST_WORD = 100  # characters of a site or a server
ENTRIES_KEPT = 100
MOST_LOOKS = 200  # into the inbox, after each vote and each turn of the clock


class StageVotes:
    """The source of the stage's votes: a delivery holds the vote itself."""

    @hookimpl
    def event_types(self, settings: Settings) -> Mapping[str, EventType]:
        """Votes, on any server."""
        return {VOTE: EventType()}

    @hookimpl
    def fetch_events(
        self, delivery: Delivery, http: Http, settings: Settings
    ) -> list[Event] | None:
        """The vote that stands in the delivery."""
        if delivery.source != SOURCE:
            return None
        vote = delivery.data
        facts = {"site": vote["site"]} if vote["site"] else {}
        return [
            Event(
                SOURCE, VOTE, delivery.id, vote["server"], vote["nickname"],
                occurred_at=vote["at"], data=facts,
            )
        ]  # fmt: skip


class Performance:
    """A Guerdon that goes by the stage's clock, its players, and what happened so far."""

    def __init__(self, config: Path, begin: date) -> None:
        """Open the config at this path on the noon of a day; its database must be new.

        Raises ConfigError with the faults of config and rules, GuerdonError for a day too far off.
        """
        self.clock = StageClock()
        self.guerdon = open_guerdon(config, self.clock, beside={SOURCE: StageVotes()})
        self._pool = ThreadPoolExecutor(AT_ONCE, "dispatching")
        self._players: dict[str, Player] = {}
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_KEPT)
        self._votes = self._noted = self._latest = self._act = 0
        try:
            self._begin(begin)
        except BaseException:
            self.close()
            raise

    def _begin(self, day: date) -> None:
        self.clock.begin(self.guerdon.rules.calendar, day)
        self.guerdon.migrate()
        if faults := self.guerdon.inspect():
            raise ConfigError(faults)
        for nickname in DEMO_PLAYERS:
            try:
                self._add_player(nickname)
            except RefusedName:
                continue  # the studio's pattern knows other names
        self._serve()  # rankings are open from now on

    def close(self) -> None:
        """End its threads, and close its database."""
        self._pool.shutdown()
        self.guerdon.close()

    def vote(self, nickname: str, server: str, site: str, days: int) -> None:
        """Have a player vote, who is added where there is none; on several `days`, one after the other.

        After a vote on several days the clock shows the day after the last. Raises GuerdonError, which
        names the field, for what cannot be.
        """
        self._check(server, site, days)
        try:
            name = self._add_player(nickname)
        except RefusedName as error:
            raise GuerdonError(f"nickname: {error}") from None
        self._vote_for_days([name], server, site, days)

    def vote_all(self, server: str, site: str, days: int) -> None:
        """Have all players vote, as `vote` does for one."""
        self._check(server, site, days)
        self._vote_for_days(list(self._players), server, site, days)

    def turn(self, by: str) -> None:
        """Turn the clock by a Turn, and do what is due by then. Raises GuerdonError for what is none."""
        if by not in list(Turn):
            raise GuerdonError(f"by: the clock is turned by one of {', '.join(Turn)}")
        self._act += 1
        self.clock.turn(Turn(by))
        self._tell_time()
        self._serve()

    def turn_to(self, moment: str) -> None:
        """Turn the clock to a time of its zone, and do what is due by then. Raises GuerdonError."""
        self._act += 1
        self.clock.turn_to(moment)
        self._tell_time()
        self._serve()

    def show(self) -> dict[str, Any]:
        """All that the page shows, as plain values."""
        with self.guerdon.database.connection_context():
            scene = describe_scene(self.guerdon, list(self._players.values()))
        return scene | {"act": self._act, "entries": list(reversed(self._entries))}

    def _check(self, server: str, site: str, days: int) -> None:
        """Raises GuerdonError, which names the field, for what no vote can have."""
        if not 0 < len(server) <= LONGEST_WORD or not server.isprintable():
            raise GuerdonError(f"server: it has 1 to {LONGEST_WORD} characters that can be seen")
        if len(site) > LONGEST_WORD or not site.isprintable():
            raise GuerdonError(f"site: it has at most {LONGEST_WORD} characters, which can be seen")
        if not 1 <= days <= MOST_DAYS:
            raise GuerdonError(f"days: a whole number from 1 to {MOST_DAYS}")

    def _add_player(self, nickname: str) -> str:
        """The name of the player of this nickname, added where there is none.

        Raises RefusedName where nobody may be called so, GuerdonError where there are many already.
        """
        if not 0 < len(nickname) <= LONGEST_NICKNAME:
            raise RefusedName(f"a nickname has 1 to {LONGEST_NICKNAME} characters")
        try:
            player = self.guerdon.find_player(nickname)
        except AmbiguousPlayer as error:
            raise GuerdonError(f"nickname: {error}") from None
        if player is None:
            if len(self._players) >= MOST_PLAYERS:
                raise GuerdonError(f"nickname: the stage has room for {MOST_PLAYERS} players")
            self.guerdon.add_player(nickname)
            player = self.guerdon.find_player(nickname)
            assert player is not None
        self._players[player.nickname] = player
        return player.nickname

    def _vote_for_days(self, names: list[str], server: str, site: str, days: int) -> None:
        self._act += 1
        for _ in range(days):
            for name in names:
                self._vote_once(name, server, site)
            if days > 1:
                self.clock.turn(Turn.DAY)
                self._serve()
        if days > 1:
            self._tell_time()

    def _vote_once(self, nickname: str, server: str, site: str) -> None:
        self._votes += 1
        vote = {"nickname": nickname, "server": server, "site": site, "at": self.clock()}
        outcome = self.guerdon.deliveries.accept(
            Delivery(SOURCE, VOTE, f"vote-{self._votes}", data=vote)
        )
        if outcome.state not in DONE:
            self._note({"title": f"{nickname} votes", "state": "waiting", "why": outcome.reason})
        self._serve()

    def _tell_time(self) -> None:
        self._note({"title": "The clock is turned", "state": "note"})

    def _serve(self) -> None:
        """Do what is due by the clock, as the dispatcher does it, and note what was settled."""
        for _ in range(
            MOST_LOOKS
        ):  # what a plugin wants tried at once waits for the next turn in the end
            if not self.guerdon.dispatcher.serve_once(self._pool):
                break
        with self.guerdon.database.connection_context():
            new = list(Settled.select().where(Settled.id > self._latest))
            for row in sorted(new, key=find_order):
                self._latest = max(self._latest, row.id)
                self._note(describe_settled(self.guerdon, row))

    def _note(self, entry: Entry) -> None:
        """Add to the log: a title, a state, and what else there is to say."""
        self._noted += 1
        at = write_moment(self.clock.calendar, self.clock())
        usual = {"why": "", "verdicts": [], "number": self._noted, "act": self._act, "at": at}
        self._entries.append(usual | entry)


def find_order(row: Settled) -> tuple[bool, bool, int]:
    """Votes first, then a round or a ranking, then whom it paid."""
    is_vote = row.source == SOURCE
    return not is_vote, bool(row.earns), int(row.id)
