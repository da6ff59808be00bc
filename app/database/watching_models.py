"""The tables of who watches: what is wrong, and who looks after it on behalf of all processes."""

from peewee import BigIntegerField, CharField, CompositeKey, Model


class AlarmRow(Model):
    """Something that is wrong. Times are in ms; null: not yet, or not now."""

    name = CharField(64)
    about = CharField(255)
    summary = CharField(500)
    since = BigIntegerField()
    fired_at = BigIntegerField(null=True)
    told_by = CharField(64)  # the reporter that was to tell it; "": only the log was
    told_until = BigIntegerField(null=True)  # the end of the window in which it is not told again
    over_since = BigIntegerField(null=True)

    class Meta:
        table_name = "guerdon_alarms"
        primary_key = CompositeKey("name", "about")


class DutyRow(Model):
    """What one process does at a time, and who until when (ms)."""

    name = CharField(64, primary_key=True)
    holder = CharField(32)
    until = BigIntegerField()

    class Meta:
        table_name = "guerdon_duties"


WATCHING = (AlarmRow, DutyRow)
