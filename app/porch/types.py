"""What a plugin is given and what it gives: plain values, and what it may ask of the things it is lent."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


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
    not_within: int = (
        0  # s: so near to another of its source, type, server, player it earns nothing
    )


@dataclass(frozen=True, slots=True)
class ListedVote:
    """A vote that a site's list has: the delivery that should have come, and what the list tells of it."""

    delivery: Delivery  # its source is the plugin's name; no token
    server_id: str = ""  # "" here and in nickname: the list does not say
    nickname: str = ""
    occurred_at: int | None = None  # ms since the epoch, UTC


# What poll_source returns: deliveries, the place, seconds until the next poll, and perhaps what failed.
Polled = tuple[Sequence[Delivery], Any, float] | tuple[Sequence[Delivery], Any, float, str]


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
    leaves out `id`, `sends` and `created_at`; send_report finds them filled in.
    """

    reporter: str  # who sends it: a plugin's name
    kind: str
    key: str
    body: bytes
    id: int = 0
    sends: int = 0  # how often it has left, this time included
    created_at: int = 0  # ms since the epoch, UTC: when its event was paid


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that a plugin shows of itself, as guerdon_plugin_NAME in /metrics; for the hook gauges.

    Small letters, digits and _ make its name and those of its labels, which are the same for all of
    one name. Labels come from your config, as a pool's name: never a nickname or an id.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    help: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that is wrong with the service, or was: what build_alert tells a person of."""

    kind: str  # "alert", or "recovered" when it is over
    key: str  # of its report: there is one for each alert and window, for ever
    name: str  # of the rule, as in deploy/prometheus-rules.yml: "GuerdonVoteWaits"
    about: str  # what of: a reporter's, a source's or a pool's name; "": the whole service
    summary: str  # one sentence
    since: int  # ms since the epoch, UTC


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


class OutcomeState(StrEnum):
    """What became of a delivery; each equals its text, as "settled"."""

    REFUSED = "refused"  # it was not accepted, and nothing of it is stored
    TEST = "test"  # nothing to pay
    IGNORED = "ignored"  # nothing to pay
    SETTLED = "settled"  # paid now
    KNOWN = "known"  # paid before
    REPEATED = (
        "repeated"  # settled, and it earns nothing: too soon after another of the same player
    )
    DEAD = "dead"  # nobody will ever be able to pay it; kept, and shown to a person
    HELD = "held"  # waits for its player; the source need not send it again
    WAITING = "waiting"  # could not be paid; waits and is tried again
    UNAVAILABLE = "unavailable"  # could not even be stored: the source must send it again


PAID = (OutcomeState.SETTLED, OutcomeState.KNOWN, OutcomeState.REPEATED)
NOT_YET = (OutcomeState.WAITING, OutcomeState.HELD)  # what is kept, to be paid later
DONE = (
    OutcomeState.TEST, OutcomeState.IGNORED, OutcomeState.SETTLED, OutcomeState.KNOWN,
    OutcomeState.REPEATED, OutcomeState.DEAD, OutcomeState.HELD,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery, and why."""

    state: OutcomeState
    reason: str = ""  # short, fit to be shown to the source; no secret
    retry_in: float | None = None  # seconds until we try again ourselves
    events: Sequence[Event] = ()
    grants: Sequence[Grant] = ()
    status: int = 503  # HTTP, where it is not done and the source wants no reply of its own
    code: int = 0  # of a refusal: what its plugin gave with BadDelivery or BadSignature

    @property
    def is_done(self) -> bool:
        """True when the source has nothing more to do."""
        return self.state in DONE

    @property
    def is_kept(self) -> bool:
        """True when nothing is lost if the source never comes again: it is done, or waits with us."""
        return self.state in DONE or self.state in NOT_YET


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
