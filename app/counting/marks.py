"""What is known of all counters, by name: the calendar they go by, since when a ranking is closed."""

from app.database.counter_models import Mark
from app.database.opening import Database
from app.database.upserting import upsert_rows
from app.porch.errors import ConfigError

CALENDAR = "calendar"
DRAW_SECRET = "draw secret"  # noqa: S105  (its name)
FILLED = "events filled in"
SHARED = "limits for all and budgets"  # those that were counted, as JSON


def read_mark(database: Database, name: str) -> str | None:
    sql = f"SELECT value FROM guerdon_counting WHERE name = {database.param}"
    row = database.execute_sql(sql, (name,)).fetchone()
    return str(row[0]) if row else None


def set_mark(database: Database, name: str, value: str) -> None:
    """Inside: set it, whatever it was."""
    upsert_rows(database, Mark, ("name",), [{"name": name, "value": value}], {"value": "{new}"})


def delete_marks(database: Database, beginning: str, before: str) -> None:
    """Inside: delete those whose name begins so, and whose value comes before that one."""
    sql = f"DELETE FROM guerdon_counting WHERE name >= {database.param} AND name < {database.param}"
    last = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    database.execute_sql(f"{sql} AND value < {database.param}", (beginning, last, before))


def add_mark(database: Database, name: str, value: str) -> str:
    """Inside: set it where it is not there; what it is then."""
    upsert_rows(database, Mark, ("name",), [{"name": name, "value": value}], {"value": "{old}"})
    return read_mark(database, name) or value


def read_secret(database: Database) -> bytes:
    """The secret of draws that `guerdon migrate` has made; ConfigError where it is not there."""
    secret = read_mark(database, DRAW_SECRET)
    if secret is None:
        raise ConfigError(
            ["rules draw by give_one, and there is no secret yet: run `guerdon migrate`"]
        )
    return bytes.fromhex(secret)
