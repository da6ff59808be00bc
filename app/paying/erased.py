"""Keeps the names of erased players from being written down again by what happened before they were.

A name is known by a hash with a key of this database alone. What a player of this name does later is a
new player's. The list is read again every few seconds, so a delivery costs no question.
"""

import hmac
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from app.counting.marks import read_mark
from app.database.erasure_models import Erasure
from app.database.opening import Database
from app.porch.persons import replace_persons
from app.porch.types import Event

KEY = "erasure key"
FRESH = 5.0  # seconds
SLACK = 100  # erasures: one with a lower id may be committed later


class Erased(NamedTuple):
    """What stands for an erased player, and since when (ms)."""

    pseudonym: str
    since: int


@dataclass(frozen=True)
class Hasher:
    """Hashes what a player may be called; `fold` gives what all spellings of a nickname share."""

    key: bytes
    fold: Callable[[str], str]

    def hash_name(self, nickname: str) -> str:
        return self._hash(f"name {self.fold(nickname)}")

    def hash_id(self, user_id: str) -> str:
        return self._hash(f"id {user_id}")

    def hash_player(self, key: str) -> str:
        return self._hash(f"player {key}")

    def list_hashes(self, nickname: str, user_id: str) -> list[str]:
        """Of the two of an event, those that are there."""
        named = [self.hash_name(nickname)] if nickname.strip() else []
        return named + ([self.hash_id(user_id)] if user_id else [])

    def _hash(self, text: str) -> str:
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def read_hasher(database: Database, fold: Callable[[str], str]) -> Hasher:
    """The hasher of this database, whose key `guerdon migrate` has made."""
    return Hasher(bytes.fromhex(read_mark(database, KEY) or ""), fold)


class ErasedNames:
    """Who was erased, as deliveries ask for it."""

    def __init__(self, database: Database, fold: Callable[[str], str]) -> None:
        self._database = database
        self._fold = fold
        self._hasher = Hasher(b"", fold)
        self._known: dict[str, Erased] = {}
        self._read_at = float("-inf")
        self._read_to = 0  # the id of the last erasure that we know

    def forget(self) -> None:
        """Read the list again before the next event."""
        self._read_at = float("-inf")

    def leave_out(self, events: Sequence[Event]) -> list[Event]:
        """The events without those of erased players that happened before; of a round, none names them.

        Raises DatabaseUnavailable where the list cannot be read.
        """
        if time.monotonic() > self._read_at + FRESH:
            self._database.read(self._read)
            self._read_at = time.monotonic()
        if not self._known:
            return list(events)
        left = [event for event in events if self._find(event) is None or not event.earns]
        return [event if event.earns else self._mask(event) for event in left]

    def _read(self) -> None:
        columns = (Erasure.id, Erasure.names, Erasure.pseudonym, Erasure.begun_at)
        rows: Any = Erasure.select(*columns).where(Erasure.id > self._read_to - SLACK)
        for id, names, pseudonym, begun_at in rows.order_by(Erasure.id).tuples():
            self._read_to = max(self._read_to, id)
            self._known |= dict.fromkeys(json.loads(names), Erased(pseudonym, begun_at))
        if self._known:
            self._hasher = read_hasher(self._database, self._fold)

    def _find(self, event: Event) -> Erased | None:
        """The erased player of an event that happened before he was."""
        # Of two, the nickname finds the player: an id may be that of a site, shared by all.
        nickname, user_id = event.nickname, "" if event.nickname.strip() else event.user_id
        for one in self._hasher.list_hashes(nickname, user_id):
            found = self._known.get(one)
            if found and event.occurred_at is not None and event.occurred_at < found.since:
                return found
        return None

    def _mask(self, event: Event) -> Event:
        """A round, which is nobody's own."""
        moment = event.occurred_at

        def find(name: str) -> str | None:
            for one in self._hasher.list_hashes(name, name):
                found = self._known.get(one)
                if found and moment is not None and moment < found.since:
                    return found.pseudonym
            return None

        data = replace_persons(event.data, find)
        return replace(event, user_id=find(event.user_id) or event.user_id, data=data)
