"""What the database holds, read by plain SQL: the books that a test looks into."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from app.guerdon import Guerdon


class Books(NamedTuple):
    """Ids of the settled events, the number of grants, reasons of waiting ids, gold by nickname."""

    events: list[str]
    grants: int
    waiting: dict[str, str]
    gold: dict[str, str]


def read_books(guerdon: Guerdon, table: str = "players") -> Books:
    def ask(sql: str) -> Sequence[Any]:
        rows: Sequence[Any] = guerdon.database.execute_sql(sql).fetchall()
        return rows

    with guerdon.database.connection_context():
        return Books(
            sorted(row[0] for row in ask("SELECT event_id FROM guerdon_events")),
            int(ask("SELECT COUNT(*) FROM guerdon_grants")[0][0]),
            dict(
                ask(
                    "SELECT event_id, last_error FROM guerdon_inbox"
                    " WHERE state IN ('ready', 'leased')"
                )
            ),
            {
                nickname: f"{Decimal(str(gold)):.2f}"
                for nickname, gold in ask(f"SELECT nickname, gold FROM {table}")
            },
        )
