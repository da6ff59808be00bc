"""The plugin manual: what a plugin is given, which hooks it may answer, and when each is called.

A plugin is one file, `plugins/NAME.py`, or an installed entry point NAME in the group `guerdon`,
switched on by the section `[plugins.NAME]` of the config. It marks its functions with `@hookimpl`
and may leave out any argument it does not need. *Inside* means: within the transaction that pays
the event, where only the database may be touched. *Outside* means: no transaction is open, and
the network may be used. No hook does both.

`db` is the Peewee database of the running transaction. Use it, or your own Peewee models (see
plugin_models), and let every exception pass: raising undoes the whole event, and only that event.
Never commit, roll back or close, and keep no cursor for a later call. `settings["NAME"]` is the
checked section of the plugin NAME, and `settings.players` tells which table the players live in.

Two payments for one player never run at the same time, on any host, also on a cluster: what
grant_reward, a gathered write and build_report read of their players, they may change and save
(`row, _ = Xp.get_or_create(player_id=player.key); row.xp += 30; row.save()`). That holds for rows
of one player, by Player.key, and between payments alone: for a row that all players share, or that
your game writes too, have the database compute (`Xp.update(xp=Xp.xp + 30)`). Two statements a vote
are the slow way: with Batch.gather a whole batch is written in one, and add_to_players and
upsert_rows write it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from flask import Request, Response
    from marshmallow import Schema
    from peewee import Database, Model

NAME = "guerdon"
hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified request of a source: what read_delivery makes of the bytes."""

    source: str
    type: str
    id: str
    is_test: bool = False  # signed, but nothing is fetched or paid
    ignored: str = ""  # why this delivery needs no payment, if it needs none
    token: str = ""  # the name of the token that signed it
    data: Mapping[str, Any] = field(default_factory=dict)  # JSON; what fetch_events needs


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one player. (source, type, id) is paid at most once, for ever."""

    source: str
    type: str
    id: str
    server_id: str = ""
    nickname: str = ""  # finds the player; if empty, user_id does
    user_id: str = ""
    occurred_at: int | None = None  # ms since the epoch, UTC
    data: Mapping[str, Any] = field(default_factory=dict)  # JSON, kept as it came; facts for rules
    earns: bool = True  # False: rules pass it over, as a round whose players have their own events
    is_shared: bool = False  # the same whoever tells of it: its source is no part of what it is


@dataclass(frozen=True, slots=True)
class EventType:
    """What a source knows beforehand of the events of one type that it brings; for event_types.

    It changes no payment: rules are compared with it, and what could never match is warned of.
    """

    facts: Collection[str] | None = None  # keys of their data that rules may ask; None: any
    servers: Collection[str] | None = None  # their server_ids; None: any
    needs_rule: bool = True  # False: they have their use without a rule, as to be reported


@dataclass(frozen=True, slots=True)
class Player:
    """A row of the players' table: its id, as the database gives it, and its nickname."""

    id: Any
    nickname: str

    @property
    def key(self) -> str:
        """The id as text, for tables of your own; bytes in hex."""
        return self.id.hex() if isinstance(self.id, bytes) else str(self.id)


