"""Fills a database's tables as years of votes would have, in minutes: events, grants, both boxes.

Rows are copies of what Guerdon itself writes for one vote and one level, each with its own keys.
"""

import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.database.keys import make_event_key, make_report_key
from app.paying.settler import Work
from app.porch.rounds import list_game_events
from app.porch.types import Event
from app.testing.database_servers import MariaDBServer
from bench.comparing import PLAYERS
from bench.guerdon import Guerdon
from bench.load import make_id
from bench.reports import make_body

VOTE = ("gamemonitoring", "server.vote")
DAY = 86_400_000  # ms
SAMPLED = ("guerdon_events", "guerdon_grants", "guerdon_reports")
Row = dict[str, Any]
# Inserts rows, all with the same columns, into an empty table.
Insert = Callable[[str, Iterable[Row]], None]


def fill_tables(
    side: Guerdon, insert: Insert, votes: int, others: int, players: int = PLAYERS
) -> None:
    """So many settled votes, of which `others` came through the inbox, and as many delivered reports.

    `votes` is a multiple of `players`: each player has as much gold.
    """
    level = Work(list_game_events("level_up", make_body(1)))
    event, grant, report = take_samples(side, [make_vote(), level], SAMPLED)
    began = event["settled_at"] - 700 * DAY
    step = 700 * DAY // votes
    names = [make_id((began + number * step) * 100) for number in range(votes)]
    facts = (names, began, step, players)
    insert("guerdon_events", vary_events(event, *facts))
    insert("guerdon_grants", vary_grants(grant, *facts))
    insert("guerdon_inbox", make_waiting(names[:others], began, step, event["token"]))
    insert("guerdon_attempts", make_attempts(names[:others], began, step))
    insert("guerdon_reports", vary_reports(report, others, began, step))
    insert("guerdon_sends", make_sends(others, began, step))
    with side.inside.database.connection_context():
        side.inside.database.execute_sql(f"UPDATE players SET gold = {votes // players}")
    side.filled = votes
    os.sync()  # or the commits that are measured next would wait for all of this to be written


def fill_votes(side: Guerdon, insert: Insert, votes: int, players: int) -> None:
    """So many settled votes of as many players, each a gold; `votes` is a multiple of `players`."""
    event, grant = take_samples(side, [make_vote()], SAMPLED[:2])
    event |= {"player_id": None, "counted_at": None, "verdicts": None}  # as before rules counted
    began = event["settled_at"] - 700 * DAY
    step = 700 * DAY // votes
    names = [make_id((began + number * step) * 100) for number in range(votes)]
    insert("guerdon_events", vary_events(event, names, began, step, players))
    insert("guerdon_grants", vary_grants(grant, names, began, step, players))
    with side.inside.database.connection_context():
        side.inside.database.execute_sql(f"UPDATE players SET gold = {votes // players}")
    side.filled = votes
    os.sync()


def make_vote() -> Work:
    vote = {"id": "VOTE", "nickname": "player1", "server": {"id": 1}, "user": {"id": 7}}
    return Work([Event(*VOTE, "VOTE", "1", "player1", "7", None, vote)], "token 1")


def take_samples(side: Guerdon, works: Sequence[Work], tables: Sequence[str]) -> list[Row]:
    """The first row of each table once these are settled; the tables are empty again."""
    outcomes = side.inside.settler.settle(works)
    assert {one.state for one in outcomes} == {"settled"}, outcomes
    database = side.inside.database
    samples = []
    with database.connection_context():
        for table in tables:
            cursor = database.execute_sql(f"SELECT * FROM {table} ORDER BY id LIMIT 1")
            columns = [column[0] for column in cursor.description]
            samples.append(dict(zip(columns, cursor.fetchone(), strict=True)))
        for table in tables:  # only an empty table is filled fast
            is_mysql = database.family == "mysql"
            database.execute_sql(f"TRUNCATE {table}" if is_mysql else f"DELETE FROM {table}")
    database.close_all()
    return samples


def vary_events(
    sample: Row, names: list[str], began: int, step: int, players: int = PLAYERS
) -> Iterator[Row]:
    for number, name in enumerate(names):
        player = f"player{number % players}"
        yield sample | {
            "id": number + 1, "ordered_key": make_event_key(*VOTE, name), "event_id": name,
            "nickname": player, "settled_at": began + number * step,
            "data": sample["data"].replace("VOTE", name).replace("player1", player),
        }  # fmt: skip


