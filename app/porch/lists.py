"""Reads a site's lists of votes by their pages, where nobody has said how large those are, or how many."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from app.porch.errors import NotReady
from app.porch.text import shorten
from app.porch.types import Delivery, ListedVote, Polled

PAGES = 1000  # of one list
OVERLAP = 3_600_000  # ms that a vote may be late in a list
NONSENSE = (ValueError, KeyError, TypeError, AttributeError, IndexError)  # what reading it ends in


def follow_lists(
    servers: Sequence[str],
    fetch_page: Callable[[str, int], Any],
    read_entry: Callable[[Any], ListedVote],
    since: int,
) -> Iterator[ListedVote]:
    """The votes of each server's list, back to `since` (ms since the epoch) at least.

    `fetch_page(server, 0)` fetches the entries as they come without a page's number; 1 may be the same
    page again, or the next. It gets the server percent-encoded, fit for a URL. Raises NotReady at the end
    unless each list is surely whole: it has the newest votes first, and older ones than `since`; or its
    pages end with an empty one. An entry that `read_entry` stumbles over is passed over, and then its list
    is not whole.
    """
    faults = [] if servers else ["no server is known"]
    for server in servers:
        try:
            yield from follow_pages(partial(fetch_page, quote(server, safe="")), read_entry, since)
        except NotReady as error:
            faults.append(f"the list of server {shorten(server)}: {error.reason}")
    if faults:
        raise NotReady("; ".join(faults))


def poll_list(
    list_since: Callable[[int], Iterator[ListedVote]], place: int | None, now: int, pause: float
) -> Polled:
    """What poll_source returns, of a list that `list_since` reads back to a time (ms) at least.

    The place is the time (ms) up to which the list was seen whole. A list may be OVERLAP late, so it is read
    that far back; the first time too. `now` in ms, `pause` in seconds.
    """
    since = (now if place is None else place) - OVERLAP
    found: list[Delivery] = []
    try:
        for vote in list_since(since):
            if (vote.occurred_at or 0) >= since:
                found.append(vote.delivery)  # what came before a fault counts
    except NotReady as error:
        return found, since + OVERLAP, pause, error.reason
    return found, now, pause


def follow_pages(
    fetch_page: Callable[[int], Any], read_entry: Callable[[Any], ListedVote], since: int
) -> Iterator[ListedVote]:
    """The votes of one list, each once; NotReady at the end unless it is surely whole."""
    seen: set[str] = set()
    misfits = 0
    for page in range(PAGES):
        entries = fetch_entries(fetch_page, page)
        votes = list(read_entries(entries, read_entry))
        misfits += len(entries) - len(votes)
        new = {one.delivery.id: one for one in votes if one.delivery.id not in seen}
        seen.update(new)
        yield from new.values()
        is_end = not entries and page > 1 and bool(seen)
        if is_end or reaches_back(votes, since):
            break
        if page > 1 and not new:
            raise NotReady("it does not say whether there is more")
        if not seen and page > 0:
            raise NotReady("it is empty")
    else:
        raise NotReady(f"it has more than {PAGES} pages")
    if misfits:
        raise NotReady(f"{misfits} of its entries are no votes")


def fetch_entries(fetch_page: Callable[[int], Any], page: int) -> list[Any]:
    with suppress(*NONSENSE):
        entries = fetch_page(page)
        if isinstance(entries, list):
            return entries
    raise NotReady("what was answered is no list of votes")


def read_entries(
    entries: Sequence[Any], read_entry: Callable[[Any], ListedVote]
) -> Iterator[ListedVote]:
    """Those that are votes."""
    for entry in entries:
        with suppress(*NONSENSE):
            yield read_entry(entry)


def reaches_back(votes: Sequence[ListedVote], since: int) -> bool:
    """Whether a page has the newest first, and ends before that time."""
    times = [vote.occurred_at for vote in votes]
    known = [time for time in times if time is not None]
    is_ordered = known == sorted(known, reverse=True)
    return bool(known) and len(known) == len(times) and is_ordered and known[-1] < since