@dataclass(frozen=True, slots=True)
class Reward:
    """What a rule gives: its kind, and its parameters as the kind's schema loaded them."""

    kind: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Grant:
    """One reward given to one player for one event, as the ledger keeps it."""

    event: Event
    rule: str
    plugin: str
    reward: Reward
    player: Player
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What a reporter sends to a platform about an event; its bytes are the same in every send.

    There is one report of (reporter, kind, key), for ever: another is never queued. build_report
    leaves out `id` and `sends`; send_report finds them filled in.
    """

    reporter: str  # who sends it: a plugin's name
    kind: str
    key: str
    body: bytes
    id: int = 0
    sends: int = 0  # how often it has left, this time included


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a report is sent again after a failure; all times in seconds.

    With `delays` there are as many re-sends as it has entries. Without, the pause doubles from
    `first` to `longest`, jittered, until the pauses add up to `give_up_after`. A DeliveryError's
    retry_in replaces the pause, not the number of sends.
    """

    delays: Sequence[float] | None = None
    first: float = 2.0
    longest: float = 600.0
    give_up_after: float = 86400.0
    at_once: int | None = None  # sends at the same time in each process; None: as [outbox] says


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery. `state` is one of

    refused                 it was not accepted, and nothing of it is stored
    test, ignored           nothing to pay
    settled, known          paid now, paid before
    held                    waits for its player; the source need not send it again
    waiting                 could not be paid; waits and is tried again
    unavailable             could not even be stored: the source must send it again
    """

    state: str
    reason: str = ""  # short, fit to be shown to the source; no secret
    retry_in: float | None = None  # seconds until we try again ourselves
    events: Sequence[Event] = ()
    grants: Sequence[Grant] = ()
    status: int = 503  # HTTP, where it is not done and the source wants no reply of its own
    code: int = 0  # of a refusal: what its plugin gave with BadDelivery or BadSignature

    @property
    def is_done(self) -> bool:
        """True when the source has nothing more to do."""
        return self.state in ("test", "ignored", "settled", "known", "held")


@dataclass(frozen=True, slots=True)
class Command:
    """`guerdon GROUP NAME ARGUMENT...`: run(db, progress, **arguments) returns what to print.

    The arguments come as strings, by their names in lower case. `progress(items)` yields the items
    and shows a bar; app.run_in_chunks has much done in small transactions, so that deliveries are paid
    in between. What it prints is escaped but for its line breaks: a stranger's words want
    escape_text, or shorten.
    """

    group: str
    name: str
    arguments: Sequence[str]
    help: str
    run: Callable[..., str]


class Settings(Protocol):
    """Maps a plugin's name to its checked section; `players` describes the players' table."""

    def __getitem__(self, plugin: str) -> Mapping[str, Any]: ...

    @property
    def players(self) -> "PlayersTable": ...


class PlayersTable(Protocol):
    """Where players live: our own table, or the studio's."""

    @property
    def table(self) -> str: ...
    @property
    def id_column(self) -> str: ...
    @property
    def nickname_column(self) -> str: ...
    @property
    def is_own(self) -> bool: ...

    def read_name(self, nickname: str) -> str:
        """The nickname trimmed and in NFC; raises NotReady with the reason where nobody may have it."""


class Batch(Protocol):
    """What is settled in one transaction, often the events of many requests at once."""

    def gather(self, write: Callable[..., None], row: Any) -> None:
        """Have `write(rows, db, settings)` called once, inside, after all grants of the batch.

        `rows` is the list of all rows gathered for that function: many events, one statement.
        It may still fill in the receipts that grant_reward returned. If it raises, nothing of the
        batch is paid: it is halved, and halved again, until who failed is alone. What can fail for one
        event is better found in grant_reward, which takes that event out and pays the others.
        """


class HttpAnswer(Protocol):
    """Status, headers and whole body of an answer."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Http(Protocol):
    """The worker's one connection pool; app.network.client tells what it does and raises."""

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        connect: float = 3.0,
        total: float = 5.0,
        limit: int = 65536,
    ) -> HttpAnswer: ...


@hookspec
def settings_schema() -> "type[Schema]":
    """At the start: the marshmallow Schema class that checks this plugin's section.

    A plugin without one has no settings, and its section must be empty.
    """
    raise NotImplementedError


@hookspec
def reward_schemas() -> "dict[str, type[Schema]]":
    """At the start: the kinds of reward this plugin gives, and the Schema of each one's parameters.

    A plugin of yours may name a kind of ours: then yours gives it. Your schema loads its parameters;
    those that ours has too must also pass ours, whatever yours lets through, so that no `amount`
    becomes negative by an oversight. Where you mean something else, name the parameter otherwise, or
    give a kind of your own. Where yours gives our kind without naming it here, our schema holds alone.
    """
    raise NotImplementedError


@hookspec
def plugin_models() -> "Sequence[type[Model]]":
    """At the start and in `guerdon migrate`: this plugin's Peewee models.

    They are bound to our database, and `guerdon migrate` creates their tables.
    """
    raise NotImplementedError


