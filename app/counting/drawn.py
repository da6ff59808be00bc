"""Draws made again from the ledger: secret, rule and event give the same line for ever."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.counting.shared_uses import read_windows
from app.database.keys import make_event_key
from app.database.opening import Database
from app.rules.drawing import draw_number, find_fingerprint


@dataclass(frozen=True, slots=True)
class Checked:
    """A draw of the ledger, and what is wrong with it; "" where nothing is, or its secret is not known."""

    rule: str
    event: str
    fault: str
    is_known: bool


def verify_draws(database: Database, secrets: Sequence[bytes], since: int = 0) -> Iterator[Checked]:
    """Every draw for an event settled since then (ms), drawn again.

    An event whose id was taken away with its player's name is left out: it is drawn by its id.
    """
    known = {find_fingerprint(secret): secret for secret in secrets}
    sql = (
        "SELECT id, type, event_id, verdicts, source, ordered_key FROM guerdon_events"
        f" WHERE settled_at >= {int(since)} AND verdicts LIKE '%\"draws\"%' AND id >"
    ).replace("%", "%%" if database.family == "mysql" else "%")
    for _, type, id, verdicts, source, key in read_windows(database, sql):
        if bytes(key) not in (make_event_key(source, type, id), make_event_key("", type, id)):
            continue
        for verdict in json.loads(verdicts):
            for number, draw in enumerate(verdict.get("draws", ())):
                secret = known.get(draw["secret"])
                fault = ""
                if secret is not None:
                    about = ["draw 1", verdict["rule"], type, id, number]
                    drawn = draw_number(secret, about, draw["of"])
                    if drawn != draw["number"]:
                        fault = f"the ledger has {draw['number']}, and it is {drawn}"
                yield Checked(verdict["rule"], f"{type} {id}", fault, secret is not None)
