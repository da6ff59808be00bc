"""How fast Guerdon works off what waits: reports to a platform, and votes in the inbox."""

import time
from collections.abc import Callable

from app.database.keys import make_event_key
from app.database.models import Waiting
from app.testing.waiting import wait_until
from bench.guerdon import Guerdon
from bench.load import make_ids
from bench.reports import fill as queue_reports

LONGEST = 300  # seconds
VOTE = ("gamemonitoring", "server.vote")


def work_off(side: Guerdon, open_states: str) -> None:
    """Serve until no row is in these states; `open_states` is a query that counts them."""
    side.server.start()
    try:
        wait_until(lambda: side.ask(open_states)[0] == 0, LONGEST, 0.1)
    finally:
        side.server.stop()


def measure_reports(side: Guerdon, count: int, first: int) -> float:
    """Reports a second, from the first send to the last delivery; `first` is its first player."""
    (last,) = side.ask("SELECT COALESCE(MAX(id), 0) FROM guerdon_sends")
    queue_reports(side.inside, count, first)
    work_off(side, "SELECT COUNT(*) FROM guerdon_reports WHERE state IN ('ready', 'leased')")
    sends, delivered, took = side.ask(
        "SELECT COUNT(*), COUNT(ended_at), MAX(ended_at) - MIN(begun_at) FROM guerdon_sends"
        f" WHERE id > {last} AND status = 200"
    )
    assert sends == delivered == count, (sends, delivered)
    return float(round(count / (took / 1000), 1))


def measure_inbox(side: Guerdon, count: int) -> float:
    """Waiting votes a second, from the first that is paid to the last."""
    before, _ = side.count_paid()
    (last,) = side.ask("SELECT MAX(id) FROM guerdon_events")
    wait_in_inbox(side, count)
    work_off(side, "SELECT COUNT(*) FROM guerdon_inbox WHERE state IN ('ready', 'leased')")
    assert side.count_paid() == (before + count, before + count)
    (took,) = side.ask(
        f"SELECT MAX(settled_at) - MIN(settled_at) FROM guerdon_events WHERE id > {last or 0}"
    )
    return float(round(count / (took / 1000), 1))


def wait_in_inbox(side: Guerdon, count: int) -> None:
    """So many new votes, all due now, as deliveries that found no vote API leave them."""
    now = int(time.time() * 1000)
    rows = []
    for id in make_ids(count):
        rows.append({
            "ordered_key": make_event_key(*VOTE, id), "source": VOTE[0], "type": VOTE[1],
            "event_id": id, "token": "token 1", "data": "{}", "state": "ready", "due_at": now,
            "lease_token": "", "lease_until": 0, "takes": 0, "attempts": 1, "retries": 0,
            "last_error": "the vote API: no connection", "received_at": now, "waiting_since": now,
        })  # fmt: skip
    with side.inside.database.connection_context(), side.inside.database.atomic():
        for start in range(0, count, 500):
            Waiting.insert_many(rows[start : start + 500]).execute()


def repeat_in_turn(rounds: int, measure: Callable[[str, int], float]) -> dict[str, list[float]]:
    """Rounds of the fresh and the filled database; who begins changes."""
    taken: dict[str, list[float]] = {"fresh": [], "filled": []}
    for number in range(rounds):
        for name in sorted(taken, reverse=number % 2 == 1):
            taken[name].append(measure(name, number))
    return taken
