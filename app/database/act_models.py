"""The tables of what people do: who did what, to how many; and the rows that are still to be gone through."""

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    CompositeKey,
    IntegerField,
    Model,
    TextField,
)


class Act(Model):
    """What a person did, or has done in the background. Times in ms.

    States: planned, ready, leased, done, stopped, dead; begun is one that its own command ends. `about` says
    of what, as the text of a filter. Of `number` rows, in chunks, `place` chunks are behind it, and to
    `done` rows it was done.
    """

    id = BigAutoField()
    what = CharField(32)
    person = CharField(255)
    about = TextField()
    reason = CharField(500)
    state = CharField(16)
    number = IntegerField()
    place = IntegerField()
    done = IntegerField()
    oldest = BigIntegerField(null=True)
    ceiling = BigIntegerField(null=True)
    planned_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    error = CharField(500)
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()

    class Meta:
        table_name = "guerdon_acts"
        indexes = ((("state", "lease_until"), False),)


class ActChunk(Model):
    """Rows that an act is to go through: those that were counted, by their ids, in decimal."""

    act = BigIntegerField()
    number = IntegerField()
    rows = TextField(column_name="row_ids")

    class Meta:
        table_name = "guerdon_act_chunks"
        primary_key = CompositeKey("act", "number")
        lies_in_key = True


ACTS = (Act, ActChunk)
