"""All parts of one process, put together from a config: what the web, the CLI and tests run."""

import os
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import structlog
from peewee import IntegrityError, PeeweeException

from app.alarms.alarms import Alarms
from app.alarms.checking import list_alert_warnings
from app.config.reading import Config, find_folder
from app.counting.occasions import SOURCE
from app.counting.programme import Programme
from app.database.clock import Clock
from app.database.migrating import migrate
from app.database.models import LEDGER, OWN, bind_models
from app.database.opening import Database
from app.database.sharing import SHARED
from app.database.words import explain_database_error
from app.delivering.delivering import open_delivering
from app.dispatcher import Dispatcher
from app.fitness.gate import Gate
from app.fitness.inspection import inspect_database
from app.fitness.readiness import Readiness
from app.history.listing import Lists
from app.host.loading import Plugins
from app.listening.ports import Ports
from app.metrics.folder import choose_folder
from app.metrics.measuring import start_measuring, write_counts
from app.network.client import Http, list_unused_proxies
from app.numbers.rolling import Roller
from app.paying.accepting import Deliveries
from app.paying.announcing import Announcer
from app.paying.bookkeeping import Bookkeeping, Progress
from app.paying.erased import ErasedNames
from app.paying.fetching import Fetcher
from app.paying.inbox import Inbox
from app.paying.own_deliveries import OwnDeliveries
from app.paying.parties import Parties
from app.paying.players import PlayerFinder
from app.paying.rankings import Rankings
from app.paying.receiving import Receiver
from app.paying.recipients import Recipients
from app.paying.repaying import Repayer
from app.paying.rule_warnings import gather_supplies, list_warnings
from app.paying.settler import Settler
from app.paying.showing import Showing
from app.polling.poller import Poller
from app.porch.errors import (
    AmbiguousPlayer,
    DatabaseUnavailable,
    GuerdonError,
    RefusedName,
)
from app.porch.fields import Secret
from app.porch.rounds import GAME_SERVER
from app.porch.types import Event, Player
from app.privacy.erasing import Eraser
from app.privacy.retaining import Keeper
from app.reconciling.reconciler import Reconciler
from app.reconciling.turns import Turns
from app.reporting.outbox import Outbox
from app.rules.rule import Rules
from app.upkeep.acts import Acts
from app.watching.label_values import list_label_values
from app.watching.watch import Watch

log = structlog.get_logger()

LARGEST_LEAD = 2_000  # ms between this host's clock and the database's


