"""The tables of what is counted: all of it follows from the ledger, and can be counted anew.

Who pays a player has taken his turn, so that nobody else changes his rows meanwhile; rows of
everybody (player_id "") are changed by conditional updates. The key of each begins with the player, and
the table lies in it: what one vote moves is in one place.
"""

from peewee import (
    BigAutoField,
    BigIntegerField,
    CharField,
    CompositeKey,
    FixedCharField,
    IntegerField,
    Model,
    TextField,
)

HASH = 16  # characters of a counter's name
PERIOD = 16  # characters of a period, as "week:2026-11-23"


class TallyRow(Model):
    """A player's total in a period. A ranking reads those of a period by an index of their own."""

    player_id = CharField(255)
    counter = FixedCharField(HASH)
    period = CharField(PERIOD)
    votes = IntegerField()
    last_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_tallies"
        primary_key = CompositeKey("player_id", "counter", "period")
        indexes = ((("counter", "period"), False),)
        lies_in_key = True


class SeenRow(Model):
    """A different thing for which a player was counted in a period."""

    player_id = CharField(255)
    counter = FixedCharField(HASH)
    period = CharField(PERIOD)
    thing = CharField(255)

    class Meta:
        table_name = "guerdon_seen"
        primary_key = CompositeKey("player_id", "counter", "period", "thing")
        lies_in_key = True


class ChainRow(Model):
    """A chain of counted periods, by their numbers; `paid` is JSON: how often, by rule."""

    player_id = CharField(255)
    counter = FixedCharField(HASH)
    start = IntegerField()
    last = IntegerField()
    length = IntegerField()
    paid = TextField()

    class Meta:
        table_name = "guerdon_streaks"
        primary_key = CompositeKey("player_id", "counter", "start")
        lies_in_key = True


class UseRow(Model):
    """How much of a limit, or of a budget in millionths, is used; `event` used it last."""

    player_id = CharField(255)
    owner = FixedCharField(HASH)
    period = CharField(PERIOD)
    used = BigIntegerField()
    event = CharField(330)

    class Meta:
        table_name = "guerdon_limits"
        primary_key = CompositeKey("player_id", "owner", "period")
        lies_in_key = True


class MomentRow(Model):
    """When a rule paid, for limits by elapsed time."""

    player_id = CharField(255)
    owner = FixedCharField(HASH)
    moment = BigIntegerField()
    payments = IntegerField()

    class Meta:
        table_name = "guerdon_limit_moments"
        primary_key = CompositeKey("player_id", "owner", "moment")
        lies_in_key = True


class PartyVoteRow(Model):
    """A vote that counts towards a party; `round` once it was taken into one."""

    id = BigAutoField()
    party = FixedCharField(HASH)
    event = BigIntegerField()
    period = CharField(PERIOD)
    player_id = CharField(255)
    counted_at = BigIntegerField()
    round = IntegerField(null=True)

    class Meta:
        table_name = "guerdon_party_votes"
        indexes = (
            (("party", "event"), True),
            (("party", "round", "period"), False),
        )


class Mark(Model):
    """One thing that is known of all counters, as the calendar they were counted by."""

    name = CharField(64, primary_key=True)
    value = TextField()

    class Meta:
        table_name = "guerdon_counting"


COUNTERS = (TallyRow, SeenRow, ChainRow, UseRow, MomentRow, PartyVoteRow, Mark)
