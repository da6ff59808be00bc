"""The series that are counted, by their ids: their names are written once."""

import hashlib
from collections.abc import Iterable

from app.database.number_models import SeriesRow
from app.database.opening import Database
from app.database.statements import ROWS_AT_ONCE, cut_rows, insert_sql
from app.numbers.tallies import Series

COLUMNS = ("series_key", *Series._fields)


def make_series_key(series: Series) -> bytes:
    """32 bytes of its names; none of them holds the character between them."""
    return hashlib.sha256(
        "\x00".join(part.replace("\x00", "\x00\x00") for part in series).encode()
    ).digest()


def number_series(database: Database, wanted: Iterable[Series]) -> dict[Series, int]:
    """Inside, with the walk of these series in hand: the id of each, new ones included."""
    keys = {make_series_key(one): one for one in wanted}
    found = find_ids(database, keys)
    new = sorted(key for key in keys if key not in found)
    missing = [(key, *map(str, keys[key])) for key in new]
    for some in cut_rows(missing, database.bytes_at_once):
        sql = insert_sql(SeriesRow._meta.table_name, COLUMNS, len(some), database.param)
        database.execute_sql(sql, [value for row in some for value in row])
    if new:
        found |= find_ids(database, new)
    return {one: found[key] for key, one in keys.items()}


def find_ids(database: Database, keys: Iterable[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    listed = list(keys)
    for start in range(0, len(listed), ROWS_AT_ONCE):
        some = listed[start : start + ROWS_AT_ONCE]
        marks = ", ".join([database.param] * len(some))
        sql = f"SELECT series_key, id FROM guerdon_series WHERE series_key IN ({marks})"
        rows = database.execute_sql(sql, some).fetchall()
        found.update((bytes(key), int(id)) for key, id in rows)
    return found


def read_series_names(database: Database, what: str) -> dict[int, Series]:
    """All series of one kind, by their ids."""
    sql = (
        f"SELECT id, {', '.join(Series._fields)} FROM guerdon_series WHERE what = {database.param}"
    )
    rows = database.execute_sql(sql, (what,)).fetchall()
    return {int(id): Series(*names) for id, *names in rows}
