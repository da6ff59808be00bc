"""Reads and writes the ledger in as few statements as a batch needs: plain SQL, no model objects."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from app.database.keys import make_event_key
from app.database.opening import Database
from app.database.statements import ROWS_AT_ONCE, cut_rows, insert_sql
from app.porch.errors import PluginFailed
from app.porch.json import dump_json
from app.porch.text import is_unicode
from app.porch.types import Event, Grant
from app.rules.gifts import Gift

# Characters of a column.
LONGEST = {"source": 64, "type": 64, "id": 255, "server_id": 255, "nickname": 255, "user_id": 255}
LONGEST_APART = 31 * 86400  # seconds
LONGEST_RECEIPT = 60_000  # bytes; MySQL's TEXT holds little more
EVENT_COLUMNS = (
    "ordered_key", "source", "type", "event_id", "server_id", "nickname", "user_id", "occurred_at",
    "token", "settled_at", "data", "earns", "player_id", "counted_at", "verdicts",
)  # fmt: skip
GRANT_COLUMNS = (
    "event", "rule", "plugin", "kind", "params", "player_id", "nickname", "server_id", "user_id",
    "receipt", "granted_at", "rule_text",
)  # fmt: skip
# Of so many event keys, those of events that are settled; each with a 1, to be told from others.
IS_SETTLED = "SELECT ordered_key, 1 FROM guerdon_events WHERE ordered_key IN ({marks})"


class Entry(NamedTuple):
    """An event as the ledger keeps it; `data` and `verdicts` are JSON, `token` is a name.

    `player` is his key, where it was asked for; the event counts by `counted_at` (ms).
    """

    key: bytes
    event: Event
    token: str
    data: str
    player: str | None
    counted_at: int
    verdicts: str | None


def key_of(event: Event) -> bytes:
    return make_event_key("" if event.is_shared else event.source, event.type, event.id)


def find_misfit(events: Sequence[Event]) -> str:
    """Why a column would refuse one of these events, the same on every database; "" if none would."""
    for event in events:
        if fault := find_unfit_text(event):
            return fault
        time = event.occurred_at
        if time is not None and (type(time) is not int or not 0 <= time < 2**62):
            return "the event's occurred_at is no time in ms"
        if type(event.not_within) is not int or not 0 <= event.not_within <= LONGEST_APART:
            return "the event's not_within is no number of seconds, of 31 days at most"
        if not isinstance(event.site, str):
            return "the event's site is not a string"
    return ""


def find_unfit_text(event: Event) -> str:
    """Which of its texts a column would refuse, and why; "" if none."""
    texts = [getattr(event, name) for name in LONGEST]
    try:
        if are_usual(texts):
            return ""
    except TypeError:  # one of them is no text
        pass
    for (name, longest), text in zip(LONGEST.items(), texts, strict=True):
        if fault := judge_text(text, longest):
            return f"the event's {name} {fault}"
    return ""


def are_usual(texts: Sequence[str]) -> bool:
    """Whether these are as nearly all are: short and ASCII, so that every column takes them.

    A source and a type come first. Raises TypeError for what is no text.
    """
    joined = "".join(texts)
    is_short = len(joined) <= LONGEST["id"] and len(texts[0]) + len(texts[1]) <= LONGEST["type"]
    return is_short and joined.isascii()


def judge_text(value: Any, longest: int) -> str:
    """Why a column of so many characters would refuse this value; "" if it would not."""
    if not isinstance(value, str):
        return "is not a string"
    if len(value) > longest:
        return f"is longer than {longest} characters"
    if not is_unicode(value):
        return "is not valid Unicode"
    return ""


def find_settled(database: Database, keys: Sequence[bytes]) -> dict[bytes, int]:
    """The row ids of those of these event keys that are settled."""
    if not keys:
        return {}
    marks = ", ".join([database.param] * len(keys))
    sql = f"SELECT ordered_key, id FROM guerdon_events WHERE ordered_key IN ({marks})"
    rows = database.execute_sql(sql, list(keys)).fetchall()
    return {bytes(key): id_ for key, id_ in rows}


def insert_events(database: Database, entries: Sequence[Entry], now: int) -> dict[bytes, int]:
    """Insert these events as settled; their row ids by event key.

    A key that is there already fails as the database's unique error: a plain INSERT decides.
    """
    ids: dict[bytes, int] = {}
    rows = [
        (key, event.source, event.type, event.id, event.server_id, event.nickname,
         event.user_id, event.occurred_at, token, now, data, int(event.earns), player, counted_at,
         verdicts)
        for key, event, token, data, player, counted_at, verdicts in entries
    ]  # fmt: skip
    for some in cut_rows(rows, database.bytes_at_once):
        keys = [row[0] for row in some]
        params = [value for row in some for value in row]
        sql = insert_sql("guerdon_events", EVENT_COLUMNS, len(some), database.param)
        if database.returns_rows:
            found = database.execute_sql(f"{sql} RETURNING id, ordered_key", params).fetchall()
        else:
            database.execute_sql(sql, params)
            marks = ", ".join([database.param] * len(keys))
            found = database.execute_sql(
                f"SELECT id, ordered_key FROM guerdon_events WHERE ordered_key IN ({marks})", keys
            ).fetchall()
        ids.update({bytes(key): id_ for id_, key in found})
    return ids


def insert_parts(database: Database, families: Iterable[Sequence[int]]) -> None:
    """Insert that the later row ids of each family came with its first."""
    pairs = [(family[0], part) for family in families for part in family[1:]]
    for start in range(0, len(pairs), ROWS_AT_ONCE):
        some = pairs[start : start + ROWS_AT_ONCE]
        sql = insert_sql("guerdon_parts", ("event", "part"), len(some), database.param)
        database.execute_sql(sql, [id_ for pair in some for id_ in pair])


def insert_grants(
    database: Database, grants: Iterable[tuple[int, Grant, Gift, str]], now: int
) -> None:
    """Insert (event row id, grant, what gave it, its receipt as JSON) into the ledger."""
    rows = [
        (event_row, grant.rule, grant.plugin, grant.reward.kind, gift.params_json, grant.player.key,
         grant.player.nickname, grant.event.server_id, grant.event.user_id, receipt, now,
         gift.rule_text)
        for event_row, grant, gift, receipt in grants
    ]  # fmt: skip
    for some in cut_rows(rows, database.bytes_at_once):
        sql = insert_sql("guerdon_grants", GRANT_COLUMNS, len(some), database.param)
        database.execute_sql(sql, [value for row in some for value in row])


def dump_receipt(grant: Grant) -> str:
    """A receipt as JSON, once everything has been written into it; PluginFailed if it has none."""
    try:
        text = dump_json(grant.receipt)
    except (TypeError, ValueError, RecursionError) as error:
        raise PluginFailed(grant.plugin, "grant_reward, whose receipt is no JSON", error) from error
    if len(text.encode()) > LONGEST_RECEIPT:
        fault = ValueError(f"more than {LONGEST_RECEIPT} bytes")
        raise PluginFailed(grant.plugin, "grant_reward, whose receipt is too long", fault)
    return text
