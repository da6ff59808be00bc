"""What the database holds, read by plain SQL: the books that a test looks into."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, NamedTuple

from app.database.opening import open_database
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event, Outcome


class Books(NamedTuple):
    """Ids of the settled events, the number of grants, reasons of waiting ids, gold by nickname."""

    events: list[str]
    grants: int
    waiting: dict[str, str]
    gold: dict[str, str]


def read_books(guerdon: Guerdon, table: str = "players") -> Books:
    def ask(sql: str) -> Sequence[Any]:
        return guerdon.database.execute_sql(sql).fetchall()

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


def make_work(*ids: str, nickname: str = "Bob", **changes: Any) -> Work:
    """A work of one event for each id."""
    return Work(
        [Event("gamemonitoring", "server.vote", id, nickname=nickname, **changes) for id in ids]
    )


def settle(guerdon: Guerdon, *works: Work) -> list[Outcome]:
    return guerdon.settler.settle(list(works))


def run_apart(function: Callable[..., Any], *args: Any) -> Any:
    """What the function returns in a thread of its own, which ends."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


def serve_once(guerdon: Guerdon) -> bool:
    """Let the dispatcher look once."""
    with ThreadPoolExecutor(4) as pool:
        return guerdon.dispatcher.serve_once(pool)


def check_unlocked(guerdon: Guerdon) -> None:
    """Another connection can write to the players at once; it fails where that has to wait for 1 s."""
    other = open_database(guerdon.config.database.url)
    wait = "PRAGMA busy_timeout = 0" if other.family == "sqlite" else (
        "SET SESSION innodb_lock_wait_timeout = 1"  # the least on MySQL
    )  # fmt: skip
    try:
        with other.connection_context():
            other.execute_sql(wait)
            other.execute_sql("UPDATE players SET gold = gold")
    finally:
        other.close_all()
