"""Duties: what one process of all hosts does at a time. Whoever has one keeps it while it renews it."""

from contextlib import suppress

from peewee import IntegrityError

from app.database.opening import Database
from app.database.watching_models import DutyRow


def take_duty(database: Database, name: str, holder: str, now: int, length: int) -> bool:
    """Whether the duty is the holder's for the next `length` ms: it was already, or was nobody's.

    One that ends later than `length` from now is nobody's: the clock was set back.
    """

    def take(is_retry: bool) -> bool:
        free = (DutyRow.holder == holder) | (DutyRow.until <= now) | (DutyRow.until > now + length)
        mine = DutyRow.update(holder=holder, until=now + length).where(
            (DutyRow.name == name) & free
        )
        if mine.execute():
            return True
        if DutyRow.select().where(DutyRow.name == name).exists():
            return False
        DutyRow.insert(name=name, holder=holder, until=now + length).execute()
        return True

    with suppress(IntegrityError):  # somebody else was first
        return database.transact(take)
    return False
