"""The rows that say that somebody was erased, and keep the work of one who was killed at it."""

import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import IntegrityError

from app.database.act_models import Act
from app.database.erasure_models import Erasure
from app.database.opening import Database
from app.history.acts import BEGUN, LONGEST_NAME, close_acts, write_act
from app.paying.erased import Hasher
from app.porch.errors import GuerdonError
from app.privacy.knowing import Known

ERASE = "erase player"
NOT_ENDED = "it did not come to its end: erase the player again, to go on with it"
MEANWHILE = (
    "somebody else has begun to erase this player meanwhile: run it again, to go on with that"
)


@dataclass(frozen=True)
class Held:
    """An erasure that we work on: our word in its row says so, until somebody else's does."""

    id: int
    holder: str
    begun_at: int  # ms


def find_unfinished(hasher: Hasher, nickname: str) -> Any | None:
    """The erasure of this nickname that was begun and not ended; None where there is none."""
    wanted = hasher.hash_name(nickname)
    rows = Erasure.select().where(Erasure.ended_at.is_null()).order_by(Erasure.id)
    return next((row for row in rows if wanted in json.loads(row.names)), None)


def hash_known(hasher: Hasher, known: Known) -> list[str]:
    """Hashes of all that a player may be called."""
    names = {hasher.hash_name(one) for one in known.person.names}
    return sorted(names | {hasher.hash_id(one) for one in known.person.names | known.person.ids})


def begin(
    database: Database, hasher: Hasher, known: Known, person: str, now: int, latest: int
) -> Held:
    """Write that an erasure has begun, or take over the one that was; `person` has it done, now in ms.

    `latest`: the last erasure when this was planned. Raises GuerdonError where somebody has begun one since.
    """
    holder = secrets.token_hex(16)
    running = hasher.hash_player(known.player.key if known.player else min(known.person.folded))

    def write(is_retry: bool) -> Held:
        mine = Erasure.pseudonym == known.person.pseudonym
        if is_retry and (done := Erasure.get_or_none(mine & (Erasure.holder == holder))):
            return Held(done.id, holder, done.begun_at)  # the reply to an earlier COMMIT was lost
        if not Erasure.update(holder=holder).where(mine).execute():
            key = known.player.key if known.player and not known.person.new_key else ""
            Erasure.insert(
                pseudonym=known.person.pseudonym, names=json.dumps(hash_known(hasher, known)),
                player=key, person=person[:255], counts="{}", holder=holder, begun_at=now,
                running=running,
            ).execute()  # fmt: skip
            require_no_other(latest, known.person.pseudonym, hash_known(hasher, known))
        found: Any = Erasure.get(mine)
        close_acts(is_act_of(known.person.pseudonym), 0, now, "somebody has gone on with it")
        write_act(person[:LONGEST_NAME], ERASE, known.person.pseudonym, now, state=BEGUN)
        return Held(found.id, holder, found.begun_at)

    try:
        return database.transact(write)
    except IntegrityError:
        raise GuerdonError(MEANWHILE) from None


def require_no_other(latest: int, pseudonym: str, names: Sequence[str]) -> None:
    """Inside: raise GuerdonError where an erasure of one of these names was begun since, and ended maybe."""
    newer = (Erasure.id > latest) & (Erasure.pseudonym != pseudonym)
    if any(set(json.loads(row.names)) & set(names) for row in Erasure.select().where(newer)):
        raise GuerdonError(MEANWHILE)


def find_latest() -> int:
    """The id of the last erasure, or 0."""
    row = Erasure.select(Erasure.id).order_by(Erasure.id.desc()).first()
    return row.id if row else 0


def note(held: Held, counts: Mapping[str, int]) -> None:
    """Inside: add to what was done, in the commit that does it.

    Raises GuerdonError where somebody else has taken the erasure over.
    """
    mine = (Erasure.id == held.id) & (Erasure.holder == held.holder)
    # A change, so that two at once meet here on every database.
    row: Any = Erasure.get_or_none(mine)
    if row is None:
        raise GuerdonError("somebody else goes on with this erasure: it is left to him")
    total = Counter(json.loads(row.counts)) + Counter(counts)
    changes = {"counts": json.dumps(dict(sorted(total.items())))}
    if not Erasure.update(**changes).where(mine).execute() and counts:
        raise GuerdonError("somebody else goes on with this erasure: it is left to him")


def end(database: Database, held: Held, now: int) -> dict[str, int]:
    """Write that it is done; how many rows of each kind it was."""
    mine = Erasure.id == held.id

    def write(is_retry: bool) -> dict[str, int]:
        Erasure.update(ended_at=now, running=None).where(mine).execute()
        row: Any = Erasure.get(mine)
        counts: dict[str, int] = json.loads(row.counts)
        total = sum(counts.values())
        close_acts(is_act_of(row.pseudonym), total, now, number=total)
        return counts

    return database.transact(write)


def fail(database: Database, held: Held, now: int) -> None:
    """Write that whoever worked on it did not end it: it is to be gone on with."""
    mine = (Erasure.id == held.id) & (Erasure.holder == held.holder)

    def write(is_retry: bool) -> None:
        row: Any = Erasure.get_or_none(mine & Erasure.ended_at.is_null())
        if row is not None:
            done = sum(json.loads(row.counts).values())
            close_acts(is_act_of(row.pseudonym), done, now, NOT_ENDED, number=done)

    database.transact(write)


def is_act_of(pseudonym: str) -> Any:
    """The condition of acts that erase who is called so now; no name is kept with them."""
    return (Act.what == ERASE) & (Act.about == pseudonym)


def list_erasures() -> list[dict[str, Any]]:
    """Every erasure, as JSON that can be kept beside backups: it holds no name."""
    return [
        {
            "pseudonym": row.pseudonym, "names": json.loads(row.names), "player": row.player,
            "person": row.person, "begun_at": row.begun_at, "ended_at": row.ended_at,
            "counts": json.loads(row.counts),
        }
        for row in Erasure.select().order_by(Erasure.id)
    ]  # fmt: skip


def add_erasures(database: Database, listed: Iterable[Mapping[str, Any]]) -> int:
    """Bring back rows that a restored database does not have; how many."""
    count = 0
    for one in listed:
        row = {
            name: one[name] for name in ("pseudonym", "player", "person", "begun_at", "ended_at")
        }
        row |= {
            "names": json.dumps(one["names"]),
            "counts": json.dumps(one["counts"]),
            "holder": "",
        }
        mine = Erasure.pseudonym == one["pseudonym"]

        def add(is_retry: bool, row: Any = row, mine: Any = mine) -> bool:
            return not Erasure.select().where(mine).exists() and bool(
                Erasure.insert(**row).execute()
            )

        count += database.transact(add)
    return count
