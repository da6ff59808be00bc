"""What the database holds, read by plain SQL: the books that a test looks into."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from app.database.opening import open_database
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event, Outcome


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