class Guerdon:
    """The service without its web: config, plugins, rules, database, and what works on them."""

    def __init__(
        self,
        config: Config,
        plugins: Plugins,
        rules: Rules,
        database: Database,
        now: Clock,
        http: Http,
        secrets: Sequence[Secret],
    ) -> None:
        self.config = config
        self.plugins = plugins
        self.rules = rules
        self.database = database = SHARED.claim(self, config.database.url, database)
        self.now = now
        self._http = http
        bind_models(database, [*LEDGER, *OWN, *plugins.models])
        self._gate = Gate(self.inspect)
        self.readiness = Readiness(database, config.database.durable)
        self.finder = PlayerFinder(database, config.players)
        unknown = config.players.unknown
        recipients = self._recipients = Recipients(database, plugins, self.finder, unknown, now)
        self.programme = Programme(rules, *self._list_draw_secrets()[:1])
        inbox = self.inbox = Inbox(database, config.inbox, now)
        self.settler = Settler(database, plugins, self.programme, recipients, now, inbox.keeping)
        self.outbox = Outbox(database, plugins, http, now, secrets, config.outbox.at_once)
        fetcher = Fetcher(plugins, http, config.players)
        announcer = Announcer(plugins)
        self.erased = ErasedNames(database, self.finder.fold)
        self.deliveries = Deliveries(
            database, fetcher, self.settler, inbox, announcer, unknown, self.erased
        )
        self.delivering = open_delivering(config, database, plugins, http, now, secrets)
        self.receiver = Receiver(
            database, self.deliveries, self.require_fit_database, self.outbox.nudge
        )
        self.poller = Poller(database, plugins, http, now)
        self._open_for_operators()
        self.dispatcher = self._make_dispatcher(announcer)

    def _list_draw_secrets(self) -> list[bytes]:
        """By which lots are drawn: by the first; by the others they were."""
        return [one.reveal().encode() for one in self.config.rewards.draw_secrets]

    def _open_for_operators(self) -> None:
        """What is looked at and done by whoever runs the service, beside the way of a vote."""
        database, plugins, now = self.database, self.plugins, self.now
        secrets = self._list_draw_secrets()
        self.bookkeeping = Bookkeeping(database, self.programme, self.finder, secrets)
        every = self.config.reconcile.every
        self.watch = Watch(database, plugins, self.metrics_folder, self.require_ready, now, every)
        self.showing = Showing(database, self.rules, self.finder)
        self.lists = Lists(database, self.find_player)
        self.acts = Acts(database, self.inbox, now)
        settings = self.config.reconcile
        self.reconciler = Reconciler(database, plugins, self._http, settings, now, self.erased)
        self._turns = Turns(self.reconciler, settings, now)

    def _make_dispatcher(self, announcer: Announcer) -> Dispatcher:
        """What serves the boxes, puts parties and rankings into them, and counts for operators."""
        stopping = threading.Event()
        own = OwnDeliveries(self.inbox, self.settler, announcer, self.now, stopping)
        self.roller = Roller(self.database, self.now)
        self.parties = Parties(self.database, self.programme, own)
        self.rankings = Rankings(
            self.database, self.programme, own, self.config.inbox.give_up_after, self.now,
            self.bookkeeping.recounter.count_stale,
        )  # fmt: skip
        self.keeper = Keeper(self.database, self.config.retention, self.rules, self.now)
        self.alarms = Alarms(self.database, self.plugins, self.watch, self.config.alerts, self.now)
        organizers = [
            self.poller.begin_due,
            self.parties.fold,
            self.rankings.close_due,
            self.acts.runner.serve,
            self._turns.begin_due,
            self.roller.roll,
            self.keeper.strip_due,
            self.alarms.look,
        ]
        ports = Ports(self.plugins, self.database, self.receiver.receive)
        return Dispatcher(self.inbox, self.deliveries, self.outbox, self.require_fit_database,
                          organizers, ports, self.delivering, stopping=stopping)  # fmt: skip

    def migrate(self, progress: Progress = iter) -> list[str]:
        """Bring the tables, and what rules count, up to date; a line for each thing done."""
        own = self.config.players.is_own
        fill_in = partial(self.bookkeeping.bring_up_to_date, progress)
        return migrate(
            self.database, self.plugins.tables, own, self.now, self.bookkeeping.add_indexes, fill_in
        )

    def make_repayer(self, person: str) -> Repayer:
        """What pays settled events that earned nothing, because this person says so."""
        return Repayer(
            self.database, self.plugins, self.programme, self._recipients, self.now, person
        )

    def make_eraser(self) -> Eraser:
        """What says what is kept of a player, and erases him."""
        return Eraser(
            self.database, self.config, self.plugins, self.programme, self.finder, self.now
        )

    def inspect(self) -> list[str]:
        """Every reason not to pay with this database now; [] when there is none."""
        try:
            with self.database.connection_context():
                durable = self.config.database.durable
                plugins, players = self.plugins, self.config.players
                faults = inspect_database(self.database, plugins, self.rules, players, durable)
                return faults or list(self.bookkeeping.list_faults())
        except DatabaseUnavailable as error:
            return [f"[database] url: {error}"]
        except PeeweeException as error:
            return [
                f"[database] url: the database does not answer: {explain_database_error(error)}"
            ]

    def compare_clocks(self) -> list[str]:
        """A sentence where this host's clock and the database's differ; else, or unanswered, []."""
        lead = self.now.compare()
        if lead is None or abs(lead) <= LARGEST_LEAD:
            return []
        where = "ahead of" if lead > 0 else "behind"
        return [
            f"this host's clock is {abs(lead) / 1000:.1f} s {where} the database's, which Guerdon goes"
            " by: set both by NTP"
        ]

    def require_fit_database(self) -> None:
        """Raise DatabaseUnavailable until the database has once been found fit to pay with."""
        self._gate.require()

    def require_ready(self) -> None:
        """Raise DatabaseUnavailable where no vote could be paid now."""
        self.require_fit_database()
        self.readiness.require()

    @property
    def metrics_folder(self) -> Path:
        """Where this system's processes leave what they count, those of each kind in a folder of theirs."""
        said = self.config.metrics.find_folder(self.config.path)
        return choose_folder(said, find_folder(self.config.path) / "var" / "metrics")

    def start_measuring(self, kind: str) -> None:
        """In a worker or dispatcher: count from now on, if the config wants it; `kind` is of the process."""
        if not self.config.metrics.on:
            return
        folder = self.metrics_folder / kind
        try:
            values = list_label_values(self.plugins, self.rules, self.delivering.names)
            start_measuring(folder, values)
        except OSError as error:
            log.warning("nothing is counted", folder=str(folder), reason=str(error))

    def list_warnings(self) -> list[str]:
        """What config and rules probably do not mean as written: files elsewhere, events unpaid."""
        supplies = gather_supplies(self.plugins)
        rules = list_warnings(self.rules, supplies, str(self.config.rewards_file))
        alerts = list_alert_warnings(self.config.alerts, self.plugins)
        return [*self.config.warnings, *rules, *alerts]

    def log_warnings(self) -> None:
        """What `guerdon check` warns of, for whoever reads the logs instead."""
        for warning in self.list_warnings():
            log.warning("check", warning=warning)
        for name in () if self.config.network.proxy else list_unused_proxies(os.environ):
            reason = f"{name} is set and not used: a proxy is set by [network] proxy"
            log.warning("proxy not used", variable=name, reason=reason)

    def find_player(self, nickname: str) -> Player | None:
        """The one player of this nickname; None if there is none.

        Raises AmbiguousPlayer, or RefusedName where nobody may be called so.
        """
        answer = self.finder.find_players([Event("", "", "", nickname=nickname)])[0]
        if isinstance(answer, AmbiguousPlayer | RefusedName):
            raise answer
        return answer if isinstance(answer, Player) else None

    def add_player(self, nickname: str) -> str | None:
        """Add a player to our own table; his nickname, or None if there is one called so already.

        Raises RefusedName where nobody may be called so, GuerdonError where the table is not ours.
        """
        if not self.config.players.is_own:
            table = self.config.players.table
            raise GuerdonError(f"players live in your table {table}: add them there")
        name = self.config.players.read_name(nickname)
        with self.database.connection_context():
            if self.finder.is_taken(name):  # also by casefold, where the config says so
                return None
            try:
                is_new = self.database.transact(
                    lambda is_retry: self.finder.create_player(name, self.now())
                )
            except IntegrityError:
                return None
        return name if is_new else None

    @property
    def sources(self) -> list[str]:
        """Where events come from: game servers, the plugins that read deliveries, whoever tells of it."""
        return [GAME_SERVER, *self.plugins.sources, SOURCE, ""]

    def start_dispatcher(self) -> None:
        """In a worker: serve inbox and outbox, if the config wants workers to."""
        if self.config.dispatcher.in_workers:
            self.dispatcher.start()

    def close(self) -> None:
        """End the threads, after what they have in hand, and close every connection of ours."""
        self.dispatcher.stop()
        self._turns.stop()
        self.poller.stop()
        self.outbox.stop()
        self.deliveries.stop()
        write_counts()
        SHARED.let_go(self)
        self._http.close()
