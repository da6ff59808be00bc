"""A player of our own table: his row stays, with what he has, under the pseudonym; nobody reaches it."""

from collections import Counter

from app.config.sections import Players
from app.database.opening import Database
from app.paying.turns import take_turns
from app.privacy.knowing import Known


def rename_own_player(database: Database, players: Players, known: Known) -> "Counter[str]":
    """Inside, in his turn: from then on his name is nobody's; how many rows.

    A table of the studio's is its own: its plugin's hook erase_player may do this.
    """
    player, pseudonym, mark = known.player, known.person.pseudonym, database.param
    if not players.is_own or player is None or player.nickname == pseudonym:
        return Counter()
    take_turns(database, [player.key])
    database.execute_sql(
        f"UPDATE players SET nickname = {mark}, folded = {mark} WHERE id = {mark}",
        (pseudonym, pseudonym, player.id),
    )
    folded = player.nickname.casefold()[:255]
    sql = f"SELECT 1 FROM players WHERE folded = {mark}"
    if not database.execute_sql(sql, (folded,)).fetchone():
        database.execute_sql(f"DELETE FROM guerdon_player_names WHERE folded = {mark}", (folded,))
    return Counter(players=1)
