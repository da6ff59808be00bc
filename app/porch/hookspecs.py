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

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from app.porch.claims import ClaimPlan, ClaimResult, GameServer, QueuedClaim
from app.porch.listeners import Listener
from app.porch.types import (
    Alert,
    Batch,
    Command,
    Delivery,
    Event,
    EventType,
    Gauge,
    Grant,
    Http,
    ListedVote,
    Outcome,
    Player,
    Polled,
    Report,
    Reward,
    Schedule,
    Settings,
)

if TYPE_CHECKING:
    from flask import Request, Response
    from marshmallow import Schema
    from peewee import Database, Model

NAME = "guerdon"
hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


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

    A Schema with a static method check_for_server(params), "" or why not, may be given where there is
    no player, as by a party to a server: grant_reward then gets Player("", "").
    """
    raise NotImplementedError


@hookspec
def plugin_models() -> "Sequence[type[Model]]":
    """At the start and in `guerdon migrate`: this plugin's Peewee models.

    They are bound to our database, and `guerdon migrate` creates their tables.
    """
    raise NotImplementedError


@hookspec
def plugin_migrations() -> "Mapping[str, Callable[[Database], Any]]":
    """In `guerdon migrate`: how the tables of plugin_models grew, `{"add level": change}`, oldest first.

    Each runs once, under the lock that lets one migrate at a time, in a transaction with the note that
    it ran. Where the tables are new they are made as the models have them now, and nothing runs. A name
    stays as it is once it was released. MySQL and MariaDB commit a changed table by itself, and a kill
    just then has the change run again: write it so that this does no harm, as add_column does. It may
    find no table, where that is new in the same version. Services
    of the version before go on meanwhile: give a new column a default.
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


@hookspec
def source_methods(settings: Settings) -> Mapping[str, Collection[str]]:
    """At the start: which requests reach read_delivery besides POST /webhooks/<source>.

    `{"pingbacks": ["GET", "POST"]}` says that both do, and also at /webhooks/pingbacks/<rest>, whatever
    the rest is. A HEAD or OPTIONS never does.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def read_delivery(
    source: str, request: "Request", rest: str, sender: str, settings: Settings, now: int
) -> Delivery | list[Delivery] | None:
    """A request came to POST /webhooks/<source>: verify it and say what it is.

    None: not my source. Raise BadDelivery or BadSignature to refuse it; nothing is stored then. Several
    deliveries are paid, or wait, each by itself; [] is done. `rest` is what stands behind <source>/ in the
    path, where source_methods asks for it. `sender` is the address the request comes from, behind the
    proxies of [server] trusted_proxies: for is_from, where a site signs nothing.
    `request` is Flask's; its proxy `flask.request` is not set, as a delivery goes past Flask's routing.
    `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def fetch_events(delivery: Delivery, http: Http, settings: Settings) -> list[Event] | None:
    """Outside: the events of a delivery; the first must carry the delivery's own type and id.

    All of them are paid in one commit, or none. Raise NotReady(reason, retry_in=None) for anything
    that is not a usable answer: the delivery then waits and is tried again. Raise NeverPayable(reason) where
    no later answer could be: it is dead at once, kept and shown, and its source has nothing more to do. A
    level_up, game_start or game_settle holds its events in its data: where no plugin answers, they are
    taken from there.
    """
    raise NotImplementedError


@hookspec
def poll_source(place: Any, http: Http, settings: Settings, now: int) -> Polled | None:
    """Outside: ask your site what is new; by the dispatcher, on one host at a time.

    `place` is where the last poll has got to, as you returned it: any JSON, None at first. Return the
    deliveries since then, the new place, and in how many seconds to ask again. They wait in the inbox as if
    they had just come, and fetch_events is asked for each; the new place is kept with them, in one commit.
    One that came before is passed over, so it may be told again. A fourth value, a text, says what of it
    failed, as one of several sites: it is told to whoever looks after the service. Raise
    NotReady(reason, retry_in=None) where the site gives no usable answer: the place stays, and it is asked
    again. `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec
def open_listeners(
    deliver: Callable[[Delivery], Outcome], settings: Settings
) -> Sequence[Listener]:
    """Where inbox and outbox are served: TCP ports that your sites connect to.

    Each Listener's `serve` is called with a connection, in a thread of its own. What it verified it gives
    to `deliver`, whose Outcome says whether it is paid or kept: tell a site that all is well only after
    that. `deliver` raises BadDelivery for what cannot be kept.
    """
    raise NotImplementedError


