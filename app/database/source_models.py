"""The tables of sources: where a poll has got to, and what came too soon after another event."""

from peewee import BigIntegerField, CharField, CompositeKey, Model

from app.database.columns import KeyField, LongTextField


class Poll(Model):
    """A source that is polled: its `place` as JSON, when it is due; `reason`: why the last one failed.

    Each change has a `version`, so that of two who poll at once one alone is kept.
    """

    source = CharField(64, primary_key=True)
    version = BigIntegerField()
    place = LongTextField()
    due_at = BigIntegerField()
    polled_at = BigIntegerField()
    reason = CharField(500)

    class Meta:
        table_name = "guerdon_polls"


class Recent(Model):
    """An event counted by `at` (ms) that says Event.not_within; the key stands for whose it is."""

    recent_key = KeyField()
    at = BigIntegerField()

    class Meta:
        table_name = "guerdon_recent"
        primary_key = CompositeKey("recent_key", "at")
        lies_in_key = True


class Repeat(Model):
    """A settled event that earned nothing: the same player had another at `first_at` (ms)."""

    event = BigIntegerField(primary_key=True)
    first_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_repeats"


SOURCES = (Poll, Recent, Repeat)
