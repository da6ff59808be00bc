"""What the ledger knows beforehand of a source: since when it is here, and the servers of its votes."""

from app.database.opening import Database
from app.reconciling.asking import ask

ROWS_AT_ONCE = 5_000  # of the ledger, looked through at once
LATEST = 5_000  # events whose servers are asked for


def find_beginning(database: Database, source: str) -> int | None:
    """When (ms) the ledger's first event of this source was settled; None if it has none.

    What was voted before then may have been paid by whoever paid before us.
    """
    mark = database.param
    after: int | None = 0
    sql = (
        f"SELECT MAX(id), MIN(CASE WHEN source = {mark} THEN settled_at END) FROM (SELECT id, source,"
        f" settled_at FROM guerdon_events WHERE id > {mark} ORDER BY id LIMIT {ROWS_AT_ONCE}) AS part"
    )
    while after is not None:
        after, first = ask(database, sql, (source, after))[0]
        if first is not None:
            return int(first)
    return None


def list_servers(database: Database, source: str) -> list[str]:
    """The servers of the latest votes of this source."""
    sql = (
        "SELECT DISTINCT server_id FROM (SELECT source, server_id FROM guerdon_events ORDER BY id DESC"
        f" LIMIT {LATEST}) AS latest WHERE source = {database.param} AND server_id <> ''"
    )
    return sorted(str(row[0]) for row in ask(database, sql, (source,)))
