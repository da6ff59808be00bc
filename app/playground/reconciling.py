"""Deliveries that are lost on purpose, and the comparison with the platform's list that finds them."""

import threading
import time
from dataclasses import dataclass

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from app.database.reconciliation_models import Reconciliation
from app.playground.actions import Playground
from app.playground.choice import go_back, read_choice

COUNTS = (1, 3, 10)  # deliveries to lose, to choose from
MOST = 100
NAME = "gamemonitoring"
BY = "the playground"


@dataclass(frozen=True, slots=True)
class Compared:
    """What the latest comparison has found, and when (seconds since the epoch)."""

    at: float
    row: Reconciliation


class Reconciling:
    """Compares what the stand-in for GAMEMONITORING lists since it was started."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._began_at = int(time.time() * 1000)
        self._lock = threading.Lock()
        self.latest: Compared | None = None

    @property
    def is_possible(self) -> bool:
        """Whether Guerdon asks this playground for votes, and not somebody else."""
        return self._playground.asks_us

    def lose(self) -> AnyResponse:
        """Lose the next deliveries, as many as the form says."""
        asked = request.form.get("count", type=int) or COUNTS[0]
        self._playground.lose_next(min(max(asked, 1), MOST))
        return go_back(read_choice())

    def compare(self) -> AnyResponse:
        """Compare, and have what is missing fetched and paid."""
        if not self.is_possible:
            return Response("Guerdon asks another vote API than this playground's", 409)
        with self._lock:
            playground = self._playground
            servers = playground.platform.list_servers()
            result = playground.guerdon.reconciler.reconcile(
                NAME, self._began_at, heal=True, person=BY, servers=servers
            )
            self.latest = Compared(time.time(), result.row)
        return go_back(read_choice())


def build_reconciling(reconciling: Reconciling) -> Blueprint:
    """The two buttons."""
    part = Blueprint("reconciling", __name__)
    part.post("/lose", endpoint="lose")(reconciling.lose)
    part.post("/reconcile", endpoint="compare")(reconciling.compare)
    return part
