"""The database from outside of its tables: its clock, its version, the room it has left, its cluster."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from app.backups.making import measure_room
from app.database.opening import Database
from app.doctor.findings import Finding, fail, say_ok, warn
from app.guerdon import LARGEST_LEAD, Guerdon

MIB = 1 << 20
OLDEST = {"SQLite": (3, 35), "MariaDB": (10, 6), "MySQL": (8, 0)}
LEAST_ROOM, SMALL_ROOM = 100 * MIB, 1024 * MIB
LONG_WAL = 256 * MIB  # bytes; it is copied at some 40 MiB where nobody reads for long
LOOPBACK = ("localhost", "127.0.0.1", "::1")
POOL_SHARE = 4  # the pool should hold a quarter of the tables (docs/decisions/vote.md)
POOL_STEP = 128 * MIB
SLOWED = 0.1  # of the time: writes that a cluster held up


def check_clock(guerdon: Guerdon) -> Iterator[Finding]:
    """This host's clock beside the database's, and the zone that times are in."""
    lead = guerdon.now.compare()
    if guerdon.database.family == "sqlite":
        yield say_ok("clock", "this host's clock decides, in UTC")
        return
    with guerdon.database.connection_context():
        sql = "SELECT @@session.time_zone, @@global.time_zone, @@system_time_zone"
        session, server, system = map(str, guerdon.database.execute_sql(sql).fetchone())
    zone = system if server == "SYSTEM" else server
    if session != "+00:00":
        yield fail("clock", f"our connections are in the zone {session}", "guerdon check")
    if lead is None:
        yield fail("clock", "the database does not tell the time", "guerdon check")
    elif abs(lead) > LARGEST_LEAD:
        where = "ahead of" if lead > 0 else "behind"
        text = f"this host's clock is {abs(lead) / 1000:.1f} s {where} the database's"
        yield fail("clock", text, "timedatectl set-ntp true   (on both)")
    else:
        text = f"{abs(lead):,} ms from the database's, whose zone is {zone}; ours is UTC"
        yield say_ok("clock", text)


def check_server(guerdon: Guerdon) -> Iterator[Finding]:
    """Which database it is, and how it is used."""
    with guerdon.database.connection_context():
        kind, told, how = describe_server(guerdon.database)
    version = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if version < OLDEST[kind]:
        needed = ".".join(map(str, OLDEST[kind]))
        yield fail("database", f"{kind} {told} is too old", f"upgrade it to {needed} or later")
    else:
        yield say_ok("database", f"{kind} {told}, {how}")


def describe_server(database: Database) -> tuple[str, str, str]:
    """Its name, its version as it tells it, and engine and isolation, or what stands for them."""
    if database.family == "sqlite":
        version = database.execute_sql("SELECT sqlite_version()").fetchone()[0]
        mode = database.execute_sql("PRAGMA journal_mode").fetchone()[0]
        sync = database.execute_sql("PRAGMA synchronous").fetchone()[0]
        return "SQLite", str(version), f"journal_mode {mode}, synchronous {sync}"
    told = str(database.execute_sql("SELECT VERSION()").fetchone()[0])
    rows = database.execute_sql("SHOW SESSION VARIABLES LIKE '%%isolation'").fetchall()
    engine = database.execute_sql(
        "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE()"
        " AND table_name = 'guerdon_events'"
    ).fetchone()
    isolation = ", ".join(sorted({str(row[1]) for row in rows}))
    kind = "MariaDB" if "mariadb" in told.lower() else "MySQL"
    return kind, told, f"{engine[0] if engine else 'no tables yet'}, {isolation}"


def check_room(guerdon: Guerdon) -> Iterator[Finding]:
    """What is left on its disk, as far as that can be seen; how much of SQLite's is in its WAL."""
    folder = find_data(guerdon)
    if folder is None:
        yield say_ok("room", "the database's disk cannot be seen from here: have it watched there")
        return
    left = measure_room(folder)
    text, remedy = (
        f"{left / MIB:,.0f} MiB are left in {folder}",
        f"df -h {folder}   (and make room)",
    )
    if left < LEAST_ROOM:
        yield fail("room", text, remedy)
    elif left < SMALL_ROOM:
        yield warn("room", text, remedy)
    else:
        yield say_ok("room", text)
    if guerdon.database.family == "sqlite":
        yield from judge_wal(Path(f"{guerdon.database.database}-wal"))


