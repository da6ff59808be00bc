"""A list beside ledger and inbox, by event keys: what is missing, waits, differs, or is unknown there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.database.opening import Database
from app.database.states import BoxState
from app.porch.types import ListedVote
from app.reconciling.asking import ask
from app.reconciling.listing import Listing

AT_ONCE = 200  # keys in a statement
ROWS_AT_ONCE = 1000  # of the ledger, walked backwards
EQUAL = 1_000  # ms: lists tell seconds
# Of so many keys, those here: in the ledger with its facts, in the inbox while they wait or are dead.
IS_HERE = (
    "SELECT ordered_key, server_id, occurred_at, settled_at FROM guerdon_events"
    " WHERE ordered_key IN ({marks}) UNION ALL"
    " SELECT ordered_key, NULL, NULL, NULL FROM guerdon_inbox"
    f" WHERE ordered_key IN ({{marks}}) AND state <> '{BoxState.SETTLED}'"
)


class Settled(NamedTuple):
    """What the ledger holds of an event; times in ms, `settled_at` None for one that waits."""

    server_id: str | None
    occurred_at: int | None
    settled_at: int | None


class Stray(NamedTuple):
    """An event of the ledger that the list should have, and has not."""

    type: str
    id: str
    server_id: str
    occurred_at: int


@dataclass
class Comparison:
    """What came of it. `skews` are ms from when a vote was made to when it was settled."""

    missing: list[ListedVote] = field(default_factory=list)
    waiting: int = 0
    differing: list[tuple[ListedVote, str]] = field(default_factory=list)
    unknown: list[Stray] = field(default_factory=list)
    skews: list[int] = field(default_factory=list)


def compare_list(database: Database, listing: Listing, newest: int) -> Comparison:
    """Look for each vote of the list here. One made after `newest` (ms) may still be on its way."""
    found = Comparison()
    keys = list(listing.votes)
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        here = find_here(database, some)
        for key in some:
            judge(found, listing.votes[key], here.get(key), newest)
    return found


def judge(found: Comparison, vote: ListedVote, here: Settled | None, newest: int) -> None:
    """Add a vote to where it belongs."""
    made_at = vote.occurred_at
    if here is None:
        if made_at is None or made_at <= newest:
            found.missing.append(vote)
    elif here.settled_at is None:
        found.waiting += 1
    else:
        if made_at is not None:
            found.skews.append(here.settled_at - made_at)
        if said := describe_difference(vote, here):
            found.differing.append((vote, said))


def describe_difference(vote: ListedVote, here: Settled) -> str:
    """In which facts list and ledger differ; "" if in none. Names may change, and are erased."""
    if vote.server_id and here.server_id and vote.server_id != here.server_id:
        return f"server {here.server_id} here, {vote.server_id} there"
    if vote.occurred_at is None or here.occurred_at is None:
        return ""
    late = (here.occurred_at - vote.occurred_at) / 1000
    return (
        f"made {abs(late):g} s {'later' if late > 0 else 'earlier'} here"
        if abs(late) * 1000 > EQUAL
        else ""
    )


def find_here(database: Database, keys: Sequence[bytes]) -> dict[bytes, Settled]:
    """What is here of these events; where one is settled and its row in the inbox is not, the former."""
    marks = ", ".join([database.param] * len(keys))
    sql = IS_HERE.format(marks=marks)
    here: dict[bytes, Settled] = {}
    for key, *facts in ask(database, sql, [*keys, *keys]):
        if facts[2] is not None or bytes(key) not in here:
            here[bytes(key)] = Settled(*facts)
    return here


def find_unknown(database: Database, source: str, listing: Listing) -> Iterator[Stray]:
    """Events of the ledger, made between a server's first and last vote in the list, that it has not."""
    covered = find_covered(listing)
    if listing.reason or not covered:
        return
    earliest = min(first for first, _ in covered.values())
    for row in walk_back(database, earliest):
        key, its_source, type_, id_, server, made_at = row[1:7]
        first, last = covered.get(server, (0, 0))
        is_covered = its_source == source and made_at is not None and first < made_at < last
        if is_covered and bytes(key) not in listing.votes:
            yield Stray(type_, id_, server, made_at)


def find_covered(listing: Listing) -> dict[str, tuple[int, int]]:
    """By server, the times (ms) of the first and the last vote that the list has; where all have one."""
    covered: dict[str, tuple[int, int]] = {}
    for vote in listing.votes.values():
        if vote.occurred_at is None or not vote.server_id:
            return {}
        first, last = covered.get(vote.server_id, (vote.occurred_at, vote.occurred_at))
        covered[vote.server_id] = min(first, vote.occurred_at), max(last, vote.occurred_at)
    return covered


def walk_back(database: Database, until: int) -> Iterator[Any]:
    """The ledger's rows, the latest first, as long as they were settled at `until` (ms) or later."""
    sql = (
        "SELECT id, ordered_key, source, type, event_id, server_id, occurred_at, settled_at"
        f" FROM guerdon_events WHERE id < {database.param} ORDER BY id DESC LIMIT {ROWS_AT_ONCE}"
    )
    before = 1 << 62
    while True:
        rows = ask(database, sql, (before,))
        yield from (row for row in rows if row[7] >= until)
        if len(rows) < ROWS_AT_ONCE or rows[-1][7] < until:
            return
        before = rows[-1][0]