def vary_grants(
    sample: Row, names: list[str], began: int, step: int, players: int = PLAYERS
) -> Iterator[Row]:
    for number in range(len(names)):
        yield sample | {
            "id": number + 1, "event": number + 1, "player_id": str(number % players + 1),
            "nickname": f"player{number % players}", "granted_at": began + number * step,
        }  # fmt: skip


def make_waiting(names: list[str], began: int, step: int, token: str) -> Iterator[Row]:
    for number, name in enumerate(names):
        at = began + number * step
        yield {
            "id": number + 1, "ordered_key": make_event_key(*VOTE, name), "source": VOTE[0],
            "type": VOTE[1], "event_id": name, "token": token, "data": "{}", "state": "settled",
            "due_at": at + 5000, "lease_token": uuid.uuid4().hex, "lease_until": at + 65_000,
            "takes": 1, "attempts": 1, "retries": 0, "last_error": "the vote API: no connection",
            "received_at": at, "waiting_since": at,
        }  # fmt: skip


def make_attempts(names: list[str], began: int, step: int) -> Iterator[Row]:
    for number, name in enumerate(names):
        yield {
            "id": number + 1, "ordered_key": make_event_key(*VOTE, name), "at": began + number * step,
            "what": "delivery", "detail": "the vote API: no connection",
        }  # fmt: skip


def vary_reports(sample: Row, count: int, began: int, step: int) -> Iterator[Row]:
    reply = json.dumps({"action": "game_event_created", "id": "1", "token": str(uuid.uuid4())})
    for number in range(count):
        key, at = f"bench:filled{number}:s73:10", began + number * step
        yield sample | {
            "id": number + 1, "key": key, "event": number + 1, "state": "delivered", "takes": 1,
            "report_key": make_report_key(sample["reporter"], sample["kind"], key),
            "due_at": at, "lease_token": uuid.uuid4().hex, "lease_until": at + 45_000, "sends": 1,
            "response": reply, "created_at": at, "waiting_since": at, "delivered_at": at + 30,
        }  # fmt: skip


def make_sends(count: int, began: int, step: int) -> Iterator[Row]:
    for number in range(count):
        at = began + number * step
        yield {
            "id": number + 1, "report": number + 1, "number": 1, "begun_at": at, "ended_at": at + 30,
            "status": 200, "latency": 30, "error": "", "answer": '{"action":"game_event_created"}',
        }  # fmt: skip


def insert_into_sqlite(path: Path) -> Insert:
    """Unsafe and fast; nobody else has the file open meanwhile."""

    def insert(table: str, rows: Iterable[Row]) -> None:
        rows = iter(rows)
        first = next(rows)
        database = sqlite3.connect(path)
        for pragma in ("journal_mode = DELETE", "synchronous = OFF", "cache_size = -1000000"):
            database.execute(f"PRAGMA {pragma}").fetchall()
        marks = ", ".join("?" * len(first))
        sql = f"INSERT INTO {table} ({name_columns(first)}) VALUES ({marks})"
        database.execute(sql, tuple(first.values()))
        database.executemany(sql, (tuple(row.values()) for row in rows))
        database.commit()
        database.close()

    return insert


def insert_into_mariadb(server: MariaDBServer, name: str) -> Insert:
    """By LOAD DATA from a file that the server reads."""

    def insert(table: str, rows: Iterable[Row]) -> None:
        rows = iter(rows)
        first = next(rows)
        path = server.folder / f"{table}.tsv"
        with path.open("w") as file:
            file.write(write_line(first))
            file.writelines(map(write_line, rows))
        binary = {key for key, value in first.items() if isinstance(value, bytes)}
        columns = ", ".join(f"@{key}" if key in binary else f"`{key}`" for key in first)
        changes = ", ".join(f"`{key}` = UNHEX(@{key})" for key in binary)
        connection = server.connect(name)
        with connection.cursor() as cursor:
            cursor.execute(
                "SET unique_checks = 0, foreign_key_checks = 0"
            )  # sorted, not row by row
            cursor.execute(
                f"LOAD DATA INFILE '{path}' INTO TABLE {table} CHARACTER SET utf8mb4 ({columns})"
                + (f" SET {changes}" if changes else "")
            )
        connection.close()
        path.unlink()

    return insert


def name_columns(row: Mapping[str, Any]) -> str:
    return ", ".join(f'"{key}"' for key in row)


def write_line(row: Row) -> str:
    """Of tab-separated text; no value here holds a tab, an end of line or a backslash."""
    cells = (
        value.hex() if isinstance(value, bytes) else "\\N" if value is None else str(value)
        for value in row.values()
    )
    return "\t".join(cells) + "\n"
