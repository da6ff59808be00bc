"""What sessions and forms are signed with: the config's key, or one that the database keeps.

Whoever changes it ends every session, everywhere, at once.
"""

import secrets

from app.counting.marks import add_mark, read_mark, set_mark
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError

MARK = "dashboard key"


def find_key(guerdon: Guerdon) -> str:
    """The key of now; made where there is none yet. Raises as the database does where it does not answer."""
    ours = guerdon.config.dashboard.session_key
    if ours is not None:
        return ours.reveal()
    database = guerdon.database
    found = database.read(lambda: read_mark(database, MARK))
    return found or database.transact(
        lambda is_retry: add_mark(database, MARK, secrets.token_hex(32))
    )


def change_key(guerdon: Guerdon) -> None:
    """End every session. Raises GuerdonError where the config has the key."""
    if guerdon.config.dashboard.session_key is not None:
        raise GuerdonError(
            "[dashboard] session_key is set: put another there, and restart the dashboard"
        )
    database = guerdon.database
    database.transact(lambda is_retry: set_mark(database, MARK, secrets.token_hex(32)))