def find_data(guerdon: Guerdon) -> Path | None:
    """The folder of the database's files, where it is on this machine and may be looked at."""
    if guerdon.database.family == "sqlite":
        return Path(guerdon.database.database).absolute().parent
    if urlsplit(guerdon.config.database.url).hostname not in LOOPBACK:
        return None
    with guerdon.database.connection_context():
        folder = Path(str(guerdon.database.execute_sql("SELECT @@datadir").fetchone()[0]))
    try:
        return folder if folder.is_dir() else None
    except OSError:
        return None


def judge_wal(wal: Path) -> Iterator[Finding]:
    size = wal.stat().st_size if wal.exists() else 0
    if size > LONG_WAL:
        text = f"{wal.name} has {size / MIB:,.0f} MiB: something has read for long, or still does"
        yield warn("room", text, f"fuser -v {wal}   (and end what only reads)")
    else:
        yield say_ok("room", f"its WAL has {size / MIB:,.0f} MiB")


def check_memory(guerdon: Guerdon) -> Iterator[Finding]:
    """Whether the server's pool of pages holds what rules that count touch; nothing on SQLite."""
    if guerdon.database.family == "sqlite":
        return
    with guerdon.database.connection_context():
        (pool,) = guerdon.database.execute_sql("SELECT @@innodb_buffer_pool_size").fetchone()
        sql = (
            "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
            " WHERE table_schema = DATABASE()"
        )
        (tables,) = guerdon.database.execute_sql(sql).fetchone()
    yield judge_memory(int(pool), int(tables), not guerdon.rules.is_plain)


def judge_memory(pool: int, tables: int, counts: bool) -> Finding:
    """For these bytes of tables; `counts`: the rules ask for more than the event itself."""
    text = f"{tables // MIB:,} MiB of tables, a pool of {pool // MIB:,} MiB"
    if not counts or pool * POOL_SHARE >= tables:
        return say_ok("memory", text)
    wanted = -(-tables // (POOL_SHARE * POOL_STEP)) * POOL_STEP // MIB
    return warn(
        "memory",
        f"{text}: rules that count wait for its disk",
        f"innodb_buffer_pool_size = {wanted}M   (in the server's config)",
    )


def check_cluster(guerdon: Guerdon) -> Iterator[Finding]:
    """A Galera node's own words; nothing where there is no cluster."""
    if guerdon.database.family == "sqlite":
        return
    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql("SHOW GLOBAL STATUS LIKE 'wsrep\\_%%'").fetchall()
    yield from judge_cluster({str(name).lower(): str(value) for name, value in rows})


def judge_cluster(status: Mapping[str, str]) -> Iterator[Finding]:
    """`status` by its names in lower case, as SHOW STATUS tells it."""
    size = int(status.get("wsrep_cluster_size") or 0)
    if not size:
        return
    state, part = (
        status.get("wsrep_local_state_comment", ""),
        status.get("wsrep_cluster_status", ""),
    )
    text = f"{size} nodes, this one {state}, {part}"
    if part != "Primary" or status.get("wsrep_ready") != "ON":
        remedy = "bring the other nodes back; where all are gone: docs/galera.md"
        yield fail("cluster", f"this node may not write: {text}", remedy)
    elif size < 3 or size % 2 == 0:
        yield warn(
            "cluster", f"{text}: half of them may be no majority", "have three nodes, or five"
        )
    elif state != "Synced":
        yield warn("cluster", text, "wait until it is Synced, or write to another node")
    else:
        yield say_ok("cluster", text)
    if float(status.get("wsrep_flow_control_paused") or 0) > SLOWED:
        text = "its writes were held up for a tenth of the time: a node is slow"
        yield warn(
            "cluster", text, "SHOW STATUS LIKE 'wsrep_local_recv_queue_avg'   (on each node)"
        )
