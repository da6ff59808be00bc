"""What a person had paid of what had earned nothing; and each event says whether rules may pay it.

The new column is null for events of before: what they are is then told by their type and their parts.
Databases add such a column without rewriting the table.
"""

from typing import Any

from peewee import BigIntegerField, CharField, IntegerField, Model

from app.database.models import bind_models


class Repayment(Model):
    event = BigIntegerField(primary_key=True)
    person = CharField(255)
    grants = IntegerField()
    repaid_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_repayments"


def up(migrator: Any, db: Any) -> None:
    bind_models(db, (Repayment,))
    Repayment._schema.create_table(safe=True)  # type: ignore[attr-defined]
    if "earns" not in {column.name for column in db.get_columns("guerdon_events")}:
        kind, q = {"sqlite": "INTEGER", "mysql": "BOOL"}[db.family], db.quote[0]
        db.execute_sql(f"ALTER TABLE guerdon_events ADD COLUMN {q}earns{q} {kind}")
