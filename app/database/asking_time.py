"""What time it is by the database's own clock."""

from peewee import PeeweeException

from app.database.opening import Database
from app.porch.errors import DatabaseUnavailable


def ask_time(database: Database) -> int | None:
    """The time of the database's own clock, in ms since the epoch; None where it does not answer."""
    try:
        with database.connection_context():
            row = database.execute_sql("SELECT UNIX_TIMESTAMP(NOW(3)) * 1000").fetchone()
            return int(row[0])
    except (PeeweeException, DatabaseUnavailable):
        return None
