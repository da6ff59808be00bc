"""The oracle: what must be true of the books, whatever happened to those who wrote them.

Each accepted event is paid exactly once; the sum of the ledger is the balances; every report is
delivered, or due, or dead with a reason. It reads the tables by plain SQL, and the rules by TOML.
"""

import json
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from app.guerdon import Guerdon
from app.testing.platforms import Request
from tests.world.crowd import Key

SLACK = 1_000  # ms that the database's clock, by which a lease goes, may be ahead of ours
LONGEST_LEASE = 60_000 + SLACK  # ms
NOBODY: Mapping[str, Collection[str]] = {}


class Entry(NamedTuple):
    """A settled event."""

    row: int
    type: str
    id: str
    nickname: str
    user_id: str

    @property
    def key(self) -> Key:
        return self.type, self.id

    @property
    def player(self) -> str:
        return self.nickname or self.user_id


class Gift(NamedTuple):
    """A reward as a rule promises it; `what` is an item's name."""

    rule: str
    kind: str
    amount: Decimal = Decimal(0)
    what: str = ""


def ask(guerdon: Guerdon, sql: str) -> list[Any]:
    """All rows of one statement; a "key" column is quoted as each database wants it."""
    quote = guerdon.database.quote[0]
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql.replace("`", quote)).fetchall())


def judge(
    guerdon: Guerdon,
    *,
    accepted: Collection[Key],
    sent: Collection[Key] | None = None,
    reporters: Mapping[str, Collection[str]] = NOBODY,
    requests: Sequence[Request] = (),
) -> None:
    """Raise AssertionError where the books are wrong.

    `accepted` are events that were answered 2xx; `sent` all that anybody ever sent, the same where it
    is not given. `reporters` names who reports the events of a type; `requests` are all that their
    platforms ever saw.
    """
    sql = "SELECT id, type, event_id, nickname, user_id FROM guerdon_events"
    entries = [Entry(*row) for row in ask(guerdon, sql)]
    judge_events(guerdon, entries, set(accepted), set(accepted if sent is None else sent))
    judge_ledger(guerdon, entries)
    judge_reports(guerdon, entries, reporters, requests)


def judge_events(
    guerdon: Guerdon, entries: Sequence[Entry], accepted: set[Key], sent: set[Key]
) -> None:
    """What was accepted is settled once, or waits with a time or ends with a reason."""
    settled = Counter(entry.key for entry in entries)
    assert set(settled.values()) <= {1}
    waiting: set[Key] = set()
    rows = ask(guerdon, "SELECT type, event_id, state, due_at, lease_until, last_error"
                        " FROM guerdon_inbox")  # fmt: skip
    for type, id, state, due_at, lease_until, last_error in rows:
        assert state in ("ready", "leased", "settled", "dead"), (type, id, state)
        assert last_error
        assert state != "ready" or due_at > 0
        assert state != "leased" or 0 < lease_until <= time.time() * 1000 + LONGEST_LEASE
        assert state != "settled" or (type, id) in settled, f"{type} {id} was never paid"
        waiting.add((type, id))
    assert accepted <= settled.keys() | waiting, accepted - settled.keys() - waiting
    assert {key for key in accepted if key[0] == "server.vote"} <= settled.keys()  # 204 says: paid
    assert settled.keys() | waiting <= sent


def read_promises(guerdon: Guerdon) -> Mapping[str, list[Gift]]:
    """The gifts of each type of event, for rules with `on` alone."""
    promises: dict[str, list[Gift]] = defaultdict(list)
    for rule in tomllib.loads(guerdon.config.rewards_file.read_text()).get("rules", []):
        assert rule.keys() <= {"name", "on", "give"}, "the oracle knows no such rule"
        for gift in rule["give"]:
            amount = gift.get("amount", gift.get("quantity", 0))
            promises[rule["on"]].append(
                Gift(rule["name"], gift["reward"], Decimal(amount), gift.get("item", ""))
            )
    return promises


