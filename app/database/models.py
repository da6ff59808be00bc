"""The tables: the ledger, the inbox with its attempts, reports with their sends, claims, players.

Times are ms since the epoch, UTC; keys are those of app/database/keys.py. The way of a vote writes these
tables with plain SQL; the models are for looking.
"""

from typing import Any

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    CompositeKey,
    Database,
    DecimalField,
    FixedCharField,
    IntegerField,
    Model,
    TextField,
)

from app.database.claim_models import Claim
from app.database.columns import (
    KeyField,
    LastingAutoField,
    LongBlobField,
    LongTextField,
)
from app.database.counter_models import COUNTERS
from app.database.operator_models import OPERATORS

MYSQL_TABLE = ("ENGINE=InnoDB", "DEFAULT CHARSET=utf8mb4", "COLLATE=utf8mb4_bin")


class Event(Model):
    """A settled event: that this row exists says that it is paid."""

    id = BigAutoField()
    ordered_key = KeyField(unique=True)
    source = CharField(64)
    type = CharField(64)
    event_id = CharField(255)
    server_id = CharField(255)
    nickname = CharField(255)
    user_id = CharField(255)
    occurred_at = BigIntegerField(null=True)
    token = CharField(255)
    settled_at = BigIntegerField()
    data = LongTextField()
    earns = BooleanField(null=True)  # null, also of the next: settled before this was kept
    player_id = CharField(255, null=True)  # null too where nobody needed to know
    counted_at = BigIntegerField(null=True)
    verdicts = LongTextField(null=True)
    stripped_at = BigIntegerField(null=True)  # since when its `data` are facts for rules alone

    class Meta:
        table_name = "guerdon_events"  # by player it is indexed once rules count


class Grant(Model):
    """One reward given, in the same commit as its event."""

    id = BigAutoField()
    event = BigIntegerField(index=True)
    rule = CharField(255)
    plugin = CharField(64)
    kind = CharField(64)
    params = TextField()
    player_id = CharField(255)
    nickname = CharField(255)
    server_id = CharField(255)
    user_id = CharField(255)
    receipt = TextField()
    granted_at = BigIntegerField()
    rule_text = FixedCharField(16, null=True)  # a hash of it

    class Meta:
        table_name = "guerdon_grants"
        indexes = ((("player_id", "id"), False),)


class Repayment(Model):
    """A settled event that had earned nothing and was paid later, because a person said so.

    In the commit of its grants; one an event, for ever.
    """

    event = BigIntegerField(primary_key=True)
    person = CharField(255)
    grants = IntegerField()
    repaid_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_repayments"


class Waiting(Model):
    """A delivery that could not be settled at once. States: ready, leased, settled, dead.

    `lease_until` of a ready one, here and in a Report, is when its `due_at` was written;
    `waiting_since` moves on by what was no wait for a try, as an outage of ours.
    """

    id = BigAutoField()
    ordered_key = KeyField(unique=True)
    source = CharField(64)
    type = CharField(64)
    event_id = CharField(255)
    token = CharField(255)
    data = LongTextField()
    state = CharField(16)
    due_at = BigIntegerField()
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()
    attempts = IntegerField()
    retries = IntegerField()
    last_error = CharField(500)
    received_at = BigIntegerField()
    waiting_since = BigIntegerField()

    class Meta:
        table_name = "guerdon_inbox"
        indexes = ((("state", "due_at"), False), (("state", "lease_until"), False))


class Attempt(Model):
    """One try to settle a waiting event that did not succeed, or what a person did to it."""

    id = BigAutoField()
    ordered_key = KeyField(index=True)
    at = BigIntegerField()
    what = CharField(32)
    detail = CharField(500)

    class Meta:
        table_name = "guerdon_attempts"


class Part(Model):
    """An event that came with another and was settled in the same commit: a player of a round."""

    event = BigIntegerField()
    part = BigIntegerField()

    class Meta:
        table_name = "guerdon_parts"
        primary_key = CompositeKey("event", "part")


class Report(Model):
    """A report queued in its event's commit. States: ready, leased, delivered, dead.

    `report_key` stands for (reporter, kind, key). Of `sends`, those up to `sends_before` belong to
    an earlier schedule: a person had the report sent again since.
    """

    id = BigAutoField()
    report_key = KeyField(unique=True)
    reporter = CharField(64)
    kind = CharField(64)
    key = CharField(255)
    event = BigIntegerField(index=True)
    body = LongBlobField()
    state = CharField(16)
    due_at = BigIntegerField()
    lease_token = CharField(32)
    lease_until = BigIntegerField()
    takes = IntegerField()
    sends = IntegerField()
    sends_before = IntegerField()
    response = LongTextField(null=True)
    last_error = CharField(500)
    created_at = BigIntegerField()
    waiting_since = BigIntegerField()
    delivered_at = BigIntegerField(null=True)
    stripped_at = BigIntegerField(null=True)  # since when it has no body

    class Meta:
        table_name = "guerdon_reports"
        indexes = ((("state", "reporter", "due_at"), False), (("state", "lease_until"), False))


class Send(Model):
    """One time that a report's bytes left; without an end it is unknown whether they arrived.

    The answer is masked: no secret, no value of a token.
    """

    id = BigAutoField()
    report = BigIntegerField()
    number = IntegerField()
    begun_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    status = IntegerField(null=True)
    latency = IntegerField(null=True)  # ms
    error = CharField(500)
    answer = LongTextField()

    class Meta:
        table_name = "guerdon_sends"
        indexes = ((("report", "number"), True),)


class Turn(Model):
    """One row for each player who was ever paid: who pays him changes it, see app/paying/turns.py.

    `counters` were up to date for him when the version was `counted`.
    """

    id = BigIntegerField(primary_key=True)
    version = BigIntegerField()
    counted = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    counters = FixedCharField(16, default="", constraints=[SQL("DEFAULT ''")])

    class Meta:
        table_name = "guerdon_turns"


class Heartbeat(Model):
    """A row is written and removed in one commit, to find out whether a commit is kept."""

    id = BigAutoField()
    filling = LongBlobField()

    class Meta:
        table_name = "guerdon_heartbeats"


class OwnPlayer(Model):
    """A player in our own table, for a game that has none; `folded` serves match = "casefold"."""

    id = LastingAutoField()
    nickname = CharField(255, unique=True)
    folded = CharField(255, index=True)
    gold = DecimalField(max_digits=18, decimal_places=2, default=0)
    created_at = BigIntegerField()

    class Meta:
        table_name = "players"


class OwnName(Model):
    """One row for each name that match = "casefold" takes for the same: creating a player waits here."""

    folded = CharField(255, primary_key=True)
    uses = IntegerField()

    class Meta:
        table_name = "guerdon_player_names"


LEDGER = (Event, Grant, Repayment, Waiting, Attempt, Claim, Part, Report, Send, Turn, Heartbeat,
          *COUNTERS, *OPERATORS)  # fmt: skip
OWN = (OwnPlayer, OwnName)  # where the studio has no table of players


def bind_models(database: Database, models: Any) -> None:
    """Bind models to the database; on MySQL their tables become InnoDB, utf8mb4, binary collation.

    There a table always lies in its key; on SQLite where its Meta says `lies_in_key`.
    """
    is_mysql = getattr(database, "family", "") == "mysql"
    for model in models:
        lies_in_key = getattr(model._meta, "lies_in_key", False)
        model._meta.without_rowid = lies_in_key and not is_mysql
        if model._meta.table_settings in (None, list(MYSQL_TABLE)):  # not the model's own
            model._meta.table_settings = list(MYSQL_TABLE) if is_mysql else None
    database.bind(models)
