"""What a process does that pays, as a worker would.

Its order is JSON on its input, its answer JSON on its output: what became of each event, and what the
plugin did meanwhile that it may not do there.
"""

import json
import sys
from pathlib import Path
from typing import Any

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.types import Event, Outcome
from app.testing.contracts import partner
from app.testing.contracts.watching import Watcher, announce_calls, find_files

SOURCE, TYPE = "contract", "server.vote"


def make_work(id: str, server: str, nickname: str) -> Work:
    """A vote, as any source could bring it."""
    return Work([Event(SOURCE, TYPE, id, server_id=server, nickname=nickname)])


def pay(guerdon: Guerdon, batches: list[list[list[str]]]) -> dict[str, Any]:
    """Pay batch after batch of (id, server, nickname); by id what became of it."""
    answers: dict[str, Any] = {}
    for batch in batches:
        outcomes = guerdon.settler.settle([make_work(*one) for one in batch])
        for (id_, *_), outcome in zip(batch, outcomes, strict=True):
            answers[id_] = describe(outcome)
    return answers


def describe(outcome: Outcome) -> Any:
    """Its state, its reason, who gave, and why a receipt is no JSON."""
    givers = [grant.plugin for grant in outcome.grants]
    faults = [fault for grant in outcome.grants if (fault := judge_receipt(grant.receipt))]
    return [outcome.state, outcome.reason, givers, faults]


def judge_receipt(receipt: Any) -> str:
    """Why JSON does not hold it as it is; "" if it does."""
    try:
        return "" if json.loads(json.dumps(receipt)) == receipt else "would be read otherwise"
    except (TypeError, ValueError) as error:
        return str(error)


def main() -> None:
    order, said = json.load(sys.stdin), sys.stdout
    sys.stdout = sys.stderr  # what a plugin prints is no answer of ours
    config = Path(order["config"])
    announce_calls()
    watcher = Watcher(find_files(config, order["plugin"]))
    guerdon = open_guerdon(config, lambda: int(order["now"]), beside={partner.NAME: partner})
    imported, watcher.is_inside = watcher.take_seen(), True
    guerdon.plugins.register(partner.Watch(), "watch")
    answers = pay(guerdon, order["batches"])
    guerdon.close()
    told = {"answers": answers, "imported": imported, "seen": watcher.take_seen()}
    json.dump(told | {"waits": partner.waits}, said)
