"""Players to play with, in Guerdon's own table."""

from peewee import IntegrityError

from app.errors import GuerdonError
from app.guerdon import Guerdon

DEMO_PLAYERS = ("Alice", "Bob", "PlayerName")


def add_player(guerdon: Guerdon, nickname: str) -> bool:
    """Add a player; False if there is one already. Raises GuerdonError where the table is the game's."""
    if not guerdon.config.players.is_own:
        raise GuerdonError(
            f"players live in the table {guerdon.config.players.table}: add them there"
        )
    with guerdon.database.connection_context():
        if guerdon.find_player(nickname) is not None:  # also by casefold, where the config says so
            return False
        try:
            guerdon.database.transact(
                lambda attempt: guerdon.finder.create_player(nickname, guerdon.now())
            )
        except IntegrityError:
            return False
    return True
