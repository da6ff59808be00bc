"""What an event or a report is known by in a unique index: 32 bytes, never text.

Text would be compared by collation on MySQL. A bare hash would put each new event on another page
of the index, and that page is read from the disk once the index has outgrown the database's memory.
So an event's key begins like its id, for most ids grow with time: the one in GAMEMONITORING's
document, 9824cabb-2203-..., begins with a clock of 10 us that reads January 2023. Where ids are
random it scatters as a hash would.
"""

import hashlib
from functools import lru_cache

LEADING = 12  # bytes: all of a ULID's clock, and all but 4 bits of a UUID's


@lru_cache(maxsize=1024)  # each is asked for twice: by its delivery, and by its event
def make_event_key(source: str, type: str, id: str) -> bytes:
    """32 bytes that stand for an event: the first 12 of its id, then 160 bits of a hash of it all."""
    begins = id.encode("utf-8", "surrogatepass")[:LEADING].ljust(LEADING, b"\0")
    return begins + hash_parts(source, type, id)[:-LEADING]


def make_report_key(reporter: str, kind: str, key: str) -> bytes:
    """32 bytes that stand for a report."""
    return hash_parts(reporter, kind, key)


def hash_parts(*parts: str) -> bytes:
    """SHA-256; the parts are length-prefixed, so none can pose as another."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    told = [len(part).to_bytes(4, "big") + part for part in encoded]
    return hashlib.sha256(b"".join(told)).digest()
