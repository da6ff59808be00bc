"""The table of claims: what game servers fetch, and what is delivered to consoles. Times are ms, UTC."""

from peewee import SQL, BigIntegerField, CharField, IntegerField, Model, TextField

from app.database.columns import LastingBigAutoField


class Claim(Model):
    """A reward that waits for its player's game server. Its states are those of ClaimState.

    What a console delivers is tried again after `retry_at`; `takes` counts leases of game servers alone.
    """

    id = LastingBigAutoField()  # a game server gives a claim out once per id
    server_id = CharField(255)
    player_id = CharField(255)
    nickname = CharField(255)
    event_type = CharField(64)
    event_id = CharField(255)
    payload = TextField()
    state = CharField(16)
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()
    created_at = BigIntegerField()
    done_at = BigIntegerField(null=True)
    retry_at = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    sends = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    sent_at = BigIntegerField(null=True)  # when the last send began
    console = CharField(128, default="", constraints=[SQL("DEFAULT ''")])  # the last that had it
    last_error = CharField(500, default="", constraints=[SQL("DEFAULT ''")])
    answer = TextField(null=True)  # the game's, masked

    class Meta:
        table_name = "guerdon_claims"
        indexes = (
            (("server_id", "state", "id"), False),
            (("player_id", "id"), False),
            (("state", "lease_until"), False),
        )
