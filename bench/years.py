"""A ledger of years, for the dashboard: several sources, servers and rules, many players, open rows."""

import random
import shutil
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.database.keys import make_event_key
from app.testing.database_servers import MariaDBServer
from bench.filling import VOTE, Insert, Row, fill_tables, insert_into_mariadb, insert_into_sqlite
from bench.guerdon import Guerdon

SOURCES, SERVERS, RULES = ("gamemonitoring", "topgg", "listforge"), 5, 10
TABLES = ("guerdon_events", "guerdon_grants", "guerdon_inbox", "guerdon_reports", "guerdon_sends",
          "guerdon_claims")  # fmt: skip
REPORTERS = """
[plugins.g123]
host = "http://127.0.0.1:9"
app_id = "bench"
app_secret = "bench-secret"
[plugins.sud]
report_url = "http://127.0.0.1:9/report"
app_id = "bench"
app_secret = "bench-secret"
"""
REWARDS = "".join(
    f"""
[[rules]]
name = "rule {number}"
on = "server.vote"
give = [{{ reward = "gold", amount = "1.00" }}]
"""
    for number in range(RULES)
)
PROGRAMME = """
[[budgets]]
name = "gold of a day"
reward = "gold"
sum = "amount"
at_most = "10000 per day"
[[rules]]
name = "vote party"
on = "server.vote"
party = { every = 50 }
give = [{ reward = "gold", amount = "5.00" }]
"""


def open_ledger(kind: str, folder: Path, args: Namespace, more: str, stack: ExitStack) -> Guerdon:
    """A Guerdon on a database of this kind with a filled ledger; a folder that has one is used again.

    `more` is added to the config.
    """
    url, rewards = "http://127.0.0.1:9", REWARDS + PROGRAMME
    if kind == "mariadb":
        if not shutil.which("mariadbd"):
            raise SystemExit("mariadbd is not installed: apt-get install mariadb-server")
        (folder / "server").mkdir()
        server = MariaDBServer(folder / "server")
        stack.callback(server.stop)
        name = server.create_database()
        side = Guerdon(kind, folder, server.url(name), url, REPORTERS + more, rewards)
        fill(side, insert_into_mariadb(server, name), args)
    else:
        path = folder / "guerdon.db"
        is_there = path.exists()
        side = Guerdon(kind, folder, f"sqlite:///{path}", url, REPORTERS + more, rewards)
        if not is_there:
            fill(side, insert_into_sqlite(path), args)
    stack.callback(side.look_away)
    return side


def fill(side: Guerdon, insert: Insert, args: Namespace) -> None:
    """The ledger, and so many open rows in each box."""
    side.fill([f"player{n}" for n in range(args.players)])
    fill_tables(side, vary(insert), args.votes, args.others, args.players)
    now, database = side.inside.now(), side.inside.database
    database.close_all()  # only a file that nobody has open is filled fast
    insert("guerdon_claims", make_claims(args.others, args.open, now))
    with database.connection_context():
        for table in ("guerdon_inbox", "guerdon_reports"):
            for state, share in (("ready", 1), ("dead", 2)):
                last = args.others - share * args.open
                sql = f"UPDATE {table} SET state = '{state}' WHERE id > {last} AND id <= {last + args.open}"
                database.execute_sql(sql)
        for table in TABLES:
            is_mysql = database.family == "mysql"
            database.execute_sql(f"ANALYZE {'TABLE ' * is_mysql}{table}").fetchall()


def vary(insert: Insert) -> Insert:
    """Rows as they come from several sources, of several servers, by several rules."""
    dice = random.Random(1)

    def change(table: str, rows: Any) -> Iterator[Row]:
        for row in rows:
            if table == "guerdon_events":
                source, player = dice.choice(SOURCES), row["nickname"].removeprefix("player")
                row |= {"source": source, "type": VOTE[1], "server_id": str(dice.randrange(SERVERS)),
                        "ordered_key": make_event_key(source, VOTE[1], row["event_id"]),
                        "player_id": str(int(player) + 1), "counted_at": row["settled_at"]}  # fmt: skip
            if table == "guerdon_grants":
                row |= {"rule": f"rule {dice.randrange(RULES)}",
                        "server_id": str(dice.randrange(SERVERS))}  # fmt: skip
            if table == "guerdon_reports":
                row |= {"reporter": dice.choice(("g123", "sud"))}
            yield row

    return lambda table, rows: insert(table, change(table, rows))


def make_claims(count: int, open_ones: int, now: int) -> Iterator[Row]:
    for number in range(count):
        is_open = number >= count - open_ones
        yield {
            "id": number + 1, "server_id": str(number % SERVERS), "player_id": str(number),
            "nickname": f"player{number}", "event_type": "server.vote", "event_id": str(number),
            "payload": "{}", "state": "ready" if is_open else "done", "lease_token": "",
            "lease_until": 0, "takes": 0, "created_at": now - count + number,
        }  # fmt: skip
