"""Compares a source's list with the ledger; what is missing here may be put into the inbox, never paid."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from app.config.reconciling import Reconcile
from app.database.opening import Database
from app.database.reconciliation_models import Reconciliation
from app.failpoints import reach
from app.history.acts import begin_act, end_act
from app.host.loading import Plugins
from app.paying.erased import ErasedNames
from app.paying.parking import park_missing
from app.porch.types import Event, Http, ListedVote
from app.reconciling.comparing import Comparison, compare_list, find_unknown
from app.reconciling.knowing import find_beginning, list_servers
from app.reconciling.listing import Listing, read_list
from app.reconciling.results import Results

log = structlog.get_logger()

AT_ONCE = 200  # deliveries in a transaction
WHY = "the site's list has it, and it was not here"
RECONCILE, HEAL = "reconcile", "reconcile and heal"
CUT_OFF = "it was cut off: compare again"


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: its row, as it is kept, and all that was found."""

    row: Reconciliation
    found: Comparison


class Reconciler:
    """Compares, when a person or the clock says so."""

    def __init__(
        self,
        database: Database,
        plugins: Plugins,
        http: Http,
        config: Reconcile,
        now: Callable[[], int],
        erased: ErasedNames,
    ) -> None:
        """`now` gives ms since the epoch."""
        self._erased = erased
        self.results = Results(database, now)
        self._database = database
        self._plugins = plugins
        self._http = http
        self._config = config
        self._now = now
        self._is_stopping = False

    @property
    def sources(self) -> list[str]:
        """The plugins that have a list."""
        return self._plugins.list_answerers("list_votes")

    def stop(self) -> None:
        """End what is under way; another takes it over, or the next turn does."""
        self._is_stopping = True

    def reconcile(
        self,
        source: str,
        since: int | None = None,
        heal: bool = False,
        person: str = "",
        servers: Sequence[str] = (),
    ) -> Result:
        """Compare now, because a person says so: since then (ms), or as far back as the config says.

        `heal` puts what is missing into the inbox. `servers` are asked for beside those that the ledger
        knows.
        """
        row = self.results.begin(source, since or 0, heal, person)
        assert row is not None  # only a turn can be another's
        if not person:
            return self.work(row, servers)
        act = begin_act(self._database, person, HEAL if heal else RECONCILE, source, 0, self._now())
        try:
            result = self.work(row, servers)
        except BaseException:
            # What was put into the inbox until then stays there; nobody takes it over.
            self.results.give_up(row, CUT_OFF)
            end_act(self._database, act, 0, self._now(), CUT_OFF)
            raise
        end_act(self._database, act, row.healed, self._now(), number=row.missing)
        return result

    def work(self, row: Reconciliation, servers: Sequence[str] = ()) -> Result:
        """Do what a row was begun for."""
        since = row.since or self._choose_since(row.source)
        listing = Listing(reason=f"nothing of {row.source} is here yet: say since when to compare")
        found = Comparison()
        if since is not None:
            row.since = since
            listing = self._read(row.source, since, servers)
            reach("reconciling: listed")
            newest = self._now() - self._config.patience * 1000
            found = compare_list(self._database, listing, newest)
            found.missing = self._leave_out_erased(found.missing)
            found.unknown = list(find_unknown(self._database, row.source, listing))
        # Without its time it may be of before the ledger began: whoever paid then has paid it.
        timed = [one for one in found.missing if one.occurred_at is not None]
        healed = self._heal(timed) if row.heals else 0
        result = Result(self.results.end(row, listing, found, healed), found)
        tell_result(result)
        return result

    def _choose_since(self, source: str) -> int | None:
        """As far back as the config says, and never before the first vote that was paid here."""
        beginning = find_beginning(self._database, source)
        if beginning is None:
            return None
        return max(beginning, self._now() - self._config.window * 1000)

    def _read(self, source: str, since: int, servers: Sequence[str]) -> Listing:
        named = sorted({*servers, *list_servers(self._database, source)})
        with self._database.give_back():  # that its plugin opened
            return read_list(
                self._plugins, self._http, source, since, named, lambda: self._is_stopping
            )

    def _leave_out_erased(self, missing: list[ListedVote]) -> list[ListedVote]:
        """What a player did before he was erased is nobody's any more, where the list says that it is his."""
        left = self._erased.leave_out(
            [
                Event(one.delivery.source, one.delivery.type, one.delivery.id, one.server_id,
                      one.nickname, occurred_at=one.occurred_at)
                for one in missing
            ]
        )  # fmt: skip
        names = {(event.type, event.id) for event in left}
        return [one for one in missing if (one.delivery.type, one.delivery.id) in names]

    def _heal(self, missing: list[ListedVote]) -> int:
        """How many were put into the inbox; whoever is delivered meanwhile is not among them."""
        healed = 0
        for start in range(0, len(missing), AT_ONCE):
            some = [one.delivery for one in missing[start : start + AT_ONCE]]
            healed += park_missing(self._database, some, self._now(), WHY)
        return healed


def tell_result(result: Result) -> None:
    """Log it, and the skew: how long it takes from a vote to its payment."""
    row, skews = result.row, result.found.skews
    facts = {name: getattr(row, name) for name in ("source", "state", "reason", "listed", "waiting",
             "missing", "healed", "differs", "unknown")}  # fmt: skip
    if skews:
        facts["median_skew"] = statistics.median(skews) / 1000  # seconds
        facts["longest_skew"] = max(skews) / 1000
    if row.missing or row.reason:
        log.warning("reconciled", **facts)
    else:
        log.info("reconciled", **facts)
