"""After a restore: finds who was erased before and is there by name again.

The names themselves are kept nowhere: each nickname of the ledger and of our players is hashed, and looked
for.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.database.erasure_models import Erasure
from app.database.opening import Database
from app.paying.erased import Hasher
from app.privacy.searching import ROWS_AT_ONCE

# Of each box: its names, its ids, and when a row of it came (ms).
TABLES = (
    ("guerdon_events", ("nickname", "user_id"), "settled_at"),
    ("guerdon_grants", ("nickname", "user_id"), "granted_at"),
    ("guerdon_claims", ("nickname",), "created_at"),
    ("players", ("nickname",), "created_at"),
)


class Candidate(NamedTuple):
    """Somebody who was erased under this pseudonym, and is called so again."""

    nickname: str
    pseudonym: str


def find_candidates(database: Database, hasher: Hasher, is_own: bool) -> list[Candidate]:
    """Those of whom there are rows of before they were erased: whoever came later is somebody else.

    `is_own`: the table of players is ours, and is looked through too.
    """
    known: dict[str, Any] = {
        name: row
        for row in database.read(lambda: list(Erasure.select().order_by(Erasure.id)))
        for name in json.loads(row.names)
    }
    found: dict[str, Candidate] = {}
    asked: dict[str, Any] = {}
    for table, columns, when in TABLES if known else ():
        if table == "players" and not is_own:
            continue
        for *names, moment in read_names(database, table, columns, when):
            for name in filter(None, names):
                if name not in asked:
                    asked[name] = known.get(hasher.hash_name(name)) or known.get(
                        hasher.hash_id(name)
                    )
                row = asked[name]
                if row is not None and moment < row.begun_at:
                    found.setdefault(row.pseudonym, Candidate(name, row.pseudonym))
    return list(found.values())


def read_names(
    database: Database, table: str, columns: tuple[str, ...], when: str
) -> Iterator[tuple[Any, ...]]:
    last = 0
    listed = ", ".join(columns)
    while rows := database.read(lambda after=last: database.execute_sql(  # type: ignore[misc]
        f"SELECT id, {listed}, {when} FROM {table} WHERE id > {int(after)} ORDER BY id"
        f" LIMIT {ROWS_AT_ONCE}"
    ).fetchall()):  # fmt: skip
        yield from (tuple(row[1:]) for row in rows)
        last = rows[-1][0]