@hookspec
def list_votes(
    since: int, servers: Sequence[str], http: Http, settings: Settings
) -> Iterable[ListedVote] | None:
    """Outside: the votes that your site has, made at `since` (ms since the epoch, UTC) or later.

    They are compared with the ledger by `guerdon reconcile`. What is missing there is never paid from
    the list: it waits in the inbox as if it had just been delivered, and fetch_events is asked for it.
    `servers` are those that the ledger has votes of. Yield them as they come, older ones and some twice
    if the list has them. Where the list is cut short, or may be, raise NotReady with the reason at its
    end: what was yielded counts, and of the rest nobody says that nothing is missing.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def write_reply(source: str, outcome: Outcome, settings: Settings) -> "Response | None":
    """Outside: the answer to the source, if it wants another than ours.

    Ours: 204 when done; otherwise the outcome's status, Retry-After and the reason as plain text. Where a
    site does not come again, or does at once, `outcome.is_kept` says when it need not.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def find_player(event: Event, db: "Database", settings: Settings) -> Player | None:
    """Inside: the player of this event, if you know better than the players' table. None: I don't.

    Asked before the player's turn, since it says whose turn it is: what you read here another payment
    may be changing. Give one player the same id each time, as the players' table has it.
    """
    raise NotImplementedError


@hookspec
def player_fact_names(settings: Settings) -> Sequence[str]:
    """At the start and in `guerdon check`: the facts of players that player_facts knows, as ["role"].

    A rule asks them as `where = { "player.role" = "member" }`; one that no plugin knows is a fault.
    """
    raise NotImplementedError


@hookspec
def player_facts(
    names: Sequence[str], players: Sequence[Player], db: "Database", settings: Settings, now: int
) -> Mapping[str, Mapping[str, Any]]:
    """Inside, in the players' turns: what is known of these players, `{player.key: {"role": "member"}}`.

    `names` are the facts that rules ask; those of other plugins are among them. Of a list, as of roles,
    one value has to hold. They decide who is paid, and never what is counted: they are as they are now,
    and the ledger could not tell how they were. Raising undoes the events. `now` is in ms since the epoch,
    UTC.
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


@hookspec(firstresult=True)
def build_alert(alert: Alert, settings: Settings, now: int) -> Report | None:
    """Every half a minute while something is wrong, of the [alerts] reporter alone: the report of it.

    It is `Report(NAME, alert.kind, alert.key, body)`, which send_report then sends as any other; what it
    says of kind and key is not heeded. It is asked in a transaction: use neither database nor network.
    `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec
def gauges(db: "Database", settings: Settings, now: int) -> Sequence[Gauge]:
    """For /metrics and for alerts, no more than every few seconds: numbers worth watching, as stock left.

    Never on the way of a vote; on a connection of its own, for reading. It has one second, and few
    milliseconds are polite: count what is open, not what is done. Where it fails, or is late, its numbers
    are missing and all else is there. `now` is in ms since the epoch, UTC.
    """
    raise NotImplementedError


@hookspec
def game_servers(settings: Settings) -> Sequence[GameServer]:
    """At the start: the consoles that this plugin delivers claims to.

    Claims of the server_ids that one of them names are then delivered by us, and leased by no game
    server over /v1. A server_id has one console.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def plan_claim(claim: QueuedClaim, server: GameServer, settings: Settings) -> ClaimPlan | None:
    """Before anything is sent: how this claim is delivered. None: not my server.

    No network, no database: it is asked again for the same claim, also when a person looks at it. Raise
    RefusedClaim with the reason for one that cannot be delivered; it waits for a person.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def list_online(server: GameServer, http: Http, settings: Settings) -> Collection[str] | None:
    """Outside: the nicknames of all who are on this server now. None: not my server.

    It is asked once before a round of sends, where GameServer.lists_players says so; then who is not
    there is not sent anything, and waits. Raise NotSent, or anything, where the answer is none.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def send_claim(
    claim: QueuedClaim, plan: ClaimPlan, server: GameServer, http: Http, settings: Settings,
    seconds_left: Callable[[], float],
) -> ClaimResult | None:  # fmt: skip
    """Outside, once it is committed that it is sent: deliver a claim, and say what became of it.

    None: not my server. Raise NotSent only where no byte of the command can have left: it is then sent
    again. Anything else that is raised means that nobody knows; so does silence. Ask `seconds_left`
    just before the first byte leaves: where that is not above 0, somebody else may have it by now.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def check_claim(
    claim: QueuedClaim, plan: ClaimPlan, server: GameServer, http: Http, settings: Settings
) -> bool | None:
    """Outside, where plan.if_unknown is CHECK and nobody knows whether a claim was given: was it?

    True: it was, and is done. False: it was not, and is sent again. None: still nobody knows. It must
    change nothing: it may be asked many times.
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


@hookspec
def player_schema() -> "type[Schema]":
    """For /openapi.json: a marshmallow Schema of what describe_player adds to the answer; not needed.

    What is not described is there all the same."""
    raise NotImplementedError


@hookspec
def export_player(player: Player, db: "Database", settings: Settings) -> Mapping[str, Any]:
    """`guerdon players export`: `{"pets": rows}` of your own tables, iterables of JSON, written as read."""
    raise NotImplementedError


@hookspec
def erase_player(
    player: Player, names: Sequence[str], pseudonym: str, new_key: str, db: "Database", settings: Settings
) -> int:  # fmt: skip
    """Inside, in `guerdon players erase`: in your own tables put `pseudonym` for each of `names`.

    Those are his nicknames and user ids. Rows by Player.key get `new_key`, the same where it is a number.
    Returns how many rows. After a kill it comes again, maybe with `pseudonym` as his nickname."""
    raise NotImplementedError
