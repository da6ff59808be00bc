"""The table of reconciliations: what each comparison of a vote site's list with the ledger has found."""

from peewee import BigAutoField, BigIntegerField, BooleanField, CharField, IntegerField, Model

from app.database.columns import LongTextField


class Reconciliation(Model):
    """One comparison. States: running, done, not known.

    `slot` is the turn of one that is made by itself: there is one of each, whichever host makes it.
    `person` had it made, or "" did. `found` is JSON: the first ids of each kind, and no names. Of one that
    is not known, `reason` says why; what it found missing is missing all the same.
    """

    id = BigAutoField()
    source = CharField(64)
    slot = BigIntegerField(null=True)
    person = CharField(255)
    begun_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    since = BigIntegerField()
    heals = BooleanField()
    listed = IntegerField()
    waiting = IntegerField()
    missing = IntegerField()
    healed = IntegerField()
    differs = IntegerField()
    unknown = IntegerField()
    state = CharField(16)
    reason = CharField(500)
    found = LongTextField()
    holder = CharField(32)
    lease_until = BigIntegerField()

    class Meta:
        table_name = "guerdon_reconciliations"
        indexes = ((("source", "slot"), True), (("source", "id"), False))


RECONCILIATIONS = (Reconciliation,)
