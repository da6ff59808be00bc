"""Takes over what another vote plugin had counted: once for each player, as an event of its own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.counting.imported import make_totals
from app.counting.occasions import SOURCE, Occasion
from app.database.opening import Database
from app.paying.ledger import find_settled, key_of
from app.paying.players import PlayerFinder
from app.paying.recipients import EMPTY_ID, Recipients
from app.paying.settler import Settler, Work
from app.paying.totals_file import Fault, Row
from app.porch.errors import DatabaseUnavailable, GuerdonError, UnknownPlayer
from app.porch.text import shorten
from app.porch.types import Event, Outcome, OutcomeState, Player

AT_ONCE = 64  # players in a commit
MOST_DAYS = 10_000  # of their streaks, so that votes wait for some 0.1 s

Progress = Callable[[Sequence[Any]], Iterable[Any]]
Found = tuple[Row, Player | None]  # None: a player who is to be created


@dataclass
class Plan:
    """What an import would do."""

    due: list[Found] = field(default_factory=list)
    known: int = 0  # players who were imported before
    empty: int = 0  # players without a vote
    faults: list[Fault] = field(default_factory=list)  # players who are in the file twice
    troubles: list[str] = field(default_factory=list)  # a sentence for each who is not found

    @property
    def votes(self) -> int:
        return sum(row.totals.votes for row, _ in self.due)

    @property
    def created(self) -> int:
        return sum(player is None for _, player in self.due)


class Importer:
    """Imports rows of a file."""

    def __init__(
        self,
        database: Database,
        finder: PlayerFinder,
        recipients: Recipients,
        settler: Settler,
        creates: bool,
        now: Callable[[], int],
    ) -> None:
        """`creates`: whoever is not known becomes a player; `now` gives ms since the epoch."""
        self._database = database
        self._finder = finder
        self._recipients = recipients
        self._settler = settler
        self._creates = creates
        self._now = now

    def plan(self, rows: Sequence[Row], progress: Progress = iter) -> Plan:
        """What is to be imported; it writes nothing, unless a plugin does to find a player."""
        plan = Plan()
        lines: dict[tuple[str, str], int] = {}
        for some in progress(cut(rows)):
            for row, found in zip(some, self._find(some), strict=True):
                player = found if isinstance(found, Player) else None
                who = ("key", player.key) if player else ("name", self._finder.fold(row.nickname))
                if (first := lines.setdefault(who, row.line)) != row.line:
                    said = (
                        f"{shorten(row.nickname)} is the player of line {first} too: make them one"
                    )
                    plan.faults.append(Fault(row.line, "nickname", said))
                elif not row.totals.votes:
                    plan.empty += 1
                elif player or (self._creates and type(found) is UnknownPlayer):
                    plan.due.append((row, player))
                else:
                    plan.troubles.append(describe(row, str(found)))
        self._leave_out_known(plan)
        return plan

    def _find(self, rows: Sequence[Row]) -> list[Player | GuerdonError]:
        """The player of each row as of a vote with its nickname, or why there is none."""
        events = [ask_for(row) for row in rows]
        found: list[Player | GuerdonError] = list(
            self._database.read(lambda: self._finder.find_players(events))
        )
        if self._recipients.asks_plugins:
            for place, event in enumerate(events):
                try:
                    found[place] = self._ask_plugins(event) or found[place]
                except GuerdonError as error:
                    found[place] = error
        return [GuerdonError(EMPTY_ID) if has_empty_id(one) else one for one in found]

    def _ask_plugins(self, event: Event) -> Player | None:
        return self._database.transact(lambda is_retry: self._recipients.ask_plugins(event))

    def _leave_out_known(self, plan: Plan) -> None:
        left: list[Found] = []
        for some in cut(plan.due):
            keys = {
                row: key_of(make_totals(row.totals, player, 0)) for row, player in some if player
            }
            known = self._database.read(partial(find_settled, self._database, [*keys.values()]))
            left += [one for one in some if keys.get(one[0]) not in known]
        plan.known, plan.due = len(plan.due) - len(left), left

    def run(self, due: Sequence[Found], progress: Progress = iter) -> tuple[int, list[str]]:
        """Import what was planned; how many players, and a sentence for each who could not be."""
        count, troubles = 0, []
        for some in progress(cut_due(due)):
            found = self._create([row for row, player in some if player is None])
            events: list[tuple[Row, Event]] = []
            for row, player in some:
                whose = player or found[row]
                if isinstance(whose, Player):
                    events.append((row, make_totals(row.totals, whose, self._now())))
                else:
                    troubles.append(describe(row, whose.reason))
            outcomes = self._settler.settle([Work([event]) for _, event in events])
            for (row, _), outcome in zip(events, outcomes, strict=True):
                if outcome.state == OutcomeState.UNAVAILABLE:
                    raise DatabaseUnavailable(outcome.reason)
                count += outcome.state == OutcomeState.SETTLED
                if outcome.state != OutcomeState.SETTLED:
                    troubles.append(describe(row, outcome.reason or "was imported meanwhile"))
        return count, troubles

    def _create(self, rows: Sequence[Row]) -> dict[Row, Player | Outcome]:
        """Players for the nicknames of these rows, as votes would make them; or why there is none."""
        if not rows:
            return {}
        events = [ask_for(row) for row in rows]
        found = self._database.transact(lambda is_retry: self._recipients.search(events))
        return dict(zip(rows, found, strict=True))


def has_empty_id(found: Player | GuerdonError) -> bool:
    return isinstance(found, Player) and not found.key


def ask_for(row: Row) -> Event:
    """What the player of a row is looked for by."""
    return Event(SOURCE, Occasion.TOTALS, "", nickname=row.nickname)


def describe(row: Row, why: str) -> str:
    return f"line {row.line}: {shorten(row.nickname)}: {why}"


def cut_due(due: Sequence[Found]) -> list[list[Found]]:
    """What goes into one commit, each."""
    chunks: list[list[Found]] = []
    days = 0
    for one in due:
        streak = one[0].totals.streak
        if not chunks or len(chunks[-1]) == AT_ONCE or days + streak > MOST_DAYS:
            chunks.append([])
            days = 0
        chunks[-1].append(one)
        days += streak
    return chunks


def cut(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]