def judge_ledger(guerdon: Guerdon, entries: Sequence[Entry]) -> None:
    """Each event has the grants that the rules say, and their sum is what the players have."""
    promises = read_promises(guerdon)
    owed = Counter(
        (entry.row, gift.rule, gift.kind, entry.player)
        for entry in entries
        for gift in promises[entry.type]
    )
    grants = ask(guerdon, "SELECT event, rule, kind, nickname, params FROM guerdon_grants")
    assert Counter(tuple(grant[:4]) for grant in grants) == owed
    ledger: Counter[Any] = Counter()
    for _, _, kind, player, params in grants:
        written = json.loads(params)
        if kind == "gold":
            ledger[player, "gold"] += Decimal(written["amount"])
        elif kind == "item":
            ledger[player, written["item"]] += Decimal(written["quantity"])
    promised: Counter[Any] = Counter()
    for entry in entries:
        for gift in promises[entry.type]:
            if gift.kind in ("gold", "item"):
                promised[entry.player, gift.what or gift.kind] += gift.amount
    assert ledger == promised
    assert ledger == read_possessions(guerdon)
    judge_claims(guerdon, entries, promises)


def read_possessions(guerdon: Guerdon) -> Counter[Any]:
    """What each player has: of gold, and of each item."""
    rows = [
        *ask(guerdon, "SELECT nickname, 'gold', gold FROM players"),
        *ask(guerdon, "SELECT p.nickname, i.name, i.quantity FROM guerdon_items i"
                      " JOIN players p ON p.id = i.player_id"),
    ]  # fmt: skip
    return Counter({(name, what): Decimal(str(count)) for name, what, count in rows if count})


def judge_claims(
    guerdon: Guerdon, entries: Sequence[Entry], promises: Mapping[str, list[Gift]]
) -> None:
    owed = Counter(
        (*entry.key, entry.player)
        for entry in entries
        for gift in promises[entry.type]
        if gift.kind == "claim"
    )
    claims = ask(guerdon, "SELECT event_type, event_id, nickname, state FROM guerdon_claims")
    assert Counter(tuple(claim[:3]) for claim in claims) == owed
    assert {claim[3] for claim in claims} <= {"ready", "leased", "done"}


def judge_reports(
    guerdon: Guerdon,
    entries: Sequence[Entry],
    reporters: Mapping[str, Collection[str]],
    requests: Sequence[Request],
) -> None:
    """Each event has its reports, and what the platforms saw is what the books say was sent."""
    columns = ("id, event, reporter, `key`, body, state, due_at, lease_until, sends, last_error,"
               " response, delivered_at")  # fmt: skip
    reports = ask(guerdon, f"SELECT {columns} FROM guerdon_reports")
    owed = Counter(
        (entry.row, reporter) for entry in entries for reporter in reporters.get(entry.type, ())
    )
    assert Counter((report[1], report[2]) for report in reports) == owed
    assert len({(report[2], report[3]) for report in reports}) == len(reports)
    rows = ask(guerdon, "SELECT report, number, ended_at, error, status FROM guerdon_sends"
                        " ORDER BY report, number")  # fmt: skip
    sends = {report: list(some) for report, some in groupby(rows, lambda row: row[0])}
    assert sends.keys() <= {report[0] for report in reports}
    came = Counter(request.body for request in requests)
    bodies = {as_bytes(report[4]) for report in reports}
    assert len(bodies) == len(reports)
    assert came.keys() <= bodies, "a platform saw other bytes than those of a report"
    for report in reports:
        judge_report(report, sends.get(report[0], []), came[as_bytes(report[4])])


def as_bytes(value: Any) -> bytes:
    """A BLOB, also one that somebody wrote as text."""
    return value.encode() if isinstance(value, str) else bytes(value)


def judge_report(report: Any, sends: Sequence[Any], came: int) -> None:
    """A report's state is one that ends; it left no more often than is noted, and so often at least."""
    _, _, _, key, _, state, due_at, lease_until, count, last_error, response, delivered_at = report
    assert [number for _, number, *_ in sends] == list(range(1, count + 1)), key
    answered = sum(status is not None for *_, status in sends)
    assert answered <= came <= count, (key, answered, came, count)
    succeeded = any(ended and not error for _, _, ended, error, _ in sends)
    if state == "delivered":
        assert succeeded, key
        assert (response is not None, delivered_at is not None) == (True, True), key
        assert came, key
    elif state == "ready":
        assert due_at > 0, key
    elif state == "leased":
        assert 0 < lease_until <= time.time() * 1000 + LONGEST_LEASE, key
    else:
        assert (state, bool(last_error)) == ("dead", True), key


def is_over(guerdon: Guerdon) -> bool:
    """Whether nothing waits any more, neither event nor report."""
    open_rows = "WHERE state IN ('ready', 'leased')"
    return not any(
        ask(guerdon, f"SELECT COUNT(*) FROM {table} {open_rows}")[0][0]
        for table in ("guerdon_inbox", "guerdon_reports")
    )
