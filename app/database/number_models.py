"""The tables of what operators ask: numbers of the ledger by the hour, and leases by a name.

All but the leases and the samples of what waits follows from the ledger. The ledger is counted in blocks
of ids: recent blocks are counted anew until no row can appear in them any more, then they are added to the
hours for ever; app/numbers/books.py tells of it.
"""

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    FixedCharField,
    Model,
)

from app.database.columns import KeyField

WHAT = 16  # characters of what is counted, as "grants"
LONGEST_AMOUNT = 80  # characters of a sum in decimal


class SeriesRow(Model):
    """What is counted apart from other things of its kind; `series_key` is a hash of its names."""

    id = BigAutoField()
    series_key = KeyField(unique=True)  # the names together are too long for an index
    what = CharField(WHAT)
    source = CharField(64)
    type = CharField(64)
    server_id = CharField(255)
    rule = CharField(255)
    kind = CharField(64)
    reporter = CharField(64)
    result = CharField(32)

    class Meta:
        table_name = "guerdon_series"


class HourRow(Model):
    """What was counted of a series, for ever: in an hour, a day of UTC, and in all.

    `step` is how many ms the row is of, 0 where it is of all; `hour` is when these begin (ms).
    """

    what = CharField(WHAT)
    step = BigIntegerField()
    hour = BigIntegerField()
    series = BigIntegerField()
    number = BigIntegerField()
    total = BigIntegerField()
    longest = BigIntegerField()
    amount = CharField(LONGEST_AMOUNT)
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_hours"
        primary_key = CompositeKey("what", "step", "hour", "series")
        lies_in_key = True


class RecentHourRow(Model):
    """What was counted of a series in an hour, of the rows of a recent block."""

    what = CharField(WHAT)
    block = BigIntegerField()
    hour = BigIntegerField()
    series = BigIntegerField()
    number = BigIntegerField()
    total = BigIntegerField()
    longest = BigIntegerField()
    amount = CharField(LONGEST_AMOUNT)
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_recent_hours"
        primary_key = CompositeKey("what", "block", "hour", "series")
        lies_in_key = True


class BlockRow(Model):
    """A recent stretch of ids, from `first` to `last`; counted again once it `is_checked`."""

    what = CharField(WHAT)
    first = BigIntegerField()
    last = BigIntegerField()
    begun_at = BigIntegerField()
    is_checked = BooleanField()

    class Meta:
        table_name = "guerdon_blocks"
        primary_key = CompositeKey("what", "first")
        lies_in_key = True


class WalkRow(Model):
    """How far something is counted for ever: to an id, or a time (ms). Each change has a `version`."""

    what = CharField(WHAT, primary_key=True)
    version = BigIntegerField()
    place = BigIntegerField()

    class Meta:
        table_name = "guerdon_walks"


class LeaseRow(Model):
    """Work that one process does at a time: whose it is, and until when (ms)."""

    name = CharField(64, primary_key=True)
    holder = FixedCharField(32)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_leases"


NUMBERS = (SeriesRow, HourRow, RecentHourRow, BlockRow, WalkRow, LeaseRow)
