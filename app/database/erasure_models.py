"""The table of erasures: who was erased is told by a keyed hash alone."""

from peewee import BigAutoField, BigIntegerField, CharField, Model, TextField


class Erasure(Model):
    """A player who was erased, or is being so: without `ended_at` it is to be gone on with.

    `names` are JSON: keyed hashes of what he was called and of his user ids. `player` is his key, where
    that says nothing of him. Who works on it has put his own word into `holder`; `running` is a hash of
    the player until it is ended, so that nobody begins a second one.
    """

    id = BigAutoField()
    pseudonym = CharField(64, unique=True)
    names = TextField()
    player = CharField(255)
    person = CharField(255)
    counts = TextField()
    holder = CharField(32)
    running = CharField(64, null=True, unique=True)
    begun_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)

    class Meta:
        table_name = "guerdon_erasures"


ERASURES = (Erasure,)