@hookspec
def event_types(settings: Settings) -> Mapping[str, EventType]:
    """At the start and in `guerdon check`: the types of events that this source brings.

    `{"server.vote": EventType()}` says that votes come with any facts, from any server. A rule for a
    type that nobody brings, for a fact or a server that its type never has, and a type that no rule is
    for are then warned of: such a rule eats votes. A source (read_delivery, fetch_events) that does
    not answer is taken to bring anything, which silences most of these warnings. Any plugin may answer
    for a fact that it adds, or that your game server sends besides: all answers hold together.
    """
    raise NotImplementedError


@hookspec
def commands() -> Sequence[Command]:
    """On the command line: the commands this plugin brings."""
    raise NotImplementedError


@hookspec
def check_plugin(db: "Database", rewards: Sequence[Reward], settings: Settings) -> Sequence[str]:
    """When the database is first opened and in `guerdon check`: what stops this plugin from paying.

    `rewards` are all rewards of all rules. Return one sentence for each fault, or nothing.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def read_delivery(source: str, request: "Request", settings: Settings, now: int) -> Delivery | None:
    """A request came to POST /webhooks/<source>: verify it and say what it is.

    None: not my source. Raise BadDelivery or BadSignature to refuse it; nothing is stored then.
    `request` is Flask's; its proxy `flask.request` is not set, as a delivery goes past Flask's routing.
    `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def fetch_events(delivery: Delivery, http: Http, settings: Settings) -> list[Event] | None:
    """Outside: the events of a delivery; the first must carry the delivery's own type and id.

    All of them are paid in one commit, or none. Raise NotReady(reason, retry_in=None) for anything
    that is not a usable answer: the delivery then waits and is tried again. A level_up, game_start or
    game_settle holds its events in its data: where no plugin answers, they are taken from there.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def write_reply(source: str, outcome: Outcome, settings: Settings) -> "Response | None":
    """Outside: the answer to the source, if it wants another than ours.

    Ours: 204 when done; otherwise the outcome's status, Retry-After and the reason as plain text.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def find_player(event: Event, db: "Database", settings: Settings) -> Player | None:
    """Inside: the player of this event, if you know better than the players' table. None: I don't.

    Asked before the player's turn, since it says whose turn it is: what you read here another payment
    may be changing. Give one player the same id each time, as the players' table has it.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def grant_reward(
    reward: Reward,
    event: Event,
    player: Player,
    db: "Database",
    settings: Settings,
    batch: Batch,
    now: int,
) -> dict[str, Any] | None:
    """Inside: give this reward and return a receipt, a dict the ledger keeps as JSON.

    None: not my kind. Raising undoes the whole event; raise NotReady when it may work later.
    `now` is the time of the payment in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec
def build_report(
    event: Event, grants: Sequence[Grant], settings: Settings, now: int
) -> Report | list[Report] | None:
    """Inside, once the event is paid: what to tell a platform about it, in the event's own commit.

    All plugins are asked; once more, with its grants, for an event that earned nothing and is repaid by
    a person later. Raising undoes the whole event. `now` is the time of the payment in ms since
    the epoch, UTC.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def plan_sending(reporter: str, settings: Settings) -> Schedule | None:
    """When reports of this reporter are sent again, and how many at once. None: not my reporter.

    Where nobody answers, Schedule() holds.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def send_report(report: Report, http: Http, settings: Settings, now: int) -> dict[str, Any] | None:
    """Outside: send a report and return the platform's reply, a JSON object. None: not my reporter.

    Raise DeliveryError for anything but success; NetworkFailed, which `http` raises, counts as one
    that may be tried again. It has 40 seconds: after that somebody else may send the same report.
    `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec
def event_settled(event: Event, grants: Sequence[Grant], settings: Settings) -> None:
    """After the commit, once, as a courtesy: it is lost if we are killed just then.

    An error is logged and changes nothing. Keep it short: the reply waits for it.
    """
    raise NotImplementedError


@hookspec
def describe_player(player: Player, db: "Database", settings: Settings, now: int) -> dict[str, Any]:
    """GET /v1/players/<nickname>: what this plugin knows of the player, merged into the answer.

    `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError
