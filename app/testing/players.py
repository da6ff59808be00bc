"""Players for tests."""

from app.database.models import OwnPlayer
from app.guerdon import Guerdon


def add_player(guerdon: Guerdon, nickname: str) -> None:
    """Straight into the table, also beside one that casefold takes for the same."""
    with guerdon.database.connection_context():
        folded = nickname.casefold()[:255]
        OwnPlayer.insert(nickname=nickname, folded=folded, gold=0, created_at=0).execute()
