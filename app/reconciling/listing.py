"""A source's list, read as far as that goes; what is no vote of the source's in it is left out."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.database.keys import make_event_key
from app.host.loading import Plugins
from app.paying.ledger import LONGEST, judge_text
from app.porch.errors import GuerdonError, NotReady
from app.porch.types import Http, ListedVote

MOST = 500_000  # votes of one list, which are held in memory
PATIENCE = 300.0  # seconds for all of it


@dataclass
class Listing:
    """The votes of a list that were made in time, by their event keys; why it is not whole, or ""."""

    votes: dict[bytes, ListedVote] = field(default_factory=dict)
    reason: str = ""


class Stopped(GuerdonError):
    """The process ends, and what it was comparing is left for another."""


def read_list(
    plugins: Plugins,
    http: Http,
    source: str,
    since: int,
    servers: Sequence[str],
    is_stopping: Callable[[], bool],
) -> Listing:
    """Outside: the list of a source since then (ms); its `reason` says why it may lack votes.

    Raises Stopped when `is_stopping` says so.
    """
    listing = Listing()
    facts = {"since": since, "servers": servers, "http": http, "settings": plugins.settings}
    entries = misfits = 0
    try:
        for vote in follow(plugins.only("list_votes", source), facts, is_stopping):
            entries += 1
            if not is_vote(vote, source):
                misfits += 1
            elif vote.occurred_at is None or vote.occurred_at >= since:
                one = vote.delivery
                listing.votes.setdefault(make_event_key(source, one.type, one.id), vote)
    except NotReady as error:
        listing.reason = error.reason
    except Stopped:
        raise
    except (
        Exception
    ) as error:  # the plugin's fault: what it has given until then is there all the same
        listing.reason = f"the plugin failed: {type(error).__name__}"
    if not listing.reason and misfits:
        listing.reason = f"{misfits} entries of the list are no votes"
    elif not listing.reason and not entries:
        listing.reason = "the list is empty"
    return listing


def follow(
    ask: Callable[..., Any], facts: dict[str, Any], is_stopping: Callable[[], bool]
) -> Iterator[Any]:
    """What the plugin yields. Raises NotReady where that does not end."""
    deadline = time.monotonic() + PATIENCE
    number = 0
    for answer in ask(**facts):
        for vote in answer:
            number += 1
            if is_stopping():
                raise Stopped
            if number > MOST:
                raise NotReady(f"the list has more than {MOST:,} votes: go less far back")
            if time.monotonic() > deadline:
                raise NotReady(f"the list did not end within {PATIENCE:g} s")
            yield vote


def is_vote(vote: Any, source: str) -> bool:
    """Whether it is one, and the ledger could hold it."""
    if not isinstance(vote, ListedVote) or vote.delivery.source != source:
        return False
    ids = {"type": vote.delivery.type, "id": vote.delivery.id}
    texts = ids | {"server_id": vote.server_id, "nickname": vote.nickname}
    is_time = vote.occurred_at is None or type(vote.occurred_at) is int
    fits = not any(judge_text(value, LONGEST[name]) for name, value in texts.items())
    return is_time and fits and all(ids.values())
