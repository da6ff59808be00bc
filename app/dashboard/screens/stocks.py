"""Stocks: what is left of what can run out, and the claims that wait for their game servers."""

from collections.abc import Iterator, Sequence
from typing import Any

from flask import render_template

from app.dashboard.frame import get_guerdon, look
from app.database.claim_models import Claim
from app.metrics.exposition import Sample
from app.metrics.families import PLUGIN_PREFIX
from app.numbers.open_counts import OpenCount, count_claims

OLDEST = 15  # claims that are shown


@look("/stocks")
def show_stocks() -> Any:
    """What plugins say is left, claims by server and state, and the claims that wait longest."""
    guerdon = get_guerdon()
    sight = guerdon.watch.look()
    servers = list_servers(count_claims(guerdon.database))
    return render_template(
        "stocks.html", gauges=list(list_gauges(sight.samples)), is_whole=sight.has_all_gauges,
        few=guerdon.config.alerts.promo_codes, servers=servers, oldest=list_oldest(servers),
    )  # fmt: skip


def list_gauges(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    """Each number that a plugin tells: the lowest of its name first."""
    told = [one for one in samples if one.family.name.startswith(PLUGIN_PREFIX)]
    for one in sorted(told, key=lambda one: (one.family.name, one.number, one.values)):
        yield {
            "name": one.family.name.removeprefix(PLUGIN_PREFIX), "help": one.family.text,
            "labels": dict(zip(one.family.labels, one.values, strict=True)),
            "number": int(one.number) if one.number.is_integer() else one.number,
        }  # fmt: skip


def list_servers(counts: Sequence[OpenCount]) -> list[dict[str, Any]]:
    """How many claims of each server wait or are under way, and since when (ms): the oldest first."""
    servers: dict[str, dict[str, Any]] = {}
    for one in counts:
        row = servers.setdefault(one.of, {"server": one.of, "states": {}, "oldest": one.oldest})
        row["states"][one.state] = one.number
        row["oldest"] = min(row["oldest"], one.oldest)
    return sorted(servers.values(), key=lambda row: (row["oldest"], row["server"]))


def list_oldest(servers: Sequence[dict[str, Any]]) -> list[Claim]:
    """The claims that wait longest: ids are in the order in which they were made.

    So many are of no more than so many servers, those whose oldest is oldest; of each an index knows them.
    """
    found: list[Claim] = []
    for one in servers[:OLDEST]:
        for state in one["states"]:
            his = (Claim.server_id == one["server"]) & (Claim.state == state)
            found.extend(Claim.select().where(his).order_by(Claim.id).limit(OLDEST))
    return sorted(found, key=lambda row: int(row.id))[:OLDEST]
